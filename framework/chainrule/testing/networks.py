"""Networks that are drawn for backward rules: calls of their methods, and steps in which they adapt."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Activation, Array, Network, Rule
from chainrule.components.random import Random
from chainrule.components.stacking import stack, take
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import Call, Size
from chainrule.testing.steps import generators_of
from chainrule.testing.subjects import as_columns, random_columns

_NETS = ((3, 4, 5, 2), (2, 5, 20, 3, 4, 2))  # widths of networks for a rule that takes any
_BY_SAMPLE = ("z", "a", "inputs")  # lists of a network whose arrays have an axis of samples


def widths_of(cls: Any, net: int = 0) -> tuple[int, ...]:
    """Return the widths of a network that a rule is tried with: its own, or those of the network of this number."""
    return cls.widths or _NETS[net]


@dataclass(frozen=True)
class _Tanh(Activation):
    """The hidden layers of a network that is read."""

    def forward(self, z: Array) -> Array:
        """Return ``tanh(z)``."""
        return np.tanh(z)

    def slope(self, z: Array, a: Array) -> Array:
        """Return its derivative."""
        return 1 - a * a


@dataclass(frozen=True)
class _Linear(_Tanh):
    """The output layer of a network that is read."""

    def forward(self, z: Array) -> Array:
        """Return ``z``."""
        return z

    def slope(self, z: Array, a: Array) -> Array:
        """Return 1."""
        return np.ones_like(z)


@dataclass(frozen=True)
class Larger(Activation):
    """The larger of two pieces, for rules that take several."""

    pieces = 2

    def forward(self, z: Array) -> Array:
        """Return the larger one of both pieces of each unit."""
        first, second = np.split(z, 2, axis=1)
        larger: Array = np.maximum(first, second)
        return larger

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:  # type: ignore[override]  # fills nothing
        """Return ``grad_a`` where that is, 0 elsewhere."""
        first, second = np.split(z, 2, axis=1)
        return np.concatenate([grad_a * (first >= second), grad_a * (first < second)], axis=1)


@dataclass(frozen=True)
class RuleCall(Call):
    """A call of a rule's method with what it asks for; the gradients of all layers are one array, layer by layer.

    Attributes:
        optional: arrays, lists or dicts of these, by the name that the method gives them.
    """

    optional: dict[str, Any] = field(default_factory=dict)

    def on(self, component: Any, **keywords: Any) -> Any:
        """Call the method of ``component``."""
        if self.method != "gradients":
            return getattr(component, self.method)(*self.arguments, **keywords, **self.optional)
        arrays, deltas, y_true, state = self.arguments
        fillable = [delta.copy(order="K") for delta in deltas]
        fillable[-1].flags.writeable = False
        blocks = given(component, "gradients", rng=None)(network(arrays, y_true), fillable, y_true, state)
        return flat(type(component).__qualname__, blocks, arrays["weights"][1:])

    def mapped(self, change: Callable[[Array], Array]) -> "RuleCall":
        """Return the call with every array changed."""
        arguments, optional = Call(self.method, (self.arguments, self.optional), self.shape).mapped(change).arguments
        return RuleCall(self.method, arguments, self.shape, self.has_samples, optional)

    def arrays(self) -> list[Array]:
        """Return every array among the arguments."""
        return Call(self.method, (self.arguments, self.optional), self.shape).arrays()


def network(arrays: dict[str, list[Array]], y_true: Array) -> Network:
    """Return a network of these arrays; the loss is half the squared error of ``z``."""
    activations = [None, *[_Tanh()] * (len(arrays["z"]) - 2), _Linear()]
    return Network(**arrays, activations=activations, output_delta=lambda z: z - y_true)


def flat(owner: str, blocks: Any, weights: Sequence[Array]) -> Any:
    """Return the gradients of all layers as one array ``(runs, parameters)``, if there is one block a layer."""
    shapes = [(len(W), W.shape[1], 1 + W.shape[2]) for W in weights]
    found = [getattr(block, "shape", None) for block in blocks]
    if found != shapes:
        raise FindingError(
            f"{owner}.gradients returns arrays of shape {found}, not {shapes}: one a layer, the first one first, "
            "biases in column 0."
        )
    return np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1)


def calls_of(
    rule: Any, components: Sequence[Any], rng: np.random.Generator, size: Size, dtype: DTypeLike
) -> list[Call]:
    """Return a call of each method that the rule replaces, for each layer that it is asked about.

    Args:
        rule: the stacked rules.
        components: one rule a run.
        rng: generator of what is drawn.
        size: number of the network, and samples.
        dtype: of all floats.
    """
    runs, (net, samples) = len(components), size
    widths = widths_of(rule, net)
    arrays = _drawn(rng, runs, widths, samples, dtype)
    deltas = [random_columns(rng, runs, units, samples, dtype, 1.0) for units in (0, *widths[1:])]
    state, y_true = _states(components, widths, dtype), random_columns(rng, runs, widths[-1], samples, dtype, 1.0)
    weights, inputs = arrays["weights"], arrays["inputs"]
    offered = {"y_true": y_true, "inputs": inputs, "z": arrays["z"], "state": state}
    calls: list[Call] = []
    cls: Any = type(rule)
    if cls.error is not Rule.error:
        optional = {name: offered[name] for name in asked(cls, "error") if name in offered}
        for layer in range(1, len(widths) - 1):
            arguments = (layer, weights, deltas, state)
            calls.append(RuleCall("error", arguments, (runs, widths[layer], samples), optional=optional))
    if cls.gradient is not Rule.gradient:
        optional = {name: offered[name] for name in asked(cls, "gradient") if name in offered}
        for layer, (before, units) in enumerate(pairwise(widths), 1):
            shape = (runs, units, 1 + before)
            calls.append(RuleCall("gradient", (layer, deltas[layer], inputs[layer]), shape, False, optional))
    if cls.gradients is not Rule.gradients:
        parameters = sum(units * (1 + before) for before, units in pairwise(widths))
        calls.append(RuleCall("gradients", (arrays, deltas, y_true, state), (runs, parameters), has_samples=False))
    return calls


def _states(components: Sequence[Any], widths: Sequence[int], dtype: DTypeLike) -> dict[str, Any]:
    """Return the fixed state of each run's own rule, stacked as the engine does."""
    own = [rule.init(np.random.default_rng([7, run]), widths) for run, rule in enumerate(components)]
    return {name: np.stack([state[name] for state in own]).astype(dtype) for name in own[0]}


