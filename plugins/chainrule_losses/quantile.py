"""The loss of a quantile."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Lt, doc

from chainrule.components.contracts import Array, Loss
from chainrule.components.stacking import sum_units


@dataclass(frozen=True)
class Quantile(Loss):
    """``L = sum max(q e, (q - 1) e)`` with ``e = y_true - y_pred`` (Koenker and Bassett 1978, eq. 2.1).

    Its mean is smallest at the quantile ``q`` of the true values: the median for 0.5. The gradient at ``e = 0`` is 0.
    scikit-learn calls it pinball loss.
    """

    q: Annotated[float, Gt(0), Lt(1), doc("the quantile that is predicted: 0.5 for the median")] = 0.5

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``sum max(q e, (q - 1) e)``."""
        error = y_true - y_pred
        return sum_units(np.maximum(self.q * error, (self.q - 1) * error))

    def gradient(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``-q`` below the true value, ``1 - q`` above it."""
        above = np.sign(y_pred - y_true)
        derivative: Array = above * np.where(above < 0, self.q, 1 - self.q)
        return derivative
