"""Linear units with gates that learn what to let through."""

from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Activation, Array
from chainrule_activations.activations import Sigmoid

_SIGMOID = Sigmoid()


@dataclass(frozen=True)
class GLU(Activation, name="glu"):
    """``a_j = v_j s_j`` with ``s_j = 1 / (1 + e^-w_j)``, where ``v_j`` and ``w_j`` are the two pieces of each unit.

    The gated linear unit of Dauphin, Fan, Auli and Grangier (2017). ``da/dv = s`` and ``da/dw = v s (1 - s)``.
    """

    pieces = 2

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``v / (1 + e^-w)``."""
        units = z.shape[1] // 2
        out = _SIGMOID.forward(z[:, units:], out)
        return np.multiply(out, z[:, :units], out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a s`` above ``grad_a v s (1 - s)``."""
        units = z.shape[1] // 2
        out = np.empty_like(z) if out is None else out
        of_value, of_gate = out[:, :units], out[:, units:]
        s = _SIGMOID.forward(z[:, units:])
        np.multiply(grad_a, s, of_value)
        np.subtract(1.0, s, out=of_gate)
        np.multiply(of_gate, of_value, of_gate)
        np.multiply(of_gate, z[:, :units], of_gate)
        return out
