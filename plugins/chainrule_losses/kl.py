"""How far a distribution over classes lies from another."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.stacking import sum_units
from chainrule_losses.losses import CategoricalCrossEntropy


@dataclass(frozen=True)
class KL(CategoricalCrossEntropy, name="kl"):
    """``L = sum y log(y / p)``, the divergence of Kullback and Leibler (1951, eq. 2.4), with ``p = y_pred``.

    The cross-entropy less the entropy of ``y``, so that it is 0 where the prediction is right; the gradients are those
    of the cross-entropy. PyTorch's ``KLDivLoss``, which has logarithms as inputs.
    """

    known_as: ClassVar[tuple[str, ...]] = ("kl_div", "kld", "kullback_leibler")

    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``sum y log(y / p)``."""
        return super().value(y_pred, y_true) - _entropy(y_true)

    def paired_value(self, z: Array, y_true: Array) -> Array:
        """Return ``value(softmax(z), y)`` without overflow."""
        return super().paired_value(z, y_true) - _entropy(y_true)


def _entropy(y: Array) -> Array:
    """Return ``-sum y log y``, where ``0 log 0`` is 0."""
    return -sum_units(y * np.log(np.where(y > 0, y, 1)))
