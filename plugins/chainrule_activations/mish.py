"""A smooth rectifier without parameters."""

import math
from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Activation, Array
from chainrule_activations.activations import Sigmoid

_SIGMOID = Sigmoid()


@dataclass(frozen=True)
class Mish(Activation):
    """``a = z t`` with ``t = tanh(log(1 + e^z))`` (Misra 2019); ``g' = t + z (1 - t^2) s``, ``s = 1 / (1 + e^-z)``."""

    range = (-0.30884342, math.inf)  # minimum at z = -1.1924

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``z tanh(log(1 + e^z))``."""
        out = np.logaddexp(z, 0.0, out=out)
        np.tanh(out, out)
        return np.multiply(out, z, out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a (t + z (1 - t^2) s)``."""
        t = np.logaddexp(z, 0.0)
        np.tanh(t, t)
        bend = np.square(t)
        np.subtract(1.0, bend, out=bend)
        out = _SIGMOID.forward(z, out)
        np.multiply(out, bend, out)
        np.multiply(out, z, out)  # last, because the others are 0 where z is far out
        np.add(out, t, out)
        return np.multiply(out, grad_a, out)
