"""``chainrule report``: the report of a sweep, once more, or of runs that a tracker keeps."""

import json
import re
from pathlib import Path

import pytest

import chainrule
from chainrule.cli import report
from chainrule.errors import ConfigurationError
from chainrule.notebook import reading
from chainrule.records.tracked import Status, TrackedRun, TrackedRuns
from pages import parsed
from sweeping import command


def test_the_command_writes_the_report_of_a_sweep_again():
    arguments = ["-m", "seed=0,1", "optimizer.lr=0.1,0.01", "training.epochs=3", "tracking=none", "hydra.sweep.dir=s"]
    done = command(*arguments)
    path = Path("s/report.html").absolute()
    assert re.search(rf"^  report +{path}$", done.stdout, re.MULTILINE)
    first = path.read_text()
    path.unlink()
    again = command("report", "s")
    assert again.stdout == f"{path}\n"
    assert path.read_text() == first
    assert "polyline" in first
    parsed(first.replace("https://", "").replace("http://", ""))
    assert json.loads((path.parent / "sweep.json").read_text())["finished"]


class Keeps(chainrule.Tracker):
    """A tracker of somebody else's, with one experiment."""

    def read(self, experiment):
        runs = [
            TrackedRun(str(n), Status.FINISHED, {"x": str(n % 2), "seed": str(n // 2)}, {"a": n}) for n in range(18)
        ]
        return TrackedRuns(experiment, "here", tuple(runs))


@pytest.fixture
def tracker(monkeypatch):
    class Registry:
        def make(self, group, name, values):
            assert (group, name, values) == ("tracking", "keeps", {})
            return Keeps()

    monkeypatch.setattr(reading, "registry", Registry)
    monkeypatch.setattr(report, "load_plugins", lambda words: None)


def test_runs_of_any_tracker_are_ranked(tracker, tmp_path, capsys):
    report.main(["keeps:an: experiment/x", "--maximize"])
    first, *notes, page, table = capsys.readouterr().out.splitlines()
    assert first.startswith("The largest median a is 9 over 9 seeds")
    assert notes == ["  Ranked by a, assumed: larger values are better.", "  Seed: seed, assumed from the name."]
    assert (page.strip(), table.strip()) == tuple(
        str(tmp_path / f"report-an_experiment_x.{end}") for end in ("html", "csv")
    )
    assert first in parsed(Path(page.strip()).read_text())


@pytest.mark.parametrize("option", ["--metric=a", "--maximize", "--minimize", "--seed=s", "--settings=x", "--output=o"])
def test_a_sweep_takes_no_options(option):
    with pytest.raises(ConfigurationError, match="A directory needs no options: they are for runs of a tracker"):
        report.main(["s", option])


def test_a_directory_may_have_a_colon(tmp_path):
    Path("a:b").mkdir()
    with pytest.raises(chainrule.RecordError, match="a:b holds no sweep"):
        report.main(["a:b"])


def test_the_help_explains_the_options(capsys):
    with pytest.raises(SystemExit):
        report.main(["--help"])
    text = capsys.readouterr().out
    for word in ("mlflow:EXPERIMENT", "--metric NAME", "--maximize", "--seed PARAMETER", "--settings", "--output FILE"):
        assert word in text
