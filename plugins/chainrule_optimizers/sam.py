"""SAM: a step along the gradient at the worst point nearby."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Interval, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule.engine.problem import Problem
from chainrule_optimizers.terms import LearningRate, WeightDecay, penalized


@dataclass(frozen=True)
class SAM(Optimizer, name="sam"):
    """Momentum along the gradient at ``theta + rho g / |g|``: two gradients a step.

    Foret, Kleiner, Mobahi and Neyshabur (2020), Sharpness-aware minimization for efficiently improving generalization,
    arXiv:2010.01412, eq. 2 and 3 and algorithm 1; ``rho = 0`` is ``momentum``.
    """

    lr: LearningRate = 1e-2
    rho: Annotated[float, Ge(0), doc("how far away the gradient is evaluated")] = 0.05
    momentum: Annotated[float, Interval(ge=0, lt=1), doc("share of the velocity that is kept")] = 0.0
    weight_decay: WeightDecay = 0.0

    def init(self, theta: Array) -> dict[str, Array]:
        """Return the velocity, at zero."""
        return {"velocity": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int, *, problem: Problem) -> None:
        """Climb by ``rho``, evaluate the gradient there, and step with it from where ``theta`` was."""
        before, velocity = theta.copy(), state["velocity"]
        move = np.square(grad)
        norm = np.sqrt(move.sum(axis=1, keepdims=True))
        np.multiply(self.rho, grad, out=move)
        move /= np.where(norm > 0, norm, 1)
        theta += move
        worst = penalized(problem.gradient(), before, self.weight_decay)
        velocity *= self.momentum
        velocity += worst
        np.subtract(before, np.multiply(self.lr, velocity, out=move), out=theta)
