"""A command that is killed at any operation on files is finished by ``resume``: nothing lost, repeated or different."""

import json
import random
import re
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

import forking
import operations
from chainrule.errors import RecordError
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import read_record
from chainrule.records.sweep import SWEEP, read_sweep
from chainrule_mlflow import contents as mlflow
from sweeping import contents

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked from one that has the hooks")
PLACE = Path("place")  # beneath which everything lies; the journal lies beside it
SMALL = ["training.batch_size=16", "data.samples=40", "training.tolerance=0"]
STACKS = [*SMALL, "training.epochs=3", "training.checkpoint_every=1e-6", "hydra.launcher.stack=2"]
RUNS = ["seed=0,1", "optimizer.lr=0.005,0.02"]
# What says when, how long or how fast, or names such things.
ABOUT_TIME = ("mlflow.json", "timing.json", "report.html", "checksums.json", "comparison.json", "optuna.log")
OF_TIME = re.compile(r"\+timestamp\+\d+\+[0-9a-f]+")  # in the names of MLflow's images
WHERE = "on disk", "in MLflow"
SECONDS = ("seconds", "time", "step_seconds")
TOO_LARGE = "too large"  # of a file, by a limit of the process


@dataclass(frozen=True)
class Command:
    """What is killed.

    Attributes:
        words: of the command.
        folder: of what it leaves, below the place.
        needs: a library without which it is not tried.
    """

    words: list[str]
    folder: str
    needs: str = "numpy"

    def begin(self, at=0, fault=operations.KILL):
        """Carry it out, and kill it at an operation, or let the disk fail from there on."""
        folder, journal = PLACE.absolute(), Path("journal").absolute()
        known = operations.environment(folder, journal, at, fault=fault)
        return forking.python("-m", "chainrule", *self.words, folder=folder, environment=known)

    def finish(self, at=0):
        """Finish it as a person would; return the words of the command, and what it has done."""
        path = PLACE / self.folder
        words = self.words
        if (path / SWEEP).exists() or list(path.glob("checkpoints/epoch-*")):
            words = ["resume", self.folder]
        if is_recorded(path):  # a single run
            words = ["sync", self.folder]
        folder, journal = PLACE.absolute(), Path("journal.2").absolute()
        known = operations.environment(folder, journal, at)
        return words, forking.python("-m", "chainrule", *words, folder=folder, environment=known)


COMMANDS = {
    "run": Command(
        [*SMALL, "training.epochs=8", "training.checkpoint_every=1e-6", "pictures=[loss]", "hydra.run.dir=run"], "run"
    ),
    "sweep": Command(["-m", *STACKS, *RUNS, "hydra.launcher.workers=1", "hydra.sweep.dir=sweep"], "sweep"),
    "sweep in two processes": Command(
        ["-m", *STACKS, *RUNS, "hydra.launcher.workers=2", "hydra.sweep.dir=sweep"], "sweep"
    ),
    "search": Command(
        ["-m", "hydra/sweeper=stacked_optuna", "optimizer.lr=tag(log,interval(1e-3,1e-1))", "seed=0,1", *STACKS,
         "hydra.sweeper.trials=4", "hydra.sweeper.batch=2", "hydra.launcher.workers=1", "hydra.sweep.dir=found"],
        "found", "optuna",
    ),
    "comparison": Command(
        ["compare", "optimizer=adam,momentum", "target=sine", *STACKS, "--budget=2", "--tunings=2", "--seeds=1",
         "--tuning-seeds=1", "hydra.launcher.workers=1", "hydra.sweep.dir=compared"], "compared",
    ),
    "sweep on Dask": Command(
        ["-m", *STACKS, *RUNS, "hydra.launcher.backend=dask", "hydra.launcher.workers=2", "hydra.sweep.dir=sweep"],
        "sweep", "distributed",
    ),
}  # fmt: skip


def is_recorded(folder):
    """Whether there is an intact record of a run."""
    with suppress(RecordError):
        return read_record(folder).is_intact()
    return False


