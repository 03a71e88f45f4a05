"""How often is a method called better than its twin?  ``python experiments/verdicts/twins.py``.

A twin is the same optimizer with its rate in other units. ``chainrule compare`` tunes both in the same interval, so
that they try other rates, and one may be the luckier. First the whole command is run, then many more comparisons are
drawn from recorded tuning curves.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed
from scipy.stats import binomtest

import chainrule
from chainrule.analysis import betting, paired
from chainrule.analysis.confidence import SIGNIFICANCE
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
UNITS = (1.5, 2.0, 3.0)
TWINS = {"gradient_descent": "gd_unit", "nesterov": "nesterov_unit"}
TARGETS = ("linear", "sine")
PLUGIN = '''
"""Optimizers of chainrule with their rate in other units."""
from dataclasses import dataclass
from chainrule import hookimpl
from chainrule_optimizers import GradientDescent, Nesterov

@dataclass(frozen=True)
class GdUnit(GradientDescent):
    """Gradient descent at {unit} times the rate."""
    def update(self, theta, grad, state, step):
        GradientDescent({unit} * self.lr, self.weight_decay).update(theta, grad, state, step)

@dataclass(frozen=True)
class NesterovUnit(Nesterov):
    """Nesterov's method at {unit} times the rate."""
    def update(self, theta, grad, state, step):
        Nesterov({unit} * self.lr, self.momentum, self.weight_decay).update(theta, grad, state, step)

@hookimpl
def chainrule_optimizers():
    return [GdUnit, NesterovUnit]
