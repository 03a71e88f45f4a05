"""Does a killed sweep lose anything?  ``python experiments/resume/killed.py``.

One sweep is left alone. Then the same sweep is started again and again, killed at random moments, resumed, and compared
with the first: every file of every run, and what MLflow has of it. They lie in the same place, one after the other.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import RecordError
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from chainrule_mlflow import contents
from chainrule_mlflow.receipts import RECEIPT
from chainrule_mlflow.store import Store

RATES = ("0.005", "0.02")
STACKS = 20  # so that runs are recorded all the time, and not all at the end
WORKLOAD = ("training.epochs=400", "training.batch_size=16", "hydra.launcher.workers=2")
TWICE = 0.2  # of the resumed sweeps are killed as well
PHASES = ("before it began", "before the first record", "while runs were recorded", "after the last record")
# What says when, how long, or which attempt; the report holds these, too.
OF_ATTEMPT = {
    "manifest.json": {"started", "seconds", "stack", "checksum"},
    "sweep.json": {"key", "started", "finished", "times", "checksum"},
}
ABOUT_ATTEMPT = {RECEIPT, "report.html", "checksums.json"}
KINDS, WHERE = ("lost", "repeated", "differing"), ("on disk", "in MLflow")


@dataclass(frozen=True)
class Shown:
    """What MLflow has of a run: all but what says when, how long, or which attempt."""

    status: str
    params: frozenset[tuple[str, str]]
    points: tuple[tuple[str, int, float], ...]
    files: frozenset[str]


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a run after a kill.

    Attributes:
        kind: one of ``KINDS``.
        where: one of ``WHERE``.
        run: its directory in the sweep, empty for the sweep itself.
        details: for whoever looks for the cause.
    """

    kind: str
    where: str
    run: str
    details: str = ""


