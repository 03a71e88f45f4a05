"""SGDW: momentum with decoupled weight decay."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule_optimizers.terms import DecoupledWeightDecay, LearningRate


@dataclass(frozen=True)
class SGDW(Optimizer, name="sgdw"):
    """``v <- momentum v + g; theta <- (1 - lr weight_decay) theta - lr v``.

    With ``nesterov`` the step is along ``g + momentum v``. The decay does not enter the velocity, as it does in
    ``momentum``.

    Loshchilov and Hutter (2017), Decoupled weight decay regularization, arXiv:1711.05101, algorithm 1, with the decay
    scaled by the rate as in ``adamw``.
    """

    lr: LearningRate = 1e-3
    momentum: Annotated[float, Ge(0), doc("share of the velocity that is kept")] = 0.9
    weight_decay: DecoupledWeightDecay = 1e-2
    nesterov: Annotated[bool, doc("look one step ahead")] = False

    def init(self, theta: Array) -> dict[str, Array]:
        """Return the velocity, at zero."""
        return {"velocity": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        """Shrink the parameters, and step with the velocity."""
        velocity = state["velocity"]
        velocity *= self.momentum
        velocity += grad
        theta *= 1 - self.lr * self.weight_decay
        theta -= self.lr * (grad + self.momentum * velocity if self.nesterov else velocity)
