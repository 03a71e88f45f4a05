"""Does a step with two gradients cost two gradients?  ``python experiments/speed/evaluations.py``.

``sam`` takes turns with ``momentum``, which does the same with one gradient. Of each round the times of a step are
divided; the median, the least and the greatest of these ratios are printed.
"""

import argparse
import dataclasses

import numpy as np
from threadpoolctl import threadpool_limits

from chainrule.config.compose import compose_settings
from chainrule.runs.execute import stopwatch
from chainrule.runs.prepare import prepare
from chainrule_optimizers import SAM, Momentum

ROUNDS = 15
NETWORKS = {
    "2-2-2-1": [],
    "10-64-64-1": ["network.hidden=[64,64]", "target=friedman1", "activation=tanh"],
}
CASES = [(1, 1), (1, 32), (1, None), (64, 32), (64, None)]  # runs of a stack, samples of a batch


def timed(overrides: list[str], runs: int, batch_size: int | None, epochs: int, rounds: int) -> tuple[np.ndarray, int]:
    """Return the ratios of ``sam`` to ``momentum``, ``(rounds,)``, and how many gradients ``sam`` has for each one."""
    size = "null" if batch_size is None else batch_size
    base = compose_settings([*overrides, f"training.epochs={epochs}", f"training.batch_size={size}"])
    watches = [
        stopwatch([prepare(dataclasses.replace(base, seed=seed, optimizer=optimizer)) for seed in range(runs)])
        for optimizer in (SAM(lr=1e-3, momentum=0.9), Momentum(lr=1e-3))
    ]
    seconds = np.array([[watch(epochs) for watch in watches] for _ in range(rounds + 1)])[1:]
    return seconds[:, 0] / seconds[:, 1], round(watches[0].gradients / watches[1].gradients)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few steps of everything, to see that it works")
    quick = parser.parse_args().quick
    print("| network | runs | samples of a batch | gradients | times the time of momentum |")
    print("|---|---|---|---|---|")
    with threadpool_limits(1):
        for name, overrides in NETWORKS.items():
            for runs, batch_size in CASES:
                steps = 2 if quick else max(20, 2000 // runs // (10 if overrides else 1))
                epochs = max(1, steps // (1 if batch_size is None else 205 // batch_size))
                ratios, gradients = timed(overrides, runs, batch_size, epochs, 2 if quick else ROUNDS)
                spread = f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
                print(f"| {name} | {runs} | {batch_size or 'all'} | {gradients} | {spread} |", flush=True)


if __name__ == "__main__":
    main()
