"""What do thousands of runs cost, killed at half?  ``python experiments/tracking/thousands.py``.

A sweep is killed, with all that it has started, when half of its runs are recorded. It is resumed, resumed once more
when there is nothing left to train, and sent again to MLflow, which has it all.
"""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

WORDS = ["training.epochs=5", "training.batch_size=16", "activation=tanh,relu", "optimizer.lr=0.01,0.1"]
SWEEP, DATABASE = Path("sweep"), Path("mlflow.db")


def command(title: str, *words: str, until: Callable[[], bool] = lambda: False) -> None:
    """Run chainrule, kill it and all its processes if something holds before it ends, and print what it took."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", *words], stdout=subprocess.DEVNULL, start_new_session=True
    )
    status, is_killed = None, False
    while status is None:
        pid, code, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            status = os.waitstatus_to_exitcode(code)
        elif not is_killed and until():
            os.killpg(process.pid, signal.SIGKILL)
            is_killed = True
        else:
            time.sleep(0.1)
    if status not in (0, -signal.SIGKILL):
        sys.exit(f"{title}: exit code {status}")
    spent = "-" if is_killed else f"{usage.ru_utime + usage.ru_stime:.0f}"  # nobody has waited for its children
    row(title, f"{time.perf_counter() - began:.0f}", spent, f"{usage.ru_maxrss / 1024:.0f}", recorded(), f"{sent():,}")


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def recorded() -> str:
    """Return how many runs of the sweep are recorded."""
    return f"{sum((place / 'manifest.json').exists() for place in SWEEP.iterdir()):,}"


def sent() -> int:
    """Return how many runs MLflow has beneath the one run of the sweep."""
    if not DATABASE.exists():
        return 0
    beneath = "SELECT count(*), count(DISTINCT value) FROM tags WHERE key = 'mlflow.parentRunId'"
    with closing(sqlite3.connect(DATABASE)) as database:
        ((runs, sweeps),) = database.execute(beneath)
    assert sweeps <= 1, "all are of one sweep"
    return int(runs)


def files(folder: Path) -> Iterator[int]:
    """Yield the bytes of each file in a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.stat().st_size


def main() -> None:
    """Print what each command takes, and what they leave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000, metavar="N", help="of the sweep (10,000)")
    parser.add_argument("--quick", action="store_true", help="24 runs, to see that it works")
    chosen = parser.parse_args()
    runs = 24 if chosen.quick else chosen.runs // 4 * 4
    half = SWEEP / str(runs // 2) / "manifest.json"
    with tempfile.TemporaryDirectory(prefix="thousands.") as folder:
        os.chdir(folder)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        row("", "s by the clock", "s of processors", "MiB of the largest process", "recorded", "in MLflow")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        command(
            "the sweep, killed", "-m", f"seed=range({runs // 4})", *WORDS, f"hydra.sweep.dir={SWEEP}", until=half.exists
        )
        command("`chainrule resume`", "resume", str(SWEEP))
        command("`chainrule resume` where all is trained", "resume", str(SWEEP))
        command("`chainrule sync`", "sync", str(SWEEP))
        command("`chainrule sync` where all is sent", "sync", str(SWEEP))
        assert (recorded(), sent()) == (f"{runs:,}", runs), "each run is there once, on disk and in MLflow"
        for place in (SWEEP, Path("mlartifacts"), DATABASE):
            sizes = list(files(place)) or [place.stat().st_size]
            print(f"{place}: {len(sizes):,} files, {sum(sizes) / 1e6:.0f} MB")
        os.chdir("/")


if __name__ == "__main__":
    main()
