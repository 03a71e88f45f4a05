"""A rectifier that learns its slope for negative numbers."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import doc

from chainrule.components.contracts import Activation, Array


@dataclass(frozen=True)
class PReLU(Activation, name="prelu"):
    """``a = max(0, z) + negative_slope min(0, z)``, the slope of each unit learned (He et al. 2015, eq. 1)."""

    negative_slope: Annotated[float, doc("slope for z <= 0 before training")] = 0.25

    kinks = (0.0,)
    trained_per_unit = ("negative_slope",)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``max(0, z) + negative_slope min(0, z)``."""
        out = np.minimum(z, 0.0, out=out)
        np.multiply(out, self.negative_slope, out)
        return np.add(out, np.maximum(z, 0.0), out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a`` where ``z > 0``, else ``negative_slope grad_a``."""
        out = np.multiply(grad_a, self.negative_slope, out)
        np.copyto(out, grad_a, where=z > 0)
        return out

    def field_gradient(self, name: str, grad_a: Array, z: Array, a: Array) -> Array:
        """Return ``grad_a min(0, z)`` (He et al. 2015, eq. 3)."""
        return grad_a * np.minimum(z, 0.0)
