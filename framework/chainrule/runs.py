"""From settings to results: check that the parts fit, train as a stack, record, and tell those who watch."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import kinds, records
from chainrule.data import Samples, draw
from chainrule.errors import ConfigurationError
from chainrule.kinds import Array
from chainrule.network import Shape
from chainrule.plugins import Registry
from chainrule.records import Record
from chainrule.results import Result
from chainrule.settings import Settings
from chainrule.trainer import Course, Judge, Observer, Stack, train
from chainrule.watchers import Progress, Start, Watcher

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A run that is known to fit together, before training.

    Attributes:
        settings: what was asked for.
        shape: widths of the network.
        samples: its data.
        theta: first parameters, shape ``(parameters,)``.
        rule_state: what its backward rule holds fixed.
        shuffle: generator for the order of its samples.
        notes: what the person should know before training.
    """

    settings: Settings
    shape: Shape
    samples: Samples
    theta: Array
    rule_state: dict[str, Array]
    shuffle: np.random.Generator
    notes: tuple[str, ...]


def prepare(settings: Settings) -> Prepared:
    """Draw the data and the first parameters of a run, and check that its parts fit.

    Every random number follows from ``settings.seed``: one ``SeedSequence`` each for data, start, rule and order.

    Raises:
        ConfigurationError: data that cannot be had, or parts that do not fit each other.
    """
    target, data = settings.target, settings.data
    streams = np.random.SeedSequence(settings.seed).spawn(4)
    shape = Shape((target.inputs, *settings.network.hidden, target.outputs))
    _check_parts(settings, shape)
    dtype = settings.training.dtype.value
    samples = draw(target, streams[0], samples=data.samples, validation=data.validation, noise=data.noise, dtype=dtype)
    notes = _check_ranges(settings, samples)
    start, init = np.random.default_rng(streams[1]), settings.initializer
    weights, biases = [], []
    for fan_in, fan_out in pairwise(shape.widths):
        weights.append(init.weights(start, fan_in, fan_out))
        biases.append(init.biases(start, fan_in, fan_out))
    return Prepared(
        settings=settings,
        shape=shape,
        samples=samples,
        theta=shape.flatten(weights, biases).astype(dtype),
        rule_state=settings.rule.init(np.random.default_rng(streams[2]), shape.widths),
        shuffle=np.random.default_rng(streams[3]),
        notes=notes,
    )


def structure(prepared: Prepared) -> tuple[Any, ...]:
    """Return what must be equal for runs to be trained as one stack."""
    settings, training = prepared.settings, prepared.settings.training
    sizes = prepared.samples.train.shape, prepared.samples.validation.shape
    course = training.epochs, training.batch_size, training.interval, training.dtype
    return (prepared.shape, sizes, course, *(kinds.structure(getattr(settings, group)) for group in kinds.STACKED))


def train_stack(runs: Sequence[Prepared], observe: Observer | None = None, judge: Judge | None = None) -> list[Result]:
    """Train runs of one :func:`structure` as one stack, and return their results in order."""
    first = runs[0].settings.training
    course = Course(first.epochs, first.batch_size, first.interval)
    started, clock = datetime.now(UTC), time.perf_counter()
    trained = train(_stack(runs), course, observe, judge)
    seconds = time.perf_counter() - clock
    return [
        Result(
            settings=run.settings,
            shape=run.shape,
            theta=outcome.theta,
            curves=outcome.curves,
            reason=outcome.reason,
            epochs=outcome.epochs,
            samples=run.samples,
            started=started,
            seconds=seconds,
            notes=run.notes,
        )
        for run, outcome in zip(runs, trained, strict=True)
    ]


@dataclass(frozen=True)
class Task:
    """A run to be trained and recorded.

    Attributes:
        prepared: the run.
        directory: where its record goes; made if it is not there.
        overrides: what the person typed, for the record.
    """

    prepared: Prepared
    directory: Path
    overrides: Sequence[str] = ()


def execute(
    tasks: Sequence[Task], crowd: "Crowd", registry: Registry, judge: Judge | None = None, synced: bool = True
) -> list[tuple[Result, Record]]:
    """Train runs of one :func:`structure` as one stack, write their records and tell the watchers all along.

    Args:
        tasks: the runs.
        crowd: who is told.
        registry: says which plugins the runs used.
        judge: gives runs up early, see :func:`chainrule.trainer.train`.
        synced: whether records survive a failure of power, see :func:`chainrule.records.write`.

    Raises:
        OSError: a record cannot be written.
    """
    for task in tasks:
        records.claim(task.directory)
    runs = [task.prepared for task in tasks]
    notes = tuple(dict.fromkeys(note for run in runs for note in run.notes))
    crowd.tell("stack_started", Start(tuple(r.settings.title for r in runs), runs[0].settings.training.epochs, notes))

    def observe(epoch: int, losses: Array, running: int) -> None:
        crowd.tell("epochs_recorded", Progress(epoch, tuple(losses.tolist()), running))

    done = []
    for task, result in zip(tasks, train_stack(runs, observe, judge), strict=True):
        crowd.tell("run_trained", result.shown(), task.directory)
        done.append((result, records.write(task.directory, result, registry, task.overrides, synced)))
    return done


