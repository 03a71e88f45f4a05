"""Gradient noise that fades."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Array, Transform
from chainrule.components.random import Random


@dataclass(frozen=True)
class Noise(Transform):
    """``g <- g + n`` with normal ``n`` of the variance ``eta / (1 + t)^gamma``, where ``t`` steps have been done.

    Neelakantan et al. (2015), Adding gradient noise improves learning for very deep networks, arXiv:1511.06807, eq. 1.
    """

    eta: Annotated[float, Ge(0), doc("variance of the noise in the first step")] = 0.01
    gamma: Annotated[float, Ge(0), doc("how fast the variance falls")] = 0.55

    def gradient(self, grad: Array, theta: Array, state: dict[str, Array], step: int, *, rng: Random) -> Array:
        """Add noise."""
        # Not (1 + t)^gamma, because powers have short cuts whose bits depend on the number of runs.
        deviation = np.sqrt(self.eta) * np.exp(self.gamma * (-0.5 * math.log(step)))
        noisy: Array = grad + deviation * rng.normal(grad.shape[1])
        return noisy
