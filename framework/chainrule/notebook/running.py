"""Train one run, or many as stacks."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from chainrule.components.contracts import Array
from chainrule.config.given import with_data
from chainrule.engine.stack import MOST
from chainrule.engine.trainer import Observer, Pruner
from chainrule.errors import ConfigurationError
from chainrule.files import paths
from chainrule.files.in_memory import giving
from chainrule.files.words import texts
from chainrule.notebook import surroundings
from chainrule.notebook.components import registry
from chainrule.notebook.runs import Run
from chainrule.records.settings import Settings
from chainrule.registry.aside import Aside
from chainrule.registry.watching import Watchers
from chainrule.runs import prepare as preparing
from chainrule.runs.execute import Task, execute, observer, train_stack
from chainrule.runs.prepare import Prepared, run_structure

_Entry = TypeVar("_Entry")


def run(
    *overrides: str,
    data: Any = None,
    directory: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> Run:
    """Train one run, configured as on the command line.

    Args:
        overrides: overrides such as ``"optimizer=adam"`` or ``"seed=3"``.
        data: what is learned instead of a file: a data frame, whose last column is the label unless ``target.label``
            says another, or ``(X, y)``, ``X (samples, features)`` and ``y (samples,)`` or ``(samples, outputs)``. It is
            read as a table is: ``target.missing``, ``target.text`` and the like hold.
        directory: where its record is written; without it nothing is written, and nothing is sent to a tracker.
        overwrite: whether a record that lies there is replaced.
        quiet: whether a notebook shows no progress; elsewhere a run shows none.

    Returns:
        The run, with ``weights``, ``biases``, ``curves``, ``metrics`` and ``predict(x)``.

    Raises:
        ConfigurationError: an override is wrong, the parts do not fit, or the directory holds a record.
        OSError: the record cannot be written.
    """
    from chainrule.config.compose import compose_config  # here, because Hydra is slow to import
    from chainrule.config.settings import pictures_from_config, settings_from_config, tracker_from_config

    plugins = registry()
    overrides, frame = with_data(overrides, data)
    with giving(frame):
        config = compose_config(overrides)
        prepared, tracker = (
            preparing.prepare(settings_from_config(config, plugins)),
            tracker_from_config(config, plugins),
        )
    if directory is None:
        return Run.of(train_stack([prepared], _observer([prepared], quiet))[0])
    pictures = pictures_from_config(config)
    session = surroundings.of_runs(quiet, pictures)
    watchers = Watchers([Aside(tracker), *plugins.watchers(session)])
    task = Task(prepared, paths.named(directory).absolute(), tracker, overrides, pictures)
    ((result, record),) = execute([task], watchers, plugins, overwrite=overwrite)
    watchers.tell("runs_recorded", [record])
    watchers.tell("finished", record)
    return Run.of(result, record)


def settings(*overrides: str, data: Any = None) -> Settings:
    """Return the checked settings that overrides such as ``"optimizer=adam"`` describe.

    ``dataclasses.replace(settings, seed=3)`` gives other settings without composing the configuration again.

    Args:
        overrides: as of :func:`run`.
        data: what is learned, as of :func:`run`.

    Raises:
        ConfigurationError: an override is wrong.
    """
    from chainrule.config.compose import compose_settings

    registry()
    overrides, frame = with_data(overrides, data)
    with giving(frame):
        return compose_settings(overrides)


def prepare(settings: Settings) -> Prepared:
    """Draw the data and the initial parameters of a run, after a check of its settings and of how its parts fit.

    Every random number follows from ``settings.seed``: data, initial parameters, rule, order and randomness in training
    each have one ``SeedSequence``.

    Raises:
        ConfigurationError: a setting is wrong, the data or the run to start from cannot be read, or parts do not fit.
    """
    return preparing.prepare(settings.checked())


def train(
    configurations: str | Settings | Prepared | Iterable[str | Sequence[str] | Settings | Prepared],
    *,
    stop: Callable[[int, Array, Array], Array] | None = None,
    quiet: bool = False,
) -> list[Run]:
    """Train many runs, as stacks where their structure allows it; nothing is written or sent.

    Args:
        configurations: one entry per run: its overrides, or a single one, its settings, or the run from
            :func:`prepare`; an entry alone needs no list. A prepared run can be trained only once, because training
            advances its random generator.
        stop: called at each point of the curves but the last, with the epoch, the indices (in ``configurations``) of
            the runs still training, and their validation losses (training losses if there is no validation), both of
            shape ``(runs still training,)``. It returns an array of bool: True stops the run with the reason
            ``pruned``.
        quiet: whether a notebook shows no progress.

    Returns:
        The runs in the order of ``configurations``; each equals bit by bit its run trained alone.

    Raises:
        ConfigurationError: an override is wrong, or the parts of a run do not fit.
    """
    if isinstance(configurations, str | Settings | Prepared):
        configurations = [configurations]
    runs = [each if isinstance(each, Prepared) else prepare(_as_settings(each)) for each in _entries(configurations)]
    stacks: dict[tuple[Any, ...], list[int]] = {}
    for place, run_ in enumerate(runs):
        stacks.setdefault(run_structure(run_), []).append(place)
    results: dict[int, Run] = {}
    for places in stacks.values():
        for first in range(0, len(places), MOST):
            part = places[first : first + MOST]
            stack = [runs[place] for place in part]
            trained = train_stack(stack, _observer(stack, quiet), _within(part, stop))
            results.update(zip(part, map(Run.of, trained), strict=True))
    return [results[place] for place in range(len(runs))]


def _as_settings(configuration: str | Sequence[str] | Settings) -> Settings:
    if isinstance(configuration, Settings):
        return configuration
    return settings(*texts(_entries(configuration)))


def _entries(given: Iterable[_Entry]) -> Iterable[_Entry]:
    """Return what is given as a list, if it is one.

    Raises:
        ConfigurationError: it is none.
    """
    if isinstance(given, Iterable):
        return given
    raise ConfigurationError(
        f"each run is a list of overrides such as ['optimizer=adam'], settings, or a prepared run, not {given!r}."
    )


def _observer(runs: Sequence[Prepared], quiet: bool) -> Observer | None:
    """Return what shows the progress of runs that leave no record: in a notebook, unless it is to be quiet."""
    session = surroundings.of_runs(quiet)
    return None if session.quiet else observer(runs, Watchers(registry().watchers(session)))


def _within(places: Sequence[int], stop: Callable[[int, Array, Array], Array] | None) -> Pruner | None:
    """Return ``stop`` for the stack of the runs at these places among all runs."""
    if stop is None:
        return None
    known = np.array(places)
    return lambda epoch, active, losses: stop(epoch, known[active], losses)
