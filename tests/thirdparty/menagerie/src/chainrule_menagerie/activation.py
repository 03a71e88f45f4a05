"""Squareplus."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule import Activation, Array


@dataclass(frozen=True)
class Squareplus(Activation):
    """``a = (z + sqrt(z^2 + b)) / 2``, a smooth rectifier without exponentials; ``g' = (1 + z / sqrt(z^2 + b)) / 2``.

    Barron (2021), Squareplus: a softplus-like algebraic rectifier, arXiv:2112.11687.
    """

    b: Annotated[float, Gt(0), doc("squared width of the bend; relu as it tends to 0")] = 4.0

    range = (0.0, np.inf)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``(z + sqrt(z^2 + b)) / 2``."""
        out = np.hypot(z, np.sqrt(self.b), out)
        np.add(out, z, out)
        return np.multiply(out, 0.5, out)

    def slope(self, z: Array, a: Array) -> Array:
        """Return ``(1 + z / sqrt(z^2 + b)) / 2``."""
        slope: Array = 0.5 * (1 + z / np.hypot(z, np.sqrt(self.b)))
        return slope
