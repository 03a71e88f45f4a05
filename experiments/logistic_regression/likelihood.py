"""Is a sigmoid on the output a logistic regression?  ``python experiments/logistic_regression/likelihood.py``.

Networks are trained under log-loss and under the article's squared error, and compared with scikit-learn's logistic
regression without penalty, on the same samples. Each seed has data of its own: other points of the moons, or other
patients of the real data set, and other noise.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linprog
from scipy.special import expit
from scipy.stats import ttest_1samp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss

import chainrule
from chainrule import Result
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
ARRIVED = 1e-7  # distance of the coefficients of a network that is a logistic regression but for rounding
MOONS = ("target=two_moons", "data.noise=0.3", "optimizer.lr=0.1", "optimizer.momentum=0.9")
PATIENTS = ("data.samples=500",)  # of 569: each seed draws its own
DEEP = ("network.hidden=[2,2]", "initializer=xavier_normal")
SQUARED = ("loss=half_squared_error",)
CASES = {
    ("two moons, 2-1", "log-loss"): MOONS,
    ("two moons, 2-2-2-1", "log-loss"): (*MOONS, *DEEP),
    ("two moons, 2-1", "squared error"): (*MOONS, *SQUARED),
    ("two moons, 2-2-2-1", "squared error"): (*MOONS, *DEEP, *SQUARED),
    ("breast cancer, 30-1", "log-loss"): PATIENTS,
    ("breast cancer, 30-2-2-1", "log-loss"): (*PATIENTS, *DEEP, "optimizer.lr=0.005"),
    ("breast cancer, 30-1", "squared error"): (*PATIENTS, *SQUARED),
}
NOISELESS = {"two moons": (*MOONS, "data.noise=0"), "breast cancer": ("data.noise=0",)}  # of all patients


def trained(seeds: Sequence[int], *overrides: str) -> list[Result]:
    settings = chainrule.settings("experiment=logistic_regression", *overrides)
    return chainrule.train([replace(settings, seed=seed) for seed in seeds])


def effective(result: Result) -> np.ndarray:
    """Return what goes into the sigmoid: its bias, and the product of the weights."""
    bias, weights = np.zeros(result.shape.widths[0]), np.eye(result.shape.widths[0])
    for W, b in zip(result.weights, result.biases, strict=True):
        bias, weights = W @ bias + b, W @ weights
    return np.array([*bias, *weights[0]])


def parts(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``x (samples, inputs)`` and ``y`` as the network saw them."""
    return samples[1:-1].T, samples[-1]


def logistic(result: Result) -> LogisticRegression:
    """Return scikit-learn's fit to the same samples; an infinite C is no penalty."""
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    return model.fit(*parts(result.samples.train))


def separable(samples: np.ndarray) -> bool:
    """Say whether a plane has all samples of each class on its own side: a linear program has a solution."""
    x, y = parts(samples)
    sides = np.where(y > 0.5, 1, -1)[:, None] * np.column_stack([np.ones(len(x)), x])
    return bool(linprog(np.zeros(x.shape[1] + 1), A_ub=-sides, b_ub=-np.ones(len(x)), bounds=(None, None)).status == 0)


def separated(results: Sequence[Result]) -> str:
    """Say how many of the data sets a plane separates; one that several seeds have in common counts once."""
    different = {result.samples.digest: separable(result.samples.train) for result in results}
    return f"{sum(different.values())} of {len(different)}"


def compared(result: Result) -> tuple[float, ...]:
    """Return how far the network is from logistic regression.

    Returns:
        Relative distance of the coefficients; largest difference of a probability; log-loss and accuracy of the
        network; the same of logistic regression. All on the training samples.
    """
    model, (x, y) = logistic(result), parts(result.samples.train)
    ours, theirs = effective(result), np.array([*model.intercept_, *model.coef_[0]])
    expected, probabilities = model.predict_proba(x)[:, 1], expit(ours[0] + x @ ours[1:])
    return (
        float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)),
        float(np.abs(probabilities - expected).max()),
        log_loss(y, probabilities),
        accuracy_score(y, probabilities >= 0.5),
        log_loss(y, expected),
        accuracy_score(y, expected >= 0.5),
    )


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def spread(values: np.ndarray) -> str:
    """Return median and range."""
    return f"{np.median(values):.2g} ({values.min():.2g} to {values.max():.2g})"


