"""What several transforms share: fields, the parameters that are penalized, norms."""

from typing import Annotated

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Array
from chainrule.engine.network import Shape

Strength = Annotated[float, Ge(0), doc("factor of the penalty")]
Biases = Annotated[bool, doc("whether biases and trained fields are penalized as weights are")]


def penalized(theta: Array, shape: Shape, biases: bool) -> Array:
    """Return ``theta`` with 0 in the place of biases and of trained fields, unless they are penalized too."""
    if biases:
        return theta
    weights = theta.copy()
    for part in (*shape.biases(weights), shape.fields(weights)):
        part[...] = 0
    return weights


def norm(values: Array) -> Array:
    """Return the Euclidean norm along the last axis, which stays with length 1."""
    length: Array = np.sqrt(np.square(values).sum(axis=-1, keepdims=True))
    return length
