"""Ranks settings by the losses, or another metric, of their runs; seeds and folds are repetitions, not settings.

A run that diverged or failed counts as the worst, so that a setting cannot win by losing its bad runs. Only order
statistics are used, because they stay meaningful with infinite losses. Runs with equal settings, seed and fold
count once, because they have the same result; runs whose seed is unknown are all different.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.analysis.confidence import CONFIDENCE
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.records.result import objective


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed, or the fold of a cross-validation.

    Attributes:
        settings: what they have in common.
        outcomes: the runs, in the order of their jobs.
        values: their losses in ascending order; infinite for runs that diverged or failed. Of a metric that is to be
            large they are minus infinite.
        best_of: from how many settings it was chosen for its median; 1 if it was not chosen.
    """

    settings: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    values: tuple[float, ...]
    best_of: int = 1

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
        """An interval that covers the median of the distribution with 95 %; None with fewer than :attr:`enough` runs.

        Its ends are two order statistics, by the sign test: for every distribution the number of runs below the median
        is binomial. The interval of the best of several settings covers with 95 % although it was chosen: it is as wide
        as if all of them were to be covered at once (Bonferroni).
        """
        return median_interval(self.values, self.best_of)

    @property
    def enough(self) -> int:
        """The smallest number of runs for which there is an interval."""
        return math.ceil(1 - math.log2((1 - CONFIDENCE) / self.best_of))

    @property
    def lost_reason(self) -> str:
        """Why most runs without a finite loss have none: ``diverged`` or ``failed``."""
        return max(Reason.DIVERGED, Reason.FAILED, key=self.count)

    def count(self, reason: Reason) -> int:
        """Return how many runs stopped for a reason."""
        return sum(outcome.reason == reason for outcome in self.outcomes)


def median_interval(values: Sequence[float], tests: int = 1, *, any_time: bool = False) -> tuple[float, float] | None:
    """Return an interval that covers the median of the distribution of independent values; None if there are too few.

    Args:
        values: in ascending order.
        tests: how many intervals are to cover at once, with :data:`CONFIDENCE`.
        any_time: whether values come one after the other, and the interval is to cover for every number of them at
            once. Then the number below the median is bet on, by Jeffreys' mixture of all probabilities.
    """
    count, risk = len(values), (1 - CONFIDENCE) / tests
    below = _below_any_time(count, risk) if any_time else _below(count, risk)
    return (values[below - 1], values[count - below]) if below else None


def _below(count: int, risk: float) -> int:
    """Return how many numbers of heads of so many tosses, from 0 on, have at most half the risk together.

    In whole numbers, because scipy takes longer to import than everything else that ranks runs.
    """
    numerator, denominator = (risk / 2).as_integer_ratio()
    most = numerator << count
    ways, total, below = 1, 1, 0  # ways of tosses to have as many heads, and fewer
    while below < count and total * denominator <= most:
        below += 1
        ways = ways * (count - below + 1) // below
        total += ways
    return below


def _below_any_time(count: int, risk: float) -> int:
    from scipy import special  # here, because it is slow to import

    few = np.arange((count + 1) // 2)
    wealth = special.betaln(few + 0.5, count - few + 0.5) - special.betaln(0.5, 0.5) + count * math.log(2)
    return int((wealth >= -math.log(risk)).sum())


def groups(outcomes: Iterable[Outcome], metric: str, maximize: bool = False) -> list[Group]:
    """Return the settings that were compared, the one with the best median first.

    Args:
        outcomes: outcomes of all runs.
        metric: name of a loss, e.g. ``validation/loss``, or of another metric.
        maximize: whether the largest median is the best, and not the smallest.
    """
    found: dict[tuple[tuple[str, str], ...], list[Outcome]] = {}
    for outcome in distinct(outcomes):
        found.setdefault(_key(outcome), []).append(outcome)
    worst = worst_of(maximize)
    made = [Group(same[0].settings, tuple(same), _sorted(same, metric, worst)) for same in found.values()]
    ranked = sorted(made, key=lambda group: (*_badness(group, maximize), group.outcomes[0].number))
    return [replace(group, best_of=len(ranked)) for group in ranked[:1]] + ranked[1:]


def worst_of(maximize: bool) -> float:
    """Return what counts as the value of a run that was lost: infinity, or minus infinity if large values are good."""
    return -math.inf if maximize else math.inf


def compared_metric(outcomes: Iterable[Outcome], name: str = "loss") -> str:
    """Return the metric by which runs are compared: that of validation, if all recorded runs have a validation loss.

    Args:
        outcomes: outcomes of the runs.
        name: ``loss`` or :data:`chainrule.records.outcome.ERROR`.
    """
    found = {objective(outcome.metrics)[0] for outcome in outcomes if outcome.metrics}
    part = found.pop().partition("/")[0] if len(found) == 1 else "train"
    return f"{part}/{name}"


def distinct(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the outcomes in the order of their jobs, without repetitions of equal runs."""
    found: dict[Any, Outcome] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.number):
        repetition = ("unknown", outcome.number) if outcome.seed is None else ("seed", outcome.seed)
        found.setdefault((_key(outcome), repetition, outcome.fold), outcome)
    return list(found.values())


def _key(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in outcome.settings.items()))


def _sorted(outcomes: Iterable[Outcome], metric: str, worst: float) -> tuple[float, ...]:
    return tuple(sorted(outcome.value(metric, worst) for outcome in outcomes))


def _badness(group: Group, maximize: bool) -> tuple[float, ...]:
    low, high = group.quartiles
    return (-group.median, -high, -low) if maximize else (group.median, low, high)
