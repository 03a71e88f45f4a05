"""Forward passes of a run's network at many parameters at once, as they were measured: without anything random."""

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.components.contracts import Array, Rule
from chainrule.components.stacking import stack
from chainrule.engine.backprop import Backprop, Truth, mean_loss, true_outputs
from chainrule.engine.layers import States, stacked
from chainrule.engine.network import Pass
from chainrule.engine.trainer import one_thread
from chainrule.records.result import Result

_MOST_NUMBERS = 1_000_000  # that the layers of one stack of passes hold


def losses(result: Result, theta: Array) -> Array:
    """Return the mean training loss at parameters ``theta (points, parameters)``, ``(points,)``, in float64.

    It is the loss that the curves show; what activations keep is that of the end.
    """
    block, inputs = result.samples.train, result.samples.inputs
    loss = stack([result.settings.loss], theta.dtype)

    def measured(forward: Pass) -> Array:
        truth = np.broadcast_to(block[1 + inputs :], (len(forward.theta), len(block) - 1 - inputs, block.shape[1]))
        return mean_loss(forward, loss, Truth.of(truth, true_outputs(forward, loss))).astype(float)

    found = _passes(result, theta, [result.states] * len(theta), block[: 1 + inputs], measured)
    return np.concatenate(found)


def activations(result: Result, theta: Array, states: Sequence[States], samples: int, layers: Sequence[int]) -> Array:
    """Return percentiles of the activations of layers for training samples, ``(percentiles, layers, points)``.

    Args:
        result: the run.
        theta: parameters, ``(points, parameters)``.
        states: what activations kept then, one entry a point.
        samples: how many of the training samples count, at most.
        layers: numbers of the layers.
    """
    x = result.samples.train[: 1 + result.samples.inputs, :samples]

    def spread(forward: Pass) -> Array:
        return np.stack([np.percentile(forward.a[layer], PERCENTILES, axis=(1, 2)) for layer in layers], axis=1)

    return np.concatenate(_passes(result, theta, states, x, spread), axis=2)


def gradient_norms(result: Result, theta: Array, states: Sequence[States]) -> Array:
    """Return the norm of the gradient of the mean training loss by each layer's parameters, ``(layers, points)``.

    It is the gradient of backpropagation, whatever rule the run was trained by.

    Args:
        result: the run.
        theta: parameters, ``(points, parameters)``.
        states: what activations kept then, one entry a point.
    """
    block, inputs = result.samples.train, result.samples.inputs
    loss, rule = stack([result.settings.loss], theta.dtype), _Backpropagation()

    def measured(forward: Pass) -> Array:
        samples = np.ascontiguousarray(np.broadcast_to(block, (len(forward.theta), *block.shape)))
        backprop = Backprop(forward, loss, rule, {}, np.empty_like(forward.theta))
        grad = backprop(backprop.batch(samples[:, : 1 + inputs], samples[:, 1 + inputs :]))
        return np.array([np.sqrt(np.square(grad[:, place]).sum(axis=1)) for place in result.shape.slices()[1:]])

    return np.concatenate(_passes(result, theta, states, block[: 1 + inputs], measured), axis=1)


class _Backpropagation(Rule):
    """Eq. 5 and 6."""


PERCENTILES = (0, 10, 25, 50, 75, 90, 100)


def _passes(
    result: Result, theta: Array, states: Sequence[States], x: Array, read: Callable[[Pass], Array]
) -> list[Array]:
    """Return what is read of the passes of ``x`` under a row of ones, some parameters after others."""
    shape, chosen = result.shape, result.settings
    numbers = x.shape[1] * (sum(shape.rows) + sum(shape.widths)) + shape.size
    size, found = max(1, _MOST_NUMBERS // numbers), []
    with one_thread(), np.errstate(all="ignore"):
        for start in range(0, len(theta), size):
            part = np.ascontiguousarray(theta[start : start + size])
            count, dtype = len(part), part.dtype
            hidden, output = stack([chosen.activation] * count, dtype), stack([chosen.output] * count, dtype)
            norm, kept = stack([chosen.norm] * count, dtype), stacked(states[start : start + size])
            forward = Pass(shape, part, hidden, output, x.shape[1], norm=norm, states=kept)
            forward.forward(forward.first(np.broadcast_to(x, (count, *x.shape))))
            found.append(read(forward))
    return found
