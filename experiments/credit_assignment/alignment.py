"""Why do random backward weights teach, and how deep?  ``python experiments/credit_assignment/alignment.py``.

The handwritten digits, by networks of one to six hidden layers: what each rule reaches, and the angle between what it
follows and the gradient.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed
from matplotlib.axes import Axes

import chainrule
from chainrule import Prepared, Result, Settings
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
RULES = ("exact", "feedback_alignment", "direct_feedback_alignment", "sign_symmetric")
DEPTHS = (1, 2, 3, 4, 6)
SHOWN = 3  # hidden layers of the networks in which angles are measured
STAGES = (0, 1, 2, 4, 8, 16, 32)  # epochs after which they are measured; the last is how long all train
RATES = tuple(float(f"{rate:.2g}") for rate in np.geomspace(0.001, 2.15, 11))
TUNING = 3  # seeds with which a rate is tried, from 1000 on


def settings(rule: str, depth: int, rate: float) -> Settings:
    """Return a run on the digits, without its seed."""
    return chainrule.settings(*
        [
            "experiment=credit_assignment", "target=digits", "output=softmax", "loss=categorical_cross_entropy",
            f"rule={rule}", f"network.hidden={[32] * depth}", f"optimizer.lr={rate}",
            f"training.epochs={STAGES[-1]}", f"training.measure_every={STAGES[-1]}",
        ]
    )  # fmt: skip


def trained(setting: Settings, seeds: Sequence[int]) -> list[Result]:
    return chainrule.train([replace(setting, seed=seed) for seed in seeds])


def median_loss(results: Sequence[Result]) -> float:
    """Return the median validation loss; a run that diverged counts as infinite."""
    losses = [result.metrics["validation/loss"] for result in results]
    return float(np.median(np.where(np.isfinite(losses), losses, np.inf)))


def accuracies(results: Sequence[Result]) -> np.ndarray:
    """Return the validation accuracy of each run in percent."""
    return 100 * np.array([result.metrics["validation/accuracy"] for result in results])


def gradient(run: Prepared, theta: np.ndarray, rule: str) -> list[np.ndarray]:
    """Return what a rule takes for the gradient of the training loss at ``theta``, flat, a layer each."""
    own = run.settings.rule
    found = chainrule.gradient(run, theta, own if own.name == rule else chainrule.component("rule", rule))
    return [np.append(weights.ravel(), biases) for weights, biases in zip(*run.shape.split(found), strict=True)]


def angles(run: Prepared, theta: np.ndarray) -> list[float]:
    """Return the angle in degrees between what the rule of ``run`` follows and the gradient, in each hidden layer."""
    followed, exact = (gradient(run, theta, rule)[:-1] for rule in (run.settings.rule.name, "exact"))
    cosines = [a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) for a, b in zip(followed, exact, strict=True)]
    return [float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))) for cosine in cosines]


def way(setting: Settings, seeds: Sequence[int]) -> np.ndarray:
    """Return the angles on the way of training, ``(stages, seeds, hidden layers)``: each stage is a run of its own."""
    found = []
    for epochs in STAGES:
        training = replace(setting.training, epochs=epochs, measure_every=None)
        runs = [chainrule.prepare(replace(setting, seed=seed, training=training)) for seed in seeds]
        thetas = [result.theta for result in chainrule.train(runs)]
        found.append([angles(run, theta) for run, theta in zip(runs, thetas, strict=True)])
    return np.array(found)


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def quartiles(values: np.ndarray, form: str) -> str:
    first, middle, third = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{middle:{form}} ({first:{form}} to {third:{form}})"


def draw(by_depth: dict[str, list[np.ndarray]], depths: Sequence[int], ways: dict[str, np.ndarray], path: Path) -> None:
    """Draw accuracy over depth, and the angle in the first hidden layer over epochs; medians and quartiles."""
    figure, (left, right) = plt.subplots(1, 2)
    figure.suptitle("Handwritten digits without exact credit assignment")
    for rule in RULES:
        _band(left, depths, np.array(by_depth[rule]), rule)
    left.set(xlabel="hidden layers of 32 units", ylabel="validation accuracy, %", xticks=depths)
    left.set_title("what is reached")
    left.legend()
    for rule, found in ways.items():
        _band(right, STAGES, found[:, :, 0], rule)
    right.axhline(90, color="0.5", linestyle=":", linewidth=1)
    right.set_xscale("symlog", linthresh=1)
    right.set_xticks(STAGES, labels=STAGES)
    right.set_xticks([], minor=True)
    right.set(xlabel="epochs", ylabel="degrees from the gradient", xlim=(-0.2, None), ylim=(0, 100))
    right.set_title(f"first of {SHOWN} hidden layers; dotted: chance")
    save(figure, path)


def _band(axes: Axes, x: Sequence[int], values: np.ndarray, rule: str) -> None:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=1)
    color = f"C{RULES.index(rule)}"
    axes.plot(x, middle, "o-", markersize=3, color=color, label=rule)
    axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 seeds; the figure goes to the working directory")
    quick = parser.parse_args().quick
    plt.style.use(HERE.parent / "figures.mplstyle")
    begin = time.perf_counter()
    parallel = Parallel(n_jobs=1 if quick else 2)
    depths, rates, seeds = ((1, SHOWN), (0.1,), range(4)) if quick else (DEPTHS, RATES, range(20))

    cells = [(rule, depth) for rule in RULES for depth in depths]
    tuning = range(1000, 1001 if quick else 1000 + TUNING)
    plan = [settings(*cell, rate) for cell in cells for rate in rates]
    losses = parallel(delayed(lambda s: median_loss(trained(s, tuning)))(s) for s in plan)
    best = {
        cell: plan[n * len(rates) + int(np.argmin(losses[n * len(rates) : (n + 1) * len(rates)]))]
        for n, cell in enumerate(cells)
    }
    results = dict(zip(cells, parallel(delayed(trained)(best[c], seeds) for c in cells), strict=True))
    ways = dict(zip(RULES[1:], parallel(delayed(way)(best[r, SHOWN], seeds) for r in RULES[1:]), strict=True))

    header("validation accuracy in %, median (quartiles)", *(f"{depth} hidden" for depth in depths))
    for rule in RULES:
        row(rule, *(quartiles(accuracies(results[rule, depth]), ".1f") for depth in depths))
    header("tuned learning rate", *(f"{depth} hidden" for depth in depths))
    for rule in RULES:
        row(rule, *(best[rule, depth].optimizer.lr for depth in depths))
    header(f"degrees from the gradient, {SHOWN} hidden layers", *(f"after {epochs} epochs" for epochs in STAGES))
    for rule, found in ways.items():
        for layer in range(SHOWN):
            row(f"{rule}, layer {layer + 1}", *(quartiles(stage[:, layer], ".0f") for stage in found))

    by_depth = {rule: [accuracies(results[rule, depth]) for depth in depths] for rule in RULES}
    draw(by_depth, depths, ways, (Path() if quick else HERE) / "alignment.png")
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
