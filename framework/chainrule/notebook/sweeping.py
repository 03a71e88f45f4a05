"""Many runs, as the command trains them: sweeps, comparisons, and how they are finished."""

import os
from collections.abc import Sequence
from contextlib import chdir
from datetime import datetime
from pathlib import Path

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import ConfigurationError
from chainrule.notebook.components import registry
from chainrule.notebook.reading import sweep_outcomes
from chainrule.records.sweep import read_sweep

_FULL = "HYDRA_FULL_ERROR"


def sweep(*overrides: str, directory: str | Path | None = None) -> SweepOutcomes:
    """Train every combination of values, as ``chainrule -m`` does: with records, a report and the tracker.

    Args:
        overrides: as on the command line, e.g. ``"optimizer=adam,lion"`` and ``"seed=range(20)"``.
        directory: where its record is written; by default below ``multirun``.

    Returns:
        What became of the runs, as :func:`outcomes_of` gives it.

    Raises:
        ConfigurationError: an override is wrong, or the directory holds a sweep already.
        ChainruleError: a run failed; the others are recorded.
    """
    from chainrule.config import compose  # here, because Hydra is slow to import

    place = Path(directory or f"multirun/{datetime.now():%Y-%m-%d/%H-%M-%S-%f}").absolute()
    registry()
    _run_command(["-m", *overrides, f"hydra.sweep.dir={compose.quoted(str(place))}"])
    return sweep_outcomes(place)


def compare(*overrides: str, directory: str | Path | None = None) -> SweepOutcomes:
    """Compare the choices of one group, as ``chainrule compare`` does: is one better than another?

    Args:
        overrides: the contenders, e.g. ``"optimizer=adam,lion"``; ``"target=sine,wine"`` names the targets,
            ``"hydra.sweeper.budget=8"`` and the like are its options.
        directory: where its record is written; by default below ``multirun``.

    Returns:
        What became of the runs; the answer is its ``comparison``.

    Raises:
        ChainruleError: as :func:`sweep`.
    """
    return sweep("hydra/sweeper=compare", *overrides, directory=directory)


def resume(directory: str | Path, *, accept: str | None = None) -> SweepOutcomes:
    """Finish a sweep or a comparison that broke off, as ``chainrule resume`` does.

    Args:
        directory: of its record. What was declared by ``@chainrule.plugin`` must be declared again, and unchanged.
        accept: ``"plugin"`` to go on although a plugin has changed, as after an error in it was mended: what has a
            complete record stays, and the records say which run had which version.

    Returns:
        What became of the runs.

    Raises:
        ChainruleError: the directory holds no sweep, its runs would not be comparable, or runs failed.
        OSError: the folder in which it was started is no longer there.
    """
    from chainrule.sweep.resume import ACCEPTED, require_plugins, resuming

    if accept not in (None, *ACCEPTED):
        raise ConfigurationError(f"accept={accept!r} is unknown: it is None, or one of {', '.join(ACCEPTED)}.")
    recorded = read_sweep(Path(directory).absolute())
    registry()
    require_plugins(recorded)
    with chdir(recorded.manifest.working_directory), resuming(recorded, accept):
        _run_command(recorded.manifest.arguments)
    return sweep_outcomes(recorded.directory)


def _run_command(arguments: Sequence[str]) -> None:
    from chainrule.config import application, compose

    before = os.environ.get(_FULL)
    os.environ[_FULL] = "1"  # Hydra then raises its errors instead of printing them
    try:
        application.run(arguments)
    except Exception as error:
        if not compose.is_composition_error(error):
            raise
        raise compose.explained(error) from None
    finally:
        os.environ.pop(_FULL)
        if before is not None:
            os.environ[_FULL] = before
