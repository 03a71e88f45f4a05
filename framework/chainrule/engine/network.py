"""Flat parameters and the forward pass: eq. 1 and eq. 2 of the article, for a stack of runs.

Arrays have the shape ``(runs, units, samples)``. Two choices make stacks of small networks fast:

- A layer's parameters are one block ``(units, 1 + units before)``, bias first, and a row of ones lies above each
  layer's activations, as in the article's ``1 * b + x1 w11 + x2 w12``. So one product gives ``z`` and one gives the
  gradients of weights and biases.
- In memory the units come first, then runs, then samples (``columns``). The activations below the row of ones are then
  one contiguous piece, whatever the number of runs.
"""

import copy
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import asked, takes_out
from chainrule.components.contracts import Activation, Array
from chainrule.components.random import Random
from chainrule.errors import PluginError

# OpenBLAS multiplies a matrix by few columns, or a single row by a matrix, with different instructions for a contiguous
# matrix and for a slice of a stack; the last bits then depend on the number of runs. From 17 samples on they do not
# (see tests/framework/engine/test_network.py).
_FEW_SAMPLES = 16
_FEW_COLUMNS = 8  # with fewer, a loop over columns costs more than it saves

Call = tuple[Callable[..., Any], tuple[Any, ...]]  # a function and its arguments, fixed once for all steps
Hidden = Activation | tuple[Activation, ...]  # of all hidden layers, or one for each


def columns(runs: int, units: int, samples: int, dtype: DTypeLike) -> Array:
    """Return an uninitialised array ``(runs, units, samples)``, units first in memory."""
    return np.empty((units, runs, samples), dtype).swapaxes(0, 1)


def product(a: Array, b: Array, out: Array | None = None) -> Array:
    """Return ``a @ b`` of two stacks of matrices, with bits that do not depend on the number of runs stacked."""
    multiply, operands = _multiplication(a, b, samples=1)
    result: Array = multiply(*operands, out=out)
    return result


def planned_product(a: Array, b: Array, out: Array, samples: int) -> Call:
    """Return the call that puts ``a @ b`` into ``out``, for arrays that keep their place in memory.

    Its bits do not depend on the number of runs stacked. ``samples`` is the number of samples in either operand.
    """
    multiply, operands = _multiplication(a, b, samples)
    rows_lie_together = a.strides[-1] == a.itemsize  # else ``dot`` copies, and the bits of large products change
    if multiply is np.matmul and operands[0] is a and len(a) == 1 and rows_lie_together and out.flags.c_contiguous:
        return np.dot, (a[0], b[0], out[0])  # the same call of BLAS as in ``matmul``, in half the time
    return multiply, (*operands, out)


def _multiplication(a: Array, b: Array, samples: int) -> Call:
    if a.shape[-1] == 1 and b.shape[-1] >= _FEW_COLUMNS:  # each sum has one term
        return np.multiply, (a, b)
    if samples <= _FEW_SAMPLES and (a.shape[-2] == 1 or b.shape[-1] == 1):
        # NumPy never hands operands with a negative stride to BLAS, but multiplies them in a loop of its own.
        return np.matmul, (a[..., ::-1], b[..., ::-1, :])
    return np.matmul, (a, b)


class TrainedField(NamedTuple):
    """A field of an activation that is learned.

    Attributes:
        layer: which layer the activation is on, from 1.
        name: of the field.
        values: how many numbers it has: 1, or one for each unit.
    """

    layer: int
    name: str
    values: int


