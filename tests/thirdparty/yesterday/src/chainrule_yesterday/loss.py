"""The loss pinball."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval, doc
from chainrule import Array, Loss, sum_units


@dataclass(frozen=True)
class Pinball(Loss):
    """``L = sum max(q d, (q - 1) d)`` with ``d = y_true - y_pred``: the least at the quantile ``q`` of the true values.

    Koenker and Bassett (1978), Regression quantiles, Econometrica 46. The gradient where ``d = 0`` is 0.
    """

    q: Annotated[float, Interval(gt=0, lt=1), doc("share of the true values that lies below the prediction")] = 0.9

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``sum max(q d, (q - 1) d)``."""
        d = y_true - y_pred
        return sum_units(np.maximum(self.q * d, (self.q - 1) * d))

    def gradient(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``-q`` below the true value, ``1 - q`` above it."""
        gradient: Array = np.heaviside(y_pred - y_true, self.q) - self.q
        return gradient
