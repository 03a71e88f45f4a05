"""L-BFGS: Newton's method with a curvature that is learned from the last steps, and a line search."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule.engine.problem import Problem

_LEAST_CURVATURE = 1e-10  # cosine between a step and its change; less is noise


@dataclass(frozen=True)
class LBFGS(Optimizer, name="lbfgs"):
    """``theta <- theta - t H g``, where ``H`` estimates the inverse curvature from the last steps.

    The length ``t`` is found for each run by doubling and halving, until the loss falls by the share ``decrease`` of
    what its slope promises, and the slope to the share ``flattening`` (weak Wolfe conditions). Each length that is
    tried costs a loss, and a gradient if the loss is low enough. Where none of ``trials`` lengths will do, the longest
    that lowers the loss is taken, and nothing is learned. Both gradients of a change are those of one batch.

    Nocedal and Wright (2006), Numerical optimization, algorithm 7.4 and eq. 7.20; the line search: Lewis and Overton
    (2013), Nonsmooth optimization via quasi-Newton methods, algorithm 2.6.
    """

    lr: Annotated[float, Gt(0), doc("first length that is tried")] = 1.0
    history: Annotated[int, Ge(1), doc("how many steps are remembered")] = 10
    decrease: Annotated[float, Interval(gt=0, lt=1), doc("least share of the decrease that the slope promises")] = 1e-4
    flattening: Annotated[float, Interval(gt=0, lt=1), doc("largest share of the slope that may be left")] = 0.9
    trials: Annotated[int, Ge(1), doc("how many lengths are tried at most")] = 20

    def init(self, theta: Array) -> dict[str, Array]:
        """Return an empty memory of steps, changes of the gradient, and the inverses of their products."""
        runs, parameters = theta.shape
        remembered = np.zeros((runs, self.history, parameters), theta.dtype)
        inverses = np.zeros((runs, self.history), theta.dtype)
        return {"steps": remembered, "changes": remembered.copy(), "inverses": inverses}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int, *, problem: Problem) -> None:
        """Search along the direction, and remember the step."""
        start, before = theta.copy(), grad.copy()
        direction = _direction(before, **state)
        found = self._search(theta, grad, start, direction, self._first(before, **state), problem)
        _remember(state, theta - start, grad - before, found)

    def _first(self, grad: Array, inverses: Array, **_: Array) -> Array:
        """Return the first length to try, ``(runs, 1)``: at most a step of length 1 while nothing is remembered."""
        norm = np.sqrt(_dot(grad, grad))
        scale = np.where((inverses[:, -1:] == 0) & (norm > 1), 1 / np.where(norm > 1, norm, 1), 1)
        length: Array = (self.lr * scale).astype(grad.dtype)
        return length

    def _search(
        self, theta: Array, grad: Array, start: Array, direction: Array, length: Array, problem: Problem
    ) -> Array:
        """Move ``theta`` to the length that is found, and ``grad`` to the gradient there; return where it was found."""
        loss, slope = problem.loss(), _dot(grad, direction)
        low, high = np.zeros_like(length), np.full_like(length, np.inf)
        searching = np.ones(length.shape, bool)
        for _ in range(self.trials):
            np.add(start, length * direction, out=theta)
            too_long = searching & ~(problem.loss(searching) <= loss + self.decrease * length * slope)
            too_short = searching & ~too_long
            if too_short.any():
                too_short &= ~(_dot(problem.gradient(too_short), direction) >= self.flattening * slope)
            high, low = np.where(too_long, length, high), np.where(too_short, length, low)
            searching = too_long | too_short
            if not searching.any():
                break
            middle = np.where(np.isfinite(high), (low + high) / 2, 2 * low)
            length = np.where(searching, middle, length)
        length = np.where(searching, low, length)
        np.add(start, length * direction, out=theta)
        return ~searching


def _dot(a: Array, b: Array) -> Array:
    """Return the scalar product in each run, ``(runs, 1)``."""
    total: Array = (a * b).sum(axis=1, keepdims=True)
    return total


def _direction(grad: Array, steps: Array, changes: Array, inverses: Array) -> Array:
    """Return ``-H g`` by the two loops of algorithm 7.4; what is not yet remembered has the inverse 0."""
    direction, shares = -grad, []
    places = range(steps.shape[1])
    for place in reversed(places):
        share = inverses[:, [place]] * _dot(steps[:, place], direction)
        direction -= share * changes[:, place]
        shares.append(share)
    newest = inverses[:, -1:] * _dot(changes[:, -1], changes[:, -1])
    direction /= np.where(newest > 0, newest, 1)
    for place, share in zip(places, reversed(shares), strict=True):
        direction += (share - inverses[:, [place]] * _dot(changes[:, place], direction)) * steps[:, place]
    return direction


def _remember(state: dict[str, Array], step: Array, change: Array, found: Array) -> None:
    """Put a step and its change in place of the oldest, in the runs that found one along which the loss is curved."""
    curvature = _dot(step, change)
    size = np.sqrt(_dot(step, step)) * np.sqrt(_dot(change, change))
    useful = found & (curvature > np.maximum(_LEAST_CURVATURE * size, np.finfo(step.dtype).tiny))
    inverse = 1 / np.where(useful, curvature, 1)
    for name, newest in (("steps", step), ("changes", change), ("inverses", inverse[:, 0])):
        shifted = np.concatenate([state[name][:, 1:], newest[:, None]], axis=1)
        np.copyto(state[name], shifted, where=useful[..., None] if shifted.ndim == 3 else useful)
