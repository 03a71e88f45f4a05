"""chainrule in Python: train runs, load records, rank runs, trace one training step, make a component."""

import functools
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import chainrule
from chainrule.analysis.outcomes import Outcomes, SweepOutcomes
from chainrule.analysis.tracked import Choices, tracked_outcomes
from chainrule.components.contracts import Array, Component, Rule
from chainrule.components.stacking import stack
from chainrule.engine.backprop import Backprop, mean_loss, separate
from chainrule.engine.layers import stacked
from chainrule.engine.network import Pass, Shape
from chainrule.engine.trainer import Pruner
from chainrule.errors import ConfigurationError, nearest
from chainrule.records.result import Result
from chainrule.records.run import Record, read_record
from chainrule.records.settings import Settings
from chainrule.records.sweep import SWEEP, Sweep, read_sweep
from chainrule.records.tracked import TrackedRuns
from chainrule.registry.kinds import KINDS
from chainrule.registry.registry import Registry, installed
from chainrule.registry.watching import Session, Tracker, Watchers
from chainrule.runs.execute import Task, execute, train_stack
from chainrule.runs.prepare import Prepared, prepare, run_structure

log = logging.getLogger(__name__)

_FULL = "HYDRA_FULL_ERROR"
_STACK = 256  # most runs in one stack; larger stacks are not faster


def run(*overrides: str, directory: str | Path | None = None) -> Result:
    """Train one run, configured as on the command line.

    Args:
        overrides: overrides such as ``"optimizer=adam"`` or ``"seed=3"``.
        directory: where its record is written; without it nothing is written, and nothing is sent to a tracker.

    Returns:
        The result, with ``weights``, ``biases``, ``curves``, ``metrics`` and ``predict(x)``.

    Raises:
        ConfigurationError: an override is wrong, or the parts do not fit.
        OSError: the record cannot be written.
    """
    from chainrule.config.compose import compose_config  # here, because Hydra is slow to import
    from chainrule.config.settings import settings_from_config, tracker_from_config

    registry = _registry()
    config = compose_config(overrides)
    prepared, tracker = prepare(settings_from_config(config, registry)), tracker_from_config(config, registry)
    if directory is None:
        return train_stack([prepared])[0]
    watchers = Watchers([tracker, *registry.watchers(Session(interactive=False, quiet=True))])
    ((result, record),) = execute([Task(prepared, Path(directory).absolute(), tracker, overrides)], watchers, registry)
    watchers.tell("runs_recorded", [record])
    watchers.tell("finished", record)
    return result


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
    _registry()
    _run_command(["-m", *overrides, f"hydra.sweep.dir={compose.quoted(str(place))}"])
    return _outcomes(place)


# The import of the package of this name would put it in the place of the function, once.
import_module("chainrule.sweep")
setattr(chainrule, sweep.__name__, sweep)


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


def resume(directory: str | Path) -> SweepOutcomes:
    """Finish a sweep or a comparison that broke off, as ``chainrule resume`` does.

    Args:
        directory: of its record. What was declared by ``@chainrule.plugin`` must be declared again, and unchanged.

    Returns:
        What became of the runs.

    Raises:
        ChainruleError: the directory holds no sweep, its runs would not be comparable, or runs failed.
        OSError: the folder in which it was started is no longer there.
    """
    from chainrule.sweep.resume import require_plugins, resuming

    recorded = read_sweep(Path(directory).absolute())
    _registry()
    require_plugins(recorded)
    with chdir(recorded.manifest.working_directory), resuming(recorded):
        _run_command(recorded.manifest.arguments)
    return _outcomes(recorded.directory)


def _outcomes(directory: Path) -> SweepOutcomes:
    recorded = read_sweep(directory)
    return SweepOutcomes(recorded, recorded.outcomes())


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


def settings(*overrides: str) -> Settings:
    """Return the checked settings that overrides such as ``"optimizer=adam"`` describe.

    ``dataclasses.replace(settings, seed=3)`` gives other settings without composing the configuration again.

    Raises:
        ConfigurationError: an override is wrong.
    """
    from chainrule.config.compose import compose_settings

    _registry()
    return compose_settings(overrides)


