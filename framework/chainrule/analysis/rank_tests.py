"""Tests of which methods are better, from the final losses of their runs on several targets.

Losses are an array ``(targets, methods, seeds)``, infinite for runs that diverged or failed. Only their order within a
target counts, except in :func:`profile`, because targets have different scales and losses can be infinite. On a target
all methods have the same seeds, hence the same data and, where the methods allow it, the same initial parameters. Runs
of one seed belong together; all others are independent.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from chainrule.components.contracts import Array

SIGNIFICANCE = 0.05  # of all tests of one comparison together; intervals cover 1 - SIGNIFICANCE
_EXACT = 500  # most pairs of runs for the exact distribution; with more, the normal distribution approximates it


@dataclass(frozen=True)
class Pair:
    """Two methods, the one that looks better first.

    Attributes:
        better, worse: their indices among the methods.
        probability: probability that a run of the first has a smaller loss than a run of the second with another seed;
            ties count half; averaged over targets.
        interval: 95 % interval of that probability.
        same_seed: the share of seeds with which the first has the smaller loss; ties count half.
        by_target: the probability on each target.
        p: two-sided p value of the difference, see :func:`exchange_test`.
        corrected: the p value corrected for all pairs together, see :func:`holm`.
    """

    better: int
    worse: int
    probability: float
    interval: tuple[float, float]
    same_seed: float
    by_target: tuple[float, ...]
    p: float
    corrected: float

    @property
    def is_separated(self) -> bool:
        """Whether the difference is significant."""
        return self.corrected <= SIGNIFICANCE


def pairs(losses: Array) -> list[Pair]:
    """Compare all methods with one another.

    Args:
        losses: shape ``(targets, methods, seeds)``, with at least two seeds.
    """
    chosen = list(combinations(range(losses.shape[1]), 2))
    tests = [exchange_test(losses[:, i], losses[:, j]) for i, j in chosen]
    corrected = holm([p for p, _ in tests])
    found = []
    for (i, j), (p, sign), together in zip(chosen, tests, corrected, strict=True):
        first, second = (j, i) if sign > 0 else (i, j)
        wins = _wins(losses[:, first], losses[:, second])
        by_target = _between_seeds(wins, np.ones(wins.shape[1]))
        found.append(
            Pair(
                better=first,
                worse=second,
                probability=float(by_target.mean()),
                interval=interval(wins),
                same_seed=float(np.diagonal(wins, axis1=1, axis2=2).mean()),
                by_target=tuple(by_target.tolist()),
                p=p,
                corrected=together,
            )
        )
    return found


def exchange_test(x: Array, y: Array) -> tuple[float, int]:
    """Test whether two methods are equal, by van Elteren's sum of ranks over targets.

    Within each target all runs of both are ranked, ties sharing the mean of their ranks, and the ranks of each method
    are added (Wilcoxon); with equally many seeds on each target the weights of van Elteren are equal. If the methods
    are equal, either order of the two runs of one seed has probability 1/2. That gives the exact distribution of the
    sum, even if runs of one seed depend on each other.

    Reference: van Elteren, On the combination of independent two sample tests of Wilcoxon, Bulletin of the
    International Statistical Institute 37, 1960; Pitman, Significance tests which may be applied to samples from any
    populations, Supplement to the Journal of the Royal Statistical Society 4, 1937.

    Args:
        x: losses of the first method, ``(targets, seeds)``.
        y: losses of the second method, with the same seeds.

    Returns:
        The two-sided p value, and the sign of the difference: -1 if the first has the smaller ranks.
    """
    from scipy import special, stats  # here, because they are slow to import

    seeds = x.shape[1]
    ranks = stats.rankdata(np.concatenate([x, y], axis=1), axis=1)
    # Ranks are multiples of 1/2.
    steps = np.rint(2 * (ranks[:, :seeds] - ranks[:, seeds:])).astype(int).ravel()
    total, steps = int(steps.sum()), np.abs(steps[steps != 0])
    if len(steps) > _EXACT:
        deviation = math.sqrt(np.square(steps, dtype=float).sum())
        return float(2 * special.ndtr(-abs(total) / deviation)), _sign(total)
    chances = np.zeros(int(steps.sum()) + 1)  # probability of each sum of the steps that go up
    chances[0] = 1.0
    for step in steps:
        halves = chances / 2
        chances[:step] = halves[:step]
        np.add(halves[step:], halves[:-step], out=chances[step:])
    sums = 2 * np.arange(len(chances)) - int(steps.sum())
    return float(min(1.0, chances[np.abs(sums) >= abs(total)].sum())), _sign(total)


def smallest_p(targets: int, seeds: int) -> float:
    """Return the smallest p value that :func:`exchange_test` can give."""
    return float(min(1.0, 2.0 ** (1 - targets * seeds)))


def holm(p: Sequence[float]) -> list[float]:
    """Return p values corrected for all tests together.

    Reference: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6,
    1979.
    """
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    together = np.minimum(1.0, np.maximum.accumulate(np.asarray(p, float)[order] * factors))
    return [float(together[place]) for place in np.argsort(order, kind="stable")]


def interval(wins: Array) -> tuple[float, float]:
    """Return a 95 % interval of the probability of improvement, averaged over targets.

    The variance is that of the jackknife, which leaves out one seed of one target at a time. The interval is symmetric
    in the logit, so that it stays between 0 and 1. Half a run of each method, spread over the targets, is added and
    wins half of its comparisons: without it, the interval of a method that always wins would be the point 1. A
    percentile bootstrap covers too rarely with 10 or 20 seeds, see docs/decisions/0008-fair-comparisons.md.

    Reference: Arvesen, Jackknifing U-statistics, Annals of Mathematical Statistics 40, 1969.

    Args:
        wins: shape ``(targets, seeds, seeds)``: 1 where the run of the first method is better, 1/2 for a tie.
    """
    from scipy import special

    targets, seeds = wins.shape[:2]
    more = np.pad(wins, ((0, 0), (0, 1), (0, 1)), constant_values=0.5)
    weights = np.append(np.ones(seeds), 0.5 / targets)
    middle = float(_between_seeds(more, weights).mean())
    without = _between_seeds(more[:, None], weights * (1 - np.eye(seeds + 1)))
    spread = seeds / (seeds + 1) * np.square(without - without.mean(axis=1, keepdims=True)).sum() / targets**2
    reach = special.stdtrit(targets * (seeds - 1), 1 - SIGNIFICANCE / 2) * math.sqrt(spread) / (middle * (1 - middle))
    low, high = special.expit(special.logit(middle) + np.array([-reach, reach]))
    return float(low), float(high)


def profile(losses: Array, factors: Array) -> tuple[Array, list[int]]:
    """Return the performance profile of each method: the share of its runs that come close to the best.

    A run comes within a factor of the best if its loss is at most that factor times the smallest median that any
    method has on the target. Shares are averaged over targets, because factors are comparable. Targets are left out
    if a loss is negative or the smallest median is 0 or infinite, because factors then have no meaning.

    Reference: Dolan and Moré, Benchmarking optimization software with performance profiles, Mathematical Programming
    91, 2002, who have one run of each method on each problem.

    Args:
        losses: shape ``(targets, methods, seeds)``.
        factors: 1 or larger.

    Returns:
        An array ``(methods, factors)``, and the indices of the targets that were used (possibly none).
    """
    best = np.median(losses, axis=2).min(axis=1)
    used = np.flatnonzero((losses.min(axis=(1, 2)) >= 0) & (best > 0) & np.isfinite(best))
    ratios = losses[used] / best[used, None, None]
    within = ratios[..., None] <= np.asarray(factors)
    return within.mean(axis=(0, 2)) if len(used) else np.zeros((losses.shape[1], len(factors))), used.tolist()


def _wins(x: Array, y: Array) -> Array:
    """Return 1 where ``x`` has the smaller loss, 1/2 for a tie, else 0: shape ``(targets, seeds of x, seeds of y)``."""
    a, b = x[:, :, None], y[:, None, :]
    wins: Array = (a < b) + 0.5 * (a == b)
    return wins


def _between_seeds(wins: Array, weights: Array) -> Array:
    """Return the share of wins among runs of different seeds, weighted: ``(..., seeds, seeds)`` to ``(...)``.

    Args:
        wins: see :func:`interval`.
        weights: weights of the seeds, ``(..., seeds)``.
    """
    both = weights[..., :, None] * weights[..., None, :] * (1 - np.eye(weights.shape[-1]))
    share: Array = (wins * both).sum(axis=(-2, -1)) / both.sum(axis=(-2, -1))
    return share


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