def finished():
    """The manifest of each intact record, with the time when it was written."""
    paths = PLACE.rglob(MANIFEST)
    own = (path for path in paths if "mlartifacts" not in path.parts and is_recorded(path.parent))
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in own}


def on_disk(folder):
    """What lies in the place, but for what is said about time, and for checkpoints of a run that may be trained on."""
    beside = {path.name: None for path in PLACE.iterdir() if not path.name.startswith(("mlflow.db", "mlartifacts"))}
    found = contents(PLACE / folder) | beside
    for name in list(found):
        last = name.rpartition("/")[2]
        is_about_time = last in ABOUT_TIME or last.startswith(".sweep.lock") or last.endswith(".log")
        if is_about_time or (folder == "run" and name.startswith("checkpoints/")):
            del found[name]
    return found


def in_mlflow():
    """Each run that MLflow shows: where its record lies and that of the run above it, and all that is no time."""
    found = []
    with closing(sqlite3.connect(PLACE / "mlflow.db")) as database:
        runs = database.execute(
            "SELECT run_uuid, status, name, artifact_uri FROM runs WHERE lifecycle_stage = 'active'"
        )
        for run, status, name, uri in runs.fetchall():
            tags = dict(database.execute("SELECT key, value FROM tags WHERE run_uuid = ?", [run]))
            params = dict(database.execute("SELECT key, value FROM params WHERE run_uuid = ?", [run]))
            points = database.execute("SELECT key, step, value FROM metrics WHERE run_uuid = ? ORDER BY 1, 2, 3", [run])
            curves = [point for point in points if point[0] not in SECONDS]
            model = "SELECT count(*) FROM logged_models WHERE source_run_id = ? AND lifecycle_stage = 'active'"
            ((models,),) = database.execute(model, [run])
            above = "SELECT value FROM tags WHERE run_uuid = ? AND key = ?"
            parent = database.execute(above, [tags.get(mlflow.PARENT), mlflow.PLACE]).fetchone()
            record = Path(tags[mlflow.PLACE])
            key = read_sweep(record).manifest.key if (record / SWEEP).exists() else key_of(record)
            folder = Path(uri.removeprefix("file://"))
            files = sorted(OF_TIME.sub("", path.name) for path in folder.rglob("*"))
            about = {"is its record": tags.get(mlflow.KEY) == key, "live": tags.get(mlflow.LIVE), "models": models}
            found.append([str(record), status, name, str(parent), about, params, curves, files])
    return sorted(found, key=str)


def key_of(record):
    return mlflow.key(read_record(record).manifest) if (record / MANIFEST).exists() else None


def clear(prepared):
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir()
    shutil.copy(prepared, PLACE / "mlflow.db")
    (PLACE / "pyproject.toml").touch()


def spread(count, wanted):
    """Numbers from 1 to ``count``, all of them or so many, one at random in each part of them."""
    if wanted is None or wanted >= count:
        return range(1, count + 1)
    chance = random.Random(count)
    return [1 + int((part + chance.random()) / wanted * count) for part in range(wanted)]


def flaws(command, number, expected, before):
    """What is wrong after a kill, in words: nothing, one hopes."""
    place = noted_at(number)
    words, done = command.finish()
    if done.returncode:
        yield f"{place}: {' '.join(words[:2])} failed: {done.stderr[-2000:]}"
        return
    after = finished()
    for path, manifest in before.items():
        if after.get(path) != manifest:
            yield f"{place}: {path} was written again"
    for what, there, wanted in zip(WHERE, (on_disk(command.folder), in_mlflow()), expected, strict=True):
        if there != wanted:
            yield f"{place}: differs {what}: {difference(there, wanted)}"


def difference(there, wanted):
    """What to look at first."""
    if isinstance(there, dict):
        return sorted(name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name))
    if len(there) != len(wanted):
        return f"{len(there)} runs, not {len(wanted)}"
    return [(one[0], *pair) for ones in zip(there, wanted, strict=True) for pair in unequal(*ones) for one in ones[:1]]


