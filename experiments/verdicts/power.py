"""What does a verdict cost, and how often is it the right one?  ``python experiments/verdicts/power.py``.

Losses of two simulated methods are compared by several designs. How often the first wins is known. Where methods are
tuned, the luck of a tuning is as large as the differences between seeds.
"""

import argparse
import bisect
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed
from scipy import special, stats

from chainrule.analysis import betting, paired
from chainrule.analysis.confidence import SIGNIFICANCE
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
CHANCES = (0.5, 0.55, 0.6, 0.7, 0.8, 0.95)  # that the first method wins
TARGETS = (1, 7)
WORDS = ("better", "worse", "equivalent", "undecided")  # of the first method
SEARCH, SEEDS = 32, 4  # runs of a tuning: 16 points with two seeds, and fresh seeds
SHARED = 0.3  # standard deviation of what runs of one seed have in common
EACH, LOOKS, ORDERS = 5, 5, 1000  # AdaStop: runs of a method between looks, looks, permutations
CHUNK = 50  # comparisons that have permutations in common

Told = list[tuple[str, int]]  # of each comparison the word, and how many blocks or seeds each method took


@dataclass(frozen=True)
class Design:
    """A way to compare two methods.

    Attributes:
        blocks: tunings on each target, at most.
        seeds: fresh seeds of each.
        judge: takes the losses of both methods, ``(comparisons, targets, blocks, seeds)``, and a generator.
        fixed: runs of a method on a target, whatever happens.
        each: runs for each block or seed that the judge says it took.
    """

    blocks: int
    seeds: int
    judge: Callable[[np.ndarray, np.ndarray, np.random.Generator], Told]
    fixed: int
    each: int


@dataclass(frozen=True)
class Cell:
    """What came of a design.

    Attributes:
        shares: of comparisons that end with each of ``WORDS``.
        runs: of both methods on all targets, on average.
    """

    shares: tuple[float, ...]
    runs: float


