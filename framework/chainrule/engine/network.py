"""Flat parameters and the forward pass: eq. 1 and eq. 2 of the article, for a stack of runs.

Arrays have the shape ``(runs, units, samples)``. Two choices make stacks of small networks fast:

- A layer's parameters are one block ``(units, 1 + units before)``, bias first, and a row of ones lies above each
  layer's activations, as in the article's ``1 * b + x1 w11 + x2 w12``. So one product gives ``z`` and one gives the
  gradients of weights and biases.
- In memory the units come first, then runs, then samples (``columns``). The activations below the row of ones are then
  one contiguous piece, whatever the number of runs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import given, takes_out
from chainrule.components.contracts import Activation, Array
from chainrule.components.random import Random
from chainrule.engine.layers import Layer, States, require_shape, with_fields
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


def columns_like(theta: Array, units: int, samples: int) -> Array:
    """Return an uninitialised array ``(runs, units, samples)`` of the runs, dtype and type of array of ``theta``."""
    if type(theta) is np.ndarray:
        return columns(len(theta), units, samples, theta.dtype)
    return np.empty_like(theta, shape=(len(theta), units, samples))


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


class Placed(NamedTuple):
    """An activation and where it is.

    Attributes:
        layer: on which layer, from 1.
        group: ``norm`` before the ``activation`` of a hidden layer, or ``output``.
        activation: the activation.
    """

    layer: int
    group: str
    activation: Activation


class TrainedField(NamedTuple):
    """A field of an activation that is learned.

    Attributes:
        layer, group: where the activation is, as in ``Placed``.
        name: of the field.
        values: how many numbers it has: 1, or one for each unit.
    """

    layer: int
    group: str
    name: str
    values: int

    @property
    def key(self) -> str:
        """Its name in a record: that of the field in the configuration, with the number of a hidden layer."""
        return key_of(self.layer, self.group, self.name)


def key_of(layer: int, group: str, name: str) -> str:
    """Return ``activation.1.beta``, ``norm.1.gain`` or ``output.beta``."""
    return f"{group}.{name}" if group == "output" else f"{group}.{layer}.{name}"


def placed(hidden: Hidden, output: Activation, norm: Hidden, layers: int) -> Iterator[Placed]:
    """Yield every activation of a network that does something, from the first layer on."""
    for layer in range(1, layers):
        for group, chosen in (("norm", norm), ("activation", hidden)):
            if chosen == ():
                continue
            one = chosen[layer - 1] if isinstance(chosen, tuple) else chosen
            if not (group == "norm" and one.is_identity):
                yield Placed(layer, group, one)
    yield Placed(layers, "output", output)


@dataclass(frozen=True)
class Shape:
    """The widths of a network and where each layer's parameters lie in the flat vector.

    Weights and biases come first, layer by layer, then the trained fields of activations.

    Attributes:
        widths: units of each layer, from the inputs to the outputs; ``(2, 2, 2, 1)`` is the article's network.
        trained: the trained fields of activations.
        rows: rows of each layer's weights: its units, times the pieces of its activation. Index 0 is 0, so that layers
            count from 1; ``()`` stands for one piece everywhere.
    """

    widths: tuple[int, ...]
    trained: tuple[TrainedField, ...] = ()
    rows: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.rows:
            object.__setattr__(self, "rows", (0, *self.widths[1:]))

    @classmethod
    def of(cls, widths: tuple[int, ...], hidden: Hidden, output: Activation, norm: Hidden = ()) -> "Shape":
        """Return the shape of a network with these widths and activations."""
        chosen, rows = list(placed(hidden, output, norm, len(widths) - 1)), [0, *widths[1:]]
        for layer, group, activation in chosen:
            rows[layer] *= 1 if group == "norm" else activation.pieces
        plain, found = cls(widths, (), tuple(rows)), []
        for layer, group, activation in chosen:
            found += [TrainedField(layer, group, name, 1) for name in activation.trained]
            units = plain.units(layer, group)
            found += [TrainedField(layer, group, name, units) for name in activation.trained_per_unit]
        return cls(widths, tuple(found), plain.rows)

    @property
    def layers(self) -> int:
        """Number of layers that have parameters."""
        return len(self.widths) - 1

    def __str__(self) -> str:
        return "-".join(map(str, self.widths))

    def units(self, layer: int, group: str) -> int:
        """Return on how many units the activation of a group acts: a norm acts on rows of ``z``."""
        return self.rows[layer] if group == "norm" else self.widths[layer]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self._weights_and_biases + sum(field.values for field in self.trained)

    @property
    def _weights_and_biases(self) -> int:
        return sum(rows * (1 + before) for before, rows in self._sizes())

    def _sizes(self) -> Iterator[tuple[int, int]]:
        """Yield the units before each layer, and the rows of its weights."""
        return zip(self.widths, self.rows[1:], strict=False)  # the outputs are before no layer

    def slices(self) -> list[slice]:
        """Return the place of each layer's weights and biases; index 0 is empty, so that layers count from 1."""
        places, start = [slice(0, 0)], 0
        for before, rows in self._sizes():
            places.append(slice(start, start := start + rows * (1 + before)))
        return places

    def blocks(self, flat: Array) -> list[Array]:
        """Return views of ``flat (runs, parameters)``: each layer's ``(runs, rows, 1 + units before)``, from 1.

        There is a row for each unit, or one for each of its pieces.
        """
        befores = (0, *self.widths)
        return [
            flat[:, place].reshape(len(flat), self.rows[layer], 1 + befores[layer])
            for layer, place in enumerate(self.slices())
        ]

    def biases(self, flat: Array) -> list[Array]:
        """Return views of ``flat (runs, parameters)``: each layer's biases, ``(runs, rows)``, from 1."""
        return [block[:, :, 0] for block in self.blocks(flat)]

    def weights(self, flat: Array) -> list[Array]:
        """Return views of ``flat (runs, parameters)``: each layer's weights ``(runs, rows, units before)``, from 1."""
        return [block[:, :, 1:] for block in self.blocks(flat)]

    def fields(self, flat: Array) -> Array:
        """Return a view of the trained fields of all activations in ``flat (runs, parameters)``: ``(runs, values)``."""
        return flat[:, self._weights_and_biases :]

    def named_fields(self, flat: Array) -> dict[str, Array]:
        """Return views of the trained fields in ``flat (runs, parameters)``, by names such as ``activation.1.beta``.

        Their shape is ``(runs, 1, 1)`` or ``(runs, units, 1)``.
        """
        return {field.key: flat[:, place, None] for field, place in self._places()}

    def fields_of(self, flat: Array, layer: int, group: str) -> dict[str, Array]:
        """Return those of one activation, by the names of its fields.

        Of ``flat (runs, parameters, samples)`` they have an entry for each sample.
        """
        own = [(field.name, place) for field, place in self._places() if (field.layer, field.group) == (layer, group)]
        return {name: flat[:, place] if flat.ndim > 2 else flat[:, place, None] for name, place in own}

    def _places(self) -> Iterator[tuple[TrainedField, slice]]:
        start = self._weights_and_biases
        for field in self.trained:
            yield field, slice(start, start := start + field.values)

    def initial_fields(self, hidden: Hidden, output: Activation, norm: Hidden = ()) -> Array:
        """Return the values of trained fields before training, as activations that are not stacked have them."""
        chosen = {(layer, group): one for layer, group, one in placed(hidden, output, norm, self.layers)}
        values = [np.full(field.values, getattr(chosen[field[:2]], field.name)) for field in self.trained]
        return np.concatenate([*values, np.empty(0)])

    def flatten(self, weights: Sequence[Array], biases: Sequence[Array]) -> Array:
        """Return one flat vector from each layer's weights ``(rows, units before)`` and biases ``(rows,)``."""
        blocks = [np.column_stack([bias, weight]) for weight, bias in zip(weights, biases, strict=True)]
        return np.concatenate([block.ravel() for block in blocks])

    def split(self, theta: Array) -> tuple[list[Array], list[Array]]:
        """Return copies of the weights and the biases in one run's flat vector ``theta``, one entry per layer."""
        blocks = [block[0] for block in self.blocks(theta[None])[1:]]
        return [block[:, 1:].copy() for block in blocks], [block[:, 0].copy() for block in blocks]


