"""Built-in losses."""

from chainrule.components.contracts import Loss
from chainrule.registry.hookspecs import hookimpl
from chainrule_losses.focal import Focal
from chainrule_losses.gaussian_nll import GaussianNLL
from chainrule_losses.hinge import Hinge
from chainrule_losses.kl import KL
from chainrule_losses.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    HalfSquaredError,
    Huber,
    LogCosh,
)
from chainrule_losses.poisson import Poisson
from chainrule_losses.quantile import Quantile

_CLASSIC: list[type[Loss]] = [
    *(HalfSquaredError, AbsoluteError, Huber, LogCosh, BinaryCrossEntropy, CategoricalCrossEntropy),
]


@hookimpl
def chainrule_losses() -> list[type[Loss]]:
    """Return the losses of this package."""
    return [*_CLASSIC, Quantile, Hinge, Focal, Poisson, GaussianNLL, KL]