def train(
    configurations: Iterable[Sequence[str] | Settings | Prepared],
    *,
    stop: Callable[[int, Array, Array], Array] | None = None,
) -> list[Result]:
    """Train many runs, as stacks where their structure allows it; nothing is written or sent.

    Args:
        configurations: one entry per run: its overrides, its settings, or the run from :func:`prepare`. A prepared
            run can be trained only once, because training advances its random generator.
        stop: called at each point of the curves but the last, with the epoch, the indices (in ``configurations``) of
            the runs still training, and their validation losses (training losses if there is no validation), both of
            shape ``(runs still training,)``. It returns an array of bool: True stops the run with the reason
            ``pruned``.

    Returns:
        The results in the order of ``configurations``; each equals bit by bit the result of its run trained alone.

    Raises:
        ConfigurationError: an override is wrong, or the parts of a run do not fit.
    """
    runs = [each if isinstance(each, Prepared) else prepare(_as_settings(each)) for each in configurations]
    stacks: dict[tuple[Any, ...], list[int]] = {}
    for place, run_ in enumerate(runs):
        stacks.setdefault(run_structure(run_), []).append(place)
    results: dict[int, Result] = {}
    for places in stacks.values():
        for first in range(0, len(places), _STACK):
            part = places[first : first + _STACK]
            trained = train_stack([runs[place] for place in part], prune=_within(part, stop))
            results.update(zip(part, trained, strict=True))
    return [results[place] for place in range(len(runs))]


def _as_settings(configuration: Sequence[str] | Settings) -> Settings:
    return configuration if isinstance(configuration, Settings) else settings(*configuration)


def _within(places: Sequence[int], stop: Callable[[int, Array, Array], Array] | None) -> Pruner | None:
    """Return ``stop`` for the stack of the runs at these places among all runs."""
    if stop is None:
        return None
    known = np.array(places)
    return lambda epoch, active, losses: stop(epoch, known[active], losses)


def gradient(run: Prepared, theta: ArrayLike, rule: Rule | None = None) -> Array:
    """Return the gradient of the mean training loss of a run at given parameters, by its backward rule.

    Args:
        run: a prepared run; it is not changed.
        theta: flat parameters, ``(parameters,)``, or several such rows, ``(points, parameters)``.
        rule: replaces the run's own rule; its fixed arrays are those that the run would have with it.

    Returns:
        An array of the shape and in the order of ``theta``; ``run.shape.split`` cuts one row into layers.

    Raises:
        ConfigurationError: the rule is not defined for the network of the run.
    """
    points = np.atleast_2d(np.asarray(theta, run.theta.dtype))
    count, chosen = len(points), run.settings
    activation, output = stack([chosen.activation] * count, points.dtype), stack([chosen.output] * count, points.dtype)
    loss = stack([chosen.loss] * count, points.dtype)
    backward = stack([rule or chosen.rule] * count, points.dtype)
    fixed = run if rule is None else prepare(replace(chosen, rule=rule))
    state = {name: np.stack([array] * count).astype(points.dtype) for name, array in fixed.rule_state.items()}
    samples = np.repeat(run.samples.train[:, None], count, axis=1)
    norm, states = stack([chosen.norm] * count, points.dtype), stacked([run.states] * count)
    forward = Pass(run.shape, points, activation, output, samples.shape[2], norm=norm, states=states)
    backprop = Backprop(forward, loss, backward, state, np.empty_like(points))
    with np.errstate(all="ignore"):
        found = backprop(backprop.batch(*separate(samples, run.samples.inputs)))
    return found.reshape(np.shape(theta)).copy()


def settings_of(record: Record) -> Settings:
    """Return the settings of a recorded run.

    Raises:
        ConfigurationError: this version cannot read them, or a plugin that they name is not installed.
    """
    from chainrule.config.settings import settings_from_config

    return settings_from_config(record.manifest.configuration, _registry())


def load(directory: str | Path) -> Record | Sweep:
    """Return the record of the run or of the sweep in a directory.

    Raises:
        RecordError: it holds neither, or the record is damaged.
    """
    place = Path(directory).absolute()
    return read_sweep(place) if (place / SWEEP).is_file() else read_record(place)


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
    return _outcomes(Path(source).absolute())


def _tracked(source: str) -> TrackedRuns | None:
    """Return the runs that ``TRACKER:EXPERIMENT`` names; None for a directory."""
    name, colon, experiment = source.partition(":")
    if not colon or Path(source).exists():
        return None
    tracker = _registry().make("tracking", name, {})
    assert isinstance(tracker, Tracker)
    return tracker.read(experiment)


