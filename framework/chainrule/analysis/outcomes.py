"""The outcomes of a sweep and their statistics, computed once for everything that shows them."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import overload

from chainrule.analysis.comparison import ComparisonResult, compare_outcomes
from chainrule.analysis.effects import Effect, Interaction, effects, interactions
from chainrule.analysis.ranking import Group, compared_metric, groups
from chainrule.records.outcome import Outcome
from chainrule.records.sweep import Sweep


class SweepOutcomes(Sequence[Outcome]):
    """The outcomes of the finished runs, in the order of their jobs, with their statistics.

    Args:
        sweep: its record.
        outcomes: outcomes of its runs.
    """

    def __init__(self, sweep: Sweep, outcomes: Iterable[Outcome]) -> None:
        self._sweep, self._outcomes = sweep, sorted(outcomes, key=lambda outcome: outcome.number)

    @overload
    def __getitem__(self, place: int) -> Outcome: ...
    @overload
    def __getitem__(self, place: slice) -> list[Outcome]: ...
    def __getitem__(self, place: int | slice) -> Outcome | list[Outcome]:
        """Return one outcome, or some."""
        return self._outcomes[place]

    def __len__(self) -> int:
        """Return the number of finished runs."""
        return len(self._outcomes)

    @cached_property
    def metric(self) -> str:
        """Name of the loss by which runs are compared."""
        return compared_metric(self)

    @cached_property
    def ranking(self) -> list[Group]:
        """The settings, the one with the smallest median loss first."""
        return groups(self, self.metric)

    @cached_property
    def effects(self) -> list[Effect]:
        """The effect on the loss of each parameter with several values, the largest share first."""
        return [effect for effect in effects(self, self.metric) if len(effect.levels) > 1]

    @cached_property
    def interactions(self) -> list[Interaction]:
        """The pairs of parameters whose effects depend on one another."""
        return interactions(self, self.metric, self.effects)

    @cached_property
    def comparison(self) -> ComparisonResult | None:
        """The result of a comparison; None if the sweep is not one, or some of its runs have not finished."""
        compared = self._sweep.comparison
        return compare_outcomes(self._sweep, compared, self, self.metric) if compared else None
