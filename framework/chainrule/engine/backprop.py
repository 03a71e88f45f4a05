"""The article's backward pass, eq. 3 to 6, for a stack of runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.components.arguments import asked, given, takes_out
from chainrule.components.contracts import Activation, Array, Loss, Network, Rule
from chainrule.components.random import Random
from chainrule.engine.layers import filling, require_shape
from chainrule.engine.network import Call, Pass, Shape, columns_like, planned_product
from chainrule.errors import ConfigurationError, PluginError, counted


@dataclass(frozen=True)
class Batch:
    """Samples with the calls that read them into the buffers of a stack.

    Attributes:
        first: computes eq. 1 in the first layer.
        hidden_layers: what computes eq. 6 in the layer above each hidden layer and eq. 5 in it, from the last one down.
        gradient: computes eq. 6 in the first layer; of a rule that replaces eq. 5 and 6, all gradients.
        inputs: the input of each layer, under a row of ones; index 0 is empty.
        truth: what is true of the samples.
    """

    first: Call
    hidden_layers: Sequence[Any]
    gradient: Call
    inputs: Sequence[Array]
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


def require_defined(rule: Rule, shape: Shape) -> None:
    """Refuse a network that a rule is not defined for.

    Raises:
        ConfigurationError: the widths are others, or a unit has several pieces that the rule does not take.
    """
    if rule.widths and shape.widths != rule.widths:
        wanted = Shape(rule.widths)
        raise ConfigurationError(f"rule={rule.name} is defined for the {wanted} network only, but this one is {shape}.")
    for layer, (units, rows) in enumerate(zip(shape.widths[1:], shape.rows[1:], strict=True), 1):
        if rows > units and not rule.takes_pieces:
            raise ConfigurationError(
                f"rule={rule.name} is not defined for an activation with several pieces, and that of layer {layer} has "
                f"{rows // units}: choose rule=exact, or another activation."
            )


class Backprop:
    """Gradients of the mean loss of a stack, by a backward rule.

    Args:
        forward: the pass to differentiate.
        loss: loss, stacked for its runs.
        rule: backward rule, stacked for its runs.
        state: the rule's own arrays, each with a leading run axis.
        grad: receives the gradients, shape ``(runs, parameters)``, laid out as ``theta``.
        rng: random numbers of training, for a rule that asks for them; None to measure.

    Attributes:
        delta: eq. 4 and 5, one array per layer, for each sample's loss, of the shape of its ``z``; index 0 is empty.
        rng: the random numbers that each evaluation draws from; None if gradients are not random.
    """

    def __init__(
        self,
        forward: Pass,
        loss: Loss,
        rule: Rule,
        state: dict[str, Array],
        grad: Array,
        rng: Random | None = None,
    ) -> None:
        self.forward, self.loss, self.grad = forward, loss, grad
        self.delta = [columns_like(grad, z.shape[1], forward.samples) for z in forward.z]
        self._blocks = forward.shape.blocks(grad)
        self._mean = np.array(1 / forward.samples, grad.dtype)
        self._rule, self._state = rule, state
        self.rng = rng if "rng" in asked(type(rule), "gradients") else forward.rng
        self._output_delta = self._plan_output()
        self._replaced = type(rule).gradients is not Rule.gradients
        if self._replaced:
            for delta in self.delta:
                delta.fill(0)  # the rule need not fill them
        self._reads_batch = not {"y_true", "inputs"}.isdisjoint(asked(type(rule), "error"))
        self._hidden_layers = [] if self._replaced or self._reads_batch else self._plan_hidden({})

    def batch(self, x: Array, y: Array) -> Batch:
        """Return a batch of ``x`` under a row of ones and ``y``, each ``(runs, units, samples)``; see ``separate``."""
        truth = Truth.of(y, true_outputs(self.forward, self.loss))
        first, inputs = self.forward.first(x), [*self.forward.inputs]
        inputs[1] = x
        if self._replaced:
            return Batch(first, [], self._plan_gradients(inputs, truth), inputs, truth)
        hidden = self._hidden_layers
        if self._reads_batch:
            hidden = self._plan_hidden({"y_true": truth.y, "inputs": inputs})
        return Batch(first, hidden, self._gradient(1, x), inputs, truth)

    def adapting(self, batch: Batch, **offered: Any) -> Callable[[int], None]:
        """Return the call that lets the rule learn from the last evaluation of ``batch``, as a function of the step.

        Args:
            batch: the samples.
            offered: what ``adapt`` of the rule may ask for beside the network.
        """
        adapt = given(self._rule, "adapt", network=self._network(batch.inputs, batch.truth), **offered)
        return lambda step: adapt(self.forward.weights, self.delta, batch.inputs, self._state, step)

    def __call__(self, batch: Batch) -> Array:
        """Do the forward and the backward pass of ``batch``; return ``grad``, the gradient of the mean loss."""
        self.forward.forward(batch.first)
        return self.backward(batch)

    def backward(self, batch: Batch) -> Array:
        """Do the backward pass of ``batch`` after its forward pass, likewise."""
        self._output_delta(batch.truth)  # eq. 4
        for (gradient, factors), (propagate, parts), error, backward, z, a, delta in batch.hidden_layers:
            gradient(*factors)  # eq. 6: dL/dW = delta a^T, dL/db = delta
            propagate(*parts)  # eq. 5: the sum over the layer above, W^T delta ...
            backward(error, z, a, out=delta)  # ... times g'(z)
        gradient, factors = batch.gradient
        gradient(*factors)
        if self.forward.samples > 1:
            np.multiply(self.grad, self._mean, self.grad)
        return self.grad

    def jacobian(self, batch: Batch, output: int) -> Array:
        """Return the derivatives of one output of each sample, shape ``(runs, samples, parameters)``.

        Where samples have weights, theirs are multiplied by the roots of these, as residuals are. The forward pass of
        ``batch`` must have been done; ``grad`` is left alone.

        Raises:
            ConfigurationError: the backward rule gives other gradients than the derivatives.
        """
        rule, forward = self._rule, self.forward
        if self._replaced or type(rule).error is not Rule.error or type(rule).gradient is not Rule.gradient:
            raise ConfigurationError(
                f"The optimizer asks for derivatives of the predictions, which rule={rule.name} does not have: choose "
                "rule=exact, or another optimizer."
            )
        mixing = next((one for one in forward.placed if one.activation.min_samples > 1), None)
        if mixing:
            raise ConfigurationError(
                "The optimizer asks for the derivatives of each sample's predictions, but "
                f"{mixing.group}={mixing.activation.name} mixes samples: choose another, or another optimizer."
            )
        of_output = np.zeros_like(forward.a[-1])
        of_output[:, output] = 1 if batch.truth.weights is None else np.sqrt(batch.truth.weights)
        jacobian = np.empty((len(of_output), forward.samples, self.grad.shape[1]), self.grad.dtype)
        by_parameter = jacobian.mT  # where each layer puts the derivatives by its trained fields
        self._backward(forward.shape.layers, by_parameter)(of_output, forward.z[-1], forward.a[-1], out=self.delta[-1])
        layers = range(forward.shape.layers - 1, 0, -1)
        for layer, (_, (propagate, parts), error, _, z, a, delta) in zip(layers, batch.hidden_layers, strict=True):
            propagate(*parts)
            self._backward(layer, by_parameter)(error, z, a, out=delta)
        for place, delta, below in zip(forward.shape.slices()[1:], self.delta[1:], batch.inputs[1:], strict=True):
            by_sample = delta.mT[..., None] * below.mT[:, :, None]
            jacobian[..., place] = by_sample.reshape(*by_sample.shape[:2], -1)
        return jacobian

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
        gradient, backward = filling(self.loss.gradient), self._backward(forward.shape.layers, self.grad)
        error = self._error_buffer(forward.shape.layers)

        def fill(truth: Truth) -> None:
            gradient(forward.a[-1], truth.y, out=error)
            if truth.weights is not None:
                np.multiply(error, truth.weights[:, None], out=error)
            backward(error, z, forward.a[-1], out=delta)

        return fill

    def _error_buffer(self, layer: int) -> Array:
        """Return the buffer of ``dL/da``: ``delta``, unless ``backward`` fills ``delta`` while it reads ``dL/da``.

        Nor is it ``delta`` where a unit has several pieces.
        """
        delta, units = self.delta[layer], self.forward.shape.widths[layer]
        if takes_out(type(self.forward.activations[layer]).backward) or units != delta.shape[1]:
            return self._of_units(layer)
        return delta

    def _of_units(self, layer: int) -> Array:
        """Return a new array ``(runs, units, samples)``."""
        return columns_like(self.grad, self.forward.shape.widths[layer], self.forward.samples)

    def _plan_hidden(self, of_batch: dict[str, Any]) -> list[Any]:
        """Return what ``__call__`` does for each hidden layer, from the last one down.

        Args:
            of_batch: what ``error`` of the rule may ask for that differs from batch to batch.
        """
        forward = self.forward
        return [
            (
                self._gradient(above, forward.inputs[above]),
                *self._error(layer, of_batch),
                self._backward(layer, self.grad),
                forward.z[layer],
                forward.a[layer],
                self.delta[layer],
            )
            for above, layer in pairwise(range(forward.shape.layers, 0, -1))
        ]

    def _error(self, layer: int, of_batch: dict[str, Any]) -> tuple[Call, Array]:
        """Return the call that computes the sum in eq. 5 for a hidden layer, and the buffer that it fills."""
        rule, weights, delta = self._rule, self.forward.weights, self.delta
        out = self._error_buffer(layer)
        if type(rule).error is Rule.error:
            return planned_product(weights[layer + 1].mT, delta[layer + 1], out, self.forward.samples), out
        offered = {**of_batch, "z": self.forward.z}
        error = filling(rule.error, **{name: offered[name] for name in asked(type(rule), "error") if name in offered})
        return (lambda: error(layer, weights, delta, self._state, out=out), ()), out

    def _backward(self, layer: int, into: Array) -> Callable[..., Any]:
        """Return what goes from ``dL/da`` to ``delta`` on a layer, and puts the gradient of trained fields ``into``."""
        shape, groups = self.forward.shape, ("norm", "activation", "output")
        back: Callable[..., Any] = self.forward.layers[layer].backward(
            {group: shape.fields_of(into, layer, group) for group in groups}
        )
        return back

    def _gradient(self, layer: int, inputs: Array) -> Call:
        """Return the call that computes eq. 6 for a layer with these ``inputs``."""
        rule, delta, out = self._rule, self.delta[layer], self._blocks[layer]
        if type(rule).gradient is Rule.gradient:
            return planned_product(delta, inputs.mT, out, self.forward.samples)
        gradient = filling(
            rule.gradient, **({"state": self._state} if "state" in asked(type(rule), "gradient") else {})
        )
        return (lambda: gradient(layer, delta, inputs, out=out)), ()

    def _plan_gradients(self, inputs: Sequence[Array], truth: Truth) -> Call:
        """Return the call that computes the gradients of all layers, by a rule that replaces eq. 5 and 6.

        Trained fields of hidden layers have those of eq. 5 from the deltas that the rule has filled.
        """
        network, (_, *places) = self._network(inputs, truth), self._blocks
        gradients = given(self._rule, "gradients", rng=self.rng)
        learning = [
            self._learning(layer)
            for layer in sorted({field.layer for field in self.forward.shape.trained if field.group != "output"})
        ]

        def fill() -> None:
            blocks = gradients(network, self.delta, truth.y, self._state)
            if len(blocks) != len(places):
                raise PluginError(
                    f"{type(self._rule).__qualname__}.gradients returned {counted(len(blocks), 'array')} for "
                    f"{counted(len(places), 'layer')}."
                )
            for place, block in zip(places, blocks, strict=True):
                require_shape(self._rule.gradients, block, place.shape)
                np.copyto(place, block)
            for learn in learning:
                learn()

        return fill, ()

    def _learning(self, layer: int) -> Callable[[], None]:
        """Return what fills the gradient of the trained fields of a hidden layer from the delta of the layer above."""
        forward, back = self.forward, self._backward(layer, self.grad)
        error, unused = self._of_units(layer), np.empty_like(self.delta[layer])
        propagate, parts = planned_product(forward.weights[layer + 1].mT, self.delta[layer + 1], error, forward.samples)

        def learn() -> None:
            propagate(*parts)
            back(error, forward.z[layer], forward.a[layer], out=unused)

        return learn

    def _network(self, inputs: Sequence[Array], truth: Truth) -> Network:
        """Return the forward pass of a batch, to read."""
        forward, loss = self.forward, self.loss
        _, *biases = forward.shape.biases(forward.theta)
        activations = [None, *(layer.anywhere for layer in forward.layers[1:])]
        output: Any = activations[-1]

        def output_delta(z: Array) -> Array:
            a = output.forward(z)
            if is_paired(loss, forward.output):
                delta = loss.paired_delta(z, a, truth.y)
            else:
                delta = output.backward(loss.gradient(a, truth.y), z, a)
            return delta if truth.weights is None else delta * truth.weights[:, None]

        return Network(
            z=forward.z,
            a=forward.a,
            inputs=inputs,
            weights=forward.weights,
            biases=[forward.z[0], *(bias[:, :, None] for bias in biases)],
            activations=activations,
            output_delta=output_delta,
        )
