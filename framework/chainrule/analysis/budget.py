"""What contenders of a comparison would reach with a smaller budget: with fewer points, or with fewer epochs.

**Fewer points.** A tuning with ``k`` of its ``n`` points would have kept another point, whose loss is known. All ways
to pick the ``k`` count. Where a single number is tuned, they are picked as evenly as a tuning of ``k`` points spreads
its own (one in each ``k``-th of the interval, if ``k`` divides ``n``), so that nothing but the number of points is
different. Points of several keys are picked at random, as if a tuning had been stopped: they come in random order. A
tuning that had planned ``k`` points would spread these a little better.

**Chosen by some seeds, judged by another.** The smallest of several noisy losses is smaller than what its point reaches
on average. So each tuning seed in turn is the judge: the point is chosen by the median over the other seeds. What is
estimated is a tuning with one seed fewer.

**Tunings are the independent units**, since the points of one are spread over the space together. Formulas for points
that are drawn independently of one another (Dodge and others, Show your work, EMNLP 2019; Lourie, Cho and He, Show your
work with confidence, NAACL 2024) do not hold within them. As there, the median is drawn and not the expected value,
because losses of runs that diverge are infinite.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from chainrule.analysis.paired import Estimate, Pair, block_values, estimate, fewest_blocks
from chainrule.components.contracts import Array

_ALL = 3  # contenders, of which all pairs are told about
_DIGITS = 12  # of probabilities, so that those that are equal but for rounding are


@dataclass(frozen=True)
class Step:
    """Two contenders with a part of what they had.

    Attributes:
        amount: points, or epochs.
        estimate: the probability that the one that is better with everything wins here, too. Its interval covers
            together with those of all other pairs and amounts.
    """

    amount: int
    estimate: Estimate

    @property
    def ahead(self) -> int:
        """1 if the same is better here, -1 if the other one is, 0 if the data do not separate them."""
        low, high = self.estimate.interval
        return (low > 0.5) - (high < 0.5)


@dataclass(frozen=True)
class Reached:
    """The losses of one contender on one target over the number of points.

    Attributes:
        medians: for each number of points the median loss of a tuned run.
        intervals: of each median, by itself with 95 %; None if there are too few tunings.
    """

    medians: tuple[float, ...]
    intervals: tuple[tuple[float, float] | None, ...]


@dataclass(frozen=True)
class Budgets:
    """What fewer points would change.

    Attributes:
        points: the numbers of points that were looked at, ascending; the last is that of the comparison.
        reached: target by target, contender by contender.
        steps: for each pair one with each of ``points`` but the last.
        even: whether fewer points are spread evenly; if not, they are picked at random.
    """

    points: tuple[int, ...]
    reached: tuple[tuple[Reached, ...], ...]
    steps: tuple[tuple[Step, ...], ...]
    even: bool


def budgets(losses: Array, pairs: Sequence[Pair], order: Array | None) -> Budgets:
    """Say what fewer points would change: half of them, a quarter, and so on.

    Halves and not every number, because one interval for each of 16 would be too wide to separate anything.

    Args:
        losses: of the runs that tuned, shape ``(targets, contenders, tunings, points, seeds)``; at least two tunings,
            points and seeds. Contenders share points and seeds.
        pairs: of contenders, each with the one that is better with all points first.
        order: place of each point along the only number that is tuned, from 0, ``(targets, tunings, points)``; None if
            several keys are tuned.
    """
    targets, contenders, tunings, points, _ = losses.shape
    counts = halvings(points)
    groups = [_groups(count, (targets, tunings, points), order) for count in counts]
    fewer = list(zip(counts, groups, strict=True))[:-1]
    return Budgets(
        points=counts,
        reached=tuple(zip(*(_reached(losses[:, place], groups, counts) for place in range(contenders)), strict=True)),
        steps=tuple(
            tuple(
                Step(count, estimate(_wins(losses[:, [pair.better, pair.worse]], own, count), len(pairs) * len(fewer)))
                for count, own in fewer
            )
            for pair in pairs
        ),
        even=order is not None,
    )


def halvings(whole: int) -> tuple[int, ...]:
    """Return 1 and so on up to ``whole``, each about twice the one before."""
    found = [whole]
    while found[0] > 1:
        found.insert(0, found[0] // 2)
    return tuple(found)


def choices(losses: Array, groups: Array, count: int) -> Array:
    """Return with which probability each point is kept, if a few points are picked.

    Of each group the same number of points is picked, every choice with the same probability. The point with the
    smallest loss is kept, of equal ones the first. The probability that all picked points are at least so bad is a
    product over groups; its differences are what is asked for.

    Args:
        losses: by which a point is chosen, shape ``(tunings, points)``.
        groups: to which group each point belongs, from 0, ``(tunings, points)``; all are of one size.
        count: how many points are picked in all; a multiple of the number of groups.

    Returns:
        Shape ``(tunings, points)``.
    """
    ranks, members, share = _picking(losses, groups, count)
    left = (members[..., None] >= np.arange(losses.shape[1] + 1)).sum(axis=2)
    kept: Array = np.take_along_axis(-np.diff(share[left].prod(axis=1), axis=1), ranks, axis=1)
    return kept


def joint_choices(first: Array, second: Array, groups: Array, count: int) -> Array:
    """Return with which probability two contenders keep which points, if the same points are picked for both.

    Args:
        first: losses by which the first contender chooses, as for :func:`choices`.
        second: likewise of the second.
        groups: as for :func:`choices`.
        count: likewise.

    Returns:
        Shape ``(tunings, points, points)``: the first keeps one point, the second another or the same.
    """
    ranks, members, share = _picking(first, groups, count)
    others, of_other, _ = _picking(second, groups, count)
    tunings, points = first.shape
    levels = np.arange(points + 1)
    as_bad = np.ones((tunings, points + 1, points + 1))
    for row, column in zip(members.swapaxes(0, 1), of_other.swapaxes(0, 1), strict=True):
        for_first, for_second = row[:, None, :] >= levels[:, None], column[..., None] >= levels
        left = for_first.astype(float) @ for_second.astype(float)
        # Of one picked point the share is the number itself, up to a factor.
        as_bad *= left / row.shape[1] if count == members.shape[1] else share[left.astype(int)]
    kept = -np.diff(-np.diff(as_bad, axis=1), axis=2)
    return kept[np.arange(tunings)[:, None, None], ranks[..., None], others[:, None, :]]


def stopped(losses: Array, pairs: Sequence[Pair], epochs: Sequence[int]) -> tuple[tuple[Step, ...], ...]:
    """Compare what contenders have reached after some epochs.

    Args:
        losses: after each of ``epochs``, shape ``(epochs, targets, contenders, blocks, seeds)``.
        pairs: of contenders, each with the one that is better in the end first.
        epochs: ascending.

    Returns:
        For each pair one step with each of the epochs.
    """
    tests = len(pairs) * len(epochs)
    return tuple(
        tuple(
            Step(epoch, estimate(block_values(then[:, pair.better], then[:, pair.worse]), tests))
            for epoch, then in zip(epochs, losses, strict=True)
        )
        for pair in pairs
    )


def sentences(
    names: Sequence[str],
    pairs: Sequence[Pair],
    steps: Sequence[Sequence[Step]],
    whole: int,
    unit: str,
    blocks: tuple[int, str],
    best: int,
) -> list[str]:
    """Say whether less of something would change the results.

    Args:
        names: of all contenders.
        pairs: the results with everything.
        steps: for each pair the results with less, ascending.
        whole: how much everything is.
        unit: of the amounts, ``points`` or ``epochs``.
        blocks: how many independent blocks there are on each target, and what they are.
        best: the contender that is told about, if there are more than three: what changes between it and the others.
    """
    if not steps or not steps[0]:
        return []
    less = amounts([step.amount for step in steps[0]], unit)
    fewest = fewest_blocks(len(names), len(steps[0][0].estimate.by_target), len(steps[0]))
    if blocks[0] < fewest:
        return [f"{blocks[0]} {blocks[1]} cannot tell what {less} would change: take {fewest} or more."]
    told = list(zip(pairs, steps, strict=True))
    if len(names) > _ALL:
        told = [(pair, own) for pair, own in told if best in (pair.better, pair.worse) and _changes(pair, own)]
        if not told:
            return [f"With {less} it is as with {whole} between {names[best]} and each of the others."]
    return [_sentence(pair, names, own, whole, unit) for pair, own in told]


def amounts(numbers: Sequence[int], unit: str) -> str:
    """Write ``1 point`` or ``1, 2 or 4 points``, from ``points``."""
    *others, last = map(str, numbers)
    text = f"{', '.join(others)} or {last}" if others else last
    return f"{text} {unit if numbers[-1] > 1 else unit.removesuffix('s')}"


def _sentence(pair: Pair, names: Sequence[str], steps: Sequence[Step], whole: int, unit: str) -> str:
    better, worse = names[pair.better], names[pair.worse]
    apart = f"the data do not separate {better} from {worse}"
    words = {1: f"{better} is ahead of {worse}", -1: f"{worse} is ahead of {better}", 0: apart}
    end = f"{better} and {worse} are equivalent" if pair.is_equivalent else words[int(pair.is_separated)]
    if not _changes(pair, steps):
        return f"With {amounts([step.amount for step in steps], unit)} it is as with {whole}: {end}."
    results = [*((words[step.ahead], step.amount) for step in steps), (end, whole)]
    parts = [
        f"with {amounts([amount for _, amount in same], unit)} {result}"
        for result, same in groupby(results, key=lambda each: each[0])
    ]
    text = "; ".join(parts)
    reverse = pair.is_separated and any(step.ahead == -1 for step in steps)
    return f"Fewer {unit} reverse the order: {text}." if reverse else f"W{text[1:]}."


def _changes(pair: Pair, steps: Sequence[Step]) -> bool:
    """Say whether the result for two contenders is another with less than everything."""
    return any(step.ahead != int(pair.is_separated) for step in steps)


def _groups(count: int, shape: tuple[int, ...], order: Array | None) -> Array:
    """Return the group of each point, ``(targets, tunings, points)``: all one, or neighbours along one number."""
    if order is None:
        return np.zeros(shape, int)
    groups: Array = order * math.gcd(count, shape[-1]) // shape[-1]
    return groups


def _picking(losses: Array, groups: Array, count: int) -> tuple[Array, Array, Array]:
    """Prepare to pick points of groups.

    Returns:
        The rank of each point, ``(tunings, points)``; the ranks in each group, ``(tunings, groups, points of one)``;
        and for each number of points of a group the probability that all picked ones are among these.
    """
    ranks = losses.argsort(axis=1, kind="stable").argsort(axis=1)
    number = int(groups.max()) + 1
    size, picked = losses.shape[1] // number, count // number
    order = groups.argsort(axis=1, kind="stable")
    members = np.take_along_axis(ranks, order, axis=1).reshape(-1, number, size)
    share = np.array([math.comb(left, picked) / math.comb(size, picked) for left in range(size + 1)])
    return ranks, members, share


def _judged(losses: Array) -> list[tuple[Array, Array]]:
    """Return by which losses points are chosen, and by which they are judged: each seed in turn, of the last axis."""
    seeds = range(losses.shape[-1])
    return [(np.median(np.delete(losses, seed, axis=-1), axis=-1), losses[..., seed]) for seed in seeds]


def _wins(losses: Array, groups: Array, count: int) -> Array:
    """Return the probability that the first of two wins in each tuning, ``(targets, tunings)``.

    Args:
        losses: of the two, ``(targets, 2, tunings, points, seeds)``.
        groups: of points, ``(targets, tunings, points)``.
        count: how many points are picked.
    """
    targets, _, tunings, points, seeds = losses.shape
    found = np.zeros(targets * tunings)
    flat = losses.swapaxes(0, 1).reshape(2, targets * tunings, points, seeds)
    for by, judge in _judged(flat):
        kept = joint_choices(by[0], by[1], groups.reshape(-1, points), count)
        won = block_values(judge[0, :, :, None, None], judge[1, :, None, :, None])
        found += (kept * won).sum(axis=(1, 2)) / seeds
    return found.round(_DIGITS).clip(0, 1).reshape(targets, tunings)


def _reached(losses: Array, groups: Sequence[Array], counts: Sequence[int]) -> list[Reached]:
    """Return what a contender reaches on each target, from losses ``(targets, tunings, points, seeds)``."""
    targets, tunings, points, seeds = losses.shape
    judged = _judged(losses.reshape(-1, points, seeds))
    values = np.concatenate([judge for _, judge in judged], axis=1).reshape(targets, tunings, -1)
    found: list[list[tuple[float, tuple[float, float] | None]]] = [[] for _ in range(targets)]
    for count, group in zip(counts, groups, strict=True):
        kept = [choices(by, group.reshape(-1, points), count) / seeds for by, _ in judged]
        weights = np.concatenate(kept, axis=1).reshape(values.shape)
        for own, of_target, weight in zip(found, values, weights, strict=True):
            own.append(median_over_tunings(of_target, weight))
    return [Reached(*zip(*own, strict=True)) for own in found]


def median_over_tunings(values: Array, weights: Array) -> tuple[float, tuple[float, float] | None]:
    """Return the median of a loss whose distribution is known for some tunings, and its interval.

    A loss is the median where half of the weight lies at or below it. The interval holds the losses for which one half
    is in the interval of that share (:func:`paired.estimate`), in which tunings are the independent values. It covers
    with 95 %; there is none for fewer than six tunings.

    Args:
        values: losses, shape ``(tunings, losses)``.
        weights: their probabilities, which add up to 1 for each tuning.
    """
    ordered = np.unique(values)

    def shares(place: int) -> Array:
        below: Array = (weights * (values <= ordered[place])).sum(axis=1).round(_DIGITS).clip(0, 1)
        return below

    places = range(len(ordered))
    first = bisect_left(places, True, key=lambda place: bool(shares(place).mean() >= 0.5))
    last = bisect_left(places, True, key=lambda place: bool(shares(place).mean() > 0.5))
    median = float((ordered[first] + ordered[last]) / 2)
    if len(values) < fewest_blocks(2, 1):
        return median, None
    low = bisect_left(places, True, key=lambda place: estimate(shares(place)[None]).interval[1] >= 0.5)
    high = bisect_left(places, True, key=lambda place: estimate(shares(place)[None]).interval[0] > 0.5)
    return median, (float(ordered[low]), float(ordered[high]))
