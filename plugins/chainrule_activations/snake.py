"""A line with a learned wave on it, for what is periodic and grows."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Activation, Array


@dataclass(frozen=True)
class Snake(Activation):
    """``a = z + sin(alpha z)^2 / alpha``, alpha of each layer learned (Ziyin, Hartwig & Ueda 2020, eq. 3).

    ``da/dz = 1 + sin(2 alpha z)`` and ``da/dalpha = (z sin(2 alpha z) - sin(alpha z)^2 / alpha) / alpha``.
    """

    alpha: Annotated[float, Gt(0), doc("frequency before training: high for fast waves")] = 1.0

    trained = ("alpha",)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``z + sin(alpha z)^2 / alpha``."""
        out = self._wave(z, out)
        return np.add(out, z, out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a (1 + sin(2 alpha z))``."""
        out = self._slope_of_wave(z, out)
        np.add(out, 1.0, out)
        return np.multiply(out, grad_a, out)

    def field_gradient(self, name: str, grad_a: Array, z: Array, a: Array) -> Array:
        """Return ``grad_a (z sin(2 alpha z) - sin(alpha z)^2 / alpha) / alpha``."""
        change = self._slope_of_wave(z)
        np.multiply(change, z, change)
        np.subtract(change, self._wave(z), change)
        np.divide(change, self.alpha, change)
        return np.multiply(change, grad_a, change)

    def _wave(self, z: Array, out: Array | None = None) -> Array:
        """Return ``sin(alpha z)^2 / alpha``."""
        out = np.multiply(z, self.alpha, out)
        np.sin(out, out)
        np.square(out, out)
        return np.divide(out, self.alpha, out)

    def _slope_of_wave(self, z: Array, out: Array | None = None) -> Array:
        """Return ``2 sin(alpha z) cos(alpha z)``, in which nothing overflows that does not in ``forward``."""
        angle = np.multiply(z, self.alpha)
        out = np.sin(angle, out)
        np.cos(angle, angle)
        np.multiply(out, angle, out)
        return np.multiply(out, 2.0, out)
