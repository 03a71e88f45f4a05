"""AdaBound: Adam whose rates are bounded more and more tightly, until it is gradient descent with momentum."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule_optimizers.terms import (
    Epsilon,
    FirstDecay,
    LearningRate,
    SecondDecay,
    WeightDecay,
    average,
    penalized,
)


@dataclass(frozen=True)
class AdaBound(Optimizer, name="adabound"):
    """``theta <- theta - clip(lr_t / (sqrt(v) + eps), low, high) m``.

    ``lr_t`` is the rate of ``adam``, corrected for averages that begin at 0. The bounds are ``final_lr`` times
    ``1 - 1 / (gamma t + 1)`` and ``1 + 1 / (gamma t)``. They meet at ``final_lr``, which schedules do not change.

    Luo, Xiong, Liu and Sun (2019), Adaptive gradient methods with dynamic bound of learning rate, arXiv:1902.09843,
    algorithm 2, with the bounds of the authors' program.
    """

    lr: LearningRate = 1e-3
    final_lr: Annotated[float, Gt(0), doc("rate of gradient descent in the end")] = 0.1
    gamma: Annotated[float, Gt(0), doc("how fast the bounds come together")] = 1e-3
    beta1: FirstDecay = 0.9
    beta2: SecondDecay = 0.999
    eps: Epsilon = 1e-8
    weight_decay: WeightDecay = 0.0

    def init(self, theta: Array) -> dict[str, Array]:
        """Return the averages of gradients and of their squares, at zero."""
        return {"mean": np.zeros_like(theta), "square_mean": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        """Update the averages, and step with the bounded rates."""
        grad = penalized(grad, theta, self.weight_decay)
        mean, square_mean = state["mean"], state["square_mean"]
        average(mean, grad, self.beta1)
        average(square_mean, grad * grad, self.beta2)
        lr = self.lr * (1 - self.beta2**step) ** 0.5 / (1 - self.beta1**step)
        low = self.final_lr * (1 - 1 / (self.gamma * step + 1))
        high = self.final_lr * (1 + 1 / (self.gamma * step))
        theta -= np.clip(lr / (np.sqrt(square_mean) + self.eps), low, high) * mean
