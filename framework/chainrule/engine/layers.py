"""From ``z`` to ``a`` on one layer, and back: normalization, activation, dropout."""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.components.arguments import asked, takes_out
from chainrule.components.contracts import Activation, Array
from chainrule.components.random import Random
from chainrule.components.stacking import sum_units
from chainrule.errors import PluginError

States = dict[tuple[int, str], dict[str, Array]]  # arrays that activations keep, by layer and group


class Layer:
    """What lies between eq. 1 of a layer and eq. 1 of the layer above.

    Most layers have an activation only; then ``forward`` and ``backward`` are its own.

    Args:
        number: of the layer, from 1.
        parts: the activation, and what lies before it if there is something, by group, each with its state.
        z: eq. 1, the array that is read in each pass, with the rows of all pieces.
        a: eq. 2, the array that is filled.
        rng: what is drawn from in training; None to measure and to predict.
        rates: probability with which each unit is left out, ``(runs, 1, 1)``; None to keep all.

    Attributes:
        activation: the activation.
        anywhere: the layer as rules call it, with ``forward(z)`` and ``backward(grad_a, z, a)``.
        forward: fills ``out`` with ``a``, from ``z``.
    """

    def __init__(
        self,
        number: int,
        parts: Mapping[str, tuple[Activation, dict[str, Array]]],
        z: Array,
        a: Array,
        rng: Random | None,
        rates: Array | None,
    ) -> None:
        self._number, self._parts, self._rng, self._rates = number, parts, rng, rates
        self._group = next(group for group in parts if group != "norm")
        self.activation = parts[self._group][0]
        self._normed = np.empty_like(z) if "norm" in parts else z
        self._kept, self._factors = np.empty_like(a), np.empty_like(a)  # what dropout reads, and multiplies by
        self._activate = filling(self.activation.forward, **self.wanted(self._group, "forward"))
        if "norm" in parts:
            self._normalize = filling(parts["norm"][0].forward, **self.wanted("norm", "forward"))
        is_plain = rates is None and "norm" not in parts
        self.forward: Callable[..., Any] = self._activate if is_plain else self._all
        self._is_plain = is_plain
        asks = any(self.wanted(self._group, method) for method in ("forward", "backward"))
        self.anywhere: Activation | Anywhere = self.activation if is_plain and not asks else Anywhere(self)

    @property
    def factors(self) -> Array | None:
        """What dropout has multiplied each unit by in the last pass, ``(runs, units, samples)``; None without it."""
        return None if self._rates is None else self._factors

    def backward(self, fields: Mapping[str, Mapping[str, Array]]) -> Callable[..., Any]:
        """Return what fills ``out`` with ``dL/dz``, from ``dL/da``, ``z`` and ``a``; it may overwrite ``dL/da``.

        Args:
            fields: by group, what is filled with the gradient of each trained field: the sum over samples in an array
                ``(runs, 1, 1)`` or ``(runs, units, 1)``, or with more entries on the last axis that of each sample.
        """
        activate = self._learning(self._group, fields.get(self._group, {}))
        if self._is_plain:
            return activate
        drops, kept, factors, normed = self._rates is not None, self._kept, self._factors, self._normed
        normalize = self._learning("norm", fields.get("norm", {})) if "norm" in self._parts else None
        middle = np.empty_like(normed) if normalize else None

        def back(error: Array, z: Array, a: Array, out: Array) -> None:
            if drops:
                np.multiply(error, factors, out=error)
            activate(error, normed, kept if drops else a, out=out if middle is None else middle)
            if normalize:
                normalize(middle, z, normed, out=out)

        return back

    def wanted(self, group: str, method: str, state: dict[str, Array] | None = None) -> dict[str, Any]:
        """Return the optional arguments that a method of an activation names; ``state`` replaces what it keeps."""
        activation, own = self._parts[group]
        state = own if state is None else state
        offered = {"rng": self._rng, "layer": self._number, "training": self._rng is not None, "state": state}
        cls: type = type(activation)
        return {name: offered[name] for name in asked(cls, method) if name in offered}

    def _all(self, z: Array, out: Array) -> None:
        if self._normed is not z:
            self._normalize(z, out=self._normed)
        if self._rates is None:
            self._activate(self._normed, out=out)
            return
        assert self._rng is not None
        self._activate(self._normed, out=self._kept)
        np.greater_equal(self._rng.uniform(*out.shape[1:]), self._rates, out=self._factors)
        np.divide(self._factors, 1 - self._rates, out=self._factors)  # so that the layer above keeps its mean
        np.multiply(self._kept, self._factors, out=out)

    def _learning(self, group: str, fields: Mapping[str, Array]) -> Callable[..., Any]:
        """Return ``backward`` of an activation; if it has trained fields, one that also fills their gradients."""
        activation = self._parts[group][0]
        backward: Callable[..., Any] = filling(activation.backward, **self.wanted(group, "backward"))
        if not fields:
            return backward
        wanted = self.wanted(group, "field_gradient")

        def learn(error: Array, z: Array, a: Array, out: Array) -> None:
            for name, into in fields.items():
                values = activation.field_gradient(name, error, z, a, **wanted)
                require_shape(activation.field_gradient, values, error.shape)
                if into.shape[-1] != values.shape[-1]:
                    values = values.sum(axis=-1, keepdims=True)
                np.copyto(into, values if into.shape == values.shape else sum_units(values, keepdims=True))
            backward(error, z, a, out=out)  # last, because it may overwrite the error

        return learn


class Anywhere:
    """A layer as rules call it, wherever its ``z`` is moved to: nothing of the layer changes.

    What an activation keeps stays as it is, and dropout leaves out what the last forward pass left out.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def forward(self, z: Array) -> Array:
        """Return ``a``."""
        layer = self._layer
        a = self._called(layer._group, "forward", self._normed(z))
        return a if layer._rates is None else a * layer._factors

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        """Return ``dL/dz`` from ``dL/da``."""
        layer, normed = self._layer, self._normed(z)
        if layer._rates is not None:
            grad_a, a = grad_a * layer._factors, self._called(layer._group, "forward", normed)
        grad = self._called(layer._group, "backward", grad_a, normed, a)
        return self._called("norm", "backward", grad, z, normed) if "norm" in layer._parts else grad

    def _normed(self, z: Array) -> Array:
        return self._called("norm", "forward", z) if "norm" in self._layer._parts else z

    def _called(self, group: str, method: str, *arguments: Array) -> Array:
        activation, state = self._layer._parts[group]
        kept = {name: array.copy() for name, array in state.items()}
        result: Array = getattr(activation, method)(*arguments, **self._layer.wanted(group, method, kept))
        return result


def taken(states: States, runs: Array) -> States:
    """Return the states of the chosen ``runs`` (indices)."""
    return {place: {name: array[runs] for name, array in arrays.items()} for place, arrays in states.items()}


def stacked(each: Sequence[States]) -> States:
    """Return the states of all runs, from those of each."""
    return {
        place: {name: np.concatenate([states[place][name] for states in each]) for name in arrays}
        for place, arrays in each[0].items()
    }


def differs_in_training(activation: Activation) -> bool:
    """Say whether an activation is something else while it is trained than while a run is measured."""
    cls: type = type(activation)
    return any({"rng", "training"} & set(asked(cls, method)) for method in ("forward", "backward"))


def with_fields(activation: Activation, fields: Mapping[str, Array]) -> Activation:
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
