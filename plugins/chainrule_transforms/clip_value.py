"""Clipping of each entry of the gradient."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Transform


@dataclass(frozen=True)
class ClipValue(Transform):
    """``g <- min(limit, max(-limit, g))`` in each entry, as PyTorch's ``clip_grad_value_``.

    Mikolov (2012), Statistical language models based on neural networks, section 3.2.2.
    """

    limit: Annotated[float, Gt(0), doc("largest absolute value of an entry")] = 1.0

    def gradient(self, grad: Array, theta: Array, state: dict[str, Array], step: int) -> Array:
        """Clip each entry."""
        clipped: Array = np.clip(grad, -self.limit, self.limit)
        return clipped
