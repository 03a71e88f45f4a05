"""Losses of one sample and their gradients; ``e = y_pred - y_true``; losses of several outputs are summed."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Loss
from chainrule.components.stacking import sum_units

_HIGHEST_COST = 100.0  # stands for -log 0 in the cross-entropies, as in PyTorch
_DENOMINATOR_FLOOR = 1e-12  # smallest denominator in their gradients, as in PyTorch


@dataclass(frozen=True)
class HalfSquaredError(Loss):
    """``L = 1/2 sum (y_true - y_pred)^2``, eq. 3 of the article; half of PyTorch's ``MSELoss``."""

    known_as: ClassVar[tuple[str, ...]] = ("mse", "l2", "squared_error", "mean_squared_error", "mse_loss")

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``1/2 sum e^2``."""
        return 0.5 * sum_units(np.square(y_pred - y_true))

    def gradient(self, y_pred: Array, y_true: Array, out: Array | None = None) -> Array:
        """Return ``e = -(y_true - y_pred)``."""
        return np.subtract(y_pred, y_true, out)


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """``L = sum |y_pred - y_true|``; the gradient at 0 is 0. PyTorch's ``L1Loss``."""

    known_as: ClassVar[tuple[str, ...]] = ("mae", "l1", "l1_loss", "mean_absolute_error")

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``sum |e|``."""
        return sum_units(np.abs(y_pred - y_true))

    def gradient(self, y_pred: Array, y_true: Array, out: Array | None = None) -> Array:
        """Return the sign of ``e``."""
        out = np.subtract(y_pred, y_true, out)
        return np.sign(out, out)


@dataclass(frozen=True)
class Huber(Loss):
    """``L = sum e^2 / 2`` where ``|e| <= delta``, else ``delta (|e| - delta / 2)`` (Huber 1964)."""

    known_as: ClassVar[tuple[str, ...]] = ("smooth_l1",)
    delta: Annotated[float, Gt(0), doc("error from which the loss grows linearly")] = 1.0

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``sum c (|e| - c / 2)`` with ``c = min(|e|, delta)``."""
        error = np.abs(y_pred - y_true)
        clipped = np.minimum(error, self.delta)
        return sum_units(clipped * (error - 0.5 * clipped))

    def gradient(self, y_pred: Array, y_true: Array, out: Array | None = None) -> Array:
        """Return ``e`` clipped to ``[-delta, delta]``."""
        out = np.subtract(y_pred, y_true, out)
        np.minimum(out, self.delta, out=out)
        return np.maximum(out, -self.delta, out=out)


@dataclass(frozen=True)
class LogCosh(Loss):
    """``L = sum log cosh e`` (Green 1990): near ``e^2 / 2`` for small errors, ``|e| - log 2`` for large ones."""

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``sum log cosh e``.

        ``log(1 + 2 sinh^2(e/2))`` is precise for small errors, ``|e| + log(1 + e^(-2|e|)) - log 2`` for large ones.
        """
        error = np.abs(y_pred - y_true)
        small = np.log1p(2 * np.square(np.sinh(0.5 * np.minimum(error, 1.0))))
        large = error + np.log1p(np.exp(-2 * error)) - math.log(2)
        return sum_units(np.where(error < 1, small, large))

    def gradient(self, y_pred: Array, y_true: Array, out: Array | None = None) -> Array:
        """Return ``tanh e``."""
        out = np.subtract(y_pred, y_true, out)
        return np.tanh(out, out)


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """``L = -sum (y log p + (1 - y) log(1 - p))``, the log-loss of probabilities ``p = y_pred``.

    As in PyTorch's ``BCELoss``, logarithms are at least -100, and ``p (1 - p)`` in the gradient is at least 1e-12.
    After a sigmoid output the loss is computed from ``z`` without these limits, as in ``BCEWithLogitsLoss``.
    """

    known_as: ClassVar[tuple[str, ...]] = ("bce", "log_loss", "logistic", "cross_entropy", "crossentropy")
    prediction_range = (0.0, 1.0)
    target_range = (0.0, 1.0)
    paired_output = "sigmoid"

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``-sum (y log p + (1 - y) log(1 - p))``."""
        with np.errstate(divide="ignore"):
            cost_of_1 = np.minimum(-np.log(y_pred), _HIGHEST_COST)
            cost_of_0 = np.minimum(-np.log1p(-y_pred), _HIGHEST_COST)
        return sum_units(y_true * cost_of_1 + (1 - y_true) * cost_of_0)

    def gradient(self, y_pred: Array, y_true: Array, out: Array | None = None) -> Array:
        """Return ``(p - y) / (p (1 - p))``."""
        out = np.subtract(1.0, y_pred, out)
        np.multiply(out, y_pred, out)
        np.maximum(out, _DENOMINATOR_FLOOR, out=out)
        return np.divide(np.subtract(y_pred, y_true), out, out)

    def paired_value(self, z: Array, y_true: Array) -> Array:
        """Return ``sum (log(1 + e^z) - y z)``, with ``log(1 + e^z) = max(z, 0) + log(1 + e^-|z|)``."""
        return sum_units(np.maximum(z, 0.0) - z * y_true + np.log1p(np.exp(-np.abs(z))))

    def paired_delta(self, z: Array, y_pred: Array, y_true: Array, out: Array | None = None) -> Array:
        """Return ``p - y``: the sigmoid's ``p (1 - p)`` cancels."""
        return np.subtract(y_pred, y_true, out)


@dataclass(frozen=True)
class CategoricalCrossEntropy(Loss):
    """``L = -sum y log p`` of probabilities ``p = y_pred`` of several classes; ``y`` adds up to 1.

    Logarithms are at least -100, and ``p`` in the gradient is at least 1e-12. After a softmax output the loss is
    computed from ``z`` without these limits, as in PyTorch's ``CrossEntropyLoss``.
    """

    known_as: ClassVar[tuple[str, ...]] = ("ce", "cce", "nll", "cross_entropy", "crossentropy", "log_loss")
    prediction_range = (0.0, 1.0)
    target_range = (0.0, 1.0)
    paired_output = "softmax"
    min_outputs = 2
    one_hot = True

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``-sum y log p``."""
        with np.errstate(divide="ignore"):
            cost = np.minimum(-np.log(y_pred), _HIGHEST_COST)
        return sum_units(y_true * cost)

    def gradient(self, y_pred: Array, y_true: Array, out: Array | None = None) -> Array:
        """Return ``-y / p``."""
        out = np.maximum(y_pred, _DENOMINATOR_FLOOR, out=out)
        np.divide(y_true, out, out)
        return np.negative(out, out)

    def paired_value(self, z: Array, y_true: Array) -> Array:
        """Return ``sum_j y_j (log sum_k e^(z_k) - z_j)``, with ``z`` shifted by its maximum."""
        shifted = z - np.maximum.reduce(z, axis=-2, keepdims=True)
        log_sum = np.log(sum_units(np.exp(shifted), keepdims=True))
        return sum_units(y_true * (log_sum - shifted))

    def paired_delta(self, z: Array, y_pred: Array, y_true: Array, out: Array | None = None) -> Array:
        """Return ``p - y``; in general ``p sum(y) - y``, and ``y`` adds up to 1."""
        return np.subtract(y_pred, y_true, out)
