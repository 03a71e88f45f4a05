"""Levenberg-Marquardt: least squares by steps between Newton's and the gradient's."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule.engine.network import product
from chainrule.engine.problem import Problem

_LEAST, _MOST = 1e-15, 1e15  # damping, so that it can always come back


@dataclass(frozen=True)
class LevenbergMarquardt(Optimizer):
    """``theta <- theta - (J^T J / n + damping)^(-1) g``, where ``J`` are the derivatives of all ``n`` predictions.

    For the squared error, ``J^T J / n`` is the curvature of the loss where residuals are small. Where the loss falls,
    ``damping`` falls by ``relaxed``; where it rises, ``damping`` grows by ``tightened`` and the step is tried again, at
    the cost of a loss, up to ``trials`` times; if all fail, the run stays where it is. Each output costs a gradient.
    Time grows with the cube of the parameters, memory with their square and with the samples of a batch: it is for
    small networks and full batches. Other losses fall as well, but not as fast; schedules cannot change it.

    Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters; in this form Hagan and Menhaj
    (1994), Training feedforward networks with the Marquardt algorithm.
    """

    rate: ClassVar[str | None] = None

    damping: Annotated[float, Gt(0), doc("added to the diagonal in the first step")] = 1e-3
    relaxed: Annotated[float, Interval(gt=0, lt=1), doc("factor of the damping after a step that was good")] = 0.1
    tightened: Annotated[float, Gt(1), doc("factor of the damping after a step that was not")] = 10.0
    trials: Annotated[int, Ge(1), doc("how many steps are tried at most")] = 10

    def init(self, theta: Array) -> dict[str, Array]:
        """Return the first damping."""
        return {"damping": np.full_like(theta[:, :1], self.damping)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int, *, problem: Problem) -> None:
        """Solve for the step with more and more damping, until the loss falls."""
        damping, start, loss = state["damping"], theta.copy(), problem.loss()
        curvature, one = _curvature(problem), np.eye(theta.shape[1], dtype=theta.dtype)
        searching = np.ones(loss.shape, bool)
        for _ in range(self.trials):
            np.subtract(start, _solved(curvature + damping[..., None] * one, grad), out=theta)
            searching &= ~(problem.loss(searching) <= loss)
            if not searching.any():
                break
            np.multiply(damping, self.tightened, out=damping, where=searching)
        theta[searching[:, 0]] = start[searching[:, 0]]
        np.multiply(damping, self.relaxed, out=damping, where=~searching)
        np.clip(damping, _LEAST, _MOST, out=damping)


def _curvature(problem: Problem) -> Array:
    """Return ``J^T J / n``, ``(runs, parameters, parameters)``."""
    first, *others = (product(np.ascontiguousarray(each.mT), each) / each.shape[1] for each in problem.jacobians())
    total: Array = sum(others, first)
    return total


def _solved(matrices: Array, right: Array) -> Array:
    """Return the solutions ``(runs, parameters)`` of linear equations, NaN where a run's matrix is singular."""
    try:
        solutions: Array = np.linalg.solve(matrices, right[..., None])[..., 0]
    except np.linalg.LinAlgError:  # which one is singular, NumPy does not say
        if len(matrices) == 1:
            return np.full_like(right, np.nan)
        parts = zip(np.split(matrices, len(matrices)), np.split(right, len(right)), strict=True)
        solutions = np.concatenate([_solved(*part) for part in parts])
    return solutions
