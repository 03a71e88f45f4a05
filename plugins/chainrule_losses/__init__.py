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
    """Return the losses of this package."""
    return [HalfSquaredError, AbsoluteError, Huber, LogCosh, BinaryCrossEntropy, CategoricalCrossEntropy]
