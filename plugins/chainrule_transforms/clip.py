"""Clipping by the norm of a run's whole gradient."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Transform
from chainrule_transforms.terms import norm


@dataclass(frozen=True)
class Clip(Transform):
    """``g <- g min(1, limit / |g|)`` with the norm of all gradients of a run.

    Pascanu, Mikolov and Bengio (2012), On the difficulty of training recurrent neural networks, arXiv:1211.5063,
    algorithm 1; PyTorch's ``clip_grad_norm_`` without its 1e-6 in the denominator.
    """

    limit: Annotated[float, Gt(0), doc("largest norm of a run's gradient")] = 1.0

    def gradient(self, grad: Array, theta: Array, state: dict[str, Array], step: int) -> Array:
        """Shorten gradients that are too long."""
        clipped: Array = grad * (self.limit / np.maximum(norm(grad), self.limit))
        return clipped
