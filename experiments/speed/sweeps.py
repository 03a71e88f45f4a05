"""How long does a tracked sweep take?  ``python experiments/speed/sweeps.py --growth``.

Every contender is a process of its own, in a directory of its own, on an empty MLflow database that is prepared before
the clock starts. What it left there is counted and checked. Peers are measured where they are installed.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import chainrule

SCRIPTS = Path(__file__).parent / "sweep_peers"
WORKLOAD = (
    "data.samples=256", "data.validation=0", "training.batch_size=null", "training.epochs=1000",
    "training.measure_every=10", "training.tolerance=0",
)  # fmt: skip
RATES = "0.01,0.05"
POINTS = 100  # of the training loss, at least
MANY, FEWER = 2000, 30  # chainrule sends fewer points of sweeps with more runs
TOLERANCE = 1e-6
REPETITIONS = 2  # of a sweep, of which the fastest counts: other work on the machine only adds
# Threads of libraries wait for each other wherever the machine is busy, and gain nothing on so small a network.
ONE_THREAD = {
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
NAMES = ("ours", "usual", "tuned", "floors")
GROWTH = (10, 100, 1000, 10_000)


@dataclass(frozen=True)
class Peer:
    """A script of ``sweep_peers``.

    Attributes:
        title: for the table.
        library: what it needs to be installed.
        goal: how many times faster chainrule should be.
        sizes: a small and a large number of runs, which give its start-up and what each further run takes.
    """

    title: str
    library: str
    goal: float
    sizes: tuple[int, int]

    @property
    def is_installed(self) -> bool:
        return importlib.util.find_spec(self.library) is not None


PEERS = {
    "usual": Peer("usual: Hydra, PyTorch, `log_metric`", "torch", 200, (20, 60)),
    "tuned": Peer("tuned: Hydra, compiled JAX, `log_batch`", "jax", 35, (50, 250)),
}


@dataclass(frozen=True)
class Sweep:
    """What a sweep took.

    Attributes:
        runs: how many there were.
        seconds: from the start of the process to its end.
        parent: greatest memory of that process, in bytes; None where the system does not say.
        child: greatest memory of any process below it, in bytes; None where there was none.
        stored: size of the database, in bytes.
    """

    runs: int
    seconds: float
    parent: int | None
    child: int | None
    stored: int

    @property
    def each(self) -> float:
        """Milliseconds a run."""
        return 1000 * self.seconds / self.runs


class Bench:
    """Runs contenders in fresh directories below ``root``.

    Args:
        root: an empty directory.
        repetitions: of a sweep of chainrule, of which the fastest counts.

    Attributes:
        reference: training losses of the run with seed 0 and rate 0.01; each sweep of chainrule has to have them too.
    """

    def __init__(self, root: Path, repetitions: int) -> None:
        self._root, self._repetitions = root, repetitions
        self._empty = root / "empty.db"
        self._count = 0
        self._own: dict[int, Sweep] = {}
        self._left: Path | None = None
        self._start = root / "start.npz"
        self.reference = self._prepare_reference()
        log, environment = root / "empty.txt", self._environment(self._empty)
        code = "from mlflow import MlflowClient; MlflowClient().search_experiments()"
        watched([sys.executable, "-c", code], root, environment, log)
        with closing(sqlite3.connect(self._empty)) as database:
            database.execute("PRAGMA journal_mode = WAL")

    def ours(self, runs: int) -> Sweep:
        """Measure chainrule, each number of runs once however often it is asked for."""
        if runs not in self._own:  # what the last left is kept: a disk is slow for a while after many files are removed
            command = ["-m", "chainrule", "-m", seeds(runs), f"optimizer.lr={RATES}", *WORKLOAD]
            measured = [self._sweep(command, runs) for _ in range(1 if runs > MANY else self._repetitions)]
            self._own[runs], self._left = min(measured, key=lambda sweep: sweep[0].seconds)
            first = curve(self._left / "mlflow.db", {"seed": "0", "optimizer.lr": "0.01"})
            reference = [value for value in self.reference if np.isclose(first, value, rtol=TOLERANCE).any()]
            np.testing.assert_allclose(first, reference, rtol=TOLERANCE)
        return self._own[runs]

    def peer(self, name: str, runs: int) -> Sweep:
        """Measure a script of ``sweep_peers``."""
        command = [str(SCRIPTS / f"{name}.py"), "-m", seeds(runs), f"lr={RATES}"]
        return self._sweep(command, runs)[0]

    def composition(self, jobs: int) -> float:
        """Return the seconds of a core for composing and checking each of so many jobs, beyond those of 100."""
        seconds = []
        for count in (100, 100 + jobs):
            command = ["-m", "chainrule", "-m", seeds(count), f"optimizer.lr={RATES}", "hydra.sweeper.dry_run=true"]
            begin = processor_time()
            self._run(command, self._folder())
            seconds.append(processor_time() - begin)
        return (seconds[1] - seconds[0]) / jobs

    def floor_sqlite(self, runs: int) -> float:
        """Return the seconds of SQLite for the rows of chainrule's last sweep, which is the one of so many runs."""
        self.ours(runs)
        assert self._left
        return self._floor("floor_sqlite.py", str(self._left / "mlflow.db"), "mlflow.db")

    def floor_training(self, runs: int, processes: int) -> float:
        """Return the seconds of training alone."""
        return self._floor("floor_training.py", str(runs), str(processes), *WORKLOAD)

    def peer_curve(self, name: str) -> np.ndarray:
        """Return the training losses of a peer from the start and on the samples of the reference."""
        folder = self._folder()
        self._run([str(SCRIPTS / f"{name}.py"), "seed=0", "lr=0.01", f"init={self._start}"], folder)
        values = curve(folder / "mlflow.db", {"seed": "0", "lr": "0.01"})
        shutil.rmtree(folder)
        return values

    def _prepare_reference(self) -> np.ndarray:
        """Train one run, and write its start and its samples down for the peers."""
        run = chainrule.prepare(chainrule.settings(*WORKLOAD, "seed=0", "optimizer.lr=0.01"))
        weights, biases = run.shape.split(run.theta)
        split = 1 + run.samples.inputs
        start = {"x": run.samples.train[1:split].T, "y": run.samples.train[split:].T}
        start |= {f"W{layer}": values for layer, values in enumerate(weights, 1)}
        start |= {f"b{layer}": values for layer, values in enumerate(biases, 1)}
        np.savez(self._start, **start)
        return chainrule.train([run])[0].curves.values["train/loss"]

    def _sweep(self, command: list[str], runs: int) -> tuple[Sweep, Path]:
        folder = self._folder()
        seconds, parent, child = self._run(command, folder)
        database = folder / "mlflow.db"
        stored = sum(path.stat().st_size for path in folder.glob("mlflow.db*") if not path.name.endswith(".lock"))
        own = "chainrule" in command
        complete = finished(database, own, FEWER if own and runs > MANY else POINTS)
        if complete != runs:
            tail = (folder / "output.txt").read_text()[-2000:]
            sys.exit(f"{complete} of {runs} runs are complete after {' '.join(command)}:\n{tail}")
        return Sweep(runs, seconds, parent, child, stored), folder

    def _floor(self, script: str, *arguments: str) -> float:
        folder = self._folder()
        self._run([str(SCRIPTS / script), *arguments], folder)
        seconds = float((folder / "output.txt").read_text())
        shutil.rmtree(folder)
        return seconds

    def _folder(self) -> Path:
        """Return a new directory with an empty database."""
        self._count += 1
        folder = self._root / str(self._count)
        folder.mkdir()
        shutil.copy(self._empty, folder / "mlflow.db")
        return folder

    def _run(self, command: list[str], folder: Path) -> tuple[float, int | None, int | None]:
        environment = self._environment(folder / "mlflow.db")
        return watched([sys.executable, *command], folder, environment, folder / "output.txt")

    def _environment(self, database: Path) -> dict[str, str]:
        mlflow = {"MLFLOW_TRACKING_URI": f"sqlite:///{database}", "MLFLOW_DISABLE_TELEMETRY": "true"}
        environment = {**os.environ, **mlflow, **ONE_THREAD}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling libraries anew is no part of a sweep
        return environment


