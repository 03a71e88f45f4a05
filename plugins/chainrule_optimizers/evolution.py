"""An evolution strategy: the slope of the loss from losses at random places around."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule.components.random import Random
from chainrule.engine.problem import Problem
from chainrule_optimizers.terms import LearningRate


@dataclass(frozen=True)
class Evolution(Optimizer):
    """``theta <- theta - lr mean((L(theta + s n) - L(theta - s n)) n) / (2 s)`` with normal ``n`` and deviation ``s``.

    It uses losses alone, two for each of the ``pairs``; the gradient that each step comes with is not looked at, though
    it is computed and counted. Losses are taken as they are, not ranked.

    Salimans, Ho, Chen, Sidor and Sutskever (2017), Evolution strategies as a scalable alternative to reinforcement
    learning, arXiv:1703.03864, section 2, with mirrored samples.
    """

    lr: LearningRate = 1e-2
    deviation: Annotated[float, Gt(0), doc("standard deviation of the places around theta")] = 0.05
    pairs: Annotated[int, Ge(1), doc("of places on opposite sides in each step")] = 8

    def update(
        self, theta: Array, grad: Array, state: dict[str, Array], step: int, *, problem: Problem, rng: Random
    ) -> None:
        """Try the pairs, and step against the slope that they show."""
        start, slope = theta.copy(), np.zeros_like(theta)
        for _ in range(self.pairs):
            noise = rng.normal(theta.shape[1])
            np.add(start, self.deviation * noise, out=theta)
            above = problem.loss()
            np.subtract(start, self.deviation * noise, out=theta)
            slope += (above - problem.loss()) * noise
        np.subtract(start, self.lr / (2 * self.deviation * self.pairs) * slope, out=theta)
