"""``chainrule delete`` removes what chainrule has written, there and in the tracker, and nothing else."""

import contextlib
import shutil
from pathlib import Path

import pytest

import chainrule
from chainrule.cli import common, delete
from chainrule.errors import ChainruleError
from chainrule.files.locks import exclusive
from chainrule.records.manifest import MANIFEST
from chainrule.records.sweep import SWEEP

SHORT = ("training.epochs=1", "tracking=none", "data.samples=10")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        chainrule.sweep("seed=0,1", *SHORT, "hydra.launcher.workers=1", directory="sweep", quiet=True)
        chainrule.run(*SHORT, directory="run")
    return folder


@pytest.fixture
def told(made, tmp_path, monkeypatch):
    """Copies of a sweep and a run; what their tracker was told."""
    for name in ("sweep", "run"):
        shutil.copytree(made / name, tmp_path / name)
    found = []

    class Tracker:
        name = "kept"

        def __repr__(self):
            return "kept"

        def forget(self, records):
            found.extend(record.directory.name for record in records)
            return len(records)

        def forget_sweep(self, sweep):
            found.append(sweep.directory.name)
            return 1

    monkeypatch.setattr(delete, "tracker_of", lambda record, name, allowed: Tracker())
    return found


def test_a_run_is_removed_and_its_tracker_told(told, capsys):
    delete.main(["run", "--yes"])
    assert told == ["run"]
    assert not Path("run").exists()
    assert capsys.readouterr().out == f"{Path('run').absolute()}: removed, and 1 run from tracking=kept\n"


def test_a_sweep_is_removed_with_its_runs(told, capsys):
    delete.main(["sweep", "--yes"])
    assert told == ["0", "1", "sweep"]
    assert not Path("sweep").exists()
    assert "removed, and 3 runs from tracking=kept" in capsys.readouterr().out


def test_what_somebody_else_has_written_stays(told, capsys):
    Path("run/notes.txt").write_text("mine")
    Path("sweep/0/pictures").mkdir()
    Path("sweep/0/pictures/own.svg").write_text("mine")
    delete.main(["run", "sweep", "--yes"])
    assert sorted(path.name for path in Path().rglob("*") if path.is_file()) == ["notes.txt", "own.svg"]
    assert "what chainrule has not written stays: " in capsys.readouterr().out


def test_without_an_answer_nothing_is_removed(told, monkeypatch):
    for place in ("run", "sweep"):
        with pytest.raises(ChainruleError, match=r"^Nothing was removed: nobody can be asked here, and --yes removes"):
            delete.main([place])
    assert Path("run", MANIFEST).exists()
    assert Path("sweep", SWEEP).exists()
    monkeypatch.setattr(common.sys.stdin, "isatty", lambda: True, raising=False)
    asked = []
    for answer, is_gone in (("", False), ("no", False), ("y", True)):
        monkeypatch.setattr("builtins.input", lambda question, answer=answer: asked.append(question) or answer)
        with contextlib.suppress(ChainruleError):
            delete.main(["run"])
        assert Path("run").exists() != is_gone
    assert asked[0].startswith(f"Remove the run in {Path('run').absolute()} (")
    assert asked[0].endswith(" kB; tracking=kept is told)? [y/N] ")


def test_where_the_tracker_cannot_be_reached_nothing_is_removed(told, monkeypatch):
    def unreachable(*arguments):
        raise ChainruleError("It is gone.")

    monkeypatch.setattr(delete.tracker_of(None, None, ()).__class__, "forget", unreachable)
    for place in ("run", "sweep"):
        with pytest.raises(ChainruleError, match="It is gone"):
            delete.main([place, "--yes"])
    assert Path("run", MANIFEST).exists()
    assert Path("sweep", SWEEP).exists()


def test_a_sweep_at_work_stays(told):
    with exclusive(Path("sweep/.sweep.lock"), wait=0), pytest.raises(ChainruleError, match="by another process"):
        delete.main(["sweep", "--yes"])
    assert Path("sweep", "0", MANIFEST).exists()


def test_a_damaged_run_is_removed_without_its_tracker(told, capsys):
    Path("run", MANIFEST).write_text("{")
    delete.main(["run", "--yes"])
    assert told == []
    assert "cannot be read" in capsys.readouterr().err
    assert not Path("run").exists()


def test_a_run_that_broke_off_is_removed_with_its_checkpoints(told):
    Path("broken/checkpoints").mkdir(parents=True)
    Path("broken/checkpoints/epoch-0000000003").write_bytes(b"x")
    delete.main(["broken", "--yes"])
    assert not Path("broken").exists()


def test_what_is_no_record_is_named(tmp_path):
    Path("empty").mkdir()
    with pytest.raises(ChainruleError, match=r"^empty holds neither a run nor a sweep\.$"):
        delete.main(["empty", "--yes"])
