"""Where does gradient descent become unstable?  ``python experiments/learning_rate/sharpness.py``.

The bound is ``2 / lambda_max`` of the Hessian, which is made of differences of the exact gradients.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binomtest

import chainrule
from chainrule import Prepared, Result
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
FACTORS = np.linspace(0.5, 2, 61)  # of the bound
FURTHER = (4.0, 8.0, 16.0)
SHOWN = (0.5, 0.9, 1.1, 1.5, 2.0, *FURTHER)
EARLY = 200  # epochs after which an instability is seen
LOST = 1e6  # times the loss before: a run has diverged
NUDGE = 1e-3  # along the sharpest direction, to set it off
STEP = 1e-4  # of the differences
RATES = (0.05, 0.1, 0.2, 0.4)  # from a random start


def hessian(run: Prepared, theta: np.ndarray) -> np.ndarray:
    """Return the second derivatives of the training loss of ``run``, ``(parameters, parameters)``."""
    steps = STEP * np.eye(len(theta))
    above, below = np.split(chainrule.gradient(run, np.concatenate([theta + steps, theta - steps])), 2)
    both = (above - below) / (2 * STEP)
    return (both + both.T) / 2  # it is symmetric but for rounding


def sharpness(run: Prepared, theta: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the largest eigenvalue of the Hessian, and its direction."""
    values, directions = np.linalg.eigh(hessian(run, theta))
    return float(values[-1]), directions[:, -1]


def onward(run: Prepared, theta: np.ndarray, rate: float, epochs: int, every: int) -> Prepared:
    """Return ``run`` as it goes on from ``theta`` at another rate."""
    training = replace(run.settings.training, epochs=epochs, measure_every=every)
    optimizer = replace(run.settings.optimizer, lr=rate)
    return replace(run, theta=theta, settings=replace(run.settings, optimizer=optimizer, training=training))


