"""Swish without an exponential."""

import math
from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Activation, Array


@dataclass(frozen=True)
class HardSwish(Activation):
    """``a = z min(max(z + 3, 0), 6) / 6`` (Howard et al. 2019, MobileNetV3)."""

    range = (-0.375, math.inf)  # minimum at z = -1.5
    kinks = (-3.0, 3.0)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``z min(max(z + 3, 0), 6) / 6``."""
        out = _gate(z, out)
        return np.multiply(out, z, out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a`` times ``(2 z + 3) / 6`` for ``-3 < z < 3``, else times 0 or 1."""
        out = _gate(z, out)
        np.add(out, z / 6, out, where=np.abs(z) < 3)
        return np.multiply(out, grad_a, out)


def _gate(z: Array, out: Array | None) -> Array:
    out = np.add(z, 3.0, out=out)
    np.clip(out, 0.0, 6.0, out=out)
    return np.divide(out, 6.0, out=out)
