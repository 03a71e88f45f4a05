"""Ranks the settings of a sweep by the losses of their runs; seeds are repetitions, not settings.

A run that diverged or failed counts as the worst, so that a setting cannot win by losing its bad runs. Only order
statistics are used, because they stay meaningful with infinite losses. Runs with equal settings and equal seed count
once, because they have the same result.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.records.result import objective

CONFIDENCE = 0.95  # coverage of an interval
_BINS = 5  # bins of a parameter with more than _MANY numbers
_MANY = 8


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed.

    Attributes:
        settings: what they have in common.
        outcomes: the runs, in the order of their jobs.
        values: their losses in ascending order; infinite for runs that diverged or failed.
    """

    settings: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    values: tuple[float, ...]

    @property
    def title(self) -> str:
        """The settings in words, as typed."""
        return self.outcomes[0].title

    @property
    def median(self) -> float:
        """The middle loss, or the mean of the two in the middle."""
        middle = len(self.values) // 2
        return self.values[middle] if len(self.values) % 2 else (self.values[middle - 1] + self.values[middle]) / 2

    @property
    def quartiles(self) -> tuple[float, float]:
        """The losses below which a quarter and three quarters of the runs lie (inverse of the distribution)."""
        count = len(self.values)
        return self.values[math.ceil(count / 4) - 1], self.values[math.ceil(3 * count / 4) - 1]

    @property
    def interval(self) -> tuple[float, float] | None:
        """An interval that covers the median of the distribution with 95 %; None with fewer than 6 runs.

        Its ends are two order statistics, by the sign test: for every distribution the number of runs below the median
        is binomial.
        """
        from scipy import special  # here, because it is slow to import

        count = len(self.values)
        below = int((special.bdtr(np.arange(count), count, 0.5) <= (1 - CONFIDENCE) / 2).sum())
        return (self.values[below - 1], self.values[count - below]) if below else None

    @property
    def lost_reason(self) -> str:
        """Why most runs without a finite loss have none: ``diverged`` or ``failed``."""
        return max(Reason.DIVERGED, Reason.FAILED, key=self.count)

    def count(self, reason: Reason) -> int:
        """Return how many runs stopped for a reason."""
        return sum(outcome.reason == reason for outcome in self.outcomes)


@dataclass(frozen=True)
class Effect:
    """How much the losses depend on one parameter.

    Attributes:
        parameter: its key.
        share: share of the variance of the ranks of the losses that its values explain, from 0 to 1 (eta squared).
        p: probability of such differences, or larger ones, if the parameter has no effect (Kruskal and Wallis, "Use
            of ranks in one-criterion variance analysis", 1952); None if it cannot be computed.
        levels: each value, or bin of values, with the median loss and the number of runs.
    """

    parameter: str
    share: float
    p: float | None
    levels: tuple[tuple[str, float, int], ...]


def groups(outcomes: Iterable[Outcome], metric: str) -> list[Group]:
    """Return the settings that were compared, the one with the smallest median loss first.

    Args:
        outcomes: outcomes of all runs.
        metric: name of a loss, e.g. ``validation/loss``.
    """
    found: dict[tuple[tuple[str, str], ...], list[Outcome]] = {}
    for outcome in _distinct(outcomes):
        found.setdefault(_key(outcome), []).append(outcome)
    made = [Group(same[0].settings, tuple(same), _sorted(same, metric)) for same in found.values()]
    return sorted(made, key=lambda group: (group.median, group.quartiles, group.outcomes[0].number))


def compared_metric(outcomes: Iterable[Outcome]) -> str:
    """Return the name of the loss by which runs are compared: the validation loss, if all recorded runs have one."""
    found = {objective(outcome.metrics)[0] for outcome in outcomes if outcome.metrics}
    return found.pop() if len(found) == 1 else "train/loss"


def effects(outcomes: Sequence[Outcome], metric: str) -> list[Effect]:
    """Return the effect on the loss of each parameter that varies, the largest share first.

    Args:
        outcomes: outcomes of all runs.
        metric: name of a loss.
    """
    different = _distinct(outcomes)
    parameters = dict.fromkeys(key for outcome in different for key in outcome.settings)
    found = [_effect(parameter, different, metric) for parameter in parameters]
    return sorted(found, key=lambda effect: -effect.share)


def _distinct(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the outcomes in the order of their jobs, without repetitions of equal runs."""
    found: dict[Any, Outcome] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.number):
        found.setdefault((_key(outcome), outcome.seed), outcome)
    return list(found.values())


def _key(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in outcome.settings.items()))


def _effect(parameter: str, outcomes: Sequence[Outcome], metric: str) -> Effect:
    levels = [level for level in _levels(parameter, outcomes) if level[1]]
    samples = [[outcome.value(metric) for outcome in same] for _, same in levels]
    ranks = _ranks(np.concatenate([np.asarray(sample) for sample in samples]))
    cuts = np.cumsum([len(sample) for sample in samples])[:-1]
    parts = np.split(ranks, cuts)
    spread = ((ranks - ranks.mean()) ** 2).sum()
    share = sum(len(part) * (part.mean() - ranks.mean()) ** 2 for part in parts) / spread if spread else 0.0
    p = None
    if spread and len(parts) > 1 and len(ranks) > len(parts):
        from scipy import special

        p = float(special.chdtrc(len(parts) - 1, share * (len(ranks) - 1)))
    medians = tuple((label, Group({}, tuple(same), _sorted(same, metric)).median, len(same)) for label, same in levels)
    return Effect(parameter, float(share), p, medians)


def _ranks(values: Array) -> Array:
    """Return ranks from 1; equal values, infinite ones included, share their mean rank."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last: Array = np.cumsum(counts)
    return (last - (counts - 1) / 2)[where]


def _levels(parameter: str, outcomes: Sequence[Outcome]) -> list[tuple[str, list[Outcome]]]:
    """Return the values of a parameter with their runs, or bins of equally many values if it has many numbers."""
    by_value: dict[Any, list[Outcome]] = {}
    for outcome in outcomes:
        by_value.setdefault(outcome.settings.get(parameter, "not set"), []).append(outcome)
    numeric = all(isinstance(value, int | float) for value in by_value)
    if not numeric:
        return [(str(value), same) for value, same in by_value.items()]
    values = sorted(by_value)
    if len(values) <= _MANY:
        return [(f"{value:g}", by_value[value]) for value in values]
    parts = [part.tolist() for part in np.array_split(np.asarray(values), _BINS)]
    return [
        (f"{part[0]:g} to {part[-1]:g}", [outcome for value in part for outcome in by_value[value]]) for part in parts
    ]


def _sorted(outcomes: Iterable[Outcome], metric: str) -> tuple[float, ...]:
    return tuple(sorted(outcome.value(metric) for outcome in outcomes))
