"""What several optimizers share: fields, weight decay as a penalty, the moving average."""

from typing import Annotated

import numpy as np
from annotated_types import Ge, Interval, doc

from chainrule.components.contracts import Array

LearningRate = Annotated[float, Ge(0), doc("learning rate")]
WeightDecay = Annotated[float, Ge(0), doc("factor of theta that is added to the gradient (L2 penalty)")]
DecoupledWeightDecay = Annotated[float, Ge(0), doc("share of lr * theta that each step takes off theta")]
Epsilon = Annotated[float, Ge(0), doc("added to the denominator, so that it is not zero")]
FirstDecay = Annotated[float, Interval(ge=0, lt=1), doc("decay of the moving average of gradients")]
SecondDecay = Annotated[float, Interval(ge=0, lt=1), doc("decay of the moving average of squared gradients")]


def penalized(grad: Array, theta: Array, weight_decay: float) -> Array:
    """Return ``grad + weight_decay theta``, the gradient of the loss plus the penalty ``weight_decay / 2 |theta|^2``.

    A run without weight decay gets the bits of ``grad``, whatever the weight decay of other runs in its stack. The bits
    of ``grad + 0 theta`` can differ: -0.0 becomes 0.0, and an infinite ``theta`` gives NaN.
    """
    if not np.count_nonzero(weight_decay):
        return grad
    return np.where(weight_decay, grad + weight_decay * theta, grad)


def average(mean: Array, value: Array, decay: float) -> None:
    """Move an exponential moving average in place: ``mean <- decay mean + (1 - decay) value``."""
    mean *= decay
    mean += (1 - decay) * value
