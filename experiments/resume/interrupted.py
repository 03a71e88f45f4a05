"""Does Ctrl-C end a sweep?  ``python experiments/resume/interrupted.py``.

Sweeps of several kinds are left alone once each, then started again and again and interrupted at random moments, and
resumed where they had begun. How long it takes until the last of their processes has ended is measured.
"""

import argparse
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from chainrule import RecordError
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep

LIMIT = 3.0  # seconds in which everything must have ended
PATIENCE = 60.0  # seconds after which nobody waits any longer
UNTRACKED, TWO = "tracking=none", "hydra.launcher.workers=2"
# Runs that are expected to take long enough to be worth processes, and converge soon.
BRIEF = ("seed=range(24)", "training.epochs=4000", "training.batch_size=16", "training.tolerance=5")
STACKS = "hydra.launcher.stack=2"
# Kind of sweep to what is typed.
SWEEPS: Mapping[str, Sequence[str]] = {
    "short runs": (*BRIEF, STACKS, TWO, UNTRACKED),
    "short runs in MLflow": (*BRIEF, STACKS, TWO),
    "short runs in one process": (*BRIEF, STACKS, "hydra.launcher.workers=1", UNTRACKED),
    "long runs": ("seed=range(4)", *BRIEF[1:3], "training.tolerance=0.2", "hydra.launcher.stack=1", TWO, UNTRACKED),
    "many runs": ("seed=range(200)", "training.epochs=100", TWO, UNTRACKED),
    "large stacks": ("seed=range(750)", *BRIEF[1:], "hydra.launcher.stack=250", TWO, UNTRACKED),
    "search": ("optimizer.lr=tag(log,interval(0.001,0.1))", "seed=0,1,2", *BRIEF[1:], STACKS, TWO, UNTRACKED,
               "hydra/sweeper=stacked_optuna", "hydra.sweeper.trials=8", "hydra.sweeper.batch=4"),
    "comparison": ("activation=tanh,relu", "hydra/sweeper=compare", "hydra.sweeper.targets=[sine,wine]",
                   "hydra.sweeper.budget=4", "hydra.sweeper.seeds=4", "training.epochs=500", "training.tolerance=0.5",
                   TWO, UNTRACKED),
}  # fmt: skip
RECIPIENTS = ("to all", "to the first")  # processes: a terminal does the one, a manager of jobs the other
TOO_EARLY = "Python itself was still starting"  # no flaw: the command had not begun
OURS = re.compile(r"/chainrule/(?!__init__|__main__|interrupts)")
PHASES = ("before it began", "before the first record", "while runs were recorded", "after the last record")


