"""Orthogonal weights."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Initializer


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random matrix with orthonormal rows, or columns if it has fewer, times ``gain``; biases 0.

    PyTorch's ``orthogonal_``. Saxe, McClelland and Ganguli (2013), Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks, arXiv:1312.6120; drawn uniformly as by Mezzadri (2006), How to generate
    random matrices from the classical compact groups, arXiv:math-ph/0609050.
    """

    gain: Annotated[float, Gt(0), doc("length of each row, or column")] = 1.0

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        return self.gain * orthonormal(rng, fan_in, fan_out)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``gain^2 / max(fan_in, fan_out)``."""
        return self.gain**2 / max(fan_in, fan_out)


def orthonormal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Return a matrix ``(fan_out, fan_in)`` with orthonormal rows, or columns if it has fewer of them."""
    q, r = np.linalg.qr(rng.normal(size=(max(fan_in, fan_out), min(fan_in, fan_out))))
    q = q * np.sign(np.diag(r))  # without this, the signs follow from the algorithm instead of chance
    matrix: Array = q if fan_out >= fan_in else q.T.copy()
    return matrix
