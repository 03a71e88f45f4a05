"""Components for chainrule that are less tame than the built-in ones."""

from chainrule import Activation, Initializer, Loss, Optimizer, Target, hookimpl

from .activation import Squareplus
from .initializer import Sparse
from .loss import Cauchy
from .optimizer import AdaBelief
from .target import Ishigami

CHAINRULE_API = 1


@hookimpl
def chainrule_activations() -> list[type[Activation]]:
    """Register the activation."""
    return [Squareplus]


@hookimpl
def chainrule_initializers() -> list[type[Initializer]]:
    """Register the initializer."""
    return [Sparse]


@hookimpl
def chainrule_losses() -> list[type[Loss]]:
    """Register the loss."""
    return [Cauchy]


@hookimpl
def chainrule_optimizers() -> list[type[Optimizer]]:
    """Register the optimizer."""
    return [AdaBelief]


@hookimpl
def chainrule_targets() -> list[type[Target]]:
    """Register the target."""
    return [Ishigami]


@hookimpl
def chainrule_configurations() -> list[str]:
    """Name the package of the experiment and the variant."""
    return ["chainrule_menagerie.conf"]
