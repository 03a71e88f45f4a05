"""From settings to a run that can be trained: check that its parts fit, draw its data and its initial parameters."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.components.contracts import Array, Loss
from chainrule.components.parameters import plain
from chainrule.components.stacking import has_rate, structure
from chainrule.engine.data import Samples, draw
from chainrule.engine.network import Shape, placed
from chainrule.engine.stack import STACKED
from chainrule.errors import ConfigurationError
from chainrule.records.settings import Settings


@dataclass(frozen=True)
class Prepared:
    """A checked run, ready for training.

    Attributes:
        settings: the settings of the run.
        shape: widths of the network.
        samples: its data.
        theta: initial parameters, shape ``(parameters,)``.
        rule_state: fixed arrays of its backward rule.
        shuffle: generator for the order of its samples.
        random: generator for components that are random in training.
        notes: what the person should know before training.
    """

    settings: Settings
    shape: Shape
    samples: Samples
    theta: Array
    rule_state: dict[str, Array]
    shuffle: np.random.Generator
    random: np.random.Generator
    notes: tuple[str, ...]


def prepare(settings: Settings) -> Prepared:
    """Draw the data and the initial parameters of a run, and check that its parts fit.

    Every random number follows from ``settings.seed``: data, initial parameters, rule, order and randomness in training
    each have one ``SeedSequence``.

    Raises:
        ConfigurationError: the data cannot be read, or parts do not fit each other.
    """
    target, data = settings.target, settings.data
    streams = np.random.SeedSequence(settings.seed).spawn(5)
    _check_layers(settings)
    hidden, output, norm = settings.activation, settings.output, settings.norm
    outputs = target.outputs * settings.loss.outputs_per_target
    shape = Shape.of((target.inputs, *settings.network.hidden, outputs), hidden, output, norm)
    _check_parts(settings, shape)
    dtype = settings.training.dtype.value
    samples = draw(target, streams[0], **plain(data), dtype=dtype)
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
        theta=np.concatenate([shape.flatten(weights, biases), shape.initial_fields(hidden, output, norm)]).astype(
            dtype
        ),
        rule_state=settings.rule.init(np.random.default_rng(streams[2]), shape.widths),
        shuffle=np.random.default_rng(streams[3]),
        random=np.random.default_rng(streams[4]),
        notes=notes,
    )


def run_structure(prepared: Prepared) -> tuple[Any, ...]:
    """Return what runs must have in common to be trained as one stack."""
    sizes = prepared.samples.train.shape, prepared.samples.validation.shape
    return (prepared.shape, sizes, *settings_structure(prepared.settings))


def settings_structure(settings: Settings) -> tuple[Any, ...]:
    """Return the part of :func:`run_structure` that is known without drawing data."""
    training = settings.training
    loop = training.epochs, training.batch_size, training.resolved_measure_every, training.dtype
    has_dropout = settings.network.dropout > 0
    return (loop, has_dropout, *(structure(getattr(settings, group)) for group in STACKED))


def _check_layers(settings: Settings) -> None:
    """Refuse a list of activations that has not one for each hidden layer, and steps of too few samples."""
    hidden = settings.network.hidden
    for group in ("activation", "norm"):
        chosen = settings.components(group)
        if isinstance(getattr(settings, group), tuple) and len(chosen) != len(hidden):
            names, widths = ",".join(each.name for each in chosen), ",".join(map(str, hidden))
            raise ConfigurationError(
                f"{group}=[{names}] has {_count(len(chosen), 'activation')}, but network.hidden=[{widths}] has "
                f"{_count(len(hidden), 'layer')}: give each hidden layer one, or all of them one without brackets."
            )
    for group in ("norm", "activation", "output"):
        for activation in settings.components(group):
            if (settings.training.batch_size or activation.min_samples) < activation.min_samples:
                raise ConfigurationError(
                    f"{group}={activation.name} needs at least {activation.min_samples} samples in a step, but "
                    f"training.batch_size is {settings.training.batch_size}."
                )


def _check_parts(settings: Settings, shape: Shape) -> None:
    """Refuse components that do not fit these widths or each other, before any data are drawn."""
    optimizer, schedule = settings.optimizer, settings.schedule
    if not schedule.is_constant and not has_rate(optimizer):
        raise ConfigurationError(
            f"optimizer={optimizer.name} has no learning rate that schedule={schedule.name} could change."
        )
    target, rule, loss, output = settings.target, settings.rule, settings.loss, settings.output
    outputs = f"target={target.name} has {_count(target.outputs, 'output')}"
    if shape.widths[-1] < output.min_units:
        raise ConfigurationError(f"output={output.name} needs at least {output.min_units} outputs, but {outputs}.")
    if target.outputs < loss.min_outputs:
        raise ConfigurationError(f"loss={loss.name} needs at least {loss.min_outputs} outputs, but {outputs}.")
    for layer, group, activation in placed(settings.activation, output, settings.norm, shape.layers):
        if layer < shape.layers and shape.widths[layer] < activation.min_units:
            raise ConfigurationError(
                f"{group}={activation.name} needs at least {activation.min_units} units "
                f"in a layer, but network.hidden[{layer - 1}] is {shape.widths[layer]}."
            )
    if rule.widths and shape.widths != rule.widths:
        wanted = Shape(rule.widths)
        raise ConfigurationError(f"rule={rule.name} is defined for the {wanted} network only, but this one is {shape}.")


def _check_ranges(settings: Settings, samples: Samples) -> tuple[str, ...]:
    """Refuse losses that are undefined on these values; return notes on targets that cannot be reached."""
    loss, output, target = settings.loss, settings.output, settings.target
    rows = slice(1 + samples.inputs, 1 + samples.inputs + samples.outputs)
    y = np.concatenate([part[rows] for part in (samples.train, samples.validation)], axis=1)
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
    if type(loss).point is Loss.point and not _inside((low, high), output.range):
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
