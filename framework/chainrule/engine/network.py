"""Flat parameters and the forward pass: eq. 1 and eq. 2 of the article, for a stack of runs.

Arrays have the shape ``(runs, units, samples)``. Two choices make stacks of small networks fast:

- A layer's parameters are one block ``(units, 1 + units before)``, bias first, and a row of ones lies above each
  layer's activations, as in the article's ``1 * b + x1 w11 + x2 w12``. So one product gives ``z`` and one gives the
  gradients of weights and biases.
- In memory the units come first, then runs, then samples (``columns``). The activations below the row of ones are then
  one contiguous piece, whatever the number of runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import takes_out
from chainrule.components.contracts import Activation, Array
from chainrule.errors import PluginError

# OpenBLAS multiplies a matrix by few columns, or a single row by a matrix, with different instructions for a contiguous
# matrix and for a slice of a stack; the last bits then depend on the number of runs. From 17 samples on they do not
# (see tests/framework/engine/test_network.py).
_FEW_SAMPLES = 16
_FEW_COLUMNS = 8  # with fewer, a loop over columns costs more than it saves

Call = tuple[Callable[..., Any], tuple[Any, ...]]  # a function and its arguments, fixed once for all steps


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


@dataclass(frozen=True)
class Shape:
    """The widths of a network and where each layer's parameters lie in the flat vector.

    Attributes:
        widths: units of each layer, from the inputs to the outputs; ``(2, 2, 2, 1)`` is the article's network.
    """

    widths: tuple[int, ...]

    @property
    def layers(self) -> int:
        """Number of layers that have parameters."""
        return len(self.widths) - 1

    def __str__(self) -> str:
        return "-".join(map(str, self.widths))

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(units * (1 + before) for before, units in pairwise(self.widths))

    def slices(self) -> list[slice]:
        """Return each layer's place in the flat vector; index 0 is empty, so that layers count from 1."""
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

    def flatten(self, weights: Sequence[Array], biases: Sequence[Array]) -> Array:
        """Return one flat vector from each layer's weights ``(units, units before)`` and biases ``(units,)``."""
        blocks = [np.column_stack([bias, weight]) for weight, bias in zip(weights, biases, strict=True)]
        return np.concatenate([block.ravel() for block in blocks])

    def split(self, theta: Array) -> tuple[list[Array], list[Array]]:
        """Return copies of the weights and the biases of one run's flat vector ``theta``, one entry per layer."""
        blocks = [block[0] for block in self.blocks(theta[None])[1:]]
        return [block[:, 1:].copy() for block in blocks], [block[:, 0].copy() for block in blocks]


class Pass:
    """The forward pass of a stack for a fixed number of samples, with its buffers.

    Lists have one array ``(runs, units, samples)`` per layer and count from 1, as in the article; index 0 is empty.

    Attributes:
        z, a: eq. 1 and 2; ``a[-1]`` is the prediction after a forward pass.
        inputs: the input of each layer, a row of ones above the activations before; index 1 is empty too, because the
            samples are the input of the first layer.
        theta: the parameters, ``(runs, parameters)``.
        weights: views of each layer's weights in ``theta``, ``(runs, units, units before)``.
        samples: number of samples.
    """

    def __init__(self, shape: Shape, theta: Array, hidden: Activation, output: Activation, samples: int) -> None:
        runs, dtype = len(theta), theta.dtype
        self.shape, self.theta, self.samples, self.hidden, self.output = shape, theta, samples, hidden, output
        blocks = shape.blocks(theta)
        self.weights = shape.weights(theta)
        empty = np.empty((runs, 0, samples), dtype)
        *inner, outputs = shape.widths[1:]
        self.inputs = [empty, empty, *(columns(runs, 1 + units, samples, dtype) for units in inner)]
        for rows in self.inputs[2:]:
            rows[:, 0] = 1
        self.z = [empty, *(columns(runs, units, samples, dtype) for units in (*inner, outputs))]
        self.a = [empty, *(rows[:, 1:] for rows in self.inputs[2:]), columns(runs, outputs, samples, dtype)]
        self._first = blocks[1]
        self._hidden_layers = [
            (self.z[layer], self.a[layer], planned_product(blocks[above], self.inputs[above], self.z[above], samples))
            for layer, above in pairwise(range(1, shape.layers + 1))
        ]
        self._activate = filling(hidden.forward)
        self._output_takes_out = takes_out(type(output).forward)

    def first(self, x: Array) -> Call:
        """Return the call that computes eq. 1 in the first layer, for samples ``x`` under a row of ones."""
        return planned_product(self._first, x, self.z[1], self.samples)

    def forward(self, first: Call) -> Array:
        """Return the predictions ``(runs, outputs, samples)`` for the samples in ``first``."""
        multiply, operands = first
        multiply(*operands)  # eq. 1: z = W a + b
        for z, a, (multiply, operands) in self._hidden_layers:
            self._activate(z, out=a)  # eq. 2: a = g(z)
            multiply(*operands)  # eq. 1 of the layer above
        if self._output_takes_out:
            self.output.forward(self.z[-1], out=self.a[-1])  # type: ignore[call-arg]
        else:
            self.a[-1] = self.output.forward(self.z[-1])
            require_shape(self.output.forward, self.a[-1], self.z[-1].shape)
        return self.a[-1]


def filling(method: Any) -> Any:
    """Return ``method`` if it fills a buffer given as ``out``, else a function that copies its result there.

    That function raises PluginError if the result has another shape, because NumPy would broadcast it over the buffer.
    """
    if takes_out(getattr(method, "__func__", method)):
        return method

    def fill(*arguments: Any, out: Array, **optional: Any) -> Array:
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


def require_run_axis(owner: str, state: dict[str, Array], runs: int) -> None:
    """Check that each array of a component's state has one row per run.

    Raises:
        PluginError: an array has another first axis.
    """
    for name, array in state.items():
        if array.shape[:1] != (runs,):
            raise PluginError(
                f"{owner} keeps {name!r} of shape {array.shape}; its first axis must be the run axis, of length {runs}."
            )


def predict(shape: Shape, theta: Array, hidden: Activation, output: Activation, x: Array) -> Array:
    """Return predictions ``(outputs, samples)`` of one run.

    Args:
        shape: widths of the network.
        theta: flat parameters of the run, shape ``(parameters,)``.
        hidden: activation of the hidden layers, stacked for one run.
        output: activation of the output layer, stacked for one run.
        x: inputs, shape ``(inputs, samples)``.
    """
    rows = columns(1, 1 + len(x), x.shape[1], theta.dtype)
    rows[0, 0], rows[0, 1:] = 1, x
    forward = Pass(shape, theta[None], hidden, output, x.shape[1])
    y: Array = forward.forward(forward.first(rows))[0].copy()
    return y
