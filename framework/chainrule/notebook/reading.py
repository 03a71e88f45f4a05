"""Read what is on disk, or in a tracker."""

from collections.abc import Sequence
from pathlib import Path

from chainrule.analysis.outcomes import Outcomes
from chainrule.analysis.tracked import Choices, tracked_outcomes
from chainrule.errors import ConfigurationError
from chainrule.files import paths
from chainrule.files.words import texts
from chainrule.notebook.components import registry
from chainrule.notebook.runs import Run
from chainrule.notebook.swept import SweepResult
from chainrule.records.run import read_record
from chainrule.records.sweep import SWEEP
from chainrule.records.tracked import TrackedRuns
from chainrule.registry.watching import Tracker


def load(directory: str | Path) -> Run | SweepResult:
    """Return the run, or the sweep, whose record is in a directory: what ``run`` or ``sweep`` returned.

    Raises:
        RecordError: it holds neither, or the record is damaged.
        ConfigurationError: a plugin that the run used is not installed.
    """
    place = paths.named(directory).absolute()
    return SweepResult.read(place) if (place / SWEEP).is_file() else Run.read(read_record(place))


def outcomes_of(
    source: str | Path,
    *,
    metric: str | None = None,
    maximize: bool | None = None,
    seed: str | None = None,
    settings: str | Sequence[str] | None = None,
) -> Outcomes:
    """Return what became of the runs of a sweep, or of an experiment that a tracker keeps, with their statistics.

    ``ranking``, ``effects`` and ``comparison`` are objects, ``table(name)`` gives them as rows, and ``to_pandas(rows)``
    as a pandas data frame.

    Args:
        source: directory of a sweep, or tracker and experiment, as in ``mlflow:NAME``. What follows is for these only.
        metric: the metric by which runs are compared; guessed if there is little choice.
        maximize: whether large values of it are good; None to judge by its name.
        seed: the parameter that is the seed, ``none`` if there is none; None to judge by names.
        settings: the parameters that make a setting; None for those that vary and do not just identify a run.

    Raises:
        RecordError: the directory holds no sweep, or its record is damaged.
        ConfigurationError: a choice is wrong, or one is needed that was not made.
        ChainruleError: the tracker has no such experiment, or cannot be read.
    """
    tracked = _tracked(str(paths.named(source)))
    choices = Choices(metric, maximize, seed, None if settings is None else texts(settings))
    if tracked:
        return tracked_outcomes(tracked, choices)
    if choices != Choices():
        raise ConfigurationError("A sweep needs no metric, maximize, seed or settings: they are for runs of a tracker.")
    return SweepResult.read(paths.named(source).absolute())


def _tracked(source: str) -> TrackedRuns | None:
    """Return the runs that ``TRACKER:EXPERIMENT`` names; None for a directory."""
    name, colon, experiment = source.partition(":")
    if not colon or Path(source).exists():
        return None
    tracker = registry().make("tracking", name, {})
    assert isinstance(tracker, Tracker)
    return tracker.read(experiment)
