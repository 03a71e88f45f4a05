"""Killed sweeps are resumed without a loss, and a loss would be seen."""

import importlib.util
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sealing import resealed

FOLDER = Path(__file__).parents[2] / "experiments" / "resume"
SCRIPT = FOLDER / "killed.py"


@pytest.fixture
def killed(monkeypatch):
    specification = importlib.util.spec_from_file_location("killed", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "killed", module)
    specification.loader.exec_module(module)
    return module


@pytest.mark.rare  # it kills sweeps at random moments, as tests of faults do in CI at operations
def test_nothing_is_lost_repeated_or_different(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, "--quick"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    times, flaws = rows[1:5], rows[6:]
    assert sum(int(count) for _, count in times) == 1
    assert flaws[1:] == [[kind, "0", "0"] for kind in ("lost", "repeated", "differing")]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow  # it runs the study's sweep
def test_what_is_wrong_is_found(tmp_path, killed):
    place = killed.Place(tmp_path / "place", 8)
    reference = killed.Reference.of(place)
    assert not list(reference.flaws(place))
    before = place.finished()
    (place.sweep / "0" / "manifest.json").unlink()
    (place.sweep / "1" / "curves.npz").write_bytes(b"cut off")
    (place.sweep / "2" / ".hydra" / "config.yaml").write_text("")
    (place.sweep / "3" / ".curves.npz.tmp").touch()
    resealed(place.sweep / "4" / "manifest.json", started="2000-01-01T00:00:00+00:00")
    with closing(sqlite3.connect(place.database)) as database, database:
        run = "SELECT run_uuid FROM tags WHERE key = 'chainrule.record' AND value LIKE '%/sweep/{}'"
        database.execute(f"DELETE FROM metrics WHERE step = 0 AND run_uuid = ({run.format(5)})")
        database.execute(f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ({run.format(6)})")
        (folder,) = database.execute(f"SELECT artifact_uri FROM runs WHERE run_uuid = ({run.format(7)})").fetchone()
    shutil.rmtree(folder.removeprefix("file://"))
    found = [*killed.rewritten(before, place.finished()), *reference.flaws(place)]
    assert sorted((flaw.kind, flaw.where, flaw.run) for flaw in found) == [
        *(("differing", "in MLflow", run) for run in "567"),
        ("differing", "on disk", "3"),
        *(("lost", "in MLflow", run) for run in "0124"),
        *(("lost", "on disk", run) for run in "012"),
        *(("repeated", "in MLflow", run) for run in "0124"),
        *(("repeated", "on disk", run) for run in "0124"),
    ]


@pytest.mark.rare  # it interrupts sweeps, as tests of the sweep room do in CI
def test_interrupted_sweeps_end_in_one_sentence_and_can_be_resumed(tmp_path):
    words = [sys.executable, FOLDER / "interrupted.py", "--quick"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    columns, *sweeps = rows[:3]
    found = [dict(zip(columns, row, strict=True)) for row in sweeps]
    assert [row["sweep"] for row in found] == ["short runs", "large stacks"]
    # Seconds are for the study to judge, on a machine that does nothing else.
    assert [(row["interrupted"], row["wrong"]) for row in found] == [("1", "0")] * 2, done.stderr
    assert sum(int(times) for _, times, _ in rows[4:8]) == 2  # each in one phase
    assert not list(tmp_path.iterdir())
