"""Units of a layer with mean 0 and variance 1 in each sample."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Activation, Array
from chainrule.components.stacking import sum_units


@dataclass(frozen=True)
class LayerNorm(Activation):
    """``a = gain (z - m) / sqrt(v + eps) + shift``: mean and variance are those of the units (Ba, Kiros & Hinton 2016).

    Gain and shift of each unit are learned.
    """

    gain: Annotated[float, doc("factor before training")] = 1.0
    shift: Annotated[float, doc("what is added, before training")] = 0.0
    eps: Annotated[float, Gt(0), doc("added to the variance")] = 1e-5

    trained_per_unit = ("gain", "shift")
    min_units = 2

    def forward(self, z: Array) -> Array:
        """Return ``gain (z - m) / sqrt(v + eps) + shift``."""
        a: Array = self.gain * self._normalized(z)[0] + self.shift
        return a

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:  # type: ignore[override]  # fills nothing
        """Return ``(g - mean(g) - n mean(g n)) / sqrt(v + eps)`` with ``g = grad_a gain`` and the normalized ``n``."""
        n, deviation = self._normalized(z)
        g = grad_a * self.gain
        gradient: Array = (g - _mean(g) - n * _mean(g * n)) / deviation
        return gradient

    def field_gradient(self, name: str, grad_a: Array, z: Array, a: Array) -> Array:
        """Return ``grad_a n`` for the gain and ``grad_a`` for the shift."""
        return grad_a * self._normalized(z)[0] if name == "gain" else grad_a

    def _normalized(self, z: Array) -> tuple[Array, Array]:
        centred = z - _mean(z)
        deviation = np.sqrt(_mean(centred * centred) + self.eps)
        return centred / deviation, deviation


def _mean(values: Array) -> Array:
    """Return the mean over units, ``(runs, 1, samples)``."""
    mean: Array = sum_units(values, keepdims=True) / values.shape[-2]
    return mean
