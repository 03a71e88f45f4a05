"""Is a step slower than it was?  ``python experiments/speed/versions.py PYTHON``, of an older version's environment.

The interpreter of this environment takes turns with the other one; each imports the chainrule that is installed there.
Runs of two lengths are trained, so that what a run costs once is told apart from its steps. Of each round the times are
divided; the median, the least and the greatest of these ratios are printed. Times are those of CPU.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time

import numpy as np

from chainrule.config.compose import compose_settings
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare

ROUNDS = 7
WIDE = ["network.hidden=[64,64]", "activation=tanh"]
CASES = {  # runs of a stack, overrides, epochs of short and of long runs
    "2-2-2-1, 1 sample": (1, [], (20, 120)),
    "2-2-2-1, all samples": (1, ["training.batch_size=null"], (1000, 9000)),
    "2-64-64-1, 32 samples": (1, [*WIDE, "training.batch_size=32"], (20, 200)),
    "64 runs, 16 samples, adam": (64, ["training.batch_size=16", "optimizer=adam"], (10, 90)),
    "256 runs, 1 sample": (256, [], (2, 12)),
}
SAMPLES = 205  # of an epoch


def seconds(runs: int, overrides: list[str], epochs: int, repetitions: int) -> float:
    """Return how long a stack trains, the least of some repetitions; losses are measured at both ends only."""
    often = ["training.tolerance=0", f"training.epochs={epochs}", f"training.measure_every={epochs}"]
    settings, taken = compose_settings([*overrides, *often]), []
    for _ in range(repetitions):
        prepared = [prepare(dataclasses.replace(settings, seed=seed)) for seed in range(runs)]
        begin = time.process_time()
        train_stack(prepared)
        taken.append(time.process_time() - begin)
    return min(taken)


def measured(quick: bool) -> dict[str, tuple[float, float]]:
    """Return the microseconds of a step of the whole stack, and the milliseconds that each run costs besides."""
    found = {}
    for name, (runs, overrides, lengths) in CASES.items():
        few, many = (1, 3) if quick else lengths
        short, long = (seconds(runs, overrides, epochs, 1 if quick else 4) for epochs in (few, many))
        epoch = (long - short) / (many - few)
        size = next((text.partition("=")[2] for text in overrides if "batch_size" in text), "1")
        steps = 1 if size == "null" else -(-SAMPLES // int(size))
        found[name] = (1e6 * epoch / steps, 1e3 * (short - few * epoch) / runs)
    return found


def elsewhere(python: str, quick: bool) -> dict[str, tuple[float, float]]:
    """Let an interpreter measure the chainrule that it imports, in a folder that has no configuration."""
    words = [python, __file__, "--measure", *(["--quick"] if quick else [])]
    with tempfile.TemporaryDirectory() as folder:
        printed = subprocess.run(words, check=True, stdout=subprocess.PIPE, cwd=folder).stdout
    found: dict[str, tuple[float, float]] = json.loads(printed)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="?", help="the interpreter of an environment with another version of chainrule")
    parser.add_argument("--quick", action="store_true", help="a few steps of everything, to see that it works")
    parser.add_argument("--measure", action="store_true", help="only measure what this interpreter imports, as JSON")
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measured(given.quick)))
        return
    if not given.python:
        parser.error("name the interpreter of the other version's environment")
    rounds = []
    for number in range(1 if given.quick else ROUNDS):
        order = 1 if number % 2 else -1
        found = [elsewhere(python, given.quick) for python in (given.python, sys.executable)[::order]]
        rounds.append(found[::order])
    print("| stack | us a step, before | now | times that of before | ms a run besides, before | now |")
    print("|---|---|---|---|---|---|")
    for name in CASES:
        before, now = (np.array([each[name] for each in own]) for own in zip(*rounds, strict=True))
        ratios = now[:, 0] / before[:, 0]
        spread = f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
        steps, besides = ([np.median(own[:, place]) for own in (before, now)] for place in (0, 1))
        print(f"| {name} | {steps[0]:.1f} | {steps[1]:.1f} | {spread} | {besides[0]:.2f} | {besides[1]:.2f} |")


if __name__ == "__main__":
    main()
