"""L2: half the sum of squared weights as a penalty."""

from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Transform
from chainrule.engine.network import Shape
from chainrule_transforms.terms import Biases, Strength, penalized


@dataclass(frozen=True)
class L2(Transform, name="l2"):
    """``g <- g + strength w``: the gradient of the penalty ``strength / 2 sum w^2``.

    With ``biases`` it is the ``weight_decay`` of PyTorch's optimizers, except for those that decouple it.
    Krogh and Hertz (1991), A simple weight decay can improve generalization, NIPS 4.
    """

    strength: Strength = 1e-4
    biases: Biases = False

    def gradient(self, grad: Array, theta: Array, state: dict[str, Array], step: int, *, shape: Shape) -> Array:
        """Add ``strength w``."""
        added: Array = grad + self.strength * penalized(theta, shape, self.biases)
        return added

    def penalty(self, theta: Array, *, shape: Shape) -> Array:
        """Return ``strength / 2 sum w^2``."""
        squares = np.square(penalized(theta, shape, self.biases)).sum(axis=1, keepdims=True)
        total: Array = 0.5 * self.strength * squares
        return total
