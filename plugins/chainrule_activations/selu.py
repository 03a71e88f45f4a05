"""An exponential linear unit that keeps the mean and the variance of its inputs."""

import math
from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Activation, Array

_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805  # the fixed point of mean 0 and variance 1


@dataclass(frozen=True)
class SELU(Activation, name="selu"):
    """``a = 1.0507 z`` for ``z > 0``, else ``1.7581 (e^z - 1)`` (Klambauer et al. 2017, eq. 2).

    If ``z`` is normal with mean 0 and variance 1, so are mean and variance of ``a``.
    """

    range = (-_SCALE * _ALPHA, math.inf)
    kinks = (0.0,)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``scale (max(0, z) + alpha (e^min(0, z) - 1))``."""
        out = np.minimum(z, 0.0, out=out)
        np.expm1(out, out)
        np.multiply(out, _SCALE * _ALPHA, out)
        return np.add(out, _SCALE * np.maximum(z, 0.0), out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a scale`` where ``z > 0``, else ``grad_a scale alpha e^z``."""
        out = np.minimum(z, 0.0, out=out)
        np.exp(out, out)
        np.multiply(out, _SCALE * _ALPHA, out)
        np.copyto(out, _SCALE, where=z > 0)
        return np.multiply(out, grad_a, out)
