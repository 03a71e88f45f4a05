"""A smooth rectifier that learns how sharply it bends."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import doc

from chainrule.components.contracts import Activation, Array
from chainrule_activations.activations import Sigmoid

_SIGMOID = Sigmoid()


@dataclass(frozen=True)
class Swish(Activation):
    """``a = z s`` with ``s = 1 / (1 + e^(-beta z))``, beta of each layer learned (Ramachandran et al. 2017).

    ``da/dz = s + beta z s (1 - s)`` and ``da/dbeta = z^2 s (1 - s)``.
    """

    beta: Annotated[float, doc("sharpness before training: 0 is z / 2; as it grows, swish tends to relu")] = 1.0

    trained = ("beta",)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``z / (1 + e^(-beta z))``."""
        out = _SIGMOID.forward(z * self.beta, out)
        return np.multiply(out, z, out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a (s + beta z s (1 - s))``."""
        s = _SIGMOID.forward(z * self.beta)
        out = self._bend(s, z, out)
        np.multiply(out, self.beta, out)
        np.add(out, s, out)
        return np.multiply(out, grad_a, out)

    def field_gradient(self, name: str, grad_a: Array, z: Array, a: Array) -> Array:
        """Return ``grad_a z^2 s (1 - s)``."""
        bend = self._bend(_SIGMOID.forward(z * self.beta), z)
        np.multiply(bend, z, bend)
        return np.multiply(bend, grad_a, bend)

    def _bend(self, s: Array, z: Array, out: Array | None = None) -> Array:
        """Return ``z s (1 - s)``: 0 where ``s`` rounds to 0 or 1, however large ``beta z`` is."""
        out = np.subtract(1.0, s, out=out)
        np.multiply(out, s, out)
        return np.multiply(out, z, out)