def _drawn(
    rng: np.random.Generator, runs: int, widths: Sequence[int], samples: int, dtype: DTypeLike
) -> dict[str, list[Array]]:
    """Return the arrays of a random network after a forward pass."""
    empty = np.empty((runs, 0, samples), dtype)
    weights = [np.empty((runs, 0, 0), dtype)]
    weights += [rng.normal(size=(runs, units, before)).astype(dtype) for before, units in pairwise(widths)]
    biases = [empty, *(rng.normal(size=(runs, units, 1)).astype(dtype) for units in widths[1:])]
    z, a, inputs = [empty], [empty], [empty]
    before = random_columns(rng, runs, widths[0], samples, dtype, 1.0)
    for layer, units in enumerate(widths[1:], 1):
        under_ones = random_columns(rng, runs, 1 + widths[layer - 1], samples, dtype)
        under_ones[:, 0], under_ones[:, 1:] = 1, before
        inputs.append(under_ones)
        z.append(random_columns(rng, runs, units, samples, dtype))
        z[-1][...] = weights[layer] @ before + biases[layer]
        before = z[-1] if layer == len(widths) - 1 else np.tanh(z[-1])
        a.append(before)
    return {"z": z, "a": a, "inputs": inputs, "weights": weights, "biases": biases}


class Course:
    """Steps in which rules adapt to networks that are drawn anew in each.

    Args:
        components: one rule a run.
        dtype: of all floats.
        runs: numbers of the runs, from which what they are given follows; 0, 1 ... if None.
        seed: of all that is drawn.
        generators: one for each run, for what the rules draw.
    """

    def __init__(
        self,
        components: Sequence[Any],
        dtype: DTypeLike,
        runs: Sequence[int] | None = None,
        seed: int = 3,
        generators: Sequence[np.random.Generator] | None = None,
    ) -> None:
        self._runs = list(range(len(components)) if runs is None else runs)
        self._rule: Any = stack(components, dtype)
        self._widths, self._dtype, self._seed = widths_of(self._rule), dtype, seed
        self._generators = list(generators or generators_of(self._runs))
        own = [
            rule.init(np.random.default_rng([7, run]), self._widths)
            for run, rule in zip(self._runs, components, strict=True)
        ]
        self.state = {name: np.stack([state[name] for state in own]).astype(dtype) for name in own[0]}

    def left(self, few: Array) -> "Course":
        """Return a course that goes on with the chosen runs, as the engine does."""
        rest = object.__new__(Course)
        vars(rest).update(vars(self))
        rest._rule, rest._runs = take(self._rule, few), [self._runs[run] for run in few]
        rest._generators = [copy.deepcopy(self._generators[run]) for run in few]
        rest.state = {name: array[few] for name, array in self.state.items()}
        return rest

    def gradients(self) -> Array:
        """Return the gradients of the first step in training."""
        arrays, deltas, y_true = self._given(1)
        gradients = given(self._rule, "gradients", rng=Random(self._generators, self._dtype))
        blocks = gradients(network(arrays, y_true), deltas, y_true, self.state)
        return np.asarray(flat(type(self._rule).__qualname__, blocks, arrays["weights"][1:]))

    def step(self, number: int, protected: bool = False) -> tuple[Any, list[Array]]:
        """Do a step; return what ``adapt`` returns, and the arrays that it was given.

        Args:
            number: of the step, from 1.
            protected: whether these arrays are read-only.
        """
        arrays, deltas, y_true = self._given(number)
        every = [array for part in (*arrays.values(), deltas) for array in part]
        for array in every:
            array.flags.writeable = not protected
        rates = np.array([0.1 / (1 + run) for run in self._runs], self._dtype)[:, None, None]
        offered = {"network": network(arrays, y_true), "lr": rates, "rng": Random(self._generators, self._dtype)}
        adapt = given(self._rule, "adapt", **offered)
        return adapt(arrays["weights"], deltas, arrays["inputs"], self.state, number), every

    def _given(self, number: int) -> tuple[dict[str, list[Array]], list[Array], Array]:
        """Return the network, the deltas and the true outputs of a step; each run's are its own."""
        widths, samples = self._widths, (5, 1, 17)[number % 3]
        every = []
        for run in self._runs:
            rng = np.random.default_rng([self._seed, run, number])
            deltas = [random_columns(rng, 1, units, samples, self._dtype, 1.0) for units in (0, *widths[1:])]
            y_true = random_columns(rng, 1, widths[-1], samples, self._dtype, 1.0)
            every.append((_drawn(rng, 1, widths, samples, self._dtype), deltas, y_true))
        names = every[0][0]
        arrays = {name: _joined([one[0][name] for one in every], name in _BY_SAMPLE) for name in names}
        return arrays, _joined([one[1] for one in every], True), _joined([[one[2]] for one in every], True)[0]


def _joined(of_runs: Sequence[Sequence[Array]], by_sample: bool) -> list[Array]:
    """Return the arrays of several runs as those of a stack, in the memory order of the engine."""
    joined = [np.concatenate(parts) for parts in zip(*of_runs, strict=True)]
    return [as_columns(array, array.dtype) for array in joined] if by_sample else joined
