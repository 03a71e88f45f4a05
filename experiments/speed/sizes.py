"""How many runs make a good stack?  ``python experiments/speed/sizes.py``.

Stacks of several sizes take turns within one process, on one thread, round after round; times are those of CPU. The
size that a sweep chooses is marked.
"""

import argparse
import dataclasses

import numpy as np

from chainrule import settings
from chainrule.engine.stack import MOST
from chainrule.runs.execute import stopwatch
from chainrule.runs.prepare import prepare
from chainrule.sweep.execution import plan

SIZES = (1, 2, 4, 8, 16, 32, 64)
WIDE = 256  # units, from which on stacks of more than 16 runs are not measured
CASES = [  # widths of hidden layers, samples of a batch, optimizer
    ([2, 2], 1, "gradient_descent"),
    ([2, 2], 256, "gradient_descent"),
    ([16, 16], 32, "adam"),
    ([64, 64], 1, "adam"),
    ([64, 64], 32, "adam"),
    ([128, 64], 32, "gradient_descent"),
    ([64, 64], 256, "adam"),
    ([256, 256], 1, "gradient_descent"),
    ([256, 256], 32, "adam"),
    ([512, 512], 32, "adam"),
]
ROUNDS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small networks and one round, to see that it works")
    quick = parser.parse_args().quick
    print(f"| us a run and step | {' | '.join(map(str, SIZES))} | chosen | chosen over alone | 16 over alone |")
    print("|---" * (len(SIZES) + 4) + "|")
    for hidden, batch_size, optimizer in CASES[:2] if quick else CASES:
        widths = ",".join(map(str, hidden))
        words = [f"network.hidden=[{widths}]", f"training.batch_size={batch_size}", f"optimizer={optimizer}"]
        base = settings(*words, "data.samples=256", "data.validation=0", "activation=tanh")
        profile = plan._profile(prepare(base))
        chosen = max(1, min(MOST, plan.CACHE // profile.step_bytes, plan.MEMORY // profile.bytes))
        tried = [size for size in SIZES if size <= 16 or max(hidden) < WIDE]
        sizes = sorted({*tried, chosen})
        runs = [prepare(dataclasses.replace(base, seed=seed)) for seed in range(sizes[-1])]
        watches = {size: stopwatch(runs[:size]) for size in sizes}
        steps = -(-256 // batch_size)
        rounds = [
            {size: watch(1) / steps / size * 1e6 for size, watch in watches.items()}
            for _ in range(2 if quick else ROUNDS + 1)
        ][1:]
        least = {size: min(each[size] for each in rounds) for size in sizes}
        ratios = [np.median([each[size] / each[1] for each in rounds]) for size in (chosen, 16)]
        cells = [f"{least[size]:.1f}" if size in tried else "-" for size in SIZES]
        shown = [f"{chosen}: {least[chosen]:.1f}", *(f"{ratio:.2f}" for ratio in ratios)]
        print(
            f"| {'-'.join(map(str, hidden))}, {batch_size}, {optimizer} | {' | '.join([*cells, *shown])} |", flush=True
        )


if __name__ == "__main__":
    main()
