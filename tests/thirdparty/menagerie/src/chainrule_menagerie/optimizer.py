"""AdaBelief."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Interval, doc

from chainrule import Array, Optimizer


@dataclass(frozen=True)
class AdaBelief(Optimizer, name="adabelief"):
    """``theta <- theta - lr m^ / (sqrt(s^) + eps)``: adam, with the mean square of ``g - m`` in place of that of ``g``.

    Steps are long where the gradient is as it was expected to be. Zhuang et al. (2020), AdaBelief optimizer: adapting
    stepsizes by the belief in observed gradients, arXiv:2010.07468.
    """

    lr: Annotated[float, Ge(0), doc("learning rate")] = 1e-3
    beta1: Annotated[float, Interval(ge=0, lt=1), doc("decay of the moving average of gradients")] = 0.9
    beta2: Annotated[float, Interval(ge=0, lt=1), doc("decay of that of their squared surprises")] = 0.999
    eps: Annotated[float, Ge(0), doc("added to the squared surprises, and to the denominator")] = 1e-8

    def init(self, theta: Array) -> dict[str, Array]:
        """Begin with averages of 0."""
        return {"mean": np.zeros_like(theta), "surprise": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        """Take one step."""
        mean, surprise = state["mean"], state["surprise"]
        mean *= self.beta1
        mean += (1 - self.beta1) * grad
        surprise *= self.beta2
        surprise += (1 - self.beta2) * np.square(grad - mean) + self.eps
        unbiased = np.sqrt(surprise / (1 - self.beta2**step))
        theta -= self.lr * (mean / (1 - self.beta1**step)) / (unbiased + self.eps)