class Pass:
    """The forward pass of a stack for a fixed number of samples, with its buffers.

    Lists have one array ``(runs, units, samples)`` per layer and count from 1, as in the article; index 0 is empty.
    Where a unit has several pieces, those of ``z`` are ``(runs, rows, samples)``.

    Args:
        shape: of the network.
        theta: flat parameters, ``(runs, parameters)``.
        hidden: activation of the hidden layers, or one for each; stacked.
        output: activation of the output layer, stacked.
        samples: number of samples.
        rng: what layers draw from in training; None to measure and to predict.
        norm: what lies before the activation of hidden layers, likewise; () for nothing.
        states: arrays of activations that keep some, as :func:`initial_states` gives them, which it gives if None.
        dropout: probability with which a hidden unit is left out in training, ``(runs,)``; None to keep all.

    Attributes:
        z, a: eq. 1 and 2; ``a[-1]`` is the prediction after a forward pass.
        inputs: the input of each layer, a row of ones above the activations before; index 1 is empty too, because the
            samples are the input of the first layer.
        theta: the parameters, ``(runs, parameters)``.
        weights: views of each layer's weights in ``theta``, ``(runs, rows, units before)``.
        placed: every activation that does something, and where it is.
        layers: from ``z`` to ``a`` on each layer, and back. At index 0 there is ``None``.
        activations: activation of each layer; its trained fields are views of ``theta``. At index 0 there is ``None``.
        samples: number of samples.
        rng: what layers draw from in training; None for a pass that measures, and where layers do the same in training.
        states: the arrays of activations that keep some.
    """

    def __init__(
        self,
        shape: Shape,
        theta: Array,
        hidden: Hidden,
        output: Activation,
        samples: int,
        rng: Random | None = None,
        *,
        norm: Hidden = (),
        states: States | None = None,
        dropout: Array | None = None,
    ) -> None:
        runs, dtype = len(theta), theta.dtype
        self.shape, self.theta, self.samples, self.rng = shape, theta, samples, rng
        blocks = shape.blocks(theta)
        self.weights = shape.weights(theta)
        empty = np.empty((runs, 0, samples), dtype)
        *inner, outputs = shape.widths[1:]
        self.inputs = [empty, empty, *(columns_like(theta, 1 + units, samples) for units in inner)]
        for rows in self.inputs[2:]:
            rows[:, 0] = 1
        self.z = [empty, *(columns_like(theta, rows, samples) for rows in shape.rows[1:])]
        self.a = [empty, *(rows[:, 1:] for rows in self.inputs[2:]), columns_like(theta, outputs, samples)]
        self.placed = chosen = list(placed(hidden, output, norm, shape.layers))
        self.states = states = initial_states(chosen, shape, runs, dtype) if states is None else states
        rates = None if dropout is None or rng is None else dropout[:, None, None]
        self.layers: list[Any] = [None]
        for layer in range(1, shape.layers + 1):
            parts = {
                group: (with_fields(one, shape.fields_of(theta, layer, group)), states.get((layer, group), {}))
                for place, group, one in chosen
                if place == layer
            }
            dropped = rates if layer < shape.layers else None
            self.layers.append(Layer(layer, parts, self.z[layer], self.a[layer], rng, dropped))
        self.activations = [None, *(layer.activation for layer in self.layers[1:])]
        self.output: Activation = self.layers[-1].activation
        self._first = blocks[1]
        self._hidden_layers = [
            (
                self.layers[layer].forward,
                self.z[layer],
                self.a[layer],
                planned_product(blocks[above], self.inputs[above], self.z[above], samples),
            )
            for layer, above in pairwise(range(1, shape.layers + 1))
        ]
        self._predict = given(self.output, "forward", **self.layers[-1].wanted("output", "forward"))
        self._output_takes_out = takes_out(type(output).forward)
        self._predictions = self.a[-1].shape

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
            self._predict(self.z[-1], out=self.a[-1])
        else:
            self.a[-1] = self._predict(self.z[-1])
            require_shape(self.output.forward, self.a[-1], self._predictions)
        return self.a[-1]


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


