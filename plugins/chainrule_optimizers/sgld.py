"""SGLD: gradient descent with so much noise that it samples instead of settling."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule.components.random import Random
from chainrule_optimizers.terms import LearningRate


@dataclass(frozen=True)
class SGLD(Optimizer, name="sgld"):
    """``theta <- theta - lr g + sqrt(2 lr temperature) n`` with normal ``n``: samples of ``exp(-L / temperature)``.

    Welling and Teh (2011), Bayesian learning via stochastic gradient Langevin dynamics, eq. 4: their step is ``2 lr``
    and their gradient that of the posterior, ``temperature = 1``.
    """

    lr: LearningRate = 1e-2
    temperature: Annotated[float, Ge(0), doc("loss that counts as little; 0: gradient descent")] = 1e-4

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int, *, rng: Random) -> None:
        """Take a step and add noise."""
        theta += np.sqrt(2 * self.lr * self.temperature) * rng.normal(theta.shape[1]) - self.lr * grad