@dataclass(frozen=True)
class End:
    """What came of an interruption.

    Attributes:
        kind: of sweep.
        to: one of ``RECIPIENTS``.
        phase: one of ``PHASES``.
        moment: seconds after the start.
        seconds: until the last process had ended.
        flaws: what was wrong, in words.
    """

    kind: str
    to: str
    phase: str
    moment: float
    seconds: float
    flaws: tuple[str, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether that is the command's fault."""
        return bool(self.flaws) and self.flaws != (TOO_EARLY,)


class Place:
    """The directory of the sweeps of one kind, one after the other.

    Args:
        folder: the directory, empty.
        kind: of sweep.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.sweep, self.kind = folder, folder / "sweep", kind
        self._words = ["-m", *SWEEPS[kind], "hydra.sweep.dir=sweep"]
        self._database, self._kept = folder / "mlflow.db", folder.with_suffix(".db")

    def clear(self) -> None:
        """Leave nothing, but for a database of MLflow where there was one: to make one takes longer than the sweep."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        if self._kept.exists():
            shutil.copy(self._kept, self._database)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start the sweep, or another command, in a session of its own."""
        environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{self._database}"}
        return subprocess.Popen(
            [sys.executable, "-m", "chainrule", *(words or self._words)], cwd=self.folder, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def duration(self) -> float:
        """Let the sweep end, and return how many seconds it takes; once more if it had to make a database first."""
        self.clear()
        begin = time.perf_counter()
        self._finish()
        seconds = time.perf_counter() - begin
        if not self._database.exists() or self._kept.exists():
            return seconds
        shutil.copy(self._database, self._kept)
        return self.duration()

    def interrupted(self, moment: float, to: str) -> End | None:
        """Interrupt the sweep, and resume it where it had begun; return what came of that, or None if it was faster.

        Args:
            moment: seconds after the start.
            to: one of ``RECIPIENTS``.
        """
        self.clear()
        process = self.start()
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            begin = time.perf_counter()
        else:
            process.communicate()
            return None
        (os.kill if to == RECIPIENTS[1] else os.killpg)(process.pid, signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=PATIENCE)  # as long as anybody can write there
            while _is_left(process):
                time.sleep(0.01)
        except subprocess.TimeoutExpired:
            errors = _dumped(process)
        seconds = time.perf_counter() - begin
        flaws = list(self._flaws(process.returncode, errors))
        phase = self._phase()
        if (self.sweep / "sweep.json").exists():
            flaws += self._resumed()
        if flaws or seconds > LIMIT:
            what = ", ".join(flaws) or f"it took {seconds:.1f} s"
            print(f"{self.kind}, {to}, after {moment:.3f} s, {phase}: {what}\n{errors}", file=sys.stderr, flush=True)
        return End(self.kind, to, phase, moment, seconds, tuple(flaws))

    def _flaws(self, code: int, errors: str) -> Iterator[str]:
        # Its own handler is set a few hundredths of a second after the start, ours a few later.
        if ("Traceback" in errors and not OURS.search(errors)) or (code == -signal.SIGINT and not errors):
            yield TOO_EARLY
            return
        begun = (self.sweep / "sweep.json").exists()
        finished = begun and read_sweep(self.sweep).manifest.finished
        if code != 130 and not (code == 0 and finished):
            yield f"exit code {code}"
        told = "chainrule: interrupted." + (
            f" `chainrule resume {self.sweep}` goes on." if begun and not finished else ""
        )
        if code and not all(part in errors for part in told.split(" ", 2)):
            yield "no message"
        if "Traceback" in errors or len(errors.splitlines()) > 1:
            yield "more than a message"

    def _resumed(self) -> Iterator[str]:
        before = self._records()
        if self._finish("resume", "sweep"):
            yield "it cannot be resumed"
            return
        after, sweep = self._records(), read_sweep(self.sweep)
        if not sweep.manifest.finished or len(after) != sweep.runs:
            yield f"{len(after)} of {sweep.runs} runs after it was resumed"
        if any(after.get(run) != manifest for run, manifest in before.items()):
            yield "runs were trained again"

    def _finish(self, *words: str) -> int:
        process = self.start(*words)
        _, errors = process.communicate()
        if process.returncode:
            print(errors, file=sys.stderr)
        return process.returncode

    def _phase(self) -> str:
        if not (self.sweep / "sweep.json").exists():
            return PHASES[0]
        sweep = read_sweep(self.sweep)
        recorded = len(list(self.sweep.glob("*/manifest.json")))
        return PHASES[1] if not recorded else PHASES[2] if recorded < sweep.planned else PHASES[3]

    def _records(self) -> dict[str, int]:
        """Return the time of the manifest of each intact record."""
        found = {}
        for path in self.sweep.glob("*/manifest.json"):
            with suppress(RecordError):
                if read_record(path.parent).is_intact():
                    found[path.parent.name] = path.stat().st_mtime_ns
        return found


def _is_left(process: "subprocess.Popen[str]") -> bool:
    """Say whether a process is running of those that one has started.

    One that has ended stays in the table of processes until whoever inherited it asks for its exit code.
    """
    lines = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    group = str(process.pid)
    return any(line.split()[0] == group and not line.split()[1].startswith("Z") for line in lines.splitlines())


def _dumped(process: "subprocess.Popen[str]") -> str:
    """Kill a process and those that it has started, and return what they have to say."""
    os.killpg(process.pid, signal.SIGABRT)  # with PYTHONFAULTHANDLER set, where they are
    time.sleep(1)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[1]


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep processors busy with something else."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def interrupted(folder: Path, kinds: Sequence[str], times: int, chance: random.Random) -> Iterator[End]:
    """Interrupt sweeps of each kind so many times."""
    for kind in kinds:
        place = Place(folder / kind.replace(" ", "-"), kind)
        seconds = place.duration()
        ends: list[End] = []
        for number in range(times):
            end = None
            while end is None:
                begin = time.perf_counter()
                # One moment in each part of the sweep: random, and everywhere.
                end = place.interrupted((number + chance.random()) / times * seconds, RECIPIENTS[number % 2])
                if end is None:  # the machine has become faster
                    seconds = min(seconds, time.perf_counter() - begin)
            ends.append(end)
        taken = sorted(end.seconds for end in ends)
        late = sum(second > LIMIT for second in taken)
        numbers = (statistics.median(taken), taken[int(0.9 * len(taken))], taken[-1])
        row(kind, f"{seconds:.1f}", times, *(f"{number:.2f}" for number in numbers), late,
            sum(end.is_wrong for end in ends))  # fmt: skip
        yield from ends


def main() -> None:
    # A shell lets what runs in the background ignore Ctrl-C, and so would do what is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=500, metavar="N", help="interruptions in all (500)")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="other processes that never pause (0)")
    parser.add_argument("--seed", type=int, default=0, help="from which the moments follow (0)")
    parser.add_argument("--only", action="append", choices=SWEEPS, help="this kind of sweep (all)")
    parser.add_argument("--quick", action="store_true", help="one interruption of two kinds each, to see that it works")
    chosen = parser.parse_args()
    kinds = chosen.only or (["short runs", "large stacks"] if chosen.quick else list(SWEEPS))
    times = 1 if chosen.quick else -(-chosen.times // len(kinds))
    begin = time.perf_counter()
    row("sweep", "seconds alone", "interrupted", "median s", "90 % s", "longest s", f"longer than {LIMIT:g} s", "wrong")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="interrupted.") as root, busy(chosen.busy):
        ends = list(interrupted(Path(root), kinds, times, random.Random(chosen.seed)))
    print()
    row("interrupted", "times", "longest s")
    print("|---|---|---|")
    for label, group in {**dict.fromkeys(PHASES, "phase"), **dict.fromkeys(RECIPIENTS, "to")}.items():
        of_it = [end.seconds for end in ends if getattr(end, group) == label]
        row(label, len(of_it), f"{max(of_it, default=0):.2f}")
    flaws = Counter(flaw for end in ends for flaw in end.flaws)
    print(f"\n{'; '.join(f'{flaw}: {count}' for flaw, count in flaws.items()) or 'Nothing was wrong.'}")
    print(f"{time.perf_counter() - begin:.0f} s in all.")
    sys.exit(any(end.is_wrong or end.seconds > LIMIT for end in ends))


if __name__ == "__main__":
    main()
