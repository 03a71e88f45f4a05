"""``chainrule sync``: what is sent, to whom, and what is said of the rest."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import chainrule
from chainrule.cli import sync
from chainrule.errors import ChainruleError
from chainrule.files import locks
from chainrule.records.manifest import MANIFEST
from chainrule.records.sweep import SWEEP, new_sweep
from sealing import rewritten
from sweeping import command


@dataclass(frozen=True)
class Kept(chainrule.Tracker):
    """Remembers what it was sent."""

    records: ClassVar = []
    sweeps: ClassVar = []

    def send(self, record):
        if record.manifest.overrides == ["seed=13"]:
            raise OSError("no")
        self.records.append((record.directory, record.member))

    def send_sweep(self, sweep, outcomes):
        self.sweeps.append((sweep.directory, [outcome.seed for outcome in outcomes]))


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(Kept, "records", [])
    monkeypatch.setattr(Kept, "sweeps", [])
    monkeypatch.setattr(sync, "tracker_of", lambda record, name, allowed: Kept())
    monkeypatch.setattr(sync, "load_plugins", lambda words: None)
    return Kept


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The records of three runs."""
    folder = tmp_path_factory.mktemp("trained")
    for place, seed in {"alone": 0, "s/0": 1, "s/1": 2}.items():
        chainrule.run("training.epochs=0", f"seed={seed}", "tracking=none", directory=folder / place)
    return folder


@pytest.fixture
def sweep(trained, tmp_path):
    """A finished sweep of two runs, and a run beside it."""
    shutil.copytree(trained, tmp_path / "runs")
    jobs = [{"overrides": [f"seed={seed}"], "directory": str(number)} for number, seed in enumerate((1, 2))]
    sweep = new_sweep(tmp_path / "runs" / "s", ["-m", "seed=1,2"], tmp_path, {}, {})
    return sweep.write(jobs=jobs, finished="2026-11-28T10:00:00+00:00")


def test_records_are_sent_with_their_place_and_then_their_sweep(kept, sweep):
    sync.main(["runs"])
    root = Path("runs").absolute()
    assert kept.records[0] == (root / "alone", None)
    assert [(place, member.number, member.key) for place, member in kept.records[1:]] == [
        (root / "s" / str(number), number, sweep.manifest.key) for number in (0, 1)
    ]
    assert kept.sweeps == [(root / "s", [1, 2])]


@pytest.mark.parametrize("given", ["runs/s/1", "./runs/s/1"])
def test_a_run_of_a_sweep_may_be_sent_alone(kept, sweep, given):
    sync.main([given])
    ((_, member),) = kept.records
    assert (member.number, member.settings) == (1, {"seed": 2})
    assert kept.sweeps == [(sweep.directory, [1, 2])]


def test_a_sweep_that_broke_off_is_sent_without_outcomes_unless_a_process_is_at_work_on_it(kept, sweep, capsys):
    sweep.write(finished=None)
    with locks.exclusive(sweep.directory / ".sweep.lock", wait=0):
        sync.main(["runs"])
    assert (len(kept.records), kept.sweeps) == (3, [])
    assert f"{sweep.directory}: is still running" in capsys.readouterr().out
    sync.main(["runs"])
    assert kept.sweeps == [(sweep.directory, [])]


def test_a_tracker_that_cannot_be_reached_is_given_up_at_once(kept, sweep, monkeypatch, capsys):
    asked = []

    def down(self, record):
        asked.append(record)
        raise ChainruleError("It is down.")

    monkeypatch.setattr(Kept, "send", down)
    with pytest.raises(ChainruleError, match=r"^3 records were not sent\.$"):
        sync.main(["runs"])
    assert (len(asked), kept.sweeps) == (1, [])
    assert capsys.readouterr().err == "chainrule: It is down.\n"


def test_what_cannot_be_sent_keeps_no_other_back(kept, sweep, capsys):
    rewritten(sweep.directory / "0", overrides=["seed=13"])
    with pytest.raises(ChainruleError, match=r"^1 record was not sent\.$"):
        sync.main(["runs"])
    assert len(kept.records) == 2
    assert capsys.readouterr().err == f"chainrule: {sweep.directory / '0'}: OSError: no\n"


def test_the_runs_of_a_damaged_sweep_are_kept_back_and_no_others(kept, sweep, capsys):
    (sweep.directory / SWEEP).write_text("{")
    with pytest.raises(ChainruleError, match=r"^2 records were not sent\.$"):
        sync.main(["runs"])
    assert [place.name for place, _ in kept.records] == ["alone"]
    for line, number in zip(capsys.readouterr().err.splitlines(), (0, 1), strict=True):
        assert line.startswith(f"chainrule: {sweep.directory / str(number)}: {sweep.directory / SWEEP} cannot be read")


def test_a_directory_without_records_is_named_as_typed(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ChainruleError, match=r"^empty holds no finished record\.$"):
        sync.main(["empty"])


def test_sync_sends_what_was_kept(tmp_path):
    command("training.epochs=3", "tracking=none")
    done = command("sync", "outputs", "--tracking", "mlflow")
    (directory,) = (manifest.parent for manifest in Path("outputs").rglob(MANIFEST))
    assert f"chainrule ui {directory.absolute()}\n" in done.stdout
    run = json.loads((directory / "mlflow.json").read_text())["run_id"]
    with closing(sqlite3.connect("mlflow.db")) as database:
        assert database.execute("SELECT run_uuid, status FROM runs").fetchall() == [(run, "FINISHED")]


def test_sync_without_records(tmp_path):
    (tmp_path / "empty").mkdir()
    assert command("sync", "empty", code=1).stderr == "chainrule: empty holds no finished record.\n"


class Shown(Kept, name="shown"):
    """Says where a run is shown that it has received."""

    def send(self, record):
        super().send(record)
        record.links["run"] = "there"

    def links(self, record):
        return {"run": "there"} if record.directory in dict(self.records) else {}


def test_it_is_said_how_many_records_were_sent_now_and_how_many_before(kept, sweep, monkeypatch, capsys):
    monkeypatch.setattr(sync, "tracker_of", lambda record, name, allowed: Shown())
    sync.main(["runs/s"])
    assert capsys.readouterr().out.splitlines()[-1] == "2 records sent now, 0 had been sent before"
    sync.main(["runs"])
    assert capsys.readouterr().out.splitlines()[-1] == "1 record sent now, 2 had been sent before"
