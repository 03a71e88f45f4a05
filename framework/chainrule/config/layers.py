"""An activation for each hidden layer: ``activation=[tanh,relu]``.

Hydra would put all choices of a list into one place, and refuses to take one twice. So a list is written as one option,
``tanh+relu``, which adds ``activation.1`` and ``activation.2`` to the configuration.
"""

import re
from collections.abc import Sequence

LAYERED = ("activation", "norm")  # groups of which each hidden layer may have its own component
JOINT = "+"  # between the names of an option for several layers

_CHOICE = re.compile(rf"(\+{{0,2}}(?:{'|'.join(LAYERED)})=)(.*)", re.DOTALL)
_LIST = re.compile(r"\[([\w\s,]*\w[\w\s,]*)\]")


def joined(text: str) -> str:
    """Return an override in which each list of activations is one option: ``activation=tanh+relu``."""
    choice = _CHOICE.fullmatch(text)
    if not choice:
        return text
    return choice[1] + _LIST.sub(lambda found: JOINT.join(found[1].replace(",", " ").split()), choice[2])


def names_in(group: str, option: str) -> Sequence[str]:
    """Return the names of the components in an option."""
    return option.split(JOINT) if group in LAYERED else [option]