def processor_time() -> float:
    """Return the seconds that processes which have ended have had of a core, whatever else the machine was doing."""
    times = os.times()
    return times.children_user + times.children_system


def seeds(runs: int) -> str:
    return f"seed=range({runs // 2})"


def watched(
    command: Sequence[str], folder: Path, environment: dict[str, str], log: Path
) -> tuple[float, int | None, int | None]:
    """Run a command; return its seconds and the greatest memory in bytes of it and of any process below it."""
    peaks: dict[int, int] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.25):
            for pid in session(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), peak_memory(pid))

    with log.open("wb") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        status = process.wait()
        seconds = time.perf_counter() - begin
        ended.set()
        watcher.join()
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")
    parent = peaks.pop(process.pid, None)
    return seconds, parent, max(peaks.values(), default=None)


def session(leader: int) -> list[int]:
    """Return the processes of a session, where there is /proc: the leader, and all that it started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[3]) == leader:
            found.append(int(path.parent.name))
    return found


def peak_memory(pid: int) -> int:
    """Return the greatest resident memory of a process so far, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def finished(database: Path, own: bool, points: int) -> int:
    """Return the number of runs that are finished and have all points; of our own, those that are records."""
    query = """
        SELECT count(*) FROM runs JOIN (
            SELECT run_uuid FROM metrics WHERE key = 'train/loss' GROUP BY run_uuid HAVING count(DISTINCT step) >= ?
        ) USING (run_uuid) WHERE status = 'FINISHED' AND lifecycle_stage = 'active'
    """
    if own:
        query += "AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'chainrule.key')"
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(query, (points,)).fetchone()[0])


