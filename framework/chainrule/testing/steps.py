"""Steps of an optimizer on losses that are drawn, with whatever its methods ask for."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Array, Optimizer
from chainrule.components.random import Random
from chainrule.engine.network import Shape

STEPS = 8
LATE = (*range(1, 65), 101, 102, 500, 1001, 1002, 10_000)  # a training of some length, and what it is told much later
_LARGE = Shape((8, 40, 20, 2))  # 1222 parameters
_LARGE_PROBLEM = Shape((8, 20, 16, 2))  # 550, where time may grow with their cube
_SIZES = (1, 2, 7, 15, 64, 301)  # parameters of what knows no layers
_SHAPES = tuple(map(Shape, ((1, 1), (2, 1), (2, 2, 2, 1), (1, 4, 3, 1), (3, 8, 5, 2))))  # 2, 3, 15, 27, 87 parameters


class Drawn:
    """A loss whose gradient at the beginning of a step was drawn, and which is a bowl from there.

    Args:
        gradients: ``(steps, runs, parameters)``; after the last step they begin anew.
        steepness: curvature of the bowl, of which derivatives of predictions know nothing.
    """

    def __init__(self, gradients: Array, steepness: float = 1.0) -> None:
        self._gradients, self._steepness = gradients, steepness

    def _at(self, step: int) -> Array:
        gradient: Array = self._gradients[(step - 1) % len(self._gradients)]
        return gradient

    def loss(self, step: int, moved: Array, theta: Array) -> Array:
        """Return the loss ``(runs, 1)`` at ``theta``, which the step has ``moved`` so far."""
        values: Array = (moved * (self._at(step) + 0.5 * self._steepness * moved)).sum(axis=1, keepdims=True)
        return values

    def gradient(self, step: int, moved: Array, theta: Array) -> Array:
        """Return the gradient there, ``(runs, parameters)``."""
        drawn = self._at(step)
        values: Array = np.where(moved == 0, drawn, drawn + self._steepness * moved)  # -0 is kept
        return values

    def jacobian(self, theta: Array) -> Array:
        """Return derivatives ``(runs, samples, parameters)`` of predictions whose squared error has the curvature 1."""
        return _root_of_bowl(np.ones_like(theta))


class Bowl:
    """The loss ``sum(curvature theta^2) / 2``, the same at each step."""

    def __init__(self, curvature: Array) -> None:
        self._curvature = curvature

    def loss(self, step: int, moved: Array, theta: Array) -> Array:
        """Return the loss ``(runs, 1)`` at ``theta``."""
        values: Array = (0.5 * self._curvature * theta**2).sum(axis=1, keepdims=True)
        return values

    def gradient(self, step: int, moved: Array, theta: Array) -> Array:
        """Return the gradient there, ``(runs, parameters)``."""
        values: Array = self._curvature * theta
        return values

    def jacobian(self, theta: Array) -> Array:
        """Return derivatives ``(runs, samples, parameters)`` of predictions with this loss as their squared error."""
        return _root_of_bowl(np.broadcast_to(self._curvature, theta.shape).astype(theta.dtype))


def _root_of_bowl(curvature: Array) -> Array:
    """Return ``J`` with ``J^T J / samples`` diagonal, with as many samples as parameters."""
    size = curvature.shape[1]
    root: Array = np.eye(size, dtype=curvature.dtype) * np.sqrt(size * curvature)[:, None]
    return root


class Trip:
    """An optimizer on its way, and all that it is given; it stands for the problem that it may ask for.

    Args:
        optimizer: stacked for its runs.
        theta: parameters before the first step, which the steps change.
        loss: what is made small.
        shape: where the parameters of layers are; None for an optimizer that does not ask.
        generators: one for each run; as many as there are runs, always the same ones, if None.
        state: to go on with; made by ``init`` if None.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        theta: Array,
        loss: Drawn | Bowl,
        shape: Shape | None = None,
        generators: Sequence[np.random.Generator] | None = None,
        state: dict[str, Array] | None = None,
    ) -> None:
        self.theta, self._loss, self._shape = theta, loss, shape
        self.generators = generators or generators_of(range(len(theta)))
        self.grad = np.empty_like(theta)  # one buffer for all steps, as in the engine
        offered: dict[str, Any] = {"shape": shape, "rng": Random(self.generators, theta.dtype)}
        self.state = given(optimizer, "init", **offered)(theta) if state is None else state
        self._update = given(optimizer, "update", **offered, problem=self)
        self._step, self._start = 0, theta

    def step(self, number: int, protected: bool = False) -> Any:
        """Do one step, and return what ``update`` returns, which should be nothing.

        Args:
            number: of the step, from 1.
            protected: whether ``update`` gets its gradient read-only.
        """
        self._step, self._start = number, self.theta.copy()
        np.copyto(self.grad, self._loss.gradient(number, np.zeros_like(self.theta), self.theta))
        grad = self.grad.view()
        grad.flags.writeable = not protected
        return self._update(self.theta, grad, self.state, number)

    def steps(self, numbers: Iterable[int]) -> "Trip":
        """Do these steps, which count from 1."""
        for number in numbers:
            self.step(number)
        return self

    def gradient(self, runs: Array | None = None) -> Array:
        """See :meth:`chainrule.Problem.gradient`."""
        np.copyto(self.grad, self._loss.gradient(self._step, self.theta - self._start, self.theta))
        return self.grad

    def loss(self, runs: Array | None = None) -> Array:
        """See :meth:`chainrule.Problem.loss`."""
        return self._loss.loss(self._step, self.theta - self._start, self.theta)

    def jacobians(self) -> Iterator[Array]:
        """See :meth:`chainrule.Problem.jacobians`."""
        yield self._loss.jacobian(self.theta)

    def saved(self) -> dict[str, Any]:
        """Return copies of what another trip goes on with."""
        return {
            "theta": self.theta.copy(),
            "state": {name: array.copy() for name, array in self.state.items()},
            "generators": copy.deepcopy(self.generators),
            "shape": self._shape,
        }


def generators_of(runs: Iterable[int]) -> list[np.random.Generator]:
    """Return the generators of some runs of a stack, by their numbers."""
    return [np.random.default_rng([8, run]) for run in runs]


def sizes(cls: type, methods: Sequence[str] = ("init", "update")) -> Sequence[tuple[int, Shape | None]]:
    """Return numbers of parameters that a component is tried with, and networks that have so many.

    Args:
        cls: its class.
        methods: those of its methods that may ask for a network.
    """
    if any("shape" in asked(cls, method) for method in methods):
        return [(shape.size, shape) for shape in _SHAPES]
    return [(size, None) for size in _SIZES]


def large(cls: type) -> tuple[int, Shape | None]:
    """Return the number of parameters of a large network, and the network for an optimizer that knows layers."""
    shape = _LARGE_PROBLEM if "problem" in asked(cls, "update") else _LARGE
    return shape.size, shape if sizes(cls)[0][1] else None


def draw(runs: int, size: int, dtype: DTypeLike, seed: int = 0, steps: int = STEPS) -> tuple[Array, Array]:
    """Return parameters and the gradients of each step, some of them 0 and -0.

    Gradients are in turn of size 1, where sums round most, and of many sizes.
    """
    rng = np.random.default_rng([seed, runs, size])
    theta = rng.normal(size=(runs, size)).astype(dtype)
    gradients = rng.normal(size=(steps, runs, size))
    gradients[1::2] *= 10 ** rng.uniform(-4, 2, gradients[1::2].shape)
    gradients[rng.random(gradients.shape) < 0.1] *= 0
    return theta, gradients.astype(dtype)
