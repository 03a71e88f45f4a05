"""Is the network without activations a linear regression?  ``python experiments/linear_regression/least_squares.py``.

Networks of each depth are trained on the same samples, as one stack for 20 seeds, and compared with least squares.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import chainrule
from chainrule import Result
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
DEPTHS = {"2-1": "network.hidden=[]", "2-2-1": "network.hidden=[2]", "2-2-2-1": "network.hidden=[2,2]"}
NOISES = (0, 1)
SINGLE = ("training.batch_size=1", "training.epochs=100")  # nearly as many steps as with full batches


def effective(result: Result) -> np.ndarray:
    """Return the line that the network computes: its bias, and the product of its weights."""
    bias, weights = np.zeros(result.shape.widths[0]), np.eye(result.shape.widths[0])
    for W, b in zip(result.weights, result.biases, strict=True):
        bias, weights = W @ bias + b, W @ weights
    return np.array([*bias, *weights[0]])


def least_squares(result: Result) -> np.ndarray:
    """Return bias and weights of least squares on the samples that the run was trained on."""
    x, y = np.split(result.samples.train, [1 + result.samples.inputs])
    return np.linalg.lstsq(x.T, y[0])[0]


def trained(seeds: Sequence[int], *overrides: str) -> list[Result]:
    settings = chainrule.settings("experiment=linear_regression", *overrides)
    return chainrule.train([replace(settings, seed=seed) for seed in seeds])


def distance(results: Sequence[Result]) -> float:
    """Return the largest difference to least squares of any coefficient of any run."""
    return max(float(np.abs(effective(r) - least_squares(r)).max()) for r in results)


def excess(results: Sequence[Result]) -> np.ndarray:
    """Return how far the training losses are above that of least squares, ``(runs, points)``."""
    least = []
    for result in results:
        x, y = np.split(result.samples.train, [1 + result.samples.inputs])
        least.append(np.square(y[0] - least_squares(result) @ x).mean() / 2)
    return np.array([r.curves.values["train/loss"] for r in results]) - np.array(least)[:, None]


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def draw(found: dict[str, list[Result]], path: Path) -> None:
    figure, axes = plt.subplots()
    figure.suptitle("Depth changes the way to least squares, not its end (full batch, rate 0.01, noise 1)")
    for name, results in found.items():
        low, middle, high = np.quantile(excess(results), (0.25, 0.5, 0.75), axis=0)
        epochs = results[0].curves.epochs
        (line,) = axes.plot(epochs, middle, label=name)
        axes.fill_between(epochs, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(
        xlabel="epochs", ylabel="training loss above least squares", yscale="log", xlim=(0, 2000), ylim=(1e-12, 300)
    )
    axes.legend(title="median and quartiles")
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 seeds; the figure goes to the working directory")
    quick = parser.parse_args().quick
    plt.style.use(HERE.parent / "figures.mplstyle")
    begin = time.perf_counter()
    seeds = range(3 if quick else 20)

    row("network", "noise", "bias and weights, seed 0", "farthest from least squares", "single samples: farthest")
    row(*["---"] * 5)
    for noise in NOISES:
        for name, hidden in DEPTHS.items():
            full, single = (trained(seeds, hidden, f"data.noise={noise}", *more) for more in ((), SINGLE))
            line = ", ".join(f"{value:.6f}" for value in effective(full[0]))
            row(name, noise, line, f"{distance(full):.1g}", f"{distance(single):.1g}")

    way = {name: trained(seeds, hidden, "training.epochs=2000") for name, hidden in DEPTHS.items()}
    draw(way, (Path() if quick else HERE) / "depths.png")
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
