"""Lion: steps of one size along the sign of a mixture of the gradient and its average."""

from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Optimizer
from chainrule_optimizers.terms import (
    DecoupledWeightDecay,
    FirstDecay,
    LearningRate,
    SecondDecay,
    average,
)


@dataclass(frozen=True)
class Lion(Optimizer):
    """``theta <- (1 - lr weight_decay) theta - lr sign(beta1 m + (1 - beta1) g)``.

    Then ``m <- beta2 m + (1 - beta2) g``: the average in the direction is younger than the one that is kept.

    Chen et al. (2023), Symbolic discovery of optimization algorithms, arXiv:2302.06675, algorithm 2.
    """

    lr: LearningRate = 1e-4
    beta1: FirstDecay = 0.9
    beta2: SecondDecay = 0.99
    weight_decay: DecoupledWeightDecay = 0.0

    def init(self, theta: Array) -> dict[str, Array]:
        """Return the average of gradients, at zero."""
        return {"mean": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        """Take a step along the sign, and then update the average."""
        mean = state["mean"]
        theta *= 1 - self.lr * self.weight_decay
        theta -= self.lr * np.sign(self.beta1 * mean + (1 - self.beta1) * grad)
        average(mean, grad, self.beta2)
