"""The article's backward pass, eq. 3 to 6, for a stack of runs."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.components.arguments import takes_out
from chainrule.components.contracts import Activation, Array, Loss, Rule
from chainrule.engine.layers import filling, require_shape
from chainrule.engine.network import Call, Pass, columns, planned_product


@dataclass(frozen=True)
class Batch:
    """Samples with the calls that read them into the buffers of a stack.

    Attributes:
        first: computes eq. 1 in the first layer.
        gradient: computes eq. 6 in the first layer.
        truth: what is true of the samples.
    """

    first: Call
    gradient: Call
    truth: "Truth"


@dataclass(frozen=True)
class Truth:
    """What is true of samples.

    Attributes:
        y: true outputs, shape ``(runs, outputs, samples)``.
        weights: how much each sample counts, shape ``(runs, samples)``; None for all alike.
    """

    y: Array
    weights: Array | None

    @classmethod
    def of(cls, rows: Array, outputs: int) -> "Truth":
        """Return what rows ``(runs, outputs, samples)`` say, or one more of them where samples have weights."""
        return cls(rows[:, :outputs], rows[:, outputs] if rows.shape[1] > outputs else None)


def true_outputs(forward: Pass, loss: Loss) -> int:
    """Return how many outputs the target has whose loss is computed from this pass."""
    return forward.shape.widths[-1] // loss.outputs_per_target


def mean_loss(forward: Pass, loss: Loss, truth: Truth) -> Array:
    """Return eq. 3 averaged over the samples of the last forward pass, shape ``(runs,)``."""
    y, output = truth.y, forward.output
    values = loss.paired_value(forward.z[-1], y) if is_paired(loss, output) else loss.value(forward.a[-1], y)
    require_shape(loss.value, values, (len(y), y.shape[2]))
    mean: Array = (values if truth.weights is None else values * truth.weights).mean(axis=-1)
    return mean


def is_paired(loss: Loss, output: Activation) -> bool:
    """Say whether a loss is computed from ``z``, by its own stable form for this output activation.

    That form knows no trained fields.
    """
    return loss.paired_output == output.name and not (output.trained or output.trained_per_unit)


def separate(block: Array, inputs: int) -> tuple[Array, Array]:
    """Split samples ``(1 + inputs + outputs, runs, samples)`` into views, runs first: ones above ``x``, and ``y``.

    The rows of ``y`` have those of weights below them, where samples have weights.
    """
    return block[: 1 + inputs].swapaxes(0, 1), block[1 + inputs :].swapaxes(0, 1)


class Backprop:
    """Gradients of the mean loss of a stack, by a backward rule.

    Args:
        forward: the pass to differentiate.
        loss: loss, stacked for its runs.
        rule: backward rule, stacked for its runs.
        state: the rule's fixed arrays, each with a leading run axis.
        grad: receives the gradients, shape ``(runs, parameters)``, laid out as ``theta``.

    Attributes:
        delta: eq. 4 and 5, one array ``(runs, units, samples)`` per layer, for each sample's loss; index 0 is empty.
    """

    def __init__(self, forward: Pass, loss: Loss, rule: Rule, state: dict[str, Array], grad: Array) -> None:
        self.forward, self.loss, self.grad = forward, loss, grad
        runs, dtype = len(grad), grad.dtype
        self.delta = [columns(runs, z.shape[1], forward.samples, dtype) for z in forward.z]
        self._blocks = forward.shape.blocks(grad)
        self._mean = np.array(1 / forward.samples, dtype)
        self._rule, self._state = rule, state
        self._output_delta = self._plan_output()
        self._hidden_layers = [
            (
                self._gradient(above, forward.inputs[above]),
                *self._error(layer),
                self._backward(layer),
                forward.z[layer],
                forward.a[layer],
                self.delta[layer],
            )
            for above, layer in pairwise(range(forward.shape.layers, 0, -1))
        ]

    def batch(self, x: Array, y: Array) -> Batch:
        """Return a batch of ``x`` under a row of ones and ``y``, each ``(runs, units, samples)``; see ``separate``."""
        truth = Truth.of(y, true_outputs(self.forward, self.loss))
        return Batch(self.forward.first(x), self._gradient(1, x), truth)

    def __call__(self, batch: Batch) -> Array:
        """Do the forward and the backward pass of ``batch``; return ``grad``, the gradient of the mean loss."""
        self.forward.forward(batch.first)
        self._output_delta(batch.truth)  # eq. 4
        for (gradient, factors), (propagate, parts), error, backward, z, a, delta in self._hidden_layers:
            gradient(*factors)  # eq. 6: dL/dW = delta a^T, dL/db = delta
            propagate(*parts)  # eq. 5: the sum over the layer above, W^T delta ...
            backward(error, z, a, out=delta)  # ... times g'(z)
        gradient, factors = batch.gradient
        gradient(*factors)
        if self.forward.samples > 1:
            np.multiply(self.grad, self._mean, self.grad)
        return self.grad

    def _plan_output(self) -> Callable[[Truth], None]:
        """Return eq. 4 as a function of what is true: ``delta = dL/dy_pred g'(z)``, or the paired delta of the loss."""
        forward, z, delta = self.forward, self.forward.z[-1], self.delta[-1]
        if is_paired(self.loss, forward.output):
            paired = filling(self.loss.paired_delta)

            def fill_paired(truth: Truth) -> None:
                paired(z, forward.a[-1], truth.y, out=delta)
                if truth.weights is not None:
                    np.multiply(delta, truth.weights[:, None], out=delta)

            return fill_paired
        gradient, backward = filling(self.loss.gradient), self._backward(forward.shape.layers)
        error = self._error_buffer(forward.output, delta)

        def fill(truth: Truth) -> None:
            gradient(forward.a[-1], truth.y, out=error)
            if truth.weights is not None:
                np.multiply(error, truth.weights[:, None], out=error)
            backward(error, z, forward.a[-1], out=delta)

        return fill

    def _error_buffer(self, activation: Activation, delta: Array) -> Array:
        """Return the buffer of ``dL/da``: ``delta``, unless ``backward`` fills ``delta`` while it reads ``dL/da``."""
        return np.empty_like(delta) if takes_out(type(activation).backward) else delta

    def _error(self, layer: int) -> tuple[Call, Array]:
        """Return the call that computes the sum in eq. 5 for a hidden layer, and the buffer that it fills."""
        rule, weights, delta = self._rule, self.forward.weights, self.delta
        out = self._error_buffer(self.forward.activations[layer], delta[layer])
        if type(rule).error is Rule.error:
            return planned_product(weights[layer + 1].mT, delta[layer + 1], out, self.forward.samples), out
        error = filling(rule.error)
        return (lambda: error(layer, weights, delta, self._state, out=out), ()), out

    def _backward(self, layer: int) -> Callable[..., Any]:
        """Return what goes from ``dL/da`` to ``delta`` on a layer."""
        shape, groups = self.forward.shape, ("norm", "activation", "output")
        back: Callable[..., Any] = self.forward.layers[layer].backward(
            {group: shape.fields_of(self.grad, layer, group) for group in groups}
        )
        return back

    def _gradient(self, layer: int, inputs: Array) -> Call:
        """Return the call that computes eq. 6 for a layer with these ``inputs``."""
        rule, delta, out = self._rule, self.delta[layer], self._blocks[layer]
        if type(rule).gradient is Rule.gradient:
            return planned_product(delta, inputs.mT, out, self.forward.samples)
        gradient = filling(rule.gradient)
        return (lambda: gradient(layer, delta, inputs, out=out)), ()
