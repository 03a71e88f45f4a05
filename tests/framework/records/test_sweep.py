"""The record of a sweep: what varies, and what it tells the records of its runs."""

import json
from pathlib import Path

import pytest

from chainrule.engine.reason import Reason
from chainrule.errors import RecordError
from chainrule.records.manifest import FAILURE
from chainrule.records.run import Failure, read_end
from chainrule.records.sweep import JobEntry, Sweep, new_sweep, read_sweep


def sweep_of(*lists, directory="sweep"):
    """The record of a sweep whose jobs have these overrides; nothing is written."""
    sweep = new_sweep(Path(directory).absolute(), ["-m"], Path.cwd(), {}, {})
    jobs = [JobEntry(overrides=list(own), directory=str(number)) for number, own in enumerate(lists)]
    return Sweep(sweep.directory, type(sweep.manifest)({**sweep.manifest, "jobs": jobs}))


@pytest.fixture
def varied():
    return sweep_of(*([f"seed={n}", f"optimizer={name}", "data.noise=1"] for n in (7, 8) for name in ("adam", "rprop")))


def test_what_varies_is_told_with_the_seed_last(varied):
    assert varied.axes == {"optimizer": ["adam", "rprop"], "seed": ["7", "8"]}
    assert varied.title == "2 optimizer x 2 seeds"
    assert varied.settings(3) == {"optimizer": "rprop", "seed": 8}
    assert sweep_of(["seed=1"]).axes == {}
    assert sweep_of(["seed=1"]).title == "one setting"
    assert sweep_of(["+a=1", "b=x"], ["b=x"]).axes == {"a": ["1"]}


def test_a_record_is_told_its_place(varied):
    """By the sweep, which knows its jobs: nothing is looked for in the folders above a record."""
    member = varied.member(2)
    assert (member.directory, member.key, member.runs) == (varied.directory, varied.manifest.key, 4)
    assert (member.number, member.settings) == (2, {"optimizer": "adam", "seed": 8})
    assert varied.members() == {varied.directory / str(number): varied.member(number) for number in range(4)}


def test_what_is_written_is_read_back(tmp_path):
    sweep = sweep_of(["seed=1"], ["seed=2"])
    sweep.directory.mkdir()
    written = sweep.write(finished="2026-11-28T10:00:00+00:00")
    found = read_sweep(tmp_path / "sweep")
    assert found.manifest == written.manifest
    assert [job.directory for job in found.manifest.jobs] == ["0", "1"]
    assert found.manifest["jobs"][1]["overrides"] == found.manifest.jobs[1].overrides == ["seed=2"]
    assert (found.manifest.search, found.comparison, found.runs, found.planned) == (None, None, 2, 2)


@pytest.mark.parametrize("change", [{"jobs": [{"overrides": []}]}, {"key": 1}, {"times": []}, {"finished": 3}])
def test_a_damaged_record_names_what_is_wrong(tmp_path, change):
    sweep_of(["seed=1"], directory=tmp_path).write(**change)
    with pytest.raises(RecordError, match=f"is damaged: .*: {next(iter(change))}\\.$"):
        read_sweep(tmp_path)


def test_a_failure_keeps_its_seed():
    sweep = sweep_of(["optimizer=adam"], ["optimizer=rprop"])
    Failure.of(sweep.place(1), ArithmeticError("no"), seed=5).write()
    outcome = sweep.outcome(1, read_end(sweep.place(1)))
    assert (outcome.settings, outcome.seed, outcome.reason) == ({"optimizer": "rprop"}, 5, Reason.FAILED)
    assert (outcome.metrics, outcome.error) == ({}, "ArithmeticError: no")


def test_the_seed_of_a_failure_of_an_older_version_is_the_one_typed(varied):
    """Which did not write it."""
    for number in range(4):
        Failure.of(varied.place(number), ArithmeticError("no"), seed=5).write()
        path = varied.place(number) / FAILURE
        content = json.loads(path.read_text())
        assert content.pop("seed") == 5
        path.write_text(json.dumps({key: value for key, value in content.items() if key != "checksum"} | {"format": 2}))
    assert [outcome.seed for outcome in varied.outcomes()] == [7, 7, 8, 8]
