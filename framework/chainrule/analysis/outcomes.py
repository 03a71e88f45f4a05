"""Outcomes of runs and their statistics, computed once for everything that shows them."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, overload

from chainrule.analysis import tables
from chainrule.analysis.comparison import ComparisonResult, compare_outcomes
from chainrule.analysis.effects import Effect, Interaction, effects, interactions
from chainrule.analysis.ranking import Group, compared_metric, groups
from chainrule.analysis.tables import Table
from chainrule.engine.curves import Curves
from chainrule.errors import ConfigurationError, RecordError, nearest
from chainrule.records.outcome import ERROR, Outcome
from chainrule.records.run import read_record
from chainrule.records.sweep import Sweep

T = TypeVar("T")


class Outcomes(Sequence[Outcome]):
    """The outcomes of runs, in the order of their numbers, with their statistics.

    Args:
        outcomes: outcomes of the runs.
        metric: by which they are compared; None for the loss by which runs of a sweep are.
        maximize: whether large values of the metric are good.
    """

    def __init__(self, outcomes: Iterable[Outcome], metric: str | None = None, maximize: bool = False) -> None:
        self._outcomes = sorted(outcomes, key=lambda outcome: outcome.number)
        self._metric, self.maximize = metric, maximize

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
        """Name of the loss, or of another metric, by which runs are compared."""
        return self._metric or compared_metric(self)

    @cached_property
    def which(self) -> str:
        """Which value of the metric is compared: the ``final`` one, after the last epoch, or the ``restored`` one.

        Restored is that of the best epoch, with whose parameters a run with ``training.restore_best`` ends.
        """
        found = {outcome.restored for outcome in self if outcome.metrics}
        return " or ".join(word for word, is_restored in (("final", False), ("restored", True)) if is_restored in found)

    @cached_property
    def ranking(self) -> list[Group]:
        """The settings, the one with the best median first."""
        return groups(self, self.metric, self.maximize)

    @cached_property
    def effects(self) -> list[Effect]:
        """The effect on the metric of each parameter with several values, the largest share first."""
        return [effect for effect in effects(self, self.metric, self.maximize) if len(effect.levels) > 1]

    @cached_property
    def interactions(self) -> list[Interaction]:
        """The pairs of parameters whose effects depend on one another."""
        return interactions(self, self.metric, self.effects, self.maximize)

    @property
    def comparison(self) -> ComparisonResult | None:
        """The result of a comparison; None if the runs are not those of one."""
        return None

    def curves(self, outcomes: Iterable[Outcome] | None = None) -> Iterator[tuple[Outcome, Curves]]:
        """Yield the curves of runs, with their outcomes; only a sweep has them.

        Args:
            outcomes: of these runs; None for all. Those that have left no record are left out.
        """
        yield from ()

    def table(self, name: str) -> Table:
        """Return a table: a list of dictionaries, whose method ``frame()`` gives a pandas data frame.

        Args:
            name: ``runs``, ``ranking``, ``effects``, ``levels`` (of each parameter), of a sweep ``curves``, and of a
                comparison ``pairs`` and ``standings``; where there is nothing of that kind, it is empty.

        Raises:
            ConfigurationError: there is no table of that name.
        """
        return _chosen(name, _TABLES, "table")(self)

    def to_pandas(self, rows: str = "runs") -> Any:
        """Return a pandas data frame.

        Args:
            rows: what a row is about: ``runs``, ``settings`` (the ranking, the best first), ``curves`` (a row is a
                point of them), or another table of :meth:`table`.

        Raises:
            ConfigurationError: there are no such rows.
        """
        return self.table(_chosen(rows, _ROWS, "rows")).frame()


class SweepOutcomes(Outcomes):
    """The outcomes of the finished runs of a sweep, in the order of their jobs, with their statistics.

    Args:
        sweep: its record, which is the attribute ``record``.
        outcomes: outcomes of its runs.
    """

    def __init__(self, sweep: Sweep, outcomes: Iterable[Outcome]) -> None:
        super().__init__(outcomes)
        self.record = sweep

    @cached_property
    def metric(self) -> str:
        """Name of the loss by which runs are compared, or of the error if a comparison is about scores."""
        compared = self.record.comparison
        return compared_metric(self, ERROR if compared and compared.metric != "loss" else "loss")

    @cached_property
    def comparison(self) -> ComparisonResult | None:
        """The result of a comparison; None if the sweep is not one, or some of its runs have not finished."""
        compared = self.record.comparison
        return compare_outcomes(self.record, compared, self, self.metric) if compared else None

    @cached_property
    def best_by_target(self) -> dict[str, Outcome]:
        """The run with the smallest loss, or error, by its target; of a comparison only tuned runs count.

        The target is empty unless a comparison has several. One without a finite value is left out.
        """
        compared, found = self.record.comparison, dict[str, Outcome]()
        several = compared is not None and len(compared.targets) > 1
        for outcome in self:
            is_tuning = compared is not None and compared.is_tuning(outcome.number)
            if is_tuning or not math.isfinite(outcome.value(self.metric)):
                continue
            target = str(outcome.settings.get("target", "")) if several else ""
            if target not in found or outcome.value(self.metric) < found[target].value(self.metric):
                found[target] = outcome
        return found

    def curves(self, outcomes: Iterable[Outcome] | None = None) -> Iterator[tuple[Outcome, Curves]]:
        """Yield the curves of runs, read from their records, with their outcomes."""
        for outcome in self if outcomes is None else outcomes:
            try:
                yield outcome, read_record(self.record.directory / outcome.directory).curves()
            except RecordError:  # it failed, or its record is damaged since, or gone
                continue


_TABLES: dict[str, Callable[[Outcomes], Table]] = {
    "runs": tables.runs,
    "ranking": lambda outcomes: tables.ranking(outcomes.ranking),
    "effects": lambda outcomes: tables.effects(outcomes.effects),
    "levels": lambda outcomes: tables.levels(outcomes.effects),
    "curves": lambda outcomes: tables.curves(outcomes.curves()),
    "pairs": lambda outcomes: tables.pairs(outcomes.comparison),
    "standings": lambda outcomes: tables.standings(outcomes.comparison),
}
_ROWS = {"settings" if name == "ranking" else name: name for name in _TABLES}


def _chosen(name: str, known: Mapping[str, T], what: str) -> T:
    if name not in known:
        raise ConfigurationError(f"There is no {what} {name!r}{nearest(name, known)}: {', '.join(known)}.")
    return known[name]
