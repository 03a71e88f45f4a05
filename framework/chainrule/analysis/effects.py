"""What mattered in a sweep: how much the losses depend on each parameter, and on two together.

Losses are replaced by their ranks, so that diverged runs count as the worst. What is judged depends on the design:

- In a *grid* runs agree in everything but one parameter, the seed included. If it has no effect, its values could be
  exchanged among such runs; the test does so.
- *Points drawn at random* agree in nothing. The runs of one point are repetitions, not independent facts about its
  parameters. So each point counts once, with its median, and the values of the parameter are exchanged among points.

A share is corrected for what the same exchanges give on average: without that, five bins of 20 points "explain" 21 % by
chance. With exchanges among points it is epsilon squared (Kelley, An unbiased correlation ratio measure, Proceedings of
the National Academy of Sciences 21, 1935).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from chainrule.analysis.confidence import SIGNIFICANCE
from chainrule.analysis.ranking import Group, distinct, groups, worst_of
from chainrule.components.contracts import Array
from chainrule.records.outcome import Outcome

EXCHANGES, _FEWEST = 1999, 199  # random ones: many where there are few units, so that p may be 1 / 2000
_BINS, _HALVES = 5, 2  # of a parameter with many numbers: alone, and beside another one
_MANY = 8  # numbers, with more of which a parameter is put into bins
_AT_ONCE = 2**22  # numbers in memory
_PAIRED = 8  # parameters whose pairs are looked at, those with the largest shares


@dataclass(frozen=True)
class Effect:
    """How much the losses depend on one parameter.

    Attributes:
        parameter: its key.
        share: share of the variance of the ranks that its values explain, from 0 to 1, less what chance explains.
        p: probability of a share as large, or larger, if the parameter has no effect; None if nothing can be exchanged.
        units: what was ranked: ``runs`` of a grid, or ``points``, by the median of their runs.
        levels: each value, or bin of values, with the median loss and the number of runs.
    """

    parameter: str
    share: float
    p: float | None
    units: str
    levels: tuple[tuple[str, float, int], ...]


@dataclass(frozen=True)
class Interaction:
    """That the effect of one parameter depends on another one.

    Attributes:
        parameters: their keys.
        share: share of the variance of the ranks that both explain together, beyond the sum of their effects, less what
            chance explains.
        p: probability of a share as large if their effects add up, corrected for all pairs (Bonferroni).
    """

    parameters: tuple[str, str]
    share: float
    p: float


def effects(outcomes: Sequence[Outcome], metric: str, maximize: bool = False) -> list[Effect]:
    """Return the effect on the loss of each parameter that varies, the largest share first.

    Args:
        outcomes: outcomes of all runs.
        metric: name of a loss, or of another metric.
        maximize: whether large values are good, so that runs that were lost count as minus infinity.
    """
    different = distinct(outcomes)
    parameters = dict.fromkeys(key for outcome in different for key in outcome.settings)
    points = [(group.settings, group.median) for group in groups(different, metric, maximize)]
    runs = [(outcome, outcome.value(metric, worst_of(maximize))) for outcome in different]
    found = [_effect(parameter, runs, points) for parameter in parameters]
    return sorted(found, key=lambda effect: (-effect.share, 1.0 if effect.p is None else effect.p))


def interactions(
    outcomes: Sequence[Outcome], metric: str, found: Sequence[Effect], maximize: bool = False
) -> list[Interaction]:
    """Return the pairs of parameters that interact significantly, the smallest p value first.

    Ranks are reduced by the effects of both parameters, and what is left is exchanged among all units (ter Braak,
    Permutation versus bootstrap significance tests in multiple regression and ANOVA, 1992).

    Args:
        outcomes: outcomes of all runs.
        metric: name of a loss.
        found: the effects of the parameters, the largest first.
        maximize: whether large values are good.
    """
    different = distinct(outcomes)
    runs = [(outcome.settings, outcome.value(metric, worst_of(maximize))) for outcome in different]
    points = [(group.settings, group.median) for group in groups(different, metric, maximize)]
    pairs = list(combinations([effect for effect in found if len(effect.levels) > 1][:_PAIRED], 2))
    significant = []
    for first, second in pairs:
        units = runs if first.units == second.units == "runs" else points
        ranks = _ranks(np.array([value for _, value in units]))
        codes = [_codes([s.get(each.parameter, "not set") for s, _ in units], _HALVES)[0] for each in (first, second)]
        result = _interaction(ranks, *codes)
        if result and (corrected := min(1.0, result[1] * len(pairs))) <= SIGNIFICANCE:
            significant.append(Interaction((first.parameter, second.parameter), result[0], corrected))
    return sorted(significant, key=lambda interaction: interaction.p)


def _effect(
    parameter: str, runs: Sequence[tuple[Outcome, float]], points: Sequence[tuple[Mapping[str, Any], float]]
) -> Effect:
    values = [outcome.settings.get(parameter, "not set") for outcome, _ in runs]
    codes, labels = _codes(values, _BINS)
    losses = np.array([value for _, value in runs])
    medians = tuple(
        (label, Group({}, (), tuple(sorted(losses[codes == code].tolist()))).median, int((codes == code).sum()))
        for code, label in enumerate(labels)
    )
    blocks = _blocks(parameter, [outcome for outcome, _ in runs])
    units = "runs" if 2 * _exchangeable(blocks, codes).sum() >= len(codes) else "points"
    if units == "points":
        codes, _ = _codes([settings.get(parameter, "not set") for settings, _ in points], _BINS)
        losses, blocks = np.array([median for _, median in points]), np.zeros(len(points), int)
    share, p = _tested(_ranks(losses), codes, blocks)
    return Effect(parameter, share, p, units, medians)


def _tested(ranks: Array, codes: Array, blocks: Array) -> tuple[float, float | None]:
    """Return the share that the levels explain, and its p value.

    Args:
        ranks: of the units.
        codes: the level of each unit, from 0.
        blocks: the number of the block of each unit, within which levels are exchanged.
    """
    centred = ranks - ranks.mean()
    total = float((centred**2).sum())
    if total == 0 or not _exchangeable(blocks, codes).any():
        return 0.0, None
    actual = float(_between(centred, codes[None])[0]) / total
    by_chance = np.concatenate([_between(centred, some) for some in _exchanges(codes, blocks)]) / total
    p = (1 + (by_chance >= actual * (1 - 1e-12)).sum()) / (1 + len(by_chance))
    return _beyond(actual, by_chance), float(p)


def _interaction(ranks: Array, first: Array, second: Array) -> tuple[float, float] | None:
    """Return the share that two parameters explain beyond the sum of their effects, and its p value.

    Args:
        ranks: of the units.
        first: the level of one parameter for each unit, from 0.
        second: that of the other.

    Returns:
        None if there is one unit a cell, if no cell is left for an interaction, or if both effects explain everything.
    """
    centred = ranks - ranks.mean()
    cells = np.unique(first * (second.max() + 1) + second, return_inverse=True)[1]
    if len(cells) <= cells.max() + 1 or cells.max() < first.max() + second.max() + 1:
        return None
    design = np.column_stack([first[:, None] == range(first.max() + 1), second[:, None] == range(second.max() + 1)])
    left = centred - design @ np.linalg.lstsq(design.astype(float), centred, rcond=None)[0]
    total, residual = float((centred**2).sum()), float((left**2).sum())
    if residual <= 1e-9 * total:
        return None
    projection = np.linalg.pinv(design.astype(float))
    shares = []
    for order in _exchanges(np.arange(len(left)), np.zeros(len(left), int)):
        exchanged = left[order]
        exchanged = exchanged - (exchanged @ projection.T) @ design.T.astype(float)
        shares.append(_between_cells(exchanged, cells) / (exchanged**2).sum(axis=1))
    by_chance = np.concatenate(shares)
    actual = float(_between_cells(left[None], cells)[0]) / residual
    p = (1 + (by_chance >= actual * (1 - 1e-12)).sum()) / (1 + len(by_chance))
    return _beyond(actual, by_chance) * residual / total, float(p)


def _beyond(share: float, by_chance: Array) -> float:
    """Return a share less what chance gives on average, on a scale on which all is still 1."""
    chance = float(by_chance.mean())
    return max(0.0, (share - chance) / (1 - chance)) if chance < 1 else 0.0


def _exchanges(codes: Array, blocks: Array) -> Iterable[Array]:
    """Yield codes exchanged at random within blocks, some rows at a time: ``(rows, units)``."""
    rng = np.random.default_rng(0)
    order = np.argsort(blocks, kind="stable")
    wanted = max(_FEWEST, min(EXCHANGES, _AT_ONCE // len(codes)))
    rows = max(1, _AT_ONCE // len(codes))
    for first in range(0, wanted, rows):
        count = min(rows, wanted - first)
        # Sorted by block, and within it at random.
        drawn = np.argsort(blocks[order] + rng.random((count, len(codes))), axis=1)
        exchanged = np.empty((count, len(codes)), codes.dtype)
        exchanged[:, order] = codes[order][drawn]
        yield exchanged


def _between(centred: Array, codes: Array) -> Array:
    """Return the sum of squares between levels for each row of codes: ``(rows, units)`` to ``(rows,)``."""
    found = np.zeros(len(codes))
    for level in range(int(codes.max()) + 1):
        chosen = codes == level
        found += (chosen @ centred) ** 2 / np.maximum(chosen.sum(axis=1), 1)
    return found


def _between_cells(rows: Array, cells: Array) -> Array:
    """Return the sum of squares between cells for each row of values: ``(rows, units)`` to ``(rows,)``."""
    members = (cells[:, None] == range(int(cells.max()) + 1)).astype(float)
    sums: Array = ((rows @ members) ** 2 / members.sum(axis=0)).sum(axis=1)
    return sums


def _blocks(parameter: str, outcomes: Sequence[Outcome]) -> Array:
    """Return the number of a block for each run; runs of one block agree in all but this parameter."""
    others = [
        (one.seed, one.fold, *sorted((key, repr(value)) for key, value in one.settings.items() if key != parameter))
        for one in outcomes
    ]
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(other, len(numbers)) for other in others], int)


def _exchangeable(blocks: Array, codes: Array) -> Array:
    """Say of each unit whether its block holds another level than its own."""
    if not len(codes):
        return np.zeros(0, bool)
    count = int(blocks.max()) + 1
    low, high = np.full(count, np.iinfo(codes.dtype).max), np.full(count, -1)
    np.minimum.at(low, blocks, codes)
    np.maximum.at(high, blocks, codes)
    differ: Array = (low != high)[blocks]
    return differ


def _codes(values: Sequence[Any], bins: int) -> tuple[Array, list[str]]:
    """Return the level of each value, from 0, and the names of levels: bins of equally many, if there are many numbers.

    Args:
        values: of a parameter.
        bins: how many, at most.
    """
    different = dict.fromkeys(values)
    numeric = all(isinstance(value, int | float) for value in different)
    if not numeric:
        places = {value: place for place, value in enumerate(different)}
        return np.array([places[value] for value in values], int), [str(value) for value in different]
    ordered = sorted(different)
    if len(ordered) <= _MANY:
        parts, labels = [[value] for value in ordered], [f"{value:g}" for value in ordered]
    else:
        parts = [part.tolist() for part in np.array_split(np.asarray(ordered), bins)]
        labels = [f"{part[0]:g} to {part[-1]:g}" for part in parts]
    found: Array = np.searchsorted([part[0] for part in parts], np.asarray(values, float), side="right") - 1
    return found, labels


def _ranks(values: Array) -> Array:
    """Return ranks from 1; equal values, infinite ones included, share their mean rank."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last: Array = np.cumsum(counts)
    return (last - (counts - 1) / 2)[where]