def losses(
    rng: np.random.Generator, shape: tuple[int, int, int, int], chance: float, luck: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the losses of two methods, of which the first wins with a chance.

    Args:
        rng: draws them.
        shape: ``(comparisons, targets, blocks, seeds)``.
        chance: that the first has the smaller loss, of a block and a seed.
        luck: standard deviation of the luck of a tuning; that between seeds is 1.
    """
    common = SHARED * rng.standard_normal(shape)
    tuned = luck * rng.standard_normal((2, *shape[:3], 1))
    first, second = tuned + rng.standard_normal((2, *shape)) + common
    return first, second + special.ndtri(chance) * math.sqrt(2 + 2 * luck**2)


def verdict(interval: tuple[float, float]) -> str:
    """Return the word for an interval of the share that the first method wins."""
    low, high = interval
    if low > 0.5 or high < 0.5:
        return "better" if low > 0.5 else "worse"
    return "equivalent" if low >= 0.5 - paired.MARGIN and high <= 0.5 + paired.MARGIN else "undecided"


def fixed(first: np.ndarray, second: np.ndarray, _: np.random.Generator) -> Told:
    """Judge by the interval for a number of blocks that was fixed beforehand."""
    values = paired.block_values(first, second)
    return [(verdict(paired.estimate(each).interval), each.shape[1]) for each in values]


def rounds(start: int, most: int) -> Iterator[int]:
    """Yield the number of blocks after each round: a round has half as many as all before, but ``start`` at least."""
    count = 0
    while count < most:
        count = min(most, count + max(start, count // 2))
        yield count


def race(start: int, first: np.ndarray, second: np.ndarray, _: np.random.Generator) -> Told:
    """Judge after each round, until the interval decides."""
    return [decided(each, list(rounds(start, each.shape[1]))) for each in paired.block_values(first, second)]


def decided(values: np.ndarray, ends: Sequence[int]) -> tuple[str, int]:
    """Return the word and the number of blocks of the first round that decides, or else of the last.

    What is decided stays so, because the interval is never wider than before: the round is found by bisection.
    """

    @functools.cache
    def word(place: int) -> str:
        return verdict(betting.estimate(values[:, : ends[place]]).interval)

    place = bisect.bisect_left(range(len(ends) - 1), True, key=lambda place: word(place) != "undecided")
    return word(place), ends[place]


def ranks(first: np.ndarray, second: np.ndarray, _: np.random.Generator) -> Told:
    """Judge a single tuning by van Elteren's sum of ranks, with the variance of exchanges within seeds.

    van Elteren, On the combination of independent two sample tests of Wilcoxon, Bulletin of the International
    Statistical Institute 37, 1960.
    """
    seeds = first.shape[-1]
    ranked = stats.rankdata(np.concatenate([first[:, :, 0], second[:, :, 0]], axis=-1), axis=-1)
    steps = ranked[..., :seeds] - ranked[..., seeds:]
    score = steps.sum(axis=(1, 2)) / np.sqrt(np.square(steps).sum(axis=(1, 2)))
    reached = np.abs(score) >= special.ndtri(1 - SIGNIFICANCE / 2)
    return [
        (("better" if s < 0 else "worse") if r else "undecided", seeds) for s, r in zip(score, reached, strict=True)
    ]


def adastop(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> Told:
    """Judge by AdaStop, for two methods: a group-sequential permutation test of mean losses.

    It looks after every ``EACH`` runs, ``LOOKS`` times at most. Runs are exchanged between the methods, each with
    others of its target and look. The paper has one task; here differences are added over targets.

    Mathieu, Della Vecchia, Shilova, Centa de Medeiros, Kohler, Maillard, Preux, AdaStop: adaptive statistical testing
    for sound comparisons of Deep RL agents, arXiv:2306.10882, 2023.

    Args:
        first: losses, shape ``(comparisons, targets, runs)``.
        second: likewise.
        rng: draws the permutations.
    """
    count, targets, _ = first.shape
    shape = count, targets, LOOKS, EACH
    both = np.concatenate([first.reshape(shape), second.reshape(shape)], axis=-1)
    signs = rng.permuted(np.tile(np.repeat([1.0, -1.0], EACH), (ORDERS, targets, LOOKS, 1)), axis=-1)
    signs[0] = np.repeat([1.0, -1.0], EACH)
    differences = np.einsum("btle,ctle->cbl", signs, both, optimize=True)
    return [sequential(each) for each in differences.cumsum(axis=-1)]


def sequential(sums: np.ndarray) -> tuple[str, int]:
    """Test at each look, and return the word and how many runs each method took.

    At look ``k`` of ``K`` the errors of all looks so far may be ``k/K`` of 5 %. The boundary is the smallest that
    keeps to that, among permutations which did not cross an earlier one.

    Args:
        sums: of differences up to each look, ``(permutations, looks)``; the first permutation is what was observed.
    """
    number, looks = sums.shape
    alive, spent = np.ones(number, bool), 0
    for look, sizes in enumerate(np.abs(sums).T):
        allowed = math.floor(number * SIGNIFICANCE * (look + 1) / looks + 1e-9) - spent
        kept = np.sort(sizes[alive])[::-1]
        crossed = alive & (sizes > kept[allowed])
        if crossed[0]:
            return "better" if sums[0, look] < 0 else "worse", EACH * (look + 1)
        spent, alive = spent + int(crossed.sum()), alive & ~crossed
    return "undecided", EACH * looks


def of_seeds(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> Told:
    """Judge by AdaStop the seeds of a single tuning."""
    return adastop(first[:, :, 0], second[:, :, 0], rng)


def of_tunings(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> Told:
    """Judge by AdaStop the mean losses of tunings."""
    return adastop(first.mean(axis=-1), second.mean(axis=-1), rng)


FIXED, RACE, BEFORE, ADASTOP = "fixed", "until decided", "before", "AdaStop"
TUNED = {
    f"{FIXED}: 6 tunings": Design(6, SEEDS, fixed, 0, SEARCH + SEEDS),
    f"{RACE}, 60 tunings at most": Design(60, SEEDS, functools.partial(race, 2), 0, SEARCH + SEEDS),
    f"{BEFORE}: 1 tuning, 40 seeds": Design(1, 40, ranks, SEARCH, 1),
    f"{ADASTOP}: 1 tuning, 25 seeds at most": Design(1, EACH * LOOKS, of_seeds, SEARCH, 1),
    f"{ADASTOP}: 25 tunings at most": Design(EACH * LOOKS, SEEDS, of_tunings, 0, SEARCH + SEEDS),
}
UNTUNED = {
    f"{FIXED}: 24 seeds": Design(24, 1, fixed, 0, 1),
    f"{RACE}, 120 seeds at most": Design(120, 1, functools.partial(race, 8), 0, 1),
    f"{BEFORE}: 40 seeds": Design(1, 40, ranks, 0, 1),
    f"{ADASTOP}: 25 seeds at most": Design(1, EACH * LOOKS, of_seeds, 0, 1),
}


def measured(design: Design, targets: int, chance: float, luck: float, tries: int, seed: Sequence[int]) -> Cell:
    """Return what comes of a design in many comparisons."""
    rng, told = np.random.default_rng(seed), []
    for done in range(0, tries, CHUNK):
        shape = min(CHUNK, tries - done), targets, design.blocks, design.seeds
        told += design.judge(*losses(rng, shape, chance, luck), rng)
    words, took = zip(*told, strict=True)
    runs = 2 * targets * (design.fixed + design.each * float(np.mean(took)))
    return Cell(tuple(words.count(word) / tries for word in WORDS), runs)


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def shown(cell: Cell) -> str:
    """Return the shares in per cent, and the runs."""
    return f"{' / '.join(f'{100 * share:.0f}' for share in cell.shares)}; {cell.runs:,.0f}"


def level(cell: Cell, tries: int) -> str:
    """Return how often equal methods are called different, in per cent, with its standard error."""
    share = cell.shares[0] + cell.shares[1]
    return f"{100 * share:.1f} ({100 * math.sqrt(share * (1 - share) / tries):.1f})"


def draw(cells: Mapping[tuple[str, int, float], Cell], path: Path) -> None:
    """Draw the share that is called better, and the runs, by the chance of winning; a row a number of targets."""
    figure, panels = plt.subplots(len(TARGETS), 2, sharex=True, figsize=(7.5, 5.6))
    figure.suptitle("Verdicts on tuned methods: how often the better one is found, and what that costs")
    for (left, right), targets in zip(panels, TARGETS, strict=True):
        for number, name in enumerate(TUNED):
            own = [cells[name, targets, chance] for chance in CHANCES]
            style = {"label": name, "color": f"C{number}", "marker": "o", "markersize": 3}
            left.plot(CHANCES, [100 * cell.shares[0] for cell in own], **style)
            right.plot(CHANCES, [cell.runs for cell in own], **style)
        where = "one target" if targets == 1 else f"{targets} targets"
        left.set(title=where, ylabel="% called better", ylim=(-3, 103))
        right.set(title=where, ylabel="runs of both methods", yscale="log")
    panels[0][0].legend(fontsize=7)
    for axes in panels[-1]:
        axes.set(xlabel="probability of winning")
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="few comparisons; the figure goes to the working directory"
    )
    quick = parser.parse_args().quick
    plt.style.use(HERE.parent / "figures.mplstyle")
    begin = time.perf_counter()
    cells: dict[tuple[str, int, float], Cell] = {}
    for place, (title, designs, luck, equal) in enumerate(
        (("methods are tuned", TUNED, 1.0, 4000), ("nothing is tuned", UNTUNED, 0.0, 2000))
    ):
        many, few = (40, 20) if quick else (equal, equal // 4)
        plan = list(itertools.product(designs, TARGETS, CHANCES))
        found = Parallel(n_jobs=1 if quick else 2)(
            delayed(measured)(designs[name], targets, chance, luck, many if chance == 0.5 else few, [place, number])
            for number, (name, targets, chance) in enumerate(plan)
        )
        cells |= dict(zip(plan, found, strict=True))
        for targets in TARGETS:
            where = f"{title}, {targets} target{'s' * (targets > 1)}"
            header(where, *(f"{100 * chance:.0f} %" for chance in CHANCES), "equal called different, %")
            for name in designs:
                own = [cells[name, targets, chance] for chance in CHANCES]
                row(name, *map(shown, own), level(own[0], many))
    draw(cells, (Path() if quick else HERE) / "power.png")
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
