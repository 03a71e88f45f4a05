"""The loss of a mean and a variance."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Loss
from chainrule.components.stacking import sum_units


@dataclass(frozen=True)
class GaussianNLL(Loss, name="gaussian_nll"):
    """``L = 1/2 sum (log v + (y_true - m)^2 / v)``: the network gives a mean ``m`` and ``v = floor + e^s``.

    Nix and Weigend 1994, eq. 2, without the constant ``1/2 log 2 pi``; PyTorch's ``GaussianNLLLoss``, which has the
    variance itself as input. The outputs are all means, then all ``s``.
    """

    floor: Annotated[float, Gt(0), doc("smallest variance")] = 1e-6

    outputs_per_target = 2
    minimum = -math.inf

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``1/2 sum (log v + e^2 / v)``."""
        error, log_variance = self._parts(y_pred, y_true)
        return 0.5 * sum_units(log_variance + np.square(error * np.exp(-0.5 * log_variance)))

    def gradient(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``-e / v`` of the means, and ``1/2 (1 - e^2 / v) e^s / v`` of each ``s``."""
        error, log_variance = self._parts(y_pred, y_true)
        spread = y_pred[:, error.shape[1] :]
        scaled = error * np.exp(-0.5 * log_variance)
        of_mean = -scaled * np.exp(-0.5 * log_variance)
        of_spread = 0.5 * (1 - np.square(scaled)) * np.exp(np.minimum(spread - log_variance, 0))
        return np.concatenate([of_mean, of_spread], axis=1)

    def point(self, y_pred: Array) -> Array:
        """Return the means."""
        return y_pred[:, : y_pred.shape[1] // 2]

    def _parts(self, y_pred: Array, y_true: Array) -> tuple[Array, Array]:
        """Return ``e = y_true - m`` and ``log v``."""
        mean, spread = np.split(y_pred, 2, axis=1)
        log_floor = np.log(self.floor) if isinstance(self.floor, np.ndarray) else math.log(self.floor)
        return y_true - mean, np.logaddexp(log_floor, spread)