def component(kind: str, name: str, **parameters: Any) -> Component:
    """Return a component by name, e.g. ``component("optimizer", "adam", lr=0.01)``.

    Raises:
        ConfigurationError: the kind, the name or a parameter is unknown, or a value is of a wrong type or out of range.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"{kind!r} is not a kind{nearest(kind, KINDS)}; the kinds are {', '.join(KINDS)}.")
    return _registry().make(KINDS[kind].groups[0], name, parameters)


def _registry() -> Registry:
    """Return the plugins, and log once what is wrong with them."""
    registry = installed()
    for report in registry.reports:
        _warn(report)
    return registry


@functools.cache
def _warn(report: str) -> None:
    log.warning("%s.", report)


@dataclass(frozen=True)
class Trace:
    """The arrays of one forward and one backward pass.

    Lists have one entry per layer, from the first hidden layer to the output. With inputs of shape ``(inputs,)`` the
    arrays in ``z``, ``a`` and ``delta`` have the shape ``(units,)``, else ``(units, samples)``.

    Attributes:
        loss: eq. 3, averaged over samples.
        z: eq. 1.
        a: eq. 2; the last is the prediction.
        delta: eq. 4 and 5, for the loss of each single sample.
        weight_gradients: eq. 6, for the averaged loss, ``(units, units before)``.
        bias_gradients: eq. 6, for the averaged loss, ``(units,)``.
        field_gradients: of the trained fields of activations, for the averaged loss, ``(1,)`` or ``(units,)``, by names
            such as ``activation.1.beta``.
    """

    loss: float
    z: list[Array]
    a: list[Array]
    delta: list[Array]
    weight_gradients: list[Array]
    bias_gradients: list[Array]
    field_gradients: dict[str, Array]


def trace_step(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    *,
    hidden: str | Component = "sigmoid",
    output: str | Component = "identity",
    loss: str | Component = "half_squared_error",
    rule: str | Component = "exact",
) -> Trace:
    """Run one forward and one backward pass through a network and return all their arrays, in float64.

    Args:
        weights: one array ``(units, units before)`` per layer.
        biases: one array ``(units,)`` per layer.
        x: inputs, ``(inputs, samples)`` or ``(inputs,)``.
        y: true outputs, ``(outputs, samples)`` or ``(outputs,)``.
        hidden: activation of the hidden layers, by name or as a component.
        output: activation of the output layer, by name or as a component.
        loss: the loss, by name or as a component.
        rule: backward rule, by name or as a component.

    Raises:
        ConfigurationError: shapes do not fit, or a name is unknown.
    """
    W, b = ([np.asarray(part, float) for part in parts] for parts in (weights, biases))
    points, truth = np.asarray(x, float), np.asarray(y, float)
    columns, wanted = (part[:, None] if part.ndim == 1 else part for part in (points, truth))
    activations = _made("activation", hidden), _made("activation", output)
    parts = [*(stack([one], float) for one in activations), stack([_made("loss", loss)], float)]
    shape = Shape.of(_widths(W, b, columns, wanted, parts[2].outputs_per_target), *activations)
    chosen = _made("rule", rule)
    if chosen.widths and chosen.widths != shape.widths:
        raise ConfigurationError(
            f"rule={chosen.name} is defined for the {Shape(chosen.widths)} network only, but this one is {shape}."
        )
    theta = np.concatenate([shape.flatten(W, b), shape.initial_fields(*activations)])[None]
    forward = Pass(shape, theta, parts[0], parts[1], columns.shape[1])
    fixed = chosen.init(np.random.default_rng(0), shape.widths)
    state = {name: array[None] for name, array in fixed.items()}
    backprop = Backprop(forward, parts[2], stack([chosen], float), state, np.empty_like(theta))
    block = np.concatenate([np.ones((1, columns.shape[1])), columns, wanted])[:, None]
    with np.errstate(all="ignore"):
        batch = backprop.batch(*separate(block, len(columns)))
        grad = backprop(batch)
        value = float(mean_loss(forward, parts[2], batch.truth)[0])
    pick = (0, slice(None), 0) if points.ndim == 1 else (0,)
    weight_gradients, bias_gradients = shape.split(grad[0])
    return Trace(
        loss=value,
        z=[layer[pick].copy() for layer in forward.z[1:]],
        a=[layer[pick].copy() for layer in forward.a[1:]],
        delta=[layer[pick].copy() for layer in backprop.delta[1:]],
        weight_gradients=weight_gradients,
        bias_gradients=bias_gradients,
        field_gradients={name: values[0, :, 0].copy() for name, values in shape.named_fields(grad).items()},
    )


def _made(kind: str, choice: str | Component) -> Any:
    return component(kind, choice) if isinstance(choice, str) else choice


def _widths(weights: list[Array], biases: list[Array], x: Array, y: Array, outputs_per_target: int) -> tuple[int, ...]:
    """Return the widths that the arrays agree on."""
    if not weights or len(weights) != len(biases):
        raise ConfigurationError(
            f"weights and biases need one entry per layer, and at least one, not {len(weights)} and {len(biases)}."
        )
    widths = [len(x)]
    for layer, (W, b) in enumerate(zip(weights, biases, strict=True), 1):
        if W.ndim != 2 or W.shape[1] != widths[-1] or b.shape != W.shape[:1]:
            raise ConfigurationError(
                f"layer {layer} needs weights (units, {widths[-1]}) and biases (units,), not {W.shape} and {b.shape}."
            )
        widths.append(len(W))
    if (len(y) * outputs_per_target, *y.shape[1:]) != (widths[-1], x.shape[1]):
        wanted = widths[-1] // outputs_per_target, x.shape[1]
        raise ConfigurationError(f"y must have the shape {wanted}, not {y.shape}.")
    return tuple(widths)
