"""Max-norm: no unit's weight vector is longer than a limit."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Transform
from chainrule.engine.network import Shape
from chainrule_transforms.terms import norm


@dataclass(frozen=True)
class MaxNorm(Transform):
    """``w <- w min(1, limit / |w|)`` after each step, for the vector ``w`` of weights into one unit, without its bias.

    Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, section 5.1; Keras's
    ``MaxNorm``.
    """

    limit: Annotated[float, Gt(0), doc("largest norm of the weights into a unit")] = 3.0

    def after(self, theta: Array, state: dict[str, Array], step: int, *, shape: Shape) -> Array:
        """Project the weights of each unit."""
        projected, limit = theta.copy(), np.expand_dims(self.limit, -1)
        for weights in shape.weights(projected)[1:]:
            weights *= limit / np.maximum(norm(weights), limit)
        return projected
