"""Clipping by the norm of each layer's gradient."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Transform
from chainrule.engine.network import Shape
from chainrule_transforms.terms import norm


@dataclass(frozen=True)
class ClipLayer(Transform):
    """``g <- g min(1, limit / |g|)`` with the norm of the gradients of one layer, its biases included.

    Pascanu, Mikolov and Bengio (2012), arXiv:1211.5063, algorithm 1, for each layer by itself, so that one
    layer's large gradient leaves the steps of the others alone. Trained fields of activations are clipped likewise,
    each by itself.
    """

    limit: Annotated[float, Gt(0), doc("largest norm of a layer's gradient")] = 1.0

    def gradient(self, grad: Array, theta: Array, state: dict[str, Array], step: int, *, shape: Shape) -> Array:
        """Shorten the gradients of layers that are too long."""
        clipped = grad.copy()
        fields = (values[..., 0] for values in shape.named_fields(clipped).values())
        for part in (*(clipped[:, place] for place in shape.slices()[1:]), *fields):
            part *= self.limit / np.maximum(norm(part), self.limit)
        return clipped
