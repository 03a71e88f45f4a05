"""Built-in losses."""

from chainrule.components.contracts import Loss
from chainrule.registry.hookspecs import hookimpl
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
