"""What do the article's misprints do to training?  ``python experiments/errata/printed.py``.

A sweep trains both rules from the same 200 starts, and its records are compared in pairs. A run has *learned* if its
validation R2 is 0.999 after the last epoch; it has *reached* that if it was so at any point of its curve.
"""

import argparse
import itertools
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binomtest, quantile_test

import chainrule
from chainrule import Record, Result
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
RULES = ("exact", "as_printed")
STAGES = (0, 1, 3, 10, 30, 100, 300, 1000)  # epochs after which the rules are compared at the same parameters
GOAL = 0.999  # the validation R2 of a run that has learned


@dataclass(frozen=True)
class Tied(chainrule.Rule):
    """The exact rule, but the units of layers 1 and 2 share one change of weights: the mean of theirs.

    This is all that the printed rules leave to move; in which direction they move it, is another matter.
    """

    def gradient(self, layer: int, delta: np.ndarray, inputs: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return eq. 6, with the mean over units in place of each unit's weights."""
        block = chainrule.product(delta, inputs.mT, out)
        if layer < 3:
            block[:, :, 1:] = block[:, :, 1:].mean(axis=1, keepdims=True)
        return block


def test_net() -> tuple[list[np.ndarray], list[np.ndarray], list[float], list[float]]:
    """Return weights, biases, inputs and true output of the net by which the printed formulas were checked."""
    rng = np.random.default_rng(0)
    W1, b1, W2, b2, W3, b3 = (rng.normal(size=shape) for shape in [(2, 2), (2,), (2, 2), (2,), (1, 2), (1,)])
    return [W1, W2, W3], [b1, b2, b3], [0.3, -0.7], [2 * 0.3 + 3 * -0.7 + 10]


def relative_errors() -> dict[str, float]:
    """Return the largest error of each printed gradient on the test net, over the largest entry of the exact one."""
    exact, printed = (chainrule.trace_step(*test_net(), rule=rule) for rule in RULES)
    pairs = {
        f"dL/d{letter}{layer}": (getattr(exact, name)[layer - 1], getattr(printed, name)[layer - 1])
        for layer in (1, 2, 3)
        for letter, name in (("W", "weight_gradients"), ("b", "bias_gradients"))
    }
    return {name: float(np.abs(theirs - ours).max() / np.abs(ours).max()) for name, (ours, theirs) in pairs.items()}


def angle(result: Result) -> float:
    """Return the angle in degrees between the printed and the exact gradient over all training samples."""
    x, y = result.samples.raw(result.samples.train)
    both = []
    for rule in RULES:
        trace = chainrule.trace_step(result.weights, result.biases, x, y, rule=rule)
        both.append(np.concatenate([g.ravel() for g in (*trace.weight_gradients, *trace.bias_gradients)]))
    cosine = both[0] @ both[1] / (np.linalg.norm(both[0]) * np.linalg.norm(both[1]))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def angles(rule: str, seeds: range, stages: tuple[int, ...]) -> np.ndarray:
    """Return the angles on the way of ``rule``, ``(stages, seeds)``: training is repeatable, so each stage is a run."""
    settings = chainrule.settings("experiment=errata", f"rule={rule}", "training.measure_every=1000")
    found = []
    for epochs in stages:
        setting = replace(settings, training=replace(settings.training, epochs=epochs))
        found.append([angle(r) for r in chainrule.train([replace(setting, seed=seed) for seed in seeds])])
    return np.array(found)


def swept(directory: Path, *overrides: str) -> dict[str, list[Record]]:
    """Train both rules by a sweep; return the records of each, in the order of the seeds."""
    command = ["-m", "experiment=errata", f"rule={','.join(RULES)}", *overrides, f"hydra.sweep.dir={directory}"]
    subprocess.run([sys.executable, "-m", "chainrule", *command], check=True, stdout=subprocess.DEVNULL)
    sweep = read_sweep(directory)
    outcomes = sorted(sweep.outcomes(), key=lambda outcome: outcome.seed)
    return {
        rule: [read_record(sweep.place(o.number)) for o in outcomes if o.settings["rule"] == rule] for rule in RULES
    }


def metric(found: list[Record], name: str) -> np.ndarray:
    """Return a final metric of each run; one that is not finite counts as the worst."""
    worst = np.inf if name.endswith("loss") else -np.inf
    values = (record.manifest["metrics"][name] for record in found)
    return np.array([worst if value is None else value for value in values])


def reached(found: list[Record]) -> int:
    """Return how many runs had a validation R2 of ``GOAL`` at any point: the loss is half the mean squared error."""
    count = 0
    for record in found:
        variance = chainrule.prepare(chainrule.settings_of(record)).samples.validation[-1].var()
        count += bool((1 - 2 * record.curves().values["validation/loss"] / variance >= GOAL).any())
    return count


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def share(count: int, total: int) -> str:
    """Return a share with its exact 95 % interval (Clopper and Pearson)."""
    interval = binomtest(count, total).proportion_ci(method="exact")
    return f"{100 * count / total:.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def quartiles(values: np.ndarray, form: str) -> str:
    first, middle, third = np.quantile(values, (0.25, 0.5, 0.75), method="inverted_cdf")
    return f"{middle:{form}} ({first:{form}} to {third:{form}})"


def draw(found: dict[str, list[Record]], turned: dict[str, np.ndarray], stages: tuple[int, ...], path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2)
    figure.suptitle("The article's update rules as printed, beside the exact ones")
    for rule, same in found.items():
        curves = [record.curves() for record in same]
        longest = max((curve.epochs for curve in curves), key=len)
        losses = np.full((len(curves), len(longest)), np.inf)
        for values, curve in zip(losses, curves, strict=True):
            values[: len(curve.epochs)] = curve.values["validation/loss"]
            values[len(curve.epochs) :] = values[len(curve.epochs) - 1]  # it had converged, or is infinite
        low, middle, high = np.quantile(losses, (0.25, 0.5, 0.75), axis=0, method="inverted_cdf")
        (line,) = left.plot(longest, middle, label=rule)
        left.fill_between(longest, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    left.set(xlabel="epochs", ylabel="validation loss", yscale="log", title="median and quartiles of the seeds")
    for rule, values in turned.items():
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=1)
        (line,) = right.plot(stages, middle, marker="o", markersize=3, label=f"on the way of {rule}")
        right.fill_between(stages, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    right.axhline(90, color="0.4", linestyle=":")
    right.set_xscale("symlog", linthresh=1)
    right.set_xlim(0, stages[-1])
    right.set(xlabel="epochs", ylabel="degrees", ylim=(0, 135), title="angle of the printed to the exact gradient")
    for axes in (left, right):
        axes.legend()
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="20 seeds, 100 epochs; the figure goes to the working directory"
    )
    quick = parser.parse_args().quick
    plt.style.use(HERE.parent / "figures.mplstyle")
    begin = time.perf_counter()

    header("on the test net", "relative error of what is printed")
    for name, error in relative_errors().items():
        row(name, f"{error:.2f}")

    seeds = range(20 if quick else 200)
    shorter = ["training.epochs=100"] if quick else []
    every = f"seed=range({len(seeds)})"
    directory = Path("multirun", "errata", f"{datetime.now():%Y-%m-%d_%H-%M-%S}")
    print(f"\nThe sweep is in {directory}.")
    found = swept(directory, every, *shorter, *(["tracking=none", "hydra.launcher.workers=1"] if quick else []))
    losses, scores = ({rule: metric(same, f"validation/{m}") for rule, same in found.items()} for m in ("loss", "r2"))
    learned = {rule: values >= GOAL for rule, values in scores.items()}
    header("rule", "learned", "reached", "R2, median (quartiles)", "loss, median (quartiles)", "diverged")
    for rule, same in found.items():
        count = int(learned[rule].sum())
        gone = sum(record.manifest["reason"] == "diverged" for record in same)
        ever = share(reached(same), len(seeds))
        row(rule, share(count, len(seeds)), ever, quartiles(scores[rule], ".4f"), quartiles(losses[rule], ".2g"), gone)

    header("pairs with the same start", "")
    worse, better = (int((a > b).sum()) for a, b in itertools.permutations([losses["as_printed"], losses["exact"]]))
    row(
        "the printed rules end at a higher loss",
        f"{share(worse, worse + better)}, sign test p = {binomtest(worse, worse + better).pvalue:.2g}",
    )
    only = [int((learned[a] & ~learned[b]).sum()) for a, b in itertools.permutations(RULES)]
    row(
        "only the exact, only the printed rules learn",
        f"{only[0]}, {only[1]}; McNemar's exact p = {binomtest(only[0], sum(only)).pvalue:.2g}",
    )
    settings = chainrule.settings("experiment=errata", *shorter)
    tied = chainrule.train([replace(settings, seed=seed, rule=Tied()) for seed in seeds])
    count = sum(result.metrics["validation/r2"] >= GOAL for result in tied)
    row("the exact rule, units tied as by the printed ones: learned", share(count, len(seeds)))
    test = quantile_test(np.log(losses["as_printed"] / losses["exact"]), p=0.5)
    interval = np.exp(test.confidence_interval(0.95))
    ratio = np.exp(np.median(np.log(losses["as_printed"] / losses["exact"])))
    row("median ratio of the losses, printed over exact", f"{ratio:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]")

    stages = STAGES[:6] if quick else STAGES
    turned = {rule: angles(rule, seeds, stages) for rule in RULES}
    header(
        "angle of the printed to the exact gradient, after epochs",
        *(f"on the way of {rule}" for rule in RULES),
        *(f"beyond 90 degrees, {rule}" for rule in RULES),
    )
    for number, epochs in enumerate(stages):
        here = [turned[rule][number] for rule in RULES]
        row(epochs, *(quartiles(values, ".0f") for values in here), *(f"{100 * (v > 90).mean():.1f} %" for v in here))
    draw(found, turned, stages, (Path() if quick else HERE) / "errata.png")
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
