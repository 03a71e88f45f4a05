"""Does the article's network learn its plane?  ``python experiments/article/starts.py``.

Every setting is trained from 200 seeds, as one stack. A run has *learned* if its validation R2 is 0.999 after the last
of 1,000 epochs; it has *reached* that if it was so at any point of its curve. One that never reached it is *stuck*, and
is looked into.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed
from scipy.stats import binomtest

import chainrule
from chainrule import Reason, Result, Settings
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu", "silu")
RATES, RATE = ("0.01", "0.05", "0.2"), "0.05"
INITIALIZERS = ("normal", "uniform", "xavier_normal", "he_normal", "zeros")
GOAL = 0.999  # the validation R2 of a run that has learned
SILENT = 0.01  # a unit whose output varies by less, over all training samples, tells the next layer nothing
LONGER = 5  # times as many epochs, for runs that are stuck
CAUSES = ("diverged", "a silent layer", "a silent unit", "all units alive")


def trained(setting: Settings, seeds: Sequence[int]) -> list[Result]:
    """Train a run for each seed."""
    return chainrule.train([replace(setting, seed=seed) for seed in seeds])


def longer(setting: Settings) -> Settings:
    return replace(setting, training=replace(setting.training, epochs=LONGER * setting.training.epochs))


def scores(result: Result) -> np.ndarray:
    """Return the validation R2 at each point of the curve: the loss is half the mean squared error."""
    return 1 - 2 * result.curves.values["validation/loss"] / result.samples.validation[-1].var()


def learned(result: Result) -> bool:
    """Say whether the network that is kept, that of the last epoch, is as good as ``GOAL``."""
    return bool(scores(result)[-1] >= GOAL)


def reached(result: Result) -> bool:
    """Say whether the network was as good as ``GOAL`` at any point of its curve."""
    return bool((scores(result) >= GOAL).any())


def cause(result: Result) -> str:
    """Return what is seen in a run that is stuck, one of ``CAUSES``."""
    if result.reason is Reason.DIVERGED:
        return CAUSES[0]
    x, y = result.samples.raw(result.samples.train)
    trace = chainrule.trace_step(result.weights, result.biases, x, y, hidden=result.settings.activation)
    silent = [np.ptp(a, axis=1) < SILENT for a in trace.a[:-1]]
    return CAUSES[1] if any(map(np.all, silent)) else CAUSES[2] if np.any(silent) else CAUSES[3]


def epochs(results: Sequence[Result]) -> np.ndarray:
    """Return after how many epochs each run first reached ``GOAL``, infinite for those that are stuck."""
    return np.array([r.curves.epochs[(scores(r) >= GOAL).argmax()] if reached(r) else np.inf for r in results])


def share(flags: Sequence[bool]) -> str:
    """Return the share of runs of which it is true, with Wilson's 95 % interval."""
    count = sum(flags)
    interval = binomtest(count, len(flags)).proportion_ci(method="wilson")
    return f"{100 * count / len(flags):.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def pace(results: Sequence[Result]) -> str:
    """Return the median of the epochs to ``GOAL`` over all runs, and the quartiles; stuck runs count as infinite."""
    quartiles = np.quantile(epochs(results), (0.25, 0.5, 0.75), method="inverted_cdf")
    first, middle, third = (f"{q:.0f}" if np.isfinite(q) else "never" for q in quartiles)
    return f"{middle} ({first} to {third})"


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def curves(groups: dict[str, list[Result]]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield of each group its name, epochs, and the share of runs whose validation R2 was ``GOAL`` after so many."""
    for name, results in groups.items():
        when = max((r.curves.epochs for r in results), key=len)
        when = np.union1d(when, results[0].settings.training.epochs)
        good = np.zeros((len(results), len(when)), bool)
        for run, result in zip(good, results, strict=True):
            points = scores(result) >= GOAL
            run[: len(points)], run[len(points) :] = points, points[-1]  # what ends early has converged or diverged
        yield name, when, good.mean(axis=0)


def draw(by_activation: dict[str, list[Result]], by_initializer: dict[str, list[Result]], path: Path) -> None:
    figure, panels = plt.subplots(1, 2, sharey=True)
    figure.suptitle("How many networks know 2 x1 + 3 x2 + 10, after how many epochs")
    titles = "activations, rate 0.05", "initializers, sigmoid, rate 0.05"
    for axes, groups, title in zip(panels, (by_activation, by_initializer), titles, strict=True):
        for number, (name, when, shares) in enumerate(curves(groups)):
            axes.plot(when, 100 * shares, label=name, linestyle="-" if number < 5 else "--")
        axes.set(title=title, xlabel="epochs", xscale="log", xlim=(4, when[-1]), ylim=(-3, 103))
        axes.legend()
    panels[0].set_ylabel("% of runs whose validation R2 is 0.999 then")
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few settings; the figure goes to the working directory")
    quick = parser.parse_args().quick
    plt.style.use(HERE.parent / "figures.mplstyle")
    begin = time.perf_counter()
    parallel = Parallel(n_jobs=1 if quick else 2)
    seeds = range(20 if quick else 200)
    activations, rates = (("sigmoid", "relu"), (RATE,)) if quick else (ACTIVATIONS, RATES)
    initializers, compared = (("normal",), ("sigmoid",)) if quick else (INITIALIZERS, ("sigmoid", "tanh", "relu"))
    common = ["experiment=article", *(["training.epochs=300", "training.measure_every=1"] if quick else [])]

    plan = [(a, "normal", rate) for a in activations for rate in rates]
    plan += [(a, start, RATE) for a in compared for start in initializers if start != "normal"]
    settings = {
        (a, start, rate): chainrule.settings(*common, f"activation={a}", f"initializer={start}", f"optimizer.lr={rate}")
        for a, start, rate in plan
    }
    results = dict(zip(plan, parallel(delayed(trained)(settings[key], seeds) for key in plan), strict=True))

    ends = {key: [learned(r) for r in same] for key, same in results.items()}
    ever = {key: [reached(r) for r in same] for key, same in results.items()}
    shares = [f"{word} at rate {rate}" for word in ("learned", "reached") for rate in rates]
    header("activation", *shares, f"epochs to reach it at rate {RATE}, median (quartiles)")
    for a in activations:
        cells = [share(flags[a, "normal", rate]) for flags in (ends, ever) for rate in rates]
        row(a, *cells, pace(results[a, "normal", RATE]))
    shares = [f"{a}: {word}" for a in compared for word in ("learned", "reached")]
    header("initializer", *shares, "epochs to reach it with sigmoid, median (quartiles)")
    for start in initializers:
        cells = [share(flags[a, start, RATE]) for a in compared for flags in (ends, ever)]
        row(start, *cells, pace(results["sigmoid", start, RATE]))

    header("stuck", *CAUSES, "validation R2, median", f"learned after {LONGER} times as many epochs")
    stuck = {key: [r for r in results[key] if not reached(r)] for key in plan if key[2] == RATE}
    stuck = {key: runs for key, runs in stuck.items() if runs}
    late = parallel(
        delayed(trained)(longer(settings[key]), [r.settings.seed for r in runs]) for key, runs in stuck.items()
    )
    for ((a, start, _), runs), again in zip(stuck.items(), late, strict=True):
        causes, lasts = Counter(map(cause, runs)), [r.metrics["validation/r2"] for r in runs]
        middle = np.median(np.nan_to_num(lasts, nan=-np.inf))
        row(f"{a}, {start}: {len(runs)}", *(causes[c] for c in CAUSES), f"{middle:.3f}", sum(map(learned, again)))

    draw(
        {a: results[a, "normal", RATE] for a in activations},
        {start: results["sigmoid", start, RATE] for start in initializers},
        (Path() if quick else HERE) / "learned.png",
    )
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
