"""A sweep, and what it must leave wherever it is trained."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from chainrule.records.manifest import CONFIGURATION, CURVES, MANIFEST, WEIGHTS
from sweeping import command, contents, without_beside

SWEEP = [
    "-m",
    "training.epochs=30",
    "training.batch_size=8",
    "seed=0,1",
    "optimizer.lr=0.01,1e30",
    "target=table",
    "target.path=mine.csv",  # relative to the working directory, which is not that of a worker
    "target.label=y",
    "hydra.sweep.dir=sweep",
]
FILES = {MANIFEST, CURVES, WEIGHTS, CONFIGURATION, "config.yaml", "overrides.yaml"}


def _left():
    """The records of the sweep, and those files of Hydra that do not name the launcher."""
    return {
        name: content
        for name, content in without_beside(contents("sweep")).items()
        if name[0].isdigit() and name.rpartition("/")[2] in FILES
    }


def _sweep(*arguments):
    Path("mine.csv").write_text("x,y\n" + "".join(f"{i / 40},{i / 20 + 1}\n" for i in range(40)))
    return command(*SWEEP, *arguments)


def _in_mlflow():
    """The state of the run of the sweep, and how many runs are beneath it."""
    parent = "(SELECT value FROM tags WHERE key = 'mlflow.parentRunId')"
    state = f"SELECT status FROM runs WHERE run_uuid IN {parent}"
    beneath = f"SELECT count(*) FROM tags WHERE key = 'mlflow.parentRunId' AND value IN {parent}"
    with contextlib.closing(sqlite3.connect("mlflow.db")) as database:
        ((status,),), ((count,),) = (database.execute(query).fetchall() for query in (state, beneath))
    return status, count


@pytest.fixture(scope="session")
def expected(tmp_path_factory):
    """What the sweep leaves where this machine trains it in one process."""
    with contextlib.chdir(tmp_path_factory.mktemp("expected")):
        _sweep("hydra.launcher.workers=1")
        found = _left()
    assert len(found) == 4 * len(FILES)
    assert {found[f"{number}/{MANIFEST}"]["reason"] for number in range(4)} == {"epochs", "diverged"}
    return found


@pytest.fixture
def train(expected):
    """A function that trains the sweep in some way, and perhaps again what is lost of it: to the same bytes."""

    def call(*arguments, again=True):
        done = _sweep(*arguments)
        assert _left() == expected
        assert _in_mlflow() == ("FINISHED", 4)
        assert Path("sweep/report.html").is_file()
        if again:
            for number in "12":
                (Path("sweep") / number / MANIFEST).unlink()
            allowed = [word for argument in arguments for word in ("--allow", argument)]  # they could run programs
            command("resume", "sweep", *allowed)
            assert _left() == expected
        return done

    return call
