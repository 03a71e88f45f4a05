"""A sweep, a search or a comparison as an object."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import ChainruleError, ConfigurationError, agreeing, counted, nearest
from chainrule.notebook import plotting
from chainrule.notebook.components import registry
from chainrule.notebook.runs import Run, tracker_of
from chainrule.records.outcome import Outcome
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from chainrule.replay.skill import GOAL
from chainrule.replay.swept import SweepDiagnosis, diagnose_sweep
from chainrule.reports import axes, curves, fragment
from chainrule.reports.ranking import answer
from chainrule.reports.sweep import REPORT

_LINES = 6  # settings whose curves are drawn, at most


class SweepResult(SweepOutcomes):
    """What became of a sweep, a search or a comparison; it shows itself in a notebook.

    It is a sequence of the outcomes of runs, with ``ranking``, ``effects`` and ``comparison``. The record of the sweep
    is ``record``.
    """

    @classmethod
    def read(cls, directory: Path) -> "SweepResult":
        """Return what became of the sweep in a directory.

        Raises:
            RecordError: it holds no sweep, or the record is damaged.
        """
        recorded = read_sweep(directory)
        return cls(recorded, recorded.outcomes())

    @property
    def links(self) -> dict[str, str]:
        """Where to look, by title: the directory of the records, the report, and where a tracker shows the sweep."""
        report = self.record.directory / REPORT
        written = {"report": str(report)} if report.is_file() else {}
        return {"records": str(self.record.directory), **written, **(self.record.links or self._tracked())}

    @property
    def best(self) -> Run:
        """The run with the best value of the metric by which runs are compared; of a comparison only tuned runs count.

        Raises:
            ConfigurationError: no run has a finite value, or losses on several targets would have to be compared.
            RecordError: its record is damaged since, or gone.
        """
        compared = self.record.comparison
        targets = compared.targets if compared else list(self.by_target)
        if len(targets) > 1:
            raise ConfigurationError(
                f"Losses on {', '.join(targets)} cannot be compared, so no run is the best: name the directory of one, "
                "or take run(number); to_pandas() has the numbers."
            )
        for outcome in self.best_by_target.values():
            return self._load(outcome)
        raise ConfigurationError(
            f"None of {counted(len(self), 'run')} has a finite {self.metric}, so there is no best one."
        )

    def run(self, number: int) -> Run:
        """Return a run by its number, loaded from its record.

        Raises:
            ConfigurationError: no run of this number has ended.
            RecordError: it failed, or its record is damaged or gone.
        """
        for outcome in self:
            if outcome.number == number:
                return self._load(outcome)
        raise ConfigurationError(f"There is no run {number}: numbers go from 0 to {self.record.runs - 1}.")

    def plot(self, rows: str | None = None, ax: Any = None) -> Any:
        """Draw what the report draws.

        Args:
            rows: ``settings``, the runs of the best settings, ``curves``, the metric of the best settings over epochs,
                or ``pairs`` of contenders; None for pairs in a comparison, and else for settings.
            ax: axes of matplotlib to draw into; None for a figure of its own.

        Returns:
            The axes.

        Raises:
            ConfigurationError: there is nothing of that kind.
        """
        chosen = rows or ("pairs" if self.comparison else "settings")
        if chosen not in _DRAWN:
            raise ConfigurationError(f"{chosen!r} cannot be drawn{nearest(chosen, _DRAWN)}: {', '.join(_DRAWN)}.")
        if chosen == "pairs" and not self.comparison:
            raise ConfigurationError("There are no pairs: this is no comparison, or it has not ended.")
        listed = {"settings": self.ranking[: axes.ROWS], "pairs": self.comparison.pairs if self.comparison else ()}
        drawn = plotting.axes(ax, len(listed[chosen]) if chosen in listed else None)
        _DRAWN[chosen](drawn, self)
        return drawn

    def why(self, *, goal: float = GOAL) -> SweepDiagnosis:
        """Train the runs again with instruments on them: how many failed of what, since when, and what is to blame.

        Args:
            goal: the skill at which a run has learned: R2, or accuracy above that of the largest class.

        Raises:
            ConfigurationError: the goal is not above 0 and at most 1.
        """
        return diagnose_sweep(self.record.directory, registry(), goal=goal)

    def __repr__(self) -> str:
        compared = self.record.comparison
        kind = "Comparison" if compared else "Search" if self.record.manifest.search else "Sweep"
        ended = (
            f"{len(self)} of {counted(self.record.planned, 'run')} {agreeing(self.record.planned, 'has', 'have')} ended"
        )
        lines = [f"{kind}: {self.record.title}, {ended}"]
        return "\n  ".join([*lines, self.answer, f"records {self.record.directory}"])

    def _repr_html_(self) -> str:
        """Return the answer with its table and its figure, for a notebook."""
        return fragment.sweep(self, self.answer, self.links)

    @property
    def answer(self) -> str:
        """What the runs say, in a sentence: which setting, or which contender, is best."""
        if not self.record.comparison:
            return answer(self, self.record.planned)
        return self.comparison.answer if self.comparison else "The comparison has not ended yet."

    def _tracked(self) -> dict[str, str]:
        """Return where the tracker of the first run that has a record shows the sweep."""
        for outcome in self:
            with suppress(ChainruleError):
                tracker = tracker_of(read_record(self.record.directory / outcome.directory))
                return tracker.sweep_links(self.record, self)
        return {}

    def _load(self, outcome: Outcome) -> Run:
        return Run.read(read_record(self.record.directory / outcome.directory))


def _draw_curves(drawn: Any, outcomes: SweepResult) -> None:
    name = outcomes.metric
    axes.lines(drawn, curves.lines(curves.read(outcomes, _LINES), name), "epochs", name)


def _draw_pairs(drawn: Any, outcomes: SweepResult) -> None:
    assert outcomes.comparison is not None
    axes.pairs(drawn, outcomes.comparison)


_DRAWN: dict[str, Callable[[Any, SweepResult], None]] = {
    "settings": axes.ranking,
    "curves": _draw_curves,
    "pairs": _draw_pairs,
}