class Crowd:
    """Watchers, none of which can stop or alter a run: one that raises is reported and left out from then on.

    Args:
        watchers: who is told, in this order.
    """

    def __init__(self, watchers: Iterable[Watcher]) -> None:
        self._watchers = list(watchers)

    def tell(self, event: str, *arguments: Any) -> None:
        """Call the method of every watcher that is named like the event."""
        for watcher in list(self._watchers):
            try:
                with np.errstate():  # which a watcher may change, and training goes on with
                    getattr(watcher, event)(*arguments)
            except BrokenPipeError:  # whoever read the output has seen enough
                self._watchers.remove(watcher)
            except (Exception, SystemExit):
                self._watchers.remove(watcher)
                whose = f"{type(watcher).__module__}.{type(watcher).__qualname__}"
                log.exception("%s failed in %s and is left out from now on", whose, event)


def _stack(runs: Sequence[Prepared]) -> Stack:
    settings = [run.settings for run in runs]
    theta = np.stack([run.theta for run in runs])
    dtype = theta.dtype
    patience = [s.training.patience for s in settings]
    components: dict[str, Any] = {
        group: kinds.stack([getattr(s, group) for s in settings], dtype) for group in kinds.STACKED
    }
    return Stack(
        shape=runs[0].shape,
        **components,
        rule_state={
            name: np.stack([run.rule_state[name] for run in runs]).astype(dtype) for name in runs[0].rule_state
        },
        theta=theta,
        train=np.stack([run.samples.train for run in runs], axis=1),
        validation=np.stack([run.samples.validation for run in runs], axis=1),
        shuffles=tuple(run.shuffle for run in runs),
        tolerance=np.array([s.training.tolerance for s in settings]),
        patience=np.array([np.inf if p is None else p for p in patience]),
    )


def _check_parts(settings: Settings, shape: Shape) -> None:
    """Refuse components that make no sense on these widths or with each other, before any data are drawn."""
    optimizer, schedule = settings.optimizer, settings.schedule
    if not schedule.is_constant and not kinds.has_rate(optimizer):
        raise ConfigurationError(
            f"optimizer={optimizer.name} has no learning rate that schedule={schedule.name} could change."
        )
    target, rule, loss, output = settings.target, settings.rule, settings.loss, settings.output
    outputs = f"target={target.name} has {_count(target.outputs, 'output')}"
    if target.outputs < output.min_units:
        raise ConfigurationError(f"output={output.name} needs at least {output.min_units} outputs, but {outputs}.")
    if target.outputs < loss.min_outputs:
        raise ConfigurationError(f"loss={loss.name} needs at least {loss.min_outputs} outputs, but {outputs}.")
    for index, units in enumerate(settings.network.hidden):
        if units < settings.activation.min_units:
            raise ConfigurationError(
                f"activation={settings.activation.name} needs at least {settings.activation.min_units} units "
                f"in a layer, but network.hidden[{index}] is {units}."
            )
    if rule.widths and shape.widths != rule.widths:
        wanted = Shape(rule.widths)
        raise ConfigurationError(f"rule={rule.name} is defined for the {wanted} network only, but this one is {shape}.")


def _check_ranges(settings: Settings, samples: Samples) -> tuple[str, ...]:
    """Refuse losses that are undefined on these values; return notes on targets that cannot be reached."""
    loss, output, target = settings.loss, settings.output, settings.target
    y = np.concatenate([part[1 + samples.inputs :] for part in (samples.train, samples.validation)], axis=1)
    low, high = float(y.min()), float(y.max())
    if not _inside(output.range, loss.prediction_range):
        hint = f"; output={loss.paired_output} fits" if loss.paired_output else ""
        raise ConfigurationError(
            f"loss={loss.name} needs predictions in {_interval(loss.prediction_range)}, "
            f"but output={output.name} gives values in {_interval(output.range)}{hint}."
        )
    if not _inside((low, high), loss.target_range):
        raise ConfigurationError(
            f"loss={loss.name} needs true values in {_interval(loss.target_range)}, "
            f"but target={target.name} has values from {low:.4g} to {high:.4g}."
        )
    if loss.one_hot and not np.allclose(y.sum(axis=0), 1):
        raise ConfigurationError(
            f"loss={loss.name} needs one-hot classes, but the outputs of target={target.name} are not."
        )
    if not _inside((low, high), output.range):
        return (
            f"target={target.name} has values from {low:.4g} to {high:.4g}, which output={output.name} cannot reach: "
            f"its values lie in {_interval(output.range)}, so the loss will stay above zero.",
        )
    return ()


def _inside(inner: tuple[float, float], outer: tuple[float, float]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:g}, {bounds[1]:g}]"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