def initial_states(chosen: Iterable[Placed], shape: Shape, runs: int, dtype: DTypeLike) -> States:
    """Return the arrays that activations keep before training, ``(runs, units, 1)``, by layer and group."""
    found = {}
    for layer, group, activation in chosen:
        arrays = activation.init(shape.units(layer, group))
        if arrays:
            found[layer, group] = {
                name: np.repeat(np.asarray(array, dtype)[None, :, None], runs, axis=0) for name, array in arrays.items()
            }
    return found


def predict(
    shape: Shape,
    theta: Array,
    hidden: Hidden,
    output: Activation,
    x: Array,
    *,
    norm: Hidden = (),
    states: States | None = None,
) -> Array:
    """Return predictions ``(outputs, samples)`` of one run.

    Args:
        shape: of the network.
        theta: flat parameters of the run, shape ``(parameters,)``.
        hidden: activation of the hidden layers, or one for each; stacked for one run.
        output: activation of the output layer, stacked for one run.
        x: inputs, shape ``(inputs, samples)``.
        norm: what lies before the activation of hidden layers, stacked for one run; () for nothing.
        states: arrays of activations that keep some, of one run; None for those before training.
    """
    rows = columns(1, 1 + len(x), x.shape[1], theta.dtype)
    rows[0, 0], rows[0, 1:] = 1, x
    forward = Pass(shape, theta[None], hidden, output, x.shape[1], norm=norm, states=states)
    y: Array = forward.forward(forward.first(rows))[0].copy()
    return y