def curve(database: Path, params: dict[str, str]) -> np.ndarray:
    """Return the training losses of the one run with these parameters."""
    chosen = " AND ".join(["run_uuid IN (SELECT run_uuid FROM params WHERE key = ? AND value = ?)"] * len(params))
    query = f"SELECT value, run_uuid FROM metrics WHERE key = 'train/loss' AND {chosen} ORDER BY step"
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(query, [text for pair in params.items() for text in pair]).fetchall()
    assert len({run for _, run in found}) == 1
    return np.array([value for value, _ in found])


def row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def contenders(bench: Bench, chosen: Sequence[str], runs: int, quick: bool) -> None:
    """Print the table of contenders; ratios are there if ours is, goals if peers ran long enough."""
    row("contender", "runs", "seconds in all", "ms a run", f"at {runs:,} runs", "over ours", "goal")
    print("|---|---|---|---|---|---|---|")
    own = None
    if "ours" in chosen:
        sweep = bench.ours(runs)
        own = sweep.each
        row("chainrule", str(runs), f"{sweep.seconds:.1f}", f"{own:.2f}", f"{own:.2f}", "1", "-")
    for name, peer in PEERS.items():
        if name in chosen:
            sizes, repetitions = ((runs,), 1) if quick else (peer.sizes, REPETITIONS)
            rounds = [[bench.peer(name, size) for size in sizes] for _ in range(repetitions)]
            sweeps = [min(same, key=lambda sweep: sweep.seconds) for same in zip(*rounds, strict=True)]
            first, last = sweeps[0], sweeps[-1]
            each = last.each
            if not quick:  # start-up, and as many times what a further run takes
                further = (last.seconds - first.seconds) / (last.runs - first.runs)
                each = 1000 * (first.seconds + further * (runs - first.runs)) / runs
            over = goal = "-"
            if own:
                over = f"{each / own:.1f} x"
                goal = "-" if quick else f"{peer.goal:g} x: {'met' if each >= peer.goal * own else 'MISSED'}"
            row(
                peer.title, ", ".join(str(sweep.runs) for sweep in sweeps),
                ", ".join(f"{sweep.seconds:.1f}" for sweep in sweeps),
                ", ".join(f"{sweep.each:.1f}" for sweep in sweeps), "-" if quick else f"{each:.1f}", over, goal,
            )  # fmt: skip
    if "floors" in chosen:
        floors = {
            "floor: the same rows into SQLite": bench.floor_sqlite(runs),
            "floor: training, one process": bench.floor_training(runs, 1),
            "floor: training, two processes": bench.floor_training(runs, 2),
        }
        for name, seconds in floors.items():
            each = 1000 * seconds / runs
            over = f"{each / own:.2f} x" if own else "-"
            row(name, str(runs), f"{seconds:.2f}", f"{each:.2f}", f"{each:.2f}", over, "-")


