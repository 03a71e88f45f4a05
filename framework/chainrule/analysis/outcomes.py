"""Outcomes of runs and their statistics, computed once for everything that shows them."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, overload

from chainrule.analysis import tables
from chainrule.analysis.comparison import ComparisonResult, compare_outcomes
from chainrule.analysis.effects import Effect, Interaction, effects, interactions
from chainrule.analysis.meaning import by_target, differing
from chainrule.analysis.ranking import Group, compared_metric, groups, worst_of
from chainrule.analysis.tables import Table
from chainrule.engine.curves import Curves
from chainrule.errors import ConfigurationError, RecordError, listed, nearest
from chainrule.records.outcome import ERROR, SCORES, Outcome
from chainrule.records.run import read_record
from chainrule.records.sweep import Sweep

T = TypeVar("T")

_NAMED = 4  # targets and losses that are named in a sentence


class Outcomes(Sequence[Outcome]):
    """The outcomes of runs, in the order of their numbers, with their statistics.

    Args:
        outcomes: outcomes of the runs.
        metric: by which they are compared; None for the loss by which runs of a sweep are.
        maximize: whether large values of the metric are good.
    """

    def __init__(self, outcomes: Iterable[Outcome], metric: str | None = None, maximize: bool = False) -> None:
        self._outcomes = sorted(outcomes, key=lambda outcome: outcome.number)
        self._metric, self._maximize = metric, maximize

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

    @property
    def maximize(self) -> bool:
        """Whether large values of the metric are good."""
        return self._maximize

    @property
    def by_target(self) -> Mapping[str, "Outcomes"]:
        """The runs that can be compared, by what they are to learn; under an empty name if these are all."""
        return {"": self}

    @property
    def caution(self) -> str:
        """Which runs cannot be compared, and what is done instead, in a sentence; empty if all can be."""
        return ""

    @cached_property
    def which(self) -> str:
        """Which value of the metric is compared: the ``final`` one, after the last epoch, or the ``restored`` one.

        Restored is that of the best epoch, with whose parameters a run with ``training.restore_best`` ends.
        """
        found = {outcome.restored for outcome in self if outcome.metrics}
        return " or ".join(word for word, is_restored in (("final", False), ("restored", True)) if is_restored in found)

    @cached_property
    def ranking(self) -> list[Group]:
        """The settings, the one with the best median first; those of one target after those of another."""
        if len(self.by_target) > 1:
            return [group for part in self.by_target.values() for group in part.ranking]
        return groups(self, self.metric, self.maximize)

    @property
    def ranks(self) -> list[int]:
        """The rank of each setting of the ranking, from 1 among those that can be compared."""
        return [rank for part in self.by_target.values() for rank in range(1, 1 + len(part.ranking))]

    @cached_property
    def effects(self) -> list[Effect]:
        """The effect on the metric of each parameter with several values, the largest share first.

        There are none of runs that cannot be compared: those on each target have their own.
        """
        if len(self.by_target) > 1:
            return []
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
        metric: by which they are compared; None for the one that suits what varies.
        maximize: whether large values of the metric are good.
    """

    def __init__(
        self, sweep: Sweep, outcomes: Iterable[Outcome], metric: str | None = None, maximize: bool = False
    ) -> None:
        super().__init__(outcomes, metric, maximize)
        self.record = sweep

    @cached_property
    def metric(self) -> str:
        """Name of the loss by which runs are compared, or of the error if a comparison is about scores.

        Where runs have different losses on one target it is their score, or the error if scores differ in kind.
        """
        compared = self.record.comparison
        if self._metric or not compared:
            return self._metric or compared_metric(self, self._score or "loss")
        return compared_metric(self, ERROR if compared.metric != "loss" else "loss")

    @property
    def maximize(self) -> bool:
        """Whether large values of the metric are good."""
        return self._maximize or self._score in SCORES

    @cached_property
    def by_target(self) -> Mapping[str, "SweepOutcomes"]:
        """The runs that can be compared, by what they are to learn; under an empty name if these are all.

        Those of a comparison are not told apart here, because it compares within targets.
        """
        if len(self._parts) < 2:
            return {"": self}
        return {name: SweepOutcomes(self.record, own, self.metric, self.maximize) for name, own in self._parts.items()}

    @property
    def caution(self) -> str:
        """Which runs cannot be compared, and what is done instead, in a sentence; empty if all can be."""
        said = []
        if self._score:
            losses = differing(outcome.measured.loss for outcome in self if outcome.measured)
            ranked = f"so settings are ranked by {self.metric}"
            said.append(f"losses with {_some(losses.values())} measure different things, {ranked}")
        if len(self._parts) > 1:
            each = "so each of these has a ranking and a best run of its own"
            said.append(f"runs on {_some(self._parts)} learn different things, {each}")
        text = "; ".join(said)
        return f"{text[:1].upper()}{text[1:]}." if text else ""

    @cached_property
    def _parts(self) -> Mapping[str, Sequence[Outcome]]:
        if self.record.comparison or self._metric:
            return {"": list(self)}
        return by_target(self)

    @cached_property
    def _score(self) -> str:
        """What runs are ranked by because their losses cannot be compared; empty if they can be."""
        if self.record.comparison or self._metric:
            return ""
        losses = ({outcome.measured.loss for outcome in part if outcome.measured} for part in self._parts.values())
        if all(len(different) < 2 for different in losses):
            return ""
        part = compared_metric(self).partition("/")[0]
        measured = [outcome.metrics for outcome in self if outcome.metrics]
        return next((name for name in SCORES if all(f"{part}/{name}" in metrics for metrics in measured)), ERROR)

    @cached_property
    def comparison(self) -> ComparisonResult | None:
        """The result of a comparison; None if the sweep is not one, or some of its runs have not finished."""
        compared = self.record.comparison
        return compare_outcomes(self.record, compared, self, self.metric) if compared else None

    @cached_property
    def best_by_target(self) -> dict[str, Outcome]:
        """The best run by the metric, by its target; of a comparison only tuned runs count.

        The target is empty unless there are several. One without a finite value is left out.
        """
        compared, found = self.record.comparison, dict[str, Outcome]()
        parts: Mapping[str, Iterable[Outcome]] = self._parts
        if compared:
            tuned = [outcome for outcome in self if not compared.is_tuning(outcome.number)]
            on = {target: [o for o in tuned if str(o.settings.get("target")) == target] for target in compared.targets}
            parts = on if len(on) > 1 else {"": tuned}
        sign, worst = (-1 if self.maximize else 1), worst_of(self.maximize)
        for target, own in parts.items():
            finite = [outcome for outcome in own if math.isfinite(outcome.value(self.metric, worst))]
            if finite:
                found[target] = min(finite, key=lambda outcome: sign * outcome.value(self.metric, worst))
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
    "ranking": lambda outcomes: tables.ranking(outcomes.ranking, outcomes.ranks),
    "effects": lambda outcomes: tables.effects(outcomes.effects),
    "levels": lambda outcomes: tables.levels(outcomes.effects),
    "curves": lambda outcomes: tables.curves(outcomes.curves()),
    "pairs": lambda outcomes: tables.pairs(outcomes.comparison),
    "standings": lambda outcomes: tables.standings(outcomes.comparison),
}
_ROWS = {"settings" if name == "ranking" else name: name for name in _TABLES}


def _some(names: Collection[str]) -> str:
    """Return names in words, of many the first."""
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return listed([*list(names)[:_NAMED], *more])


def _chosen(name: str, known: Mapping[str, T], what: str) -> T:
    if name not in known:
        raise ConfigurationError(f"There is no {what} {name!r}{nearest(name, known)}: {', '.join(known)}.")
    return known[name]