def gain(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Return by how many points one accuracy is above the other in the mean, with Student's 95 % interval of pairs."""
    points = 100 * (ours - theirs)
    if not points.any():
        return "0"
    interval = ttest_1samp(points, 0).confidence_interval()
    return f"{points.mean():.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def draw(likely: Result, squared: Result, path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2)
    figure.suptitle("A sigmoid output under log-loss and under squared error (two moons, seed 0)")
    x, y = likely.samples.raw(likely.samples.train)
    for label, marker in ((0, "o"), (1, "^")):
        left.scatter(*x[:, y[0] == label], s=9, marker=marker, color="0.6", label=f"class {label}")
    across = np.linspace(x[0].min(), x[0].max(), 100)
    up = np.linspace(x[1].min(), x[1].max(), 100)
    grid = np.stack(np.meshgrid(across, up)).reshape(2, -1)
    for result, name, colour in ((likely, "log-loss", "C0"), (squared, "squared error", "C1")):
        surface = result.predict(grid)[0].reshape(100, 100)
        left.contour(across, up, surface, levels=(0.1, 0.5, 0.9), colors=colour, linewidths=(0.7, 1.6, 0.7))
        left.plot([], [], color=colour, label=name)
    left.set(title="where the probability is 0.1, 0.5, 0.9", xlabel="x1", ylabel="x2")
    left.legend(loc="lower left", ncols=2, frameon=True)
    expected = logistic(likely).predict_proba(parts(likely.samples.train)[0])[:, 1]
    for result, name in ((likely, "log-loss"), (squared, "squared error")):
        right.scatter(expected, result.predict(x)[0], s=9, label=name)
    right.plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
    right.set(title="probabilities", xlabel="scikit-learn's logistic regression", ylabel="network")
    right.legend()
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two moons only; the figure goes to the working directory")
    quick = parser.parse_args().quick
    plt.style.use(HERE.parent / "figures.mplstyle")
    begin = time.perf_counter()
    seeds = range(3 if quick else 20)
    cases = {case: words for case, words in CASES.items() if not quick or case[0].startswith("two moons")}

    found = {case: trained(seeds, *words) for case, words in cases.items()}
    header("data sets that a plane separates", "with the noise", "without")
    for data, words in NOISELESS.items():
        noisy = next((results for (name, _), results in found.items() if name.startswith(data)), [])
        if noisy:
            sharp = trained(seeds, *words, "training.epochs=0")
            row(data, separated(noisy), separated(sharp))

    header(
        "network",
        "trained under",
        "distance of coefficients",
        "largest difference of a probability",
        f"within {ARRIVED:g}",
    )
    measured = {case: np.array([compared(result) for result in results]).T for case, results in found.items()}
    for case, (distances, differences, *_) in measured.items():
        row(*case, spread(distances), spread(differences), f"{(distances < ARRIVED).sum()} of {len(distances)}")
    header(
        *("network", "trained under", "mean log-loss", "of scikit-learn", "mean accuracy", "of scikit-learn"),
        "points of accuracy above scikit-learn's [95 % interval]",
    )
    for case, (_, _, loss, accuracy, their_loss, their_accuracy) in measured.items():
        means = (f"{values.mean():.4f}" for values in (loss, their_loss, accuracy, their_accuracy))
        row(*case, *means, gain(accuracy, their_accuracy))

    first = (found["two moons, 2-1", loss][0] for loss in ("log-loss", "squared error"))
    draw(*first, (Path() if quick else HERE) / "probabilities.png")
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