def composition(bench: Bench, jobs: int) -> None:
    """Print what it costs to compose and check a job."""
    listing = subprocess.run(
        [sys.executable, "-m", "chainrule", "plugins", "--json"], capture_output=True, text=True, check=True
    )
    options = sum(len(plugin["components"]) for plugin in json.loads(listing.stdout)["plugins"])
    each = 1000 * bench.composition(jobs)
    print(f"\nComposing and checking a job takes {each:.2f} ms of a core, with {options} options installed.")


def growth(bench: Bench, sizes: Sequence[int]) -> None:
    """Print what ours takes for more and more runs."""
    print()
    row("chainrule, runs", "seconds in all", "ms a run", "MB of the process", "MB of its largest child", "MB stored")
    print("|---|---|---|---|---|---|")
    for runs in sizes:
        sweep = bench.ours(runs)
        memory = [f"{peak / 1e6:.0f}" if peak else "-" for peak in (sweep.parent, sweep.child)]
        row(f"{runs:,}", f"{sweep.seconds:.1f}", f"{sweep.each:.2f}", *memory, f"{sweep.stored / 1e6:.1f}")


def same_mathematics(bench: Bench, peers: Sequence[str]) -> None:
    """Make sure that all train the same: from one start, every point of the training loss is equal."""
    ends = [f"chainrule {bench.reference[-1]:.9f}"]
    for name in peers:
        values = bench.peer_curve(name)
        np.testing.assert_allclose(values, bench.reference, rtol=TOLERANCE)
        ends.append(f"{name} {values[-1]:.9f}")
    print(f"Last loss from the same start: {', '.join(ends)}.\n")


def conditions() -> None:
    names = ["numpy", "mlflow", "hydra-core", *(peer.library for peer in PEERS.values() if peer.is_installed)]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"Python {platform.python_version()}, {versions}; SQLite {sqlite3.sqlite_version}; {machine}.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four runs of each contender, to see that it works")
    parser.add_argument("--runs", type=int, default=1000, metavar="N", help="runs of chainrule and the floors (1000)")
    parser.add_argument("--growth", action="store_true", help=f"measure chainrule also with {GROWTH} runs")
    parser.add_argument("--only", choices=NAMES, help="measure this contender only")
    chosen = parser.parse_args()
    if chosen.runs < 2 or chosen.runs % 2:
        parser.error("--runs must be even: each seed has two rates")
    conditions()
    names = [chosen.only] if chosen.only else list(NAMES)
    names = [name for name in names if name not in PEERS or PEERS[name].is_installed]
    with tempfile.TemporaryDirectory(prefix="sweeps.") as root:
        bench = Bench(Path(root), 1 if chosen.quick else REPETITIONS)
        same_mathematics(bench, [name for name in names if name in PEERS])
        contenders(bench, names, 4 if chosen.quick else chosen.runs, chosen.quick)
        if "ours" in names:
            composition(bench, 400 if chosen.quick else 2000)
        if chosen.growth:
            growth(bench, (2, 4) if chosen.quick else GROWTH)


if __name__ == "__main__":
    main()
