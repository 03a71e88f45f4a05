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
from chainrule import Reason, Result
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
DEPTHS = {"2-1": "network.hidden=[]", "2-2-1": "network.hidden=[2]", "2-2-2-1": "network.hidden=[2,2]"}
NOISES = (0, 1)
RATES = (0.005, 0.01, 0.02)  # of single samples; the middle one is that of the experiment
HIGH = 0.05  # a rate at which the deepest diverges
NEAR = 1e-6  # above the loss of least squares
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


def distances(results: Sequence[Result]) -> np.ndarray:
    """Return of each run the largest difference of a coefficient to least squares, ``(runs,)``."""
    return np.array([np.abs(effective(r) - least_squares(r)).max() for r in results])


def arrival(results: Sequence[Result]) -> np.ndarray:
    """Return after how many epochs each run was within ``NEAR`` of the loss of least squares; infinite: never."""
    near = excess(results) <= NEAR
    return np.where(near.any(axis=1), results[0].curves.epochs[near.argmax(axis=1)], np.inf)


def excess(results: Sequence[Result]) -> np.ndarray:
    """Return how far the training losses are above that of least squares, ``(runs, points)``."""
    least = []
    for result in results:
        x, y = np.split(result.samples.train, [1 + result.samples.inputs])
        least.append(np.square(y[0] - least_squares(result) @ x).mean() / 2)
    return np.array([r.curves.values["train/loss"] for r in results]) - np.array(least)[:, None]


def spread(values: np.ndarray, form: str = ".0f") -> str:
    """Return median and range."""
    return f"{np.median(values):{form}} ({values.min():{form}} to {values.max():{form}})"


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
            row(name, noise, line, f"{distances(full).max():.1g}", f"{distances(single).max():.1g}")

    print()
    first, *others = RATES
    farther = f"single samples at rate {first}: distance", *(f"at {rate}" for rate in others)
    row("network, noise 1", f"epochs until {NEAR:g} above least squares", f"diverged at rate {HIGH}", *farther)
    row(*["---"] * (3 + len(RATES)))
    way = {}
    for name, hidden in DEPTHS.items():
        way[name] = trained(seeds, hidden, "training.epochs=4000", "training.measure_every=5")
        high = trained(seeds, hidden, f"optimizer.lr={HIGH}", "training.epochs=500")
        diverged = sum(result.reason is Reason.DIVERGED for result in high)
        single = (distances(trained(seeds, hidden, *SINGLE, f"optimizer.lr={rate}")) for rate in RATES)
        row(name, spread(arrival(way[name])), diverged, *(spread(values, ".2f") for values in single))
    draw(way, (Path() if quick else HERE) / "depths.png")
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
