"""Built-in activations."""

from chainrule.components.contracts import Activation
from chainrule.registry.hookspecs import hookimpl
from chainrule_activations.activations import (
    ELU,
    GELU,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from chainrule_activations.prelu import PReLU
from chainrule_activations.swish import Swish


@hookimpl
def chainrule_activations() -> list[type[Activation]]:
    """Return the activations of this package."""
    return [Identity, Sigmoid, ReLU, Tanh, LeakyReLU, ELU, Softplus, GELU, SiLU, Softmax, PReLU, Swish]
