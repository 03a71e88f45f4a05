"""What is wrong with records and sweeps on disk, and what mending them does."""

import shutil
from pathlib import Path

import pytest

import chainrule
from chainrule.errors import ChainruleError
from chainrule.files.locks import exclusive
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import read_record, require_free
from chainrule.records.sweep import read_sweep
from chainrule.registry.loaded import installed
from chainrule.sweep import health

SHORT = ("training.epochs=1", "tracking=none", "data.samples=10", "hydra.launcher.workers=1")


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("health")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        chainrule.sweep("seed=0,1", *SHORT, directory="sweep", quiet=True)
        chainrule.run(*SHORT[:-1], directory="run")
    return folder


@pytest.fixture
def place(swept, tmp_path):
    """Copies of a sweep of two runs and of a run."""
    for name in ("sweep", "run"):
        shutil.copytree(swept / name, tmp_path / name)
    return tmp_path


def faults(directory):
    return [(Path(fault.place).name, fault.sentence) for fault in health.directory_faults(Path(directory))]


def test_of_what_is_whole_nothing_is_said(place):
    assert faults(place) == []


def test_records_that_were_never_sent_are_counted_with_the_command(place, monkeypatch):
    class Kept(chainrule.Tracker, name="kept"):
        def links(self, record):
            return {"run": "there"} if record.directory.name == "0" else {}

    monkeypatch.setattr(health, "tracker_from_config", lambda config, registry: Kept())
    assert list(health.unsent(place)) == [
        f"{place}: 2 of 3 records are not in tracking=kept of this project; `chainrule sync {place}` sends them, or "
        "says why it cannot."
    ]
    monkeypatch.setattr(Kept, "links", chainrule.Tracker.links)
    assert not list(health.unsent(place)), "of such a tracker nothing is known"


def test_a_directory_without_records_is_named(tmp_path):
    with pytest.raises(ChainruleError, match=r"holds no record\.$"):
        faults(tmp_path)


def keep(directory):
    """Leave a checkpoint in a directory without a record."""
    (directory / "checkpoints").mkdir(parents=True)
    (directory / "checkpoints" / "epoch-0000000650").write_bytes(b"")
    (directory / MANIFEST).unlink(missing_ok=True)


def test_it_is_told_how_to_go_on_with_runs_that_are_kept(place):
    keep(place / "other")
    said = f"{place}/other holds a run that is kept up to epoch 650; `chainrule resume {place}/other` goes on."
    assert list(health.kept(place / "other")) == list(health.kept(place)) == [said]
    assert faults(place / "other") == faults(place) == [], "it may be training"


def test_runs_of_a_sweep_are_kept_by_the_sweep(place):
    keep(place / "sweep" / "1")
    assert list(health.kept(place)) == []
    with pytest.raises(ChainruleError, match=rf"up to epoch 650: `chainrule resume {place}/sweep` goes on, or write"):
        require_free(place / "sweep" / "1")


def test_what_is_damaged_is_named(place):
    (place / "run" / "curves.npz").write_bytes(b"")
    (place / "sweep" / "1" / MANIFEST).write_text("{")
    found = dict(faults(place))
    assert found["run"] == "curves.npz is missing or was changed after it was recorded"
    assert "cannot be read" in found["1"]


def test_what_is_gone_is_counted(place):
    shutil.rmtree(place / "sweep" / "0")
    assert faults("sweep") == [("sweep", "has finished, but 1 of 2 records are gone")]


def test_a_sweep_that_broke_off_is_told_from_one_at_work(place):
    sweep = read_sweep(place / "sweep").write(finished=None)
    (place / "sweep" / ".progress").mkdir()
    with exclusive(place / "sweep" / ".sweep.lock", wait=0):
        assert faults("sweep") == []
    assert [text for _, text in faults("sweep")] == [
        "has not finished: 2 of 2 runs are recorded", "has a folder of processes that are gone",
    ]  # fmt: skip
    for fault in health.sweep_faults(sweep):
        if fault.mend:
            fault.mend()
    assert len(faults("sweep")) == 1


def test_what_is_mended_is_right(place):
    (place / "run" / ".weights.npz.tmp").touch()
    (place / "sweep" / "report.html").write_text("changed")
    found = list(health.directory_faults(place))
    assert len(found) == 2
    for fault in found:
        fault.mend()
    assert faults(place) == []
    assert "<html" in (place / "sweep" / "report.html").read_text()
    assert read_record(place / "run").is_intact()


def test_a_sweep_whose_record_is_damaged_is_named(place):
    (place / "sweep" / "sweep.json").write_text("{")
    assert [name for name, _ in faults("sweep")] == ["sweep"]


def test_the_environment_of_the_tests_is_right(monkeypatch):
    assert [fault for fault in health.environment_faults(installed()) if "disk" not in fault.sentence] == []
    assert any("BLAS" in line for line in health.summary())
    monkeypatch.setattr(
        health.metadata, "requires", lambda name: ["numpy>=99", "nowhere>=1", "pytest>=99; extra == 'x'"]
    )
    monkeypatch.setattr(health, "threadpool_info", list)
    told = [health.shown(fault) for fault in health.environment_faults(installed()) if "disk" not in fault.sentence]
    assert told[0].startswith("numpy: has version ")
    assert told[1] == "nowhere: is not installed. `pip install 'nowhere>=1'`."
    assert told[2].startswith("BLAS: is none whose threads can be limited")
