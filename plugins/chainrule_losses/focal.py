"""A cross-entropy for classes of which one is rare."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Interval, doc

from chainrule.components.contracts import Array, Loss
from chainrule.components.stacking import sum_units

_HIGHEST_COST = 100.0  # stands for -log 0, as in the other cross-entropies
_PROBABILITY_FLOOR = 1e-12  # smallest denominator in the gradient


@dataclass(frozen=True)
class Focal(Loss):
    """``L = -sum (alpha y q^gamma log p + (1 - alpha) (1 - y) p^gamma log q)`` with ``q = 1 - p``.

    Lin et al. 2017, eq. 5: what is predicted well counts less, the more so the larger ``gamma``. After a sigmoid output
    it is computed from ``z``, where nothing overflows, as torchvision's ``sigmoid_focal_loss`` does.
    """

    gamma: Annotated[float, Ge(0), doc("how much less easy samples count; 0: a cross-entropy")] = 2.0
    alpha: Annotated[float, Interval(ge=0, le=1), doc("weight of class 1; that of class 0 is 1 - alpha")] = 0.25

    prediction_range = (0.0, 1.0)
    target_range = (0.0, 1.0)
    paired_output = "sigmoid"

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return the sum over outputs."""
        with np.errstate(divide="ignore"):
            cost_of_1 = np.minimum(-np.log(y_pred), _HIGHEST_COST)
            cost_of_0 = np.minimum(-np.log1p(-y_pred), _HIGHEST_COST)
        return self._sum(y_true, cost_of_1, cost_of_0)

    def gradient(self, y_pred: Array, y_true: Array) -> Array:
        """Return the derivative by ``p``."""
        p, q = np.maximum(y_pred, _PROBABILITY_FLOOR), np.maximum(1 - y_pred, _PROBABILITY_FLOOR)
        cost_of_1, cost_of_0 = -np.log(p), -np.log(q)
        of_1 = -self._lowered(cost_of_0) * (self.gamma * cost_of_1 / q + 1 / p)
        of_0 = self._lowered(cost_of_1) * (self.gamma * cost_of_0 / p + 1 / q)
        derivative: Array = self.alpha * y_true * of_1 + (1 - self.alpha) * (1 - y_true) * of_0
        return derivative

    def paired_value(self, z: Array, y_true: Array) -> Array:
        """Return ``value`` with ``-log p = log(1 + e^-z)`` and ``-log q = log(1 + e^z)``."""
        return self._sum(y_true, np.logaddexp(0, -z), np.logaddexp(0, z))

    def paired_delta(self, z: Array, y_pred: Array, y_true: Array) -> Array:
        """Return the derivative by ``z``, from ``dp/dz = p q``."""
        cost_of_1, cost_of_0 = np.logaddexp(0, -z), np.logaddexp(0, z)
        p, q = np.exp(-cost_of_1), np.exp(-cost_of_0)
        of_1 = -self._lowered(cost_of_0) * (self.gamma * p * cost_of_1 + q)
        of_0 = self._lowered(cost_of_1) * (self.gamma * q * cost_of_0 + p)
        derivative: Array = self.alpha * y_true * of_1 + (1 - self.alpha) * (1 - y_true) * of_0
        return derivative

    def _lowered(self, cost: Array) -> Array:
        """Return ``p^gamma`` from ``-log p``: a power would have other bits for an exponent that all runs share."""
        lowered: Array = np.exp(-self.gamma * cost)
        return lowered

    def _sum(self, y_true: Array, cost_of_1: Array, cost_of_0: Array) -> Array:
        of_1 = self.alpha * y_true * self._lowered(cost_of_0) * cost_of_1
        return sum_units(of_1 + (1 - self.alpha) * (1 - y_true) * self._lowered(cost_of_1) * cost_of_0)
