"""The initializer semiorthogonal."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc
from chainrule import Array, Initializer


@dataclass(frozen=True)
class Semiorthogonal(Initializer):
    """Weights whose rows, or columns if there are fewer, are at right angles and ``gain`` long; biases 0.

    Every direction is equally likely. Saxe, McClelland and Ganguli (2013), Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks, arXiv:1312.6120; the signs: Mezzadri (2006), How to generate random
    matrices from the classical compact groups, arXiv:math-ph/0609050.
    """

    gain: Annotated[float, Gt(0), doc("factor by which a layer stretches the signal, or the error")] = 1.0

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        drawn = rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
        q, r = np.linalg.qr(drawn)
        columns: Array = self.gain * q * np.sign(np.diag(r))
        return columns if fan_out >= fan_in else columns.T
