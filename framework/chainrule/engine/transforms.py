"""The list of transforms that gradients pass before the optimizer, and parameters after it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Array, Transform
from chainrule.components.random import Random
from chainrule.engine.backprop import Backprop, Batch
from chainrule.engine.layers import require_shape
from chainrule.engine.network import require_run_axis
from chainrule.engine.problem import Problem

Update = Callable[..., object]  # returns what the optimizer returns
States = list[dict[str, Array]]
Bound = tuple[Callable[..., Array], dict[str, Array]]  # a method of a transform, and its state


class Transforms:
    """The transforms of a stack with their states; who defines which method is looked up once.

    Args:
        transforms: stacked, in their order.
        theta: the parameters that are trained, ``(runs, parameters)``.
        offered: what their methods may ask for, except ``before``.
        states: those to go on with, one for each; None before the first step.

    Attributes:
        keep: whether others than the trained parameters may be measured.
        own: what the transforms keep, one dictionary for each.
    """

    def __init__(
        self,
        transforms: Sequence[Transform],
        theta: Array,
        offered: Mapping[str, Any],
        states: States | None = None,
    ) -> None:
        self._theta, self._step = theta, 0
        self.own = [given(each, "init", **offered)(theta) for each in transforms] if states is None else states
        for each, state in zip(transforms, self.own, strict=True):
            require_run_axis(f"transforms={each.name}", state, len(theta))
        asks = any("before" in asked(type(each), "after") for each in transforms)
        self._before = np.empty_like(theta) if asks else None

        def defined(method: str) -> list[Bound]:
            return [
                (given(each, method, **offered, before=self._before), state)
                for each, state in zip(transforms, self.own, strict=True)
                if getattr(type(each), method) is not getattr(Transform, method)
            ]

        self._gradients, self._afters, self._kept = defined("gradient"), defined("after"), defined("kept")
        self._penalties = [penalty for penalty, _ in defined("penalty")]
        self.keep = bool(self._kept)

    def around(self, update: Update) -> Update:
        """Return the step of an optimizer between the transforms of its gradient and those of its result."""

        def transformed(theta: Array, grad: Array, state: dict[str, Array], step: int) -> object:
            self._step = step
            if self._before is not None:
                np.copyto(self._before, theta)
            returned = update(theta, self.gradient(grad), state, step)
            for after, own in self._afters:
                _put(after, after(theta, own, step), theta)
            return returned

        return transformed

    def gradient(self, grad: Array) -> Array:
        """Replace a gradient at the parameters as they are now by what the transforms make of it, and return it."""
        for method, state in self._gradients:
            _put(method, method(grad, self._theta, state, self._step), grad)
        return grad

    def penalty(self) -> Array | float:
        """Return the penalties at the parameters as they are now, added up, ``(runs, 1)``; 0 if there are none."""
        total: Array | float = 0.0
        for method in self._penalties:
            value = method(self._theta)
            require_shape(_plain(method), value, (len(self._theta), 1))
            total = total + value
        return total

    def kept(self, theta: Array) -> Array:
        """Return the parameters to measure and save, from those that the optimizer recommends."""
        for method, state in self._kept:
            theta = method(theta, state)
            require_shape(_plain(method), theta, self._theta.shape)
        return theta

    def states(self, runs: Array) -> States:
        """Return the states of the chosen runs."""
        return [{name: array[runs] for name, array in state.items()} for state in self.own]


class TransformedProblem(Problem):
    """The problem of an optimizer whose gradients are transformed: each one is, and the loss has the penalties.

    Args:
        backprop, batch, evaluations: as of :class:`chainrule.Problem`.
        transforms: of the stack.
        rng: random numbers of transforms.
    """

    def __init__(
        self, backprop: Backprop, batch: Batch, evaluations: Array, transforms: Transforms, rng: Random
    ) -> None:
        super().__init__(backprop, batch, evaluations)
        self._transforms, self._rng = transforms, rng
        self._kept = [*self._kept, *transforms.own]

    def loss(self, runs: Array | None = None) -> Array:
        """Evaluate the loss and add the penalties; see :meth:`chainrule.Problem.loss`."""
        total: Array = super().loss(runs) + self._transforms.penalty()
        return total

    def _gradient(self) -> Array:
        return self._transforms.gradient(super()._gradient())


def _put(method: Callable[..., Array], result: Array, place: Array) -> None:
    """Put what a method returned into a buffer."""
    if result is not place:
        require_shape(_plain(method), result, place.shape)
        np.copyto(place, result)


def _plain(method: Any) -> Any:
    """Return a method without the arguments that were bound to it."""
    return getattr(method, "func", method)
