"""Which of two methods is better, from the final losses of their runs on several targets.

A *block* is what can be repeated as a whole: one tuning of every method on a target, followed by runs with fresh seeds.
Where nothing is tuned, or only once, each seed is a block. Within a block the methods have the same seeds, hence the
same data and, where they allow it, the same initial parameters. Blocks are independent of one another.

The value of a block is the share of its seeds with which the first method has the smaller loss; ties count half. Only
the order of losses counts, because targets have different scales and losses are infinite for runs that diverged or
failed. What is estimated is the *probability of winning*: the expected value of a block, averaged over targets. All
uncertainty comes from the variance between blocks, so that the luck of tuning is part of it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from chainrule.analysis.confidence import SIGNIFICANCE
from chainrule.components.contracts import Array

MARGIN = 0.05  # methods are equivalent if either wins with a probability of 1/2, give or take this much
_ADDED = 0.5  # blocks
_FEW = 3.0  # lost blocks, with fewer of which their variance tells too little


@dataclass(frozen=True)
class Estimate:
    """A probability of winning.

    Attributes:
        probability: the estimate.
        interval: it covers the true probability with 95 %; if there are several pairs, all of them at once.
        p: two-sided p value of 1/2, corrected for all pairs. It is 0.05 or less if and only if 1/2 is not in the
            interval: both come from the same calculation.
        by_target: the estimate on each target.
    """

    probability: float
    interval: tuple[float, float]
    p: float
    by_target: tuple[float, ...]


@dataclass(frozen=True)
class Pair(Estimate):
    """Two methods, the one that looks better first.

    Attributes:
        better, worse: their indices among the methods.
    """

    better: int
    worse: int

    @property
    def is_separated(self) -> bool:
        """Whether one is better than the other."""
        return self.interval[0] > 0.5

    @property
    def is_equivalent(self) -> bool:
        """Whether neither wins much more often than the other."""
        return self.interval[0] >= 0.5 - MARGIN and self.interval[1] <= 0.5 + MARGIN

    @property
    def verdict(self) -> str:
        """What the interval says: ``better``, ``equivalent`` or ``not separated``."""
        return "better" if self.is_separated else "equivalent" if self.is_equivalent else "not separated"


def pairs(losses: Array, judge: Callable[[Array, int], Estimate] | None = None) -> list[Pair]:
    """Compare all methods with one another.

    Args:
        losses: shape ``(targets, methods, blocks, seeds)``, infinite for runs that diverged or failed, NaN for the last
            blocks of a method that took part in fewer; at least two blocks. Seeds are those within a block.
        judge: makes the estimate from the values of blocks, ``(targets, blocks)``, and the number of pairs; None for
            :func:`estimate`.
    """
    chosen = list(combinations(range(losses.shape[1]), 2))
    found = []
    for i, j in chosen:
        values = block_values(*common(losses, i, j))
        first, second = (i, j) if values.mean() >= 0.5 else (j, i)
        each = (judge or estimate)(values if first == i else 1 - values, len(chosen))
        found.append(Pair(each.probability, each.interval, each.p, each.by_target, first, second))
    return found


def common(losses: Array, first: int, second: int) -> tuple[Array, Array]:
    """Return the losses of two methods in the blocks that both have, ``(targets, blocks, seeds)`` each."""
    x, y = losses[:, first], losses[:, second]
    there = ~(np.isnan(x) | np.isnan(y)).any(axis=(0, 2))
    return x[:, there], y[:, there]


def block_values(x: Array, y: Array) -> Array:
    """Return the value of each block.

    Args:
        x: losses of the first method, ``(..., seeds)``.
        y: losses of the second method, with the same seeds.
    """
    values: Array = ((x < y) + 0.5 * (x == y)).mean(axis=-1)
    return values


def estimate(values: Array, tests: int = 1) -> Estimate:
    """Estimate a probability of winning from the values of blocks.

    The interval is Student's on the scale of the logit, so that it stays between 0 and 1. Each target has a variance of
    its own; degrees of freedom are Satterthwaite's (1946). Half a block of value 1/2, spread over the targets, is
    added: without it, the interval of a method that always wins would be the point 1. The end farther from 1/2 is that
    of the data without the half block, which would pull it inwards.

    Where a method has lost fewer than three blocks, their variance tells too little. Then the binomial interval of
    Clopper and Pearson (1934) counts as well, for so many wins of so many blocks: values between 0 and 1 vary less than
    wins and losses (Hoeffding, Probability inequalities for sums of bounded random variables, 1963). Of both intervals
    the ends nearer to 1 are taken, as simulations allow.

    For several pairs the level is Bonferroni's.

    Args:
        values: shape ``(targets, blocks)``, from 0 to 1; at least two blocks.
        tests: for how many pairs together.
    """
    by_target = values.mean(axis=1)
    raw = float(by_target.mean())
    loses = raw < 0.5  # then seen from the other side
    seen, share = (1 - values, 1 - raw) if loses else (values, raw)
    level = SIGNIFICANCE / 2 / tests
    low, high, tail = _student(seen, share, level)
    if values.size * (1 - share) < _FEW:
        least, most, chance = _binomial(values.size, values.size * share, level)
        low, high, tail = max(low, least), max(high, most), min(tail, chance)
    interval = (1 - high, 1 - low) if loses else (low, high)
    return Estimate(raw, interval, min(1.0, 2 * tests * tail), tuple(by_target.tolist()))


def _student(values: Array, raw: float, level: float) -> tuple[float, float, float]:
    """Return both ends of an interval, each at a level, and the probability of such a large share if it is 1/2."""
    from scipy import special  # here, because it is slow to import

    targets, blocks = values.shape
    added = _ADDED / targets
    middles = (values.sum(axis=1) + added / 2) / (blocks + added)
    squares = np.square(values - middles[:, None]).sum(axis=1) + added * np.square(0.5 - middles)
    variances = squares / (blocks - 1 + added) / (blocks + added) / targets**2
    variance, middle = float(variances.sum()), float(middles.mean())
    if variance == 0:  # nothing but ties
        return raw, raw, 0.5
    freedom = max(variance**2 / float((variances**2).sum()) * (blocks - 1 + added), blocks - 1)
    scale, place = math.sqrt(variance) / (middle * (1 - middle)), float(special.logit(middle))
    reach = scale * float(special.stdtrit(freedom, 1 - level))
    low, high = special.expit(place - reach), special.expit(special.logit(raw) + reach)
    return float(low), float(high), float(special.stdtr(freedom, -place / scale))


def _binomial(blocks: int, won: float, level: float) -> tuple[float, float, float]:
    """Return the same for a number of wins, which need not be whole."""
    from scipy import special

    lost = blocks - won
    most = special.betaincinv(won + 1, lost, 1 - level) if lost > 0 else 1.0
    return float(special.betaincinv(won, lost + 1, level)), float(most), float(special.betainc(won, lost + 1, 0.5))


def fewest_blocks(methods: int, targets: int, times: int = 1) -> int:
    """Return the smallest number of blocks on each target with which methods can be separated at all.

    Args:
        methods: how many are compared with one another.
        targets: on how many targets.
        times: how often, in circumstances for which intervals are to cover together.
    """
    tests, blocks = methods * (methods - 1) // 2 * times, 2
    while estimate(np.ones((targets, blocks)), tests).interval[0] <= 0.5:
        blocks += 1
    return blocks


def profile(losses: Array, factors: Array) -> tuple[Array, list[int]]:
    """Return the performance profile of each method: the share of its runs that come close to the best.

    A run comes within a factor of the best if its loss is at most that factor times the smallest median that any
    method has on the target. Shares are averaged over targets, because factors are comparable. Targets are left out
    if a loss is negative or the smallest median is 0 or infinite, because factors then have no meaning.

    Reference: Dolan and Moré, Benchmarking optimization software with performance profiles, Mathematical Programming
    91, 2002, who have one run of each method on each problem.

    Args:
        losses: shape ``(targets, methods, runs)``, NaN for the last runs of a method that has fewer.
        factors: 1 or larger.

    Returns:
        An array ``(methods, factors)``, and the indices of the targets that were used (possibly none).
    """
    best = np.nanmedian(losses, axis=2).min(axis=1)
    used = np.flatnonzero((np.nanmin(losses, axis=(1, 2)) >= 0) & (best > 0) & np.isfinite(best))
    ratios = losses[used] / best[used, None, None]
    within = (ratios[..., None] <= np.asarray(factors)).sum(axis=2) / (~np.isnan(ratios)).sum(axis=2)[..., None]
    return within.mean(axis=0) if len(used) else np.zeros((losses.shape[1], len(factors))), used.tolist()
