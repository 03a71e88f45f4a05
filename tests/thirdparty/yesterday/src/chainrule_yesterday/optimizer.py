"""The optimizer sign_descent."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Interval, doc
from chainrule import Array, Optimizer


@dataclass(frozen=True)
class SignDescent(Optimizer):
    """``theta <- theta - lr sign(beta1 m + (1 - beta1) g)``, then ``m <- beta2 m + (1 - beta2) g``.

    All parameters move by the same length. Chen et al. (2023), Symbolic discovery of optimization algorithms,
    arXiv:2302.06675.
    """

    lr: Annotated[float, Ge(0), doc("learning rate: the length of a step in each parameter")] = 1e-4
    beta1: Annotated[float, Interval(ge=0, lt=1), doc("share of the average in the direction")] = 0.9
    beta2: Annotated[float, Interval(ge=0, lt=1), doc("decay of the average of gradients")] = 0.99
    weight_decay: Annotated[float, Ge(0), doc("share of lr * theta that each step takes off theta")] = 0.0

    def init(self, theta: Array) -> dict[str, Array]:
        """Begin with an average of 0."""
        return {"mean": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        """Take one step."""
        mean = state["mean"]
        theta *= 1 - self.lr * self.weight_decay
        theta -= self.lr * np.sign(self.beta1 * mean + (1 - self.beta1) * grad)
        mean *= self.beta2
        mean += (1 - self.beta2) * grad
