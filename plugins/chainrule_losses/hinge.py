"""The loss of support vector machines."""

from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Loss
from chainrule.components.stacking import sum_units


@dataclass(frozen=True)
class Hinge(Loss):
    """``L = sum max(0, 1 - t y_pred)`` with ``t = 2 y_true - 1`` (Cortes and Vapnik 1995): classes are -1 and 1.

    It wants outputs without bounds, ``output=identity``. Of several classes each is told from all others. The gradient
    at ``t y_pred = 1`` is 0.
    """

    target_range = (0.0, 1.0)

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``sum max(0, 1 - t y_pred)``."""
        return sum_units(np.maximum(0, 1 - (2 * y_true - 1) * y_pred))

    def gradient(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``-t`` where ``t y_pred < 1``, else 0."""
        sign = 2 * y_true - 1
        return np.where(sign * y_pred < 1, -sign, np.zeros_like(sign))

    def point(self, y_pred: Array) -> Array:
        """Return ``(1 + y_pred) / 2``, where the classes are 0 and 1 again."""
        return 0.5 * (1 + y_pred)
