"""What training alone takes: ``python floor_training.py RUNS PROCESSES OVERRIDE...`` prints seconds.

The runs are those of ``seed=range(RUNS/2) optimizer.lr=0.01,0.05``, in stacks of 64. Drawing their samples and starts
is counted; starting processes is not.
"""

import dataclasses
import sys
import time
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

import chainrule
from chainrule import Settings

TOGETHER = 64  # runs in a stack
RATES = (0.01, 0.05)
_base: list[Settings] = []


def train(jobs: list[tuple[int, float]]) -> None:
    (base,) = _base
    settings = [
        dataclasses.replace(base, seed=seed, optimizer=dataclasses.replace(base.optimizer, lr=lr)) for seed, lr in jobs
    ]
    chainrule.train([chainrule.prepare(each) for each in settings])


def ready(overrides: list[str], all_ready: Barrier) -> None:
    """Compose the settings, train once for practice, and wait for the others."""
    _base.append(chainrule.settings(*overrides, "training.epochs=1"))
    train([(0, RATES[0])])
    _base[:] = [chainrule.settings(*overrides)]
    all_ready.wait()


def main() -> None:
    runs, processes, overrides = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    jobs = [(seed, lr) for seed in range(runs // len(RATES)) for lr in RATES]
    size = min(TOGETHER, -(-runs // processes))
    stacks = [jobs[i : i + size] for i in range(0, runs, size)]
    context = get_context("spawn")
    all_ready = context.Barrier(processes + 1)
    with context.Pool(processes, ready, (overrides, all_ready)) as pool:
        all_ready.wait()
        begin = time.perf_counter()
        pool.map(train, stacks, chunksize=1)
        print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