'''
SHORT = ("training.epochs=20", "data.samples=64", "tracking=none")
COMMAND = (
    *("compare", f"optimizer={','.join(name for both in TWINS.items() for name in both)}", *SHORT),
    *("--targets", ",".join(TARGETS), "--budget", "6", "--tuning-seeds", "1"),
    *("hydra.launcher.workers=1", "hydra.sweep.dir=sweep"),
)
SIX, RACE, ONE = "six tunings", "until decided", "one tuning"
WHOLE = {
    SIX: ("--tunings", "6", "--seeds", "3"),
    RACE: ("--until-decided", "--max-runs", "640", "--seeds", "3"),
    ONE: ("--tunings", "1", "--seeds", "20"),
}
COMMANDS = {SIX: 17, RACE: 17, ONE: 3}  # for each unit
PAIRS = 6  # of a command, for which its p values are corrected
LOW, HIGH = -4.0, 1.0  # the interval in which rates are tuned, as powers of ten
POINTS, TUNING_SEEDS, SEEDS = 16, 2, 4
DRAWN = {SIX: (6, SEEDS), RACE: (60, SEEDS), ONE: (1, 40)}  # tunings, fresh seeds of each


@dataclass(frozen=True)
class Found:
    """What a comparison says about a pair of twins.

    Attributes:
        different: whether one is called better, as the command says it: at 5 % for all its pairs together.
        alone: whether it would be, were they the only pair.
        won: the share of runs that the original wins.
    """

    different: bool
    alone: bool
    won: float


@dataclass(frozen=True)
class Drawn:
    """What a design says of twins in each of many comparisons.

    Attributes:
        intervals: of the share of runs that the original wins, shape ``(comparisons, 2)``.
        won: the share that it won, shape ``(comparisons,)``.
    """

    intervals: np.ndarray
    won: np.ndarray

    def missed(self, truth: float) -> list[bool]:
        """Return whether each interval leaves a share out: 1/2 where the twins are called different."""
        return [not low <= truth <= high for low, high in self.intervals]


@dataclass(frozen=True)
class Curves:
    """How the final loss depends on the rate.

    Attributes:
        start: the smallest rate, as a power of ten.
        step: between rates, likewise.
        losses: shape ``(targets, rates, seeds)``, infinite where runs diverged.
    """

    start: float
    step: float
    losses: np.ndarray

    def places(self, powers: np.ndarray) -> np.ndarray:
        """Return the places of the nearest rates."""
        return np.rint((powers - self.start) / self.step).astype(int).clip(0, self.losses.shape[1] - 1)


def install(folder: Path, unit: float) -> None:
    """Write the distribution of the twins."""
    information = folder / "twins-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / "twins.py").write_text(PLUGIN.format(unit=unit))
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: twins\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[chainrule]\ntwins = twins\n")


def compared(scratch: Path, design: str, seed: int, unit: float) -> dict[str, Found]:
    """Run the command and return what it says about each pair of twins, by the original."""
    where = scratch / f"{design} {seed}"
    where.mkdir()
    path = os.pathsep.join([str(scratch / f"{unit}"), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-m", "chainrule", *COMMAND, *WHOLE[design], "--random-seed", str(seed)]
    done = subprocess.run(
        words, cwd=where, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words[1:])} failed:\n{done.stderr[-3000:]}")
    pairs = json.loads((where / "sweep" / "comparison.json").read_text())["pairs"]
    shutil.rmtree(where)
    return {name: found(pairs, name, twin) for name, twin in TWINS.items()}


def found(pairs: Sequence[Mapping[str, Any]], name: str, twin: str) -> Found:
    """Return what the pairs of a comparison say about two contenders."""
    (pair,) = [pair for pair in pairs if {pair["better"], pair["worse"]} == {name, twin}]
    won = pair["probability"] if pair["better"] == name else 1 - pair["probability"]
    return Found(pair["separated"], pair["p"] / PAIRS <= SIGNIFICANCE, won)


def recorded(optimizer: str, each: int, seeds: int) -> Curves:
    """Train an optimizer on all targets at rates of the interval, in all units.

    Args:
        optimizer: its name.
        each: rates in a power of ten.
        seeds: for each rate.
    """
    common = ("network.hidden=[16]", "initializer=xavier_normal", "training.batch_size=32", "training.tolerance=0")
    powers = LOW + np.arange(round((HIGH + np.log10(max(UNITS)) - LOW) * each) + 2) / each
    losses = []
    for target in TARGETS:
        setting = chainrule.settings(*common, *SHORT, f"optimizer={optimizer}", f"target={target}")
        rates = [replace(setting, optimizer=replace(setting.optimizer, lr=float(10**power))) for power in powers]
        runs = [
            result.metrics["validation/loss"]
            for rate in rates
            for result in chainrule.train([replace(rate, seed=seed) for seed in range(seeds)])
        ]
        losses.append(np.nan_to_num(runs, nan=np.inf, posinf=np.inf).reshape(len(rates), seeds))
    return Curves(LOW, 1 / each, np.array(losses))


def drawn(rng: np.random.Generator, curves: Curves, unit: float, tunings: int, seeds: int) -> np.ndarray:
    """Draw a comparison of twins; return with which seeds the original wins, ``(targets, tunings, seeds)``.

    A tuning tries a Latin hypercube, a point in each sixteenth of the interval, as ``chainrule compare`` does; both
    contenders have its points and seeds. A tie is one half.

    Args:
        rng: draws points and seeds.
        curves: of the original.
        unit: in which the twin has its rate.
        tunings: of each of them on each target.
        seeds: fresh ones of each tuning.
    """
    targets, _, known = curves.losses.shape
    parts = (np.arange(POINTS) + rng.random((targets, tunings, POINTS))) / POINTS
    powers = LOW + (HIGH - LOW) * parts
    taken = rng.permuted(np.tile(np.arange(known), (targets, tunings, 1)), axis=-1)
    tuning, fresh = taken[..., None, :TUNING_SEEDS], taken[..., TUNING_SEEDS : TUNING_SEEDS + seeds]
    target = np.arange(targets)[:, None, None]
    ends = []
    for shift in (0.0, np.log10(unit)):
        places = curves.places(powers + shift)
        medians = np.median(curves.losses[target[..., None], places[..., None], tuning], axis=-1)
        best = np.take_along_axis(places, medians.argmin(axis=-1)[..., None], axis=-1)
        ends.append(curves.losses[target, best, fresh])
    first, second = ends
    wins: np.ndarray = (first < second) + 0.5 * (first == second)
    return wins


def judged(design: str, wins: np.ndarray) -> tuple[float, float]:
    """Return the interval of a design.

    A race is asked once, at its last tuning. Its interval is never wider than before, so that it leaves out what it
    left out after any of its tunings.
    """
    values = wins[:, 0] if design == ONE else wins.mean(axis=-1)
    return betting.estimate(values).interval if design == RACE else paired.estimate(values).interval


def simulated(curves: Curves, design: str, unit: float, tries: int, seed: int) -> Drawn:
    """Draw comparisons of twins, and return what a design says."""
    rng = np.random.default_rng([seed, round(10 * unit), list(DRAWN).index(design)])
    wins = [drawn(rng, curves, unit, *DRAWN[design]) for _ in range(tries)]
    return Drawn(np.array([judged(design, each) for each in wins]), np.array([each.mean() for each in wins]))


def share(flags: Sequence[bool]) -> str:
    """Return how many of how many, in per cent, with Clopper and Pearson's 95 % interval."""
    low, middle, high = interval(flags)
    return f"{sum(flags)} of {len(flags):,}: {middle:.1f} % [{low:.1f}, {high:.1f}]"


def interval(flags: Sequence[bool]) -> tuple[float, float, float]:
    """Return the low end, the share and the high end in per cent."""
    ends = binomtest(sum(flags), len(flags)).proportion_ci(method="exact")
    return 100 * ends.low, 100 * sum(flags) / len(flags), 100 * ends.high


def average(shares: Sequence[float] | np.ndarray) -> str:
    """Return the average of shares in per cent, with its standard error if there are several."""
    middle = f"{100 * np.mean(shares):.1f}"
    return f"{middle} ({100 * np.std(shares, ddof=1) / np.sqrt(len(shares)):.1f})" if len(shares) > 1 else middle


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def draw(groups: Mapping[str, Mapping[str, Sequence[bool]]], path: Path) -> None:
    """Draw the share of twins called different, one panel a group, one line a design."""
    figure, panels = plt.subplots(1, len(groups), sharey=True)
    figure.suptitle("How often is a method called better than its twin?")
    for axes, (title, designs) in zip(panels, groups.items(), strict=True):
        for place, flags in enumerate(designs.values()):
            low, middle, high = interval(flags)
            axes.errorbar(middle, place, xerr=[[middle - low], [high - middle]], fmt="o", capsize=3, color="C0")
        axes.axvline(100 * SIGNIFICANCE, color="C1", linestyle="--", label="5 %, what is promised")
        axes.set(title=title, xlabel="% of comparisons", xlim=(0, 100), ylim=(2.5, -0.5))
        axes.set_yticks(range(len(designs)), list(designs))
    panels[0].legend(loc="upper right")
    save(figure, path)


def by_command(units: Sequence[float], times: Mapping[str, int]) -> dict[str, list[Found]]:
    """Run commands, print what they say, and return it by design.

    Args:
        units: of the twins.
        times: how many commands for each unit, by design.
    """
    plan = [(design, seed) for design in WHOLE for seed in range(times[design] * len(units))]
    with tempfile.TemporaryDirectory() as scratch:
        for unit in units:
            install(Path(scratch, f"{unit}"), unit)
        ends = Parallel(n_jobs=2, prefer="threads")(
            delayed(compared)(Path(scratch), design, seed, units[seed % len(units)]) for design, seed in plan
        )
    said: dict[str, list[Found]] = {design: [] for design in WHOLE}
    won: dict[tuple[str, str, float], list[float]] = {}
    for (design, seed), both in zip(plan, ends, strict=True):
        said[design] += both.values()
        for name, one in both.items():
            won.setdefault((design, name, units[seed % len(units)]), []).append(one.won)
    header("whole command", "called different", "were they the only pair")
    for design, each in said.items():
        row(design, share([one.different for one in each]), share([one.alone for one in each]))
    header("original wins, %", *WHOLE)
    for name in TWINS:
        for unit in units:
            row(f"{name}, unit {unit:g}", *(average(won[design, name, unit]) for design in WHOLE))
    return said


def by_curves(units: Sequence[float], tries: int, each: int, seeds: int, jobs: int) -> dict[str, list[bool]]:
    """Draw comparisons from tuning curves, print what they say, and return which twins are called different, by design.

    Args:
        units: of the twins.
        tries: how many comparisons for each optimizer, unit and design.
        each: recorded rates in a power of ten.
        seeds: recorded for each rate.
        jobs: how many processes draw.
    """
    parallel = Parallel(n_jobs=jobs)
    curves = dict(zip(TWINS, parallel(delayed(recorded)(name, each, seeds) for name in TWINS), strict=True))
    cells = list(itertools.product(TWINS, units, DRAWN))
    told = parallel(
        delayed(simulated)(curves[name], design, unit, tries, list(TWINS).index(name)) for name, unit, design in cells
    )
    results = dict(zip(cells, told, strict=True))
    header(
        *("tuning curves", *(f"{design}: different" for design in DRAWN), "original wins, %"),
        *(f"{design}: true share missed" for design in (SIX, RACE)),
    )
    different: dict[str, list[bool]] = {design: [] for design in DRAWN}
    for name, unit in itertools.product(TWINS, units):
        said = {design: results[name, unit, design] for design in DRAWN}
        truth = said[RACE].won
        for design in DRAWN:
            different[design] += said[design].missed(0.5)
        row(
            *(f"{name}, unit {unit:g}", *(share(one.missed(0.5)) for one in said.values()), average(truth)),
            *(share(said[design].missed(float(truth.mean()))) for design in (SIX, RACE)),
        )
    row("all", *map(share, different.values()), "-", "-", "-")
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="few comparisons; the figure goes to the working directory"
    )
    quick = parser.parse_args().quick
    plt.style.use(HERE.parent / "figures.mplstyle")
    begin = time.perf_counter()
    units, times = (UNITS[:1], dict.fromkeys(WHOLE, 1)) if quick else (UNITS, COMMANDS)
    whole = by_command(units, times)
    print(f"\n{time.perf_counter() - begin:.0f} s for commands.", flush=True)
    curves = by_curves(units, *((20, 10, 50, 1) if quick else (1000, 40, 100, 2)))
    groups = {
        "by the whole command": {design: [each.alone for each in said] for design, said in whole.items()},
        "drawn from tuning curves": curves,
    }
    draw(groups, (Path() if quick else HERE) / "twins.png")
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
