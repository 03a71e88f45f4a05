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


@hookimpl
def chainrule_activations() -> list[type[Activation]]:
    """Register them."""
    return [Identity, Sigmoid, ReLU, Tanh, LeakyReLU, ELU, Softplus, GELU, SiLU, Softmax]
