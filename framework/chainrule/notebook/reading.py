"""Read what is on disk, or in a tracker."""

from collections.abc import Sequence
from pathlib import Path

from chainrule.analysis.outcomes import Outcomes, SweepOutcomes
from chainrule.analysis.tracked import Choices, tracked_outcomes
from chainrule.errors import ConfigurationError
from chainrule.notebook.components import registry
from chainrule.records.run import Record, read_record
from chainrule.records.settings import Settings
from chainrule.records.sweep import SWEEP, Sweep, read_sweep
from chainrule.records.tracked import TrackedRuns
from chainrule.registry.watching import Tracker


def load(directory: str | Path) -> Record | Sweep:
    """Return the record of the run or of the sweep in a directory.

    Raises:
        RecordError: it holds neither, or the record is damaged.
    """
    place = Path(directory).absolute()
    return read_sweep(place) if (place / SWEEP).is_file() else read_record(place)


def settings_of(record: Record) -> Settings:
    """Return the settings of a recorded run.

    Raises:
        ConfigurationError: this version cannot read them, or a plugin that they name is not installed.
    """
    from chainrule.config.settings import settings_from_config

    return settings_from_config(record.manifest.configuration, registry())


def outcomes_of(
    source: str | Path,
    *,
    metric: str | None = None,
    maximize: bool | None = None,
    seed: str | None = None,
    settings: Sequence[str] | None = None,
) -> Outcomes:
    """Return what became of the runs of a sweep, or of an experiment that a tracker keeps, with their statistics.

    ``ranking``, ``effects`` and ``comparison`` are objects, ``table(name)`` gives them as rows, and
    ``table(name).frame()`` as a pandas data frame.

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
    tracked = _tracked(str(source))
    choices = Choices(metric, maximize, seed, None if settings is None else tuple(settings))
    if tracked:
        return tracked_outcomes(tracked, choices)
    if choices != Choices():
        raise ConfigurationError("A sweep needs no metric, maximize, seed or settings: they are for runs of a tracker.")
    return sweep_outcomes(Path(source).absolute())


def sweep_outcomes(directory: Path) -> SweepOutcomes:
    """Return what became of the runs of the sweep in a directory."""
    recorded = read_sweep(directory)
    return SweepOutcomes(recorded, recorded.outcomes())


def _tracked(source: str) -> TrackedRuns | None:
    """Return the runs that ``TRACKER:EXPERIMENT`` names; None for a directory."""
    name, colon, experiment = source.partition(":")
    if not colon or Path(source).exists():
        return None
    tracker = registry().make("tracking", name, {})
    assert isinstance(tracker, Tracker)
    return tracker.read(experiment)
