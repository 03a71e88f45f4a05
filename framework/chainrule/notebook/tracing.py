"""One step of training, taken apart: all arrays of a forward and a backward pass, and gradients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.components.contracts import Array, Component, Rule
from chainrule.components.stacking import stack
from chainrule.engine.backprop import Backprop, mean_loss, require_defined, separate
from chainrule.engine.layers import stacked
from chainrule.engine.network import Pass, Shape
from chainrule.errors import ConfigurationError, counted
from chainrule.notebook.components import component
from chainrule.runs.prepare import Prepared, prepare


def gradient(run: Prepared, theta: ArrayLike, rule: Rule | None = None) -> Array:
    """Return the gradient of the mean training loss of a run at given parameters, by its backward rule.

    Args:
        run: a prepared run; it is not changed.
        theta: flat parameters, ``(parameters,)``, or several such rows, ``(points, parameters)``.
        rule: replaces the run's own rule; its own arrays are those with which the run would begin.

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


@dataclass(frozen=True)
class Trace:
    """The arrays of one forward and one backward pass.

    Lists have one entry per layer, from the first hidden layer to the output. With inputs of shape ``(inputs,)`` the
    arrays in ``z``, ``a`` and ``delta`` have the shape ``(units,)``, else ``(units, samples)``.

    Attributes:
        loss: eq. 3, averaged over samples.
        z: eq. 1; where a unit has several pieces, ``(pieces * units, samples)``, and likewise what belongs to it.
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
        weights: one array ``(units, units before)`` per layer; ``(pieces * units, units before)`` where its activation
            has several pieces.
        biases: one array ``(units,)`` per layer; likewise.
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
    pieces = [*[activations[0].pieces] * (len(W) - 1), activations[1].pieces]
    shape = Shape.of(_widths(W, b, columns, wanted, parts[2].outputs_per_target, pieces), *activations)
    chosen = _made("rule", rule)
    require_defined(chosen, shape)
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


def _widths(
    weights: list[Array], biases: list[Array], x: Array, y: Array, outputs_per_target: int, pieces: Sequence[int]
) -> tuple[int, ...]:
    """Return the widths that the arrays agree on, with this number of pieces in each layer."""
    if not weights or len(weights) != len(biases):
        raise ConfigurationError(
            f"weights and biases need one entry per layer, and at least one, not {len(weights)} and {len(biases)}."
        )
    widths = [len(x)]
    for layer, (W, b, rows) in enumerate(zip(weights, biases, pieces, strict=True), 1):
        if W.ndim != 2 or W.shape[1] != widths[-1] or b.shape != W.shape[:1]:
            raise ConfigurationError(
                f"layer {layer} needs weights (units, {widths[-1]}) and biases (units,), not {W.shape} and {b.shape}."
            )
        if len(W) % rows:
            raise ConfigurationError(
                f"layer {layer} has {counted(len(W), 'row')} of weights, but its activation needs {rows} for each unit."
            )
        widths.append(len(W) // rows)
    if (len(y) * outputs_per_target, *y.shape[1:]) != (widths[-1], x.shape[1]):
        wanted = widths[-1] // outputs_per_target, x.shape[1]
        raise ConfigurationError(f"y must have the shape {wanted}, not {y.shape}.")
    return tuple(widths)
