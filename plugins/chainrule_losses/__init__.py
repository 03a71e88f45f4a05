"""Built-in losses."""

from chainrule.hookspecs import hookimpl
from chainrule.kinds import Loss
from chainrule_losses.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    HalfSquaredError,
    Huber,
    LogCosh,
)


@hookimpl
def chainrule_losses() -> list[type[Loss]]:
    """Register them."""
    return [HalfSquaredError, AbsoluteError, Huber, LogCosh, BinaryCrossEntropy, CategoricalCrossEntropy]