@dataclass(frozen=True)
class Shape:
    """The widths of a network and where each layer's parameters lie in the flat vector.

    Weights and biases come first, layer by layer, then the trained fields of activations.

    Attributes:
        widths: units of each layer, from the inputs to the outputs; ``(2, 2, 2, 1)`` is the article's network.
        trained: the trained fields of activations.
    """

    widths: tuple[int, ...]
    trained: tuple[TrainedField, ...] = ()

    @classmethod
    def of(cls, widths: tuple[int, ...], hidden: Hidden, output: Activation) -> "Shape":
        """Return the shape of a network with these widths and activations."""
        found = []
        for layer, activation in by_layer(hidden, output, len(widths) - 1):
            found += [TrainedField(layer, name, 1) for name in activation.trained]
            found += [TrainedField(layer, name, widths[layer]) for name in activation.trained_per_unit]
        return cls(widths, tuple(found))

    @property
    def layers(self) -> int:
        """Number of layers that have parameters."""
        return len(self.widths) - 1

    def __str__(self) -> str:
        return "-".join(map(str, self.widths))

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self._weights_and_biases + sum(field.values for field in self.trained)

    @property
    def _weights_and_biases(self) -> int:
        return sum(units * (1 + before) for before, units in pairwise(self.widths))

    def slices(self) -> list[slice]:
        """Return the place of each layer's weights and biases; index 0 is empty, so that layers count from 1."""
        places, start = [slice(0, 0)], 0
        for before, units in pairwise(self.widths):
            places.append(slice(start, start := start + units * (1 + before)))
        return places

    def blocks(self, flat: Array) -> list[Array]:
        """Return views of ``flat (runs, parameters)``: each layer's ``(runs, units, 1 + units before)``, from 1."""
        widths = (0, *self.widths)
        return [
            flat[:, place].reshape(len(flat), widths[layer + 1] if layer else 0, 1 + widths[layer])
            for layer, place in enumerate(self.slices())
        ]

    def biases(self, flat: Array) -> list[Array]:
        """Return views of ``flat (runs, parameters)``: each layer's biases, ``(runs, units)``, from 1."""
        return [block[:, :, 0] for block in self.blocks(flat)]

    def weights(self, flat: Array) -> list[Array]:
        """Return views of ``flat (runs, parameters)``: each layer's weights ``(runs, units, units before)``, from 1."""
        return [block[:, :, 1:] for block in self.blocks(flat)]

    def fields(self, flat: Array) -> Array:
        """Return a view of the trained fields of all activations in ``flat (runs, parameters)``: ``(runs, values)``."""
        return flat[:, self._weights_and_biases :]

    def fields_of_layers(self, flat: Array) -> list[dict[str, Array]]:
        """Return views of the trained fields in ``flat (runs, parameters)``: each layer's by name, from 1.

        Their shape is ``(runs, 1, 1)`` or ``(runs, units, 1)``.
        """
        found: list[dict[str, Array]] = [{} for _ in self.widths]
        start = self._weights_and_biases
        for layer, name, values in self.trained:
            found[layer][name] = flat[:, start : start + values, None]
            start += values
        return found

    def initial_fields(self, hidden: Hidden, output: Activation) -> Array:
        """Return the values of trained fields before training, as activations that are not stacked have them."""
        activations = dict(by_layer(hidden, output, self.layers))
        values = [np.full(count, getattr(activations[layer], name)) for layer, name, count in self.trained]
        return np.concatenate([*values, np.empty(0)])

    def flatten(self, weights: Sequence[Array], biases: Sequence[Array]) -> Array:
        """Return one flat vector from each layer's weights ``(units, units before)`` and biases ``(units,)``."""
        blocks = [np.column_stack([bias, weight]) for weight, bias in zip(weights, biases, strict=True)]
        return np.concatenate([block.ravel() for block in blocks])

    def split(self, theta: Array) -> tuple[list[Array], list[Array]]:
        """Return copies of the weights and the biases in one run's flat vector ``theta``, one entry per layer."""
        blocks = [block[0] for block in self.blocks(theta[None])[1:]]
        return [block[:, 1:].copy() for block in blocks], [block[:, 0].copy() for block in blocks]


def by_layer(hidden: Hidden, output: Activation, layers: int) -> Iterator[tuple[int, Activation]]:
    """Yield each layer, from 1, with its activation."""
    each = hidden if isinstance(hidden, tuple) else (hidden,) * (layers - 1)
    return enumerate((*each, output), 1)


