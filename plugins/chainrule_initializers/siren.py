"""The start of networks of sines."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Initializer


@dataclass(frozen=True)
class Siren(Initializer):
    """Weights uniform on ``[-c, c)`` with ``c = 1 / fan_in`` in the first layer, ``sqrt(6 / fan_in) / omega_0`` above.

    It is meant for ``sin(omega_0 z)`` in the hidden layers, whose inputs then stay normally distributed, however many
    layers there are. Biases are uniform on ``[-1 / sqrt(fan_in), 1 / sqrt(fan_in))``, as PyTorch's are in the authors'
    code.

    Sitzmann, Martel, Bergman, Lindell and Wetzstein (2020), Implicit neural representations with periodic activation
    functions, arXiv:2006.09661, section 3.2 and supplement 1.
    """

    omega_0: Annotated[float, Gt(0), doc("factor of z in the sine")] = 30.0

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int, *, layer: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        bound = self._bound(fan_in, layer)
        return rng.uniform(-bound, bound, size=(fan_out, fan_in))

    def biases(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out,)`` biases."""
        bound = 1 / math.sqrt(fan_in)
        return rng.uniform(-bound, bound, size=fan_out)

    def variance(self, fan_in: int, fan_out: int, *, layer: int) -> float:
        """Return ``c^2 / 3``."""
        return self._bound(fan_in, layer) ** 2 / 3

    def _bound(self, fan_in: int, layer: int) -> float:
        return 1 / fan_in if layer == 1 else math.sqrt(6 / fan_in) / self.omega_0
