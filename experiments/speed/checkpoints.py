"""What does a checkpoint cost?  ``python experiments/speed/checkpoints.py``.

Networks of several sizes are trained with Adam; a copy of all that training goes on from is made and written, several
times each. Then runs are trained with checkpoints and without, in turns, and their CPU time is compared.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import chainrule
from chainrule.engine import trainer
from chainrule.notebook.components import registry
from chainrule.records.checkpoint import write_checkpoint
from chainrule.records.kept import FOLDER
from chainrule.registry.watching import Watchers
from chainrule.runs import execute as module
from chainrule.runs.execute import Task, execute
from chainrule_untracked import NoTracking

NETWORKS = {"2-2": "[2,2]", "64-64": "[64,64]", "512-512": "[512,512]", "2048-2048": "[2048,2048]"}
COMMON = ["optimizer=adam", "training.batch_size=32", "training.tolerance=0", "tracking=none"]
TIMES, PAIRS = 7, 5


def parts(hidden: str, folder: Path) -> tuple[int, float, float, int]:
    """Return parameters, median seconds of a copy and of writing it until it is on the disk, and bytes."""
    prepared = chainrule.prepare(chainrule.settings(*COMMON, f"network.hidden={hidden}", "training.epochs=2"))
    copies, writes, size = [], [], 0
    training = trainer._Training(module._stack([prepared]), None, None, None, 0)
    training._machine.train(0, 1)
    for _ in range(TIMES):
        begin = time.perf_counter()
        checkpoint, course = training.course()
        copied = time.perf_counter()
        path = write_checkpoint(folder, {}, checkpoint, course)
        writes.append(time.perf_counter() - copied)
        copies.append(copied - begin)
        size = path.stat().st_size
    return len(prepared.theta), statistics.median(copies), statistics.median(writes), size


def seconds(folder: Path, *overrides: str) -> float:
    """Return the CPU seconds of a run."""
    settings = chainrule.settings(*COMMON, "network.hidden=[64,64]", "training.epochs=4000", *overrides)
    task = Task(chainrule.prepare(settings), folder, NoTracking())
    begin = time.process_time()
    execute([task], Watchers([]), registry())
    return time.process_time() - begin


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| network | parameters | copy ms | write ms | MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for network, hidden in NETWORKS.items():
            size, copy, write, content = parts(hidden, Path(name, network))
            print(f"| {network} | {size} | {1000 * copy:.2f} | {1000 * write:.1f} | {content / 1e6:.2f} |", flush=True)
        ratios = []
        for pair in range(PAIRS):
            kept = Path(name, f"with {pair}")
            without = seconds(Path(name, f"without {pair}"), "training.checkpoint_every=null")
            ratios.append(seconds(kept, "training.checkpoint_every=1e-3") / without)
            assert list((kept / FOLDER).iterdir())
    print(f"\nCPU time with checkpoints as often as they may be, over that without: {statistics.median(ratios):.4f}")
    print(f"(from {min(ratios):.4f} to {max(ratios):.4f} in {PAIRS} pairs)")


if __name__ == "__main__":
    main()
