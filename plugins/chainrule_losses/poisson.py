"""The loss of counts."""

import math
from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Loss
from chainrule.components.stacking import sum_units


@dataclass(frozen=True)
class Poisson(Loss):
    """``L = sum (e^s - y_true s)``, where the output ``s`` is the logarithm of the expected count.

    The negative log-likelihood of a Poisson distribution without ``log y_true!``, which no parameter changes; PyTorch's
    ``PoissonNLLLoss``.
    """

    target_range = (0.0, math.inf)
    minimum = -math.inf

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``sum (e^s - y_true s)``."""
        return sum_units(np.exp(y_pred) - y_true * y_pred)

    def gradient(self, y_pred: Array, y_true: Array, out: Array | None = None) -> Array:
        """Return ``e^s - y_true``."""
        out = np.exp(y_pred, out)
        return np.subtract(out, y_true, out)

    def point(self, y_pred: Array) -> Array:
        """Return the expected count, ``e^s``."""
        mean: Array = np.exp(y_pred)
        return mean
