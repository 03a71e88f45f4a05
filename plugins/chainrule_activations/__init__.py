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
from chainrule_activations.batch_norm import BatchNorm
from chainrule_activations.glu import GLU
from chainrule_activations.hard_swish import HardSwish
from chainrule_activations.layer_norm import LayerNorm
from chainrule_activations.maxout import Maxout
from chainrule_activations.mish import Mish
from chainrule_activations.prelu import PReLU
from chainrule_activations.selu import SELU
from chainrule_activations.sine import Sine
from chainrule_activations.snake import Snake
from chainrule_activations.swish import Swish


@hookimpl
def chainrule_activations() -> list[type[Activation]]:
    """Return the activations of this package."""
    return [
        Identity,
        Sigmoid,
        ReLU,
        Tanh,
        LeakyReLU,
        ELU,
        Softplus,
        GELU,
        SiLU,
        Softmax,
        PReLU,
        Swish,
        Mish,
        SELU,
        HardSwish,
        Sine,
        Snake,
        Maxout,
        GLU,
        LayerNorm,
        BatchNorm,
    ]
