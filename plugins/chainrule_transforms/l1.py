"""L1: the sum of absolute weights as a penalty."""

from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Transform
from chainrule.engine.network import Shape
from chainrule_transforms.terms import Biases, Strength, penalized


@dataclass(frozen=True)
class L1(Transform, name="l1"):
    """``g <- g + strength sign(w)``: the gradient of the penalty ``strength sum |w|``, which makes weights sparse.

    Tibshirani (1996), Regression shrinkage and selection via the lasso; on weights of networks as Keras's ``L1``.
    """

    strength: Strength = 1e-4
    biases: Biases = False

    def gradient(self, grad: Array, theta: Array, state: dict[str, Array], step: int, *, shape: Shape) -> Array:
        """Add the subgradient that is 0 at 0."""
        added: Array = grad + self.strength * np.sign(penalized(theta, shape, self.biases))
        return added

    def penalty(self, theta: Array, *, shape: Shape) -> Array:
        """Return ``strength sum |w|``."""
        total: Array = self.strength * np.abs(penalized(theta, shape, self.biases)).sum(axis=1, keepdims=True)
        return total
