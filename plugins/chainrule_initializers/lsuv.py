"""Orthonormal weights, scaled so that what a layer makes of the data has unit variance."""

from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Initializer
from chainrule_initializers.orthogonal import orthonormal


@dataclass(frozen=True)
class LSUV(Initializer, name="lsuv"):
    """Orthonormal weights, divided by the standard deviation of ``z`` over units and training samples; biases 0.

    Mishkin and Matas (2015), All you need is a good init, arXiv:1511.06422, algorithm 1. They repeat the division until
    the variance is near 1; here it is 1 after the first, because ``z`` is linear in the weights.
    """

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int, *, inputs: Array) -> Array:
        """Draw ``(fan_out, fan_in)`` weights; where ``z`` does not vary at all, they stay orthonormal."""
        weights = orthonormal(rng, fan_in, fan_out)
        deviation = float((weights @ inputs).std())
        return weights / deviation if deviation > 0 else weights