def quadratic(seeds: Sequence[int], epochs: int) -> float:
    """Return how far the rate at which a linear regression stops converging is from its bound, relatively, at most."""
    settings = chainrule.settings("experiment=learning_rate", "network.hidden=[]")
    factors, worst = np.linspace(0.99, 1.01, 101), 0.0
    for seed in seeds:
        run = chainrule.prepare(replace(settings, seed=seed))
        x = run.samples.train[:-1]  # a row of ones above the inputs
        bound = 2 / np.linalg.eigvalsh(x @ x.T / x.shape[1])[-1]
        results = chainrule.train([onward(run, run.theta, f * bound, epochs, epochs // 2) for f in factors])
        grows = np.array([norm(r)[-1] > norm(r)[-2] for r in results])
        worst = max(worst, abs(factors[grows].min() - 1), abs(factors[~grows].max() - 1))
    return worst


def norm(result: Result) -> np.ndarray:
    """Return the curve of the norm of the whole gradient."""
    parts = [curve for name, curve in result.curves.values.items() if name.startswith("gradient_norm")]
    return np.sqrt(np.square(parts).sum(axis=0))


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def spread(values: Sequence[float]) -> str:
    """Return median and range."""
    return f"{np.median(values):.3g} ({np.min(values):.3g} to {np.max(values):.3g})"


def approach(run: Prepared, rates: Sequence[float], epochs: Sequence[int]) -> np.ndarray:
    """Return the sharpness of ``run`` from its random start, ``(rates, epochs)``."""
    thetas, found, before = [run.theta] * len(rates), [], 0
    for epoch in epochs:
        stage = [onward(run, t, rate, epoch - before, 1000) for t, rate in zip(thetas, rates, strict=True)]
        thetas, before = [result.theta for result in chainrule.train(stage)], epoch
        found.append([sharpness(run, theta)[0] for theta in thetas])
    return np.array(found).T


def draw(curves: dict[float, Result], epochs: Sequence[int], sharpnesses: np.ndarray, path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4))
    figure.suptitle("Gradient descent at and beyond the rate 2 / lambda_max (seed 0)")
    for factor, result in curves.items():
        left.plot(result.curves.epochs, result.curves.values["train/loss"], label=f"{factor:g} x bound")
    left.set(xlabel="epochs", ylabel="training loss", yscale="log", title="from one place at different rates")
    for rate, values in zip(RATES, sharpnesses, strict=True):
        (line,) = right.plot(epochs, values, label=f"rate {rate:g}")
        right.axhline(2 / rate, color=line.get_color(), linestyle=":", linewidth=1)
    right.set(
        xlabel="epochs", ylabel="lambda_max of the Hessian", xscale="log", yscale="log",
        title="from one random start; dotted: 2 / rate",
    )  # fmt: skip
    ticks = (3, 5, 10, 20, 40)
    right.set_yticks(ticks, labels=ticks)
    right.tick_params(axis="y", which="minor", labelleft=False)
    for axes in (left, right):
        axes.legend()
    save(figure, path)


def scan(runs: Sequence[Prepared], places: Sequence[Result], found: Sequence[tuple[float, np.ndarray]]) -> np.ndarray:
    """Return at which of ``FACTORS`` each place is unstable, ``(places, factors)``."""
    stack = [
        onward(run, place.theta + NUDGE * direction, factor * 2 / value, EARLY, 10)
        for run, place, (value, direction) in zip(runs, places, found, strict=True)
        for factor in FACTORS
    ]
    return np.array([unstable(result) for result in chainrule.train(stack)]).reshape(len(runs), len(FACTORS))


def unstable(result: Result) -> bool:
    """Say whether the gradient of a run from a disturbed place grows within ``EARLY`` epochs."""
    return bool(norm(result)[: EARLY // 10 + 1].argmax() > 0)


def grouped(values: np.ndarray) -> str:
    """Return the median of all, and the lowest and the highest of the medians of 20 each."""
    medians = [np.median(some) for some in np.array_split(values, max(1, len(values) // 20))]
    return f"{np.median(values):.3g} ({min(medians):.3g} to {max(medians):.3g})"


def share(count: int, total: int) -> str:
    """Return a share in per cent with its exact 95 % interval (Clopper and Pearson)."""
    interval = binomtest(count, total).proportion_ci(method="exact")
    return f"{100 * count / total:.0f} [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 seeds; the figure goes to the working directory")
    quick = parser.parse_args().quick
    plt.style.use(HERE.parent / "figures.mplstyle")
    begin = time.perf_counter()
    seeds, epochs, last = (range(2), 400, 1000) if quick else (range(200), 4000, 100_000)

    print(f"Linear regression: within {quadratic(seeds[:5], 10_000):.1g} of the bound, relatively.", flush=True)

    settings = chainrule.settings("experiment=learning_rate", *(["training.epochs=5000"] if quick else []))
    runs = [chainrule.prepare(replace(settings, seed=seed)) for seed in seeds]
    places = chainrule.train(runs)
    found = [sharpness(run, place.theta) for run, place in zip(runs, places, strict=True)]
    grows = scan(runs, places, found)
    first = [FACTORS[seen.argmax()] for seen in grows]
    stable = [FACTORS[~seen].max() for seen in grows]
    before = np.array([place.metrics["train/loss"] for place in places])
    print(f"{len(seeds)} places: loss {spread(before)}, lambda_max {spread([value for value, _ in found])}.")
    print(f"Of the bound, the greatest stable rate is {spread(stable)}, the least unstable one {spread(first)}.")

    header(
        *("rate over bound", "unstable", "diverged", "loss over that before", "lambda_max rate / 2 in the end"),
        *("loss over that at half the bound", "lower in % of places", "not so if disturbed the other way, %"),
    )
    drawn, half = {}, np.empty(0)
    for factor in SHOWN:
        rates = [factor * 2 / value for value, _ in found]
        ahead, back = (
            chainrule.train(
                [
                    onward(run, place.theta + nudge * direction, rate, epochs, 10)
                    for run, place, (_, direction), rate in zip(runs, places, found, rates, strict=True)
                ]
            )
            for nudge in (NUDGE, -NUDGE)
        )
        drawn[factor], losses = ahead[0], np.array([last_losses(ahead), last_losses(back)])
        ratios = losses[0] / before
        kept = ratios < LOST
        ended = [
            sharpness(run, r.theta)[0] * rate / 2
            for run, r, rate, ends in zip(runs, ahead, rates, kept, strict=True)
            if ends
        ]
        half = losses if factor == SHOWN[0] else half
        lower = losses < half
        row(
            *(f"{factor:g}", sum(map(unstable, ahead)), int((~kept).sum()), spread(ratios)),
            spread(ended) if ended else "-",
            grouped(losses[0] / half[0]),
            share(int(lower[0].sum()), len(runs)),
            f"{100 * (lower[0] != lower[1]).mean():.1f}",
        )

    points = np.unique(np.geomspace(1, last, 60).astype(int))
    curves = {factor: drawn[factor] for factor in (0.9, 1.1, 1.5, 2.0, 8.0)}
    draw(curves, points, approach(runs[0], RATES, points), (Path() if quick else HERE) / "sharpness.png")
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


def last_losses(results: Sequence[Result]) -> np.ndarray:
    """Return the last training losses, infinite where they are no numbers."""
    return np.nan_to_num([result.metrics["train/loss"] for result in results], nan=np.inf, posinf=np.inf)


if __name__ == "__main__":
    main()
