"""From settings to a run that can be trained: check that its parts fit, draw its data and its initial parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Activation, Array, Loss, Schedule, Target
from chainrule.components.parameters import plain
from chainrule.components.stacking import float_fields, has_rate, stack, structure
from chainrule.engine.backprop import require_defined
from chainrule.engine.data import Samples, Scaling, draw
from chainrule.engine.layers import States
from chainrule.engine.measuring import drawn_interval
from chainrule.engine.network import Shape, initial_states, key_of, placed
from chainrule.engine.stack import STACKED
from chainrule.engine.trainer import one_thread
from chainrule.errors import ConfigurationError, RecordError, counted, nearest
from chainrule.files import paths
from chainrule.files.memory import require_memory
from chainrule.records.manifest import WEIGHTS
from chainrule.records.result import Origin
from chainrule.records.run import read_record
from chainrule.records.settings import Settings

_MANY = 10**7  # values for which there may be too little memory
_BYTES = 2 * 8  # of memory that a value takes at least, with a copy
_STREAMS = 5  # of random numbers: data, initial parameters, rule, order, randomness in training
_ROUNDED = 1e-6  # of the range of values, also in float32


@dataclass(frozen=True)
class Prepared:
    """A checked run, ready for training.

    Attributes:
        settings: the settings of the run.
        shape: widths of the network.
        samples: its data.
        theta: initial parameters, shape ``(parameters,)``.
        states: what activations keep beside parameters, by layer and group: arrays ``(1, units, 1)``.
        rule_state: the own arrays of its backward rule, before training.
        shuffle: generator for its sampling.
        random: generator for components that are random in training.
        notes: what the person should know before training.
        origin: the run whose parameters are the initial ones; None if they were drawn.
    """

    settings: Settings
    shape: Shape
    samples: Samples
    theta: Array
    states: States
    rule_state: dict[str, Array]
    shuffle: np.random.Generator
    random: np.random.Generator
    notes: tuple[str, ...]
    origin: Origin | None = None


def prepare(settings: Settings) -> Prepared:
    """Draw the data and the initial parameters of a run, and check that its parts fit.

    Every random number follows from ``settings.seed``: data, initial parameters, rule, order and randomness in training
    each have one ``SeedSequence``.

    Raises:
        ConfigurationError: the data or the run to start from cannot be read, or parts do not fit each other.
    """
    target = settings.target
    streams = np.random.SeedSequence(settings.seed).spawn(_STREAMS)
    _check_layers(settings)
    hidden, output, norm = settings.activation, settings.output, settings.norm
    outputs = target.outputs * settings.loss.outputs_per_target
    shape = Shape.of((target.inputs, *settings.network.hidden, outputs), hidden, output, norm)
    _check_parts(settings, shape)
    _check_size(settings, shape)
    dtype = settings.training.dtype.value
    samples = drawn(settings)
    notes = (*target.notes, *_check_ranges(settings, samples))
    with one_thread():
        theta, states, origin = _start(settings, shape, samples, np.random.default_rng(streams[1]))
    return Prepared(
        settings=settings,
        shape=shape,
        samples=samples,
        theta=theta.astype(dtype),
        states=states,
        rule_state=settings.rule.init(np.random.default_rng(streams[2]), shape.widths),
        shuffle=np.random.default_rng(streams[3]),
        random=np.random.default_rng(streams[4]),
        notes=notes,
        origin=origin,
    )


def drawn(settings: Settings, scalings: tuple[Scaling, Scaling] | None = None) -> Samples:
    """Draw the samples of a run.

    Args:
        settings: of the run.
        scalings: the maps from raw to scaled values, of ``x`` and of ``y``; None for those that the target asks for.

    Raises:
        ConfigurationError: the data cannot be read.
    """
    seed, *_ = np.random.SeedSequence(settings.seed).spawn(_STREAMS)
    return draw(settings.target, seed, **plain(settings.data), dtype=settings.training.dtype.value, scalings=scalings)


def first_states(settings: Settings, shape: Shape) -> States:
    """Return what the activations of a network keep before training."""
    chosen = placed(settings.activation, settings.output, settings.norm, shape.layers)
    return initial_states(chosen, shape, 1, np.dtype(settings.training.dtype.value))


def with_target(run: Prepared, target: Target) -> Prepared:
    """Return a run with the samples of another target, drawn and split by its seed, and scaled as its own were.

    Raises:
        ConfigurationError: the data cannot be read, or do not fit.
    """
    settings = replace(run.settings, target=target)
    samples = drawn(settings, (run.samples.x_scaling, run.samples.y_scaling))
    return replace(run, settings=settings, samples=samples, notes=(*target.notes, *_check_ranges(settings, samples)))


def _start(
    settings: Settings, shape: Shape, samples: Samples, rng: np.random.Generator
) -> tuple[Array, States, Origin | None]:
    """Return the initial parameters and states: drawn, or those of the run that ``training.start`` names."""
    states = first_states(settings, shape)
    if settings.training.start is not None:
        return _loaded(settings.training.start, shape, states)
    fields = shape.initial_fields(settings.activation, settings.output, settings.norm)
    return np.concatenate([_drawn(settings, shape, samples, rng), fields]), states, None


def _drawn(settings: Settings, shape: Shape, samples: Samples, rng: np.random.Generator) -> Array:
    """Draw the initial weights and biases, ``(parameters,)``, layer by layer."""
    init, inputs = settings.initializer, samples.train[1 : 1 + samples.inputs]
    weights, biases = [], []
    for layer, fan_out in enumerate(shape.rows[1:], 1):
        fan_in = shape.widths[layer - 1]
        weights.append(given(init, "weights", layer=layer, inputs=inputs)(rng, fan_in, fan_out))
        biases.append(given(init, "biases", layer=layer)(rng, fan_in, fan_out))
        if "inputs" in asked(type(init), "weights") and layer < shape.layers:
            z = weights[-1] @ inputs + biases[-1][:, None]
            inputs = _activated(settings, shape, layer, z.astype(inputs.dtype)[None])[0]
    return shape.flatten(weights, biases)


def _activated(settings: Settings, shape: Shape, layer: int, z: Array) -> Array:
    """Return what a hidden layer makes of ``z (1, rows, samples)`` before training, without anything random.

    A norm takes the mean and the variance of these samples, as it does in training.
    """
    chosen = list(placed(settings.activation, settings.output, settings.norm, shape.layers))
    states = initial_states(chosen, shape, 1, z.dtype)
    for place, group, activation in chosen:
        if place == layer:
            offered: dict[str, Any] = {"layer": layer, "training": group == "norm", "state": states.get((layer, group))}
            z = given(stack([activation], z.dtype), "forward", rng=None, **offered)(z)
    return z


def _loaded(start: str, shape: Shape, states: States) -> tuple[Array, States, Origin]:
    """Read the parameters of a recorded run; a relative path begins where the command was started.

    Args:
        start: directory of the run.
        shape: of the network that begins with them.
        states: what its activations keep, which is replaced by what those of the run have kept.
    """
    directory = paths.started() / Path(start).expanduser()
    try:
        record = read_record(directory)
        arrays = record.weights()
    except RecordError as error:
        raise ConfigurationError(f"training.start={start} is no run to start from: {error}") from None
    manifest = record.manifest
    if tuple(manifest.network.widths) != shape.widths:
        widths = Shape(tuple(manifest.network.widths))
        raise ConfigurationError(f"training.start={start} is a {widths} network, but this one is {shape}.")
    kept = {key_of(*place, name): array.shape[1] for place, own in states.items() for name, array in own.items()}
    wanted = {field.key: field.values for field in shape.trained} | kept
    found = {name: len(array) for name, array in arrays.items() if "." in name}
    if found != wanted:
        there, here = (", ".join(f"{key} ({count})" for key, count in sorted(each.items())) for each in (found, wanted))
        raise ConfigurationError(
            f"training.start={start} has {there or 'nothing'} beside weights and biases, but this run has "
            f"{here or 'nothing'}: choose the same activations and norm."
        )
    _require_rows(start, [len(arrays[f"W{layer}"]) for layer in range(1, shape.layers + 1)], shape)
    theta, read = recorded_parameters(arrays, shape, states)
    if not all(np.isfinite(part).all() for part in (theta, *(arrays[key] for key in wanted))):
        raise ConfigurationError(f"training.start={start} has parameters that are NaN or infinite; it has diverged.")
    return theta, read, Origin(str(directory), manifest.identity, manifest.files[WEIGHTS].sha256)


def recorded_parameters(arrays: Mapping[str, Array], shape: Shape, states: States) -> tuple[Array, States]:
    """Return the flat parameters of a recorded run, and what its activations have kept.

    Args:
        arrays: what its record keeps, see :meth:`chainrule.Record.weights`.
        shape: of its network.
        states: what its activations kept before training.
    """
    weights, biases = ([arrays[f"{name}{layer}"] for layer in range(1, shape.layers + 1)] for name in "Wb")
    fields = [arrays[field.key] for field in shape.trained]
    kept = {
        place: {name: arrays[key_of(*place, name)][None, :, None].astype(array.dtype) for name, array in own.items()}
        for place, own in states.items()
    }
    return np.concatenate([shape.flatten(weights, biases), *fields]), kept


def _require_rows(start: str, rows: Sequence[int], shape: Shape) -> None:
    """Refuse parameters of another number of pieces.

    Raises:
        ConfigurationError: a layer of the run to start from has another number of rows.
    """
    for layer, (there, here) in enumerate(zip(rows, shape.rows[1:], strict=True), 1):
        if there != here:
            units = shape.widths[layer]
            raise ConfigurationError(
                f"training.start={start} has {there // units} and this run {counted(here // units, 'row')} of weights "
                f"for each unit of layer {layer}: choose activations with as many pieces."
            )


def run_structure(prepared: Prepared) -> tuple[Any, ...]:
    """Return what runs must have in common to be trained as one stack."""
    samples = prepared.samples
    sizes = samples.train.shape, samples.validation.shape, samples.test.shape
    task = prepared.settings.target.resolved_task  # which says how predictions are scored
    return (prepared.shape, sizes, task, *settings_structure(prepared.settings))


def settings_structure(settings: Settings) -> tuple[Any, ...]:
    """Return the part of :func:`run_structure` that is known without drawing data."""
    training = settings.training
    measuring = measure_every(settings), gradient_norms(settings)
    loop = training.epochs, training.batch_size, *measuring, training.dtype, training.engine
    groups = (*STACKED, "sampling")  # which is not shared by runs, but asked for each epoch of all or of none
    return (loop, settings.network.dropout > 0, *(structure(getattr(settings, group)) for group in groups))


def measure_every(settings: Settings) -> int | None:
    """Return the epochs between two points of the curves, or None to let the engine find what costs little.

    Where more than the end of training follows from what is measured, points are as many as are drawn, unless the
    settings say their number.
    """
    training, schedule = settings.training, settings.schedule
    follows = training.patience is not None or training.restore_best
    if training.measure_every is None and (follows or type(schedule).measured is not Schedule.measured):
        return drawn_interval(training.epochs)
    return training.measure_every


def gradient_norms(settings: Settings) -> bool | None:
    """Return whether curves have norms of gradients; None where they have if that costs nothing."""
    training = settings.training
    return True if training.gradient_norms is None and training.measure_every is not None else training.gradient_norms


def _check_layers(settings: Settings) -> None:
    """Refuse a list of activations that has not one for each hidden layer, and steps of too few samples."""
    hidden = settings.network.hidden
    for group in ("activation", "norm"):
        chosen = settings.by_key(group).values()
        if isinstance(getattr(settings, group), tuple) and len(chosen) != len(hidden):
            names, widths = ",".join(each.name for each in chosen), ",".join(map(str, hidden))
            raise ConfigurationError(
                f"{group}=[{names}] has {counted(len(chosen), 'activation')}, but network.hidden=[{widths}] has "
                f"{counted(len(hidden), 'layer')}: give each hidden layer one, or all of them one without brackets."
            )
    for group in ("norm", "activation", "output"):
        for activation in settings.by_key(group).values():
            _check_pieces(group, activation)
            if (settings.training.batch_size or activation.min_samples) < activation.min_samples:
                raise ConfigurationError(
                    f"{group}={activation.name} needs at least {counted(activation.min_samples, 'sample')} in a step, "
                    f"but training.batch_size is {settings.training.batch_size}."
                )


def _check_pieces(group: str, activation: Activation) -> None:
    """Refuse a norm that has several pieces, and a number of pieces that is none."""
    if activation.pieces < 1:
        raise ConfigurationError(f"{group}={activation.name} has {activation.pieces} pieces; it needs one at least.")
    if group == "norm" and activation.pieces > 1:
        raise ConfigurationError(
            f"norm={activation.name} has {activation.pieces} pieces, but a norm gives as many values as it gets: "
            "choose it as activation."
        )


def _check_parts(settings: Settings, shape: Shape) -> None:
    """Refuse components that do not fit these widths or each other, before any data are drawn."""
    _check_schedule(settings)
    _check_sampling(settings)
    _check_transforms(settings)
    optimizer, target, rule = settings.optimizer, settings.target, settings.rule
    loss, output = settings.loss, settings.output
    if "lr" in asked(type(rule), "adapt") and not has_rate(optimizer):
        raise ConfigurationError(
            f"optimizer={optimizer.name} has no learning rate that rule={rule.name} could learn with."
        )
    outputs = f"target={target.name} has {counted(target.outputs, 'output')}"
    if target.outputs < loss.min_outputs:
        raise ConfigurationError(
            f"loss={loss.name} needs at least {counted(loss.min_outputs, 'output')}, but {outputs}."
        )
    if shape.widths[-1] < output.min_units:
        raise ConfigurationError(
            f"output={output.name} needs at least {counted(output.min_units, 'output')}, but {outputs}."
        )
    for layer, group, activation in placed(settings.activation, output, settings.norm, shape.layers):
        if layer < shape.layers and shape.units(layer, group) < activation.min_units:
            raise ConfigurationError(
                f"{group}={activation.name} needs at least {counted(activation.min_units, 'unit')} "
                f"in a layer, but network.hidden[{layer - 1}] is {shape.widths[layer]}."
            )
    require_defined(rule, shape)


def _check_size(settings: Settings, shape: Shape) -> None:
    """Refuse parameters or samples that alone do not fit into memory, before any are drawn."""
    samples, widths = settings.data.samples or 0, shape.widths
    values = samples * (widths[0] + widths[-1])
    layers = ",".join(map(str, settings.network.hidden))
    if shape.size > _MANY:
        require_memory(_BYTES * shape.size, f"network.hidden=[{layers}]", f"{shape.size:,} parameters")
    if values > _MANY:
        require_memory(_BYTES * values, f"data.samples={samples}", f"{values:,} inputs and outputs")


def _check_sampling(settings: Settings) -> None:
    sampling, target = settings.sampling, settings.target
    if sampling.task and sampling.task != target.resolved_task:
        raise ConfigurationError(
            f"sampling={sampling.name} is defined for a {sampling.task}, "
            f"but target={target.name} is a {target.resolved_task}."
        )
    if target.samples is None and "fresh" in asked(type(sampling), "epoch"):
        raise ConfigurationError(
            f"sampling={sampling.name} draws fresh samples of a function, but target={target.name} is a data set."
        )


def _check_schedule(settings: Settings) -> None:
    """Refuse a schedule of what the optimizer does not have."""
    optimizer, schedule = settings.optimizer, settings.schedule
    if schedule.of is not None:
        fields = float_fields(optimizer)
        if schedule.of not in fields:
            there_are = f"a schedule can change {', '.join(fields)}" if fields else "it has none"
            raise ConfigurationError(
                f"schedule.of={schedule.of} is no float field of optimizer={optimizer.name}"
                f"{nearest(schedule.of, fields)}; {there_are}."
            )
    elif not schedule.is_constant and not has_rate(optimizer):
        raise ConfigurationError(
            f"optimizer={optimizer.name} has no learning rate that schedule={schedule.name} could change."
        )


def _check_transforms(settings: Settings) -> None:
    """Refuse a list with a transform twice, and transforms that ask for a learning rate that there is not."""
    names, optimizer = [transform.name for transform in settings.transforms], settings.optimizer
    for transform in settings.transforms:
        if names.count(transform.name) > 1:
            raise ConfigurationError(f"transforms=[{','.join(names)}] has {transform.name} twice; once is enough.")
        asks = any("lr" in asked(type(transform), method) for method in ("gradient", "after"))
        if asks and not has_rate(optimizer):
            raise ConfigurationError(
                f"transforms=[{transform.name}] needs a learning rate, but optimizer={optimizer.name} has none."
            )


def _check_ranges(settings: Settings, samples: Samples) -> tuple[str, ...]:
    """Refuse losses that are undefined on these values; return notes on targets that cannot be reached."""
    loss, output, target = settings.loss, settings.output, settings.target
    rows = slice(1 + samples.inputs, 1 + samples.inputs + samples.outputs)
    y = np.concatenate([part[rows] for part in samples.parts.values()], axis=1)
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
            f"but target={target.name} has values from {low:.4g} to {high:.4g}"
            f"{_unscaled(target, samples, loss.target_range)}."
        )
    if loss.one_hot and not np.allclose(y.sum(axis=0), 1):
        raise ConfigurationError(
            f"loss={loss.name} needs one-hot classes, but the outputs of target={target.name} are not."
        )
    if type(loss).point is Loss.point and not _inside((low, high), output.range):
        return (
            f"target={target.name} has values from {low:.4g} to {high:.4g}, which output={output.name} cannot reach: "
            f"its values lie in {_interval(output.range)}, so the loss will stay above zero"
            f"{_unscaled(target, samples, output.range)}.",
        )
    return ()


def _unscaled(target: Target, samples: Samples, wanted: tuple[float, float]) -> str:
    """Say that only standardizing has moved the true values out of an interval, and what leaves them; else nothing."""
    y = np.concatenate([samples.true(part) for part in samples.parts.values()], axis=1)
    slack = _ROUNDED * float(np.ptp(y))  # scaling and its inverse round
    low, high = (0.0 if abs(end) < slack else end for end in (float(y.min()), float(y.max())))
    if not target.standardized or not _inside((low + slack, high - slack), wanted):
        return ""
    word = "target.standardize=false" if "standardize" in plain(target) else "standardize=False"
    return f"; standardizing has made these of {low:.4g} to {high:.4g}, and {word} leaves them"


def _inside(inner: tuple[float, float], outer: tuple[float, float]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:g}, {bounds[1]:g}]"