class Pass:
    """The forward pass of a stack for a fixed number of samples, with its buffers.

    Lists have one array ``(runs, units, samples)`` per layer and count from 1, as in the article; index 0 is empty.

    Args:
        shape: of the network.
        theta: flat parameters, ``(runs, parameters)``.
        hidden: activation of the hidden layers, or one for each; stacked.
        output: activation of the output layer, stacked.
        samples: number of samples.
        rng: what activations and dropout draw from in training; None to measure and to predict.
        dropout: probability with which a hidden unit is left out, ``(runs,)``; None to keep all.

    Attributes:
        z, a: eq. 1 and 2; ``a[-1]`` is the prediction after a forward pass.
        outputs: eq. 2 before dropout; without it, the same arrays as ``a``.
        dropped: factors by which dropout multiplies: 0, or what makes up for the zeros; None without dropout.
        inputs: the input of each layer, a row of ones above the activations before; index 1 is empty too, because the
            samples are the input of the first layer.
        weights: views of each layer's weights in ``theta``, ``(runs, units, units before)``.
        activations: activation of each layer; its trained fields are views of ``theta``. At index 0 there is ``None``.
        samples: number of samples.
    """

    def __init__(
        self,
        shape: Shape,
        theta: Array,
        hidden: Hidden,
        output: Activation,
        samples: int,
        rng: Random | None = None,
        dropout: Array | None = None,
    ) -> None:
        runs, dtype = len(theta), theta.dtype
        self.shape, self.samples = shape, samples
        fields = shape.fields_of_layers(theta)
        self.activations: list[Any] = [None]
        self.activations += [_with(own, fields[layer]) for layer, own in by_layer(hidden, output, shape.layers)]
        self.output: Activation = self.activations[-1]
        blocks = shape.blocks(theta)
        self.weights = shape.weights(theta)
        empty = np.empty((runs, 0, samples), dtype)
        *inner, outputs = shape.widths[1:]
        self.inputs = [empty, empty, *(columns(runs, 1 + units, samples, dtype) for units in inner)]
        for rows in self.inputs[2:]:
            rows[:, 0] = 1
        self.z = [empty, *(columns(runs, units, samples, dtype) for units in (*inner, outputs))]
        self.a = [empty, *(rows[:, 1:] for rows in self.inputs[2:]), columns(runs, outputs, samples, dtype)]
        self.outputs, self.dropped = self.a, None
        if dropout is not None:
            self.outputs = [empty, *(columns(runs, units, samples, dtype) for units in inner), self.a[-1]]
            self.dropped = [empty, *(columns(runs, units, samples, dtype) for units in inner)]
        self._first = blocks[1]
        self._hidden_layers = [
            (
                self._activate(layer, rng, dropout),
                self.z[layer],
                self.a[layer],
                planned_product(blocks[above], self.inputs[above], self.z[above], samples),
            )
            for layer, above in pairwise(range(1, shape.layers + 1))
        ]
        self._of_output = self._wanted(shape.layers, rng)
        self._output_takes_out = takes_out(type(output).forward)

    def first(self, x: Array) -> Call:
        """Return the call that computes eq. 1 in the first layer, for samples ``x`` under a row of ones."""
        return planned_product(self._first, x, self.z[1], self.samples)

    def forward(self, first: Call) -> Array:
        """Return the predictions ``(runs, outputs, samples)`` for the samples in ``first``."""
        multiply, operands = first
        multiply(*operands)  # eq. 1: z = W a + b
        for activate, z, a, (multiply, operands) in self._hidden_layers:
            activate(z, out=a)  # eq. 2: a = g(z)
            multiply(*operands)  # eq. 1 of the layer above
        if self._output_takes_out:
            self.output.forward(self.z[-1], out=self.a[-1], **self._of_output)
        else:
            self.a[-1] = self.output.forward(self.z[-1], **self._of_output)
            require_shape(self.output.forward, self.a[-1], self.z[-1].shape)
        return self.a[-1]

    def _activate(self, layer: int, rng: Random | None, dropout: Array | None) -> Callable[..., Any]:
        """Return eq. 2 of a hidden layer, which fills ``out``, followed by dropout."""
        activate: Callable[..., Any] = filling(self.activations[layer].forward, **self._wanted(layer, rng))
        if self.dropped is None or dropout is None or rng is None:
            return activate
        kept, factors, draw, rate = self.outputs[layer], self.dropped[layer], rng.uniform, dropout[:, None, None]

        def drop(z: Array, out: Array) -> None:
            activate(z, out=kept)
            np.greater_equal(draw(*z.shape[1:]), rate, out=factors)
            np.divide(factors, 1 - rate, out=factors)  # so that the sum of the layer above keeps its mean
            np.multiply(kept, factors, out=out)

        return drop

    def _wanted(self, layer: int, rng: Random | None) -> dict[str, Any]:
        """Return the optional arguments that ``forward`` of the activation on a layer names."""
        offered = {"rng": rng, "layer": layer}
        cls: type = type(self.activations[layer])
        names = asked(cls, "forward")
        return {name: offered[name] for name in names if name in offered}


def draws(hidden: Hidden, output: Activation) -> bool:
    """Say whether an activation is random in training."""
    each = hidden if isinstance(hidden, tuple) else (hidden,)
    return any("rng" in asked(type(activation), "forward") for activation in (*each, output))


def _with(activation: Activation, fields: Mapping[str, Array]) -> Activation:
    """Return an activation whose trained fields are these arrays."""
    if not fields:
        return activation
    own = copy.copy(activation)
    for name, values in fields.items():
        object.__setattr__(own, name, values)
    return own


def filling(method: Any, **optional: Any) -> Any:
    """Return ``method`` if it fills a buffer given as ``out``, else a function that copies its result there.

    It is given the ``optional`` arguments, too. The function that copies raises PluginError if the result has another
    shape, because NumPy would broadcast it over the buffer.
    """
    if takes_out(getattr(method, "__func__", method)):
        return functools.partial(method, **optional) if optional else method

    def fill(*arguments: Any, out: Array) -> Array:
        result = method(*arguments, **optional)
        if result is not out:
            require_shape(method, result, out.shape)
            np.copyto(out, result)
        return out

    return fill


def require_shape(method: Any, result: Any, shape: tuple[int, ...]) -> None:
    """Check the shape of an array that a plugin returned.

    Raises:
        PluginError: the array has another shape.
    """
    if np.shape(result) != shape:
        raise PluginError(f"{method.__qualname__} returned an array of shape {np.shape(result)}, not {shape}.")


def predict(shape: Shape, theta: Array, hidden: Hidden, output: Activation, x: Array) -> Array:
    """Return predictions ``(outputs, samples)`` of one run.

    Args:
        shape: widths of the network.
        theta: flat parameters of the run, shape ``(parameters,)``.
        hidden: activation of the hidden layers, or one for each; stacked for one run.
        output: activation of the output layer, stacked for one run.
        x: inputs, shape ``(inputs, samples)``.
    """
    rows = columns(1, 1 + len(x), x.shape[1], theta.dtype)
    rows[0, 0], rows[0, 1:] = 1, x
    forward = Pass(shape, theta[None], hidden, output, x.shape[1])
    y: Array = forward.forward(forward.first(rows))[0].copy()
    return y