class Place:
    """The directory of all these sweeps, with an MLflow database of its own.

    Args:
        folder: the directory, empty.
        runs: of the sweep, an even number.
    """

    def __init__(self, folder: Path, runs: int) -> None:
        self.folder, self.sweep, self.database = folder, folder / "sweep", folder / "mlflow.db"
        self.runs = runs
        self._empty = folder.with_name("empty.db")
        self._log = folder.with_name("output.txt")
        with Store.at(f"sqlite:///{self._empty}").opened():
            pass  # made once, because that takes seconds
        self._start = [
            *("-m", f"seed=range({runs // len(RATES)})", f"optimizer.lr={','.join(RATES)}"),
            *WORKLOAD,
            *(f"hydra.launcher.stack={max(1, runs // STACKS)}", "hydra.sweep.dir=sweep"),
        ]

    def clear(self) -> None:
        """Leave nothing but an empty database."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        shutil.copy(self._empty, self.database)

    def attempt(self, until: float | None = None) -> bool:
        """Start the sweep, or resume it if it has begun; return whether it was killed.

        Args:
            until: seconds after which it is killed; None to let it end.
        """
        arguments = ["resume", "sweep"] if (self.sweep / "sweep.json").exists() else self._start
        environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{self.database}"}
        with self._log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "chainrule", *arguments], cwd=self.folder, env=environment,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                status = process.wait(until)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                _kill(process)
        if status:
            sys.exit(f"chainrule {' '.join(arguments)} failed:\n{self._log.read_text()[-3000:]}")
        return status is None

    def phase(self) -> str:
        """Return how far the sweep has come."""
        if not (self.sweep / "sweep.json").exists():
            return PHASES[0]
        recorded = len(list(self.sweep.glob("*/manifest.json")))
        return PHASES[1] if not recorded else PHASES[2] if recorded < self.runs else PHASES[3]

    def finished(self) -> dict[str, tuple[int, bytes]]:
        """Return time and bytes of the manifest of each intact record."""
        found = {}
        for path in self.sweep.glob("*/manifest.json"):
            with suppress(RecordError):
                if read_record(path.parent).is_intact():
                    found[path.parent.name] = path.stat().st_mtime_ns, path.read_bytes()
        return found

    def files(self) -> dict[str, dict[str, Any]]:
        """Return what is compared of the sweep's own files, and of each run's, by the name of its directory."""
        found: dict[str, dict[str, Any]] = {"": {}}
        for path in sorted(self.sweep.rglob("*")):
            name = path.relative_to(self.sweep)
            run = "" if len(name.parts) == 1 else name.parts[0]
            if path.is_dir():
                continue
            content: Any = None if path.name in ABOUT_ATTEMPT else path.read_bytes()
            if path.name in OF_ATTEMPT:
                content = {k: v for k, v in json.loads(content).items() if k not in OF_ATTEMPT[path.name]}
            found.setdefault(run, {})[name.as_posix()] = content
        return found

    def shown(self) -> Iterator[tuple[str, str, Shown]]:
        """Yield what MLflow has: of each run its directory in the sweep (none for the sweep itself), and its key."""
        with closing(sqlite3.connect(self.database)) as database:
            query = "SELECT run_uuid, status, artifact_uri FROM runs WHERE lifecycle_stage = 'active'"
            for run, status, place in database.execute(query).fetchall():
                tags = dict(database.execute("SELECT key, value FROM tags WHERE run_uuid = ?", [run]))
                params = database.execute("SELECT key, value FROM params WHERE run_uuid = ?", [run])
                points = database.execute(
                    "SELECT key, step, value FROM metrics WHERE run_uuid = ? AND key <> 'seconds' ORDER BY 1, 2, 3",
                    [run],
                )
                name = Path(tags["chainrule.record"]).relative_to(self.sweep).as_posix().removeprefix(".")
                files = frozenset(path.name for path in Path(place.removeprefix("file://")).rglob("*"))
                yield name, tags[contents.KEY], Shown(status, frozenset(params), tuple(points), files)


@dataclass(frozen=True)
class Reference:
    """What a sweep leaves that nobody killed.

    Attributes:
        files: of each run, by the name of its directory.
        shown: what MLflow has of each run.
        seconds: that it took.
    """

    files: Mapping[str, Mapping[str, Any]]
    shown: Mapping[str, Shown]
    seconds: float

    @classmethod
    def of(cls, place: Place) -> "Reference":
        """Run the sweep to its end."""
        place.clear()
        begin = time.perf_counter()
        place.attempt()
        seconds = time.perf_counter() - begin
        shown = {name: run for name, _, run in place.shown()}
        assert len(shown) == len(place.finished()) + 1 == place.runs + 1
        return cls(place.files(), shown, seconds)

    def flaws(self, place: Place) -> Iterator[Flaw]:
        """Yield what is lost or different in the sweep that is there, and what MLflow has twice."""
        there, intact = place.files(), place.finished()
        for run in sorted(self.files.keys() | there.keys()):
            if run and run not in intact:
                yield Flaw("lost", WHERE[0], run)
            elif there.get(run) != self.files.get(run):
                mine, other = (files.get(run, {}) for files in (self.files, there))
                names = [name for name in sorted(mine.keys() | other.keys()) if mine.get(name, 0) != other.get(name, 0)]
                yield Flaw("differing", WHERE[0], run, ", ".join(names))
        keys = {run: contents.key(read_record(place.sweep / run).manifest) for run in intact}
        keys[""] = read_sweep(place.sweep).manifest["key"]
        found: dict[str, list[tuple[str, Shown]]] = {}
        for run, key, shown in place.shown():
            found.setdefault(run, []).append((key, shown))
        for run in sorted(self.shown.keys() | found.keys()):
            of_record = [shown for key, shown in found.get(run, []) if key == keys.get(run)]
            for _ in range(len(found.get(run, [])) - len(of_record[:1])):
                yield Flaw("repeated", WHERE[1], run)
            if not of_record:
                yield Flaw("lost", WHERE[1], run)
            elif of_record[0] != self.shown.get(run):
                yield Flaw("differing", WHERE[1], run, f"{of_record[0]}, not {self.shown.get(run)}")


def rewritten(before: Mapping[str, tuple[int, bytes]], after: Mapping[str, tuple[int, bytes]]) -> Iterator[Flaw]:
    """Yield which of the runs that were finished before a sweep was resumed have been trained again."""
    for run, manifest in before.items():
        if after.get(run) != manifest:
            yield Flaw("repeated", WHERE[0], run)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process with all that it has started, and wait until none of them is left."""
    deadline = time.monotonic() + 60
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()  # or it would stay in its group for good
            time.sleep(0.01)
        sys.exit(f"processes of the group {process.pid} cannot be killed")


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def killed(place: Place, reference: Reference, kills: int, seed: int) -> tuple[Counter[str], int, list[Flaw]]:
    """Kill the sweep and let it be resumed, so many times.

    Returns:
        How often it was killed in each phase, how often it was killed once more, and what was wrong in the end.
    """
    chance, phases, again, seconds = random.Random(seed), Counter[str](), 0, reference.seconds
    flaws: list[Flaw] = []
    for number in range(kills):
        was_killed = False
        while not was_killed:
            place.clear()
            begin = time.perf_counter()
            # One moment in each part of the sweep: random, and everywhere.
            was_killed = place.attempt((number + chance.random()) / kills * seconds)
            if not was_killed:  # the machine has become faster
                seconds = min(seconds, time.perf_counter() - begin)
        phases[place.phase()] += 1
        limit = chance.random() * seconds if chance.random() < TWICE else None
        found: list[Flaw] = []
        while was_killed:
            before = place.finished()
            was_killed = place.attempt(limit)
            again += was_killed
            found += rewritten(before, place.finished())
            limit = None
        found += reference.flaws(place)
        for flaw in found:
            print(f"kill {number}: {flaw}", file=sys.stderr)
        flaws += found
    return phases, again, flaws


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="how often it is killed (50)")
    parser.add_argument("--runs", type=int, default=200, metavar="N", help="runs of the sweep (200)")
    parser.add_argument("--seed", type=int, default=0, help="from which the moments follow (0)")
    parser.add_argument("--quick", action="store_true", help="one kill of 24 runs, to see that it works")
    chosen = parser.parse_args()
    kills, runs = (1, 24) if chosen.quick else (chosen.kills, chosen.runs)
    if runs < 2 or runs % len(RATES):
        parser.error("--runs must be even: each seed has two rates")
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="killed.") as root:
        place = Place(Path(root) / "place", runs)
        reference = Reference.of(place)
        print(f"The sweep of {runs} runs takes {reference.seconds:.1f} s when it is left alone.\n", flush=True)
        phases, again, flaws = killed(place, reference, kills, chosen.seed)
    row("killed", "times")
    print("|---|---|")
    for phase in PHASES:
        row(phase, phases[phase])
    row("once more, after it was resumed", again)
    print()
    row(f"of {kills} x {runs} runs", *WHERE)
    print("|---|---|---|")
    for kind in KINDS:
        row(kind, *(sum((flaw.kind, flaw.where) == (kind, where) for flaw in flaws) for where in WHERE))
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")
    sys.exit(bool(flaws))


if __name__ == "__main__":
    main()