def unequal(one, other):
    """Of what is told of a run, that which differs; of long lists what only one of both has."""
    for mine, its in zip(one, other, strict=True):
        if isinstance(mine, list):
            yield from [([x for x in mine if x not in its][:5], [x for x in its if x not in mine][:5])] * (mine != its)
        elif isinstance(mine, dict):
            yield from (
                (key, mine.get(key), its.get(key)) for key in mine.keys() | its.keys() if mine.get(key) != its.get(key)
            )
        elif mine != its:
            yield mine, its


def noted_at(number):
    journal = operations.noted("journal")
    return f"operation {number} of {len(journal)} ({journal[-1]})"


def undisturbed(command, prepared):
    """What a command leaves on the disk and in MLflow that nobody disturbs, and by how many operations."""
    clear(prepared)
    done = command.begin()
    assert done.returncode == 0, done.stdout + done.stderr
    expected = on_disk(command.folder), in_mlflow()
    assert len(finished()) == sum(name.endswith(MANIFEST) for name in expected[0]) > 0
    return expected, len(operations.noted("journal"))


def hurt(command, prepared, trials):
    """Kill a command at operations, and finish it each time.

    Returns:
        What was wrong; how often it was killed; and how many operations it has.
    """
    expected, count = undisturbed(command, prepared)
    found, kills = [], 0
    for number in spread(count, trials):
        clear(prepared)
        done = command.begin(number)
        if done.returncode not in (0, -9):
            found.append(f"operation {number}: exit code {done.returncode}: {done.stderr[-2000:]}")
        kills += done.returncode == -9
        before = finished()
        if number % 3 == 0:  # once more, while it is finished
            kills += command.finish(at=1 + number // 3)[1].returncode == -9
            before |= finished()
        found += flaws(command, number, expected, before)
        if found and (trials is None or trials > 8):
            print(found[-1], flush=True)
    return found, kills, count


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS if name != "run"]


@pytest.mark.parametrize("name", ["run", *SLOW])
def test_a_command_that_is_killed_at_an_operation_is_finished_as_if_nobody_had(name, prepared, extent, capsys):
    command = COMMANDS[name]
    pytest.importorskip(command.needs)
    found, kills, count = hurt(command, prepared, extent(few=2, ci=2, all=None))
    with capsys.disabled():
        if extent(few=False, ci=False, all=True):
            print(f"\n{name}: {kills} kills at each of {count} operations, {len(found)} flaws")
    assert kills
    assert not found, json.dumps(found, indent=1)


# The command, which may write no longer files.
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), -1))
from chainrule.__main__ import main
main()
"""


def is_said(done):
    """Whether a command has ended well, or with one sentence."""
    sentence = done.stderr.startswith("chainrule: ") and done.stderr.count("\n") == 1
    return done.returncode == 0 or (done.returncode == 1 and sentence)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "sweep"])
def test_a_command_whose_disk_fails_says_so_and_is_finished_as_if_it_had_not(name, prepared, extent, capsys):
    """From an operation on, or above a length of files."""
    command, tried = COMMANDS[name], extent(few=1, ci=1, all=40 if name == "run" else 20)
    expected, count = undisturbed(command, prepared)
    flawed = []
    for fault in [*operations.DISKS, TOO_LARGE]:
        found, ended = [], 0
        for number in spread(20_000 if fault == TOO_LARGE else count, tried):
            clear(prepared)
            if fault == TOO_LARGE:
                limit = str(1000 + number)
                done = forking.python("-c", LIMITED, limit, *command.words, folder=PLACE)
                Path("journal").write_text(f"a limit of {limit} bytes")
            else:
                done = command.begin(number, fault)
            ended += done.returncode == 1
            if not is_said(done) or "Traceback" in done.stderr + done.stdout:
                said = (done.stdout + done.stderr)[-2000:]
                found.append(f"{fault}, {noted_at(number)}: exit code {done.returncode}: {said}")
            found += flaws(command, number, expected, finished())
        with capsys.disabled():
            if extent(few=False, ci=False, all=True):
                print(f"\n{name}, {fault}: {tried} tried, {ended} ended by it, {len(found)} flaws")
        flawed += found
    assert not flawed, json.dumps(flawed, indent=1)
