"""Periodic activation."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Activation, Array


@dataclass(frozen=True)
class Sine(Activation):
    """``a = sin(omega z)``; ``g' = omega cos(omega z)``. Sitzmann et al. (2020, sec. 3.2) take an ``omega`` of 30."""

    omega: Annotated[float, Gt(0), doc("frequency")] = 1.0

    range = (-1.0, 1.0)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``sin(omega z)``."""
        out = np.multiply(z, self.omega, out)
        return np.sin(out, out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a omega cos(omega z)``."""
        out = np.multiply(z, self.omega, out)
        np.cos(out, out)
        np.multiply(out, self.omega, out)
        return np.multiply(out, grad_a, out)
