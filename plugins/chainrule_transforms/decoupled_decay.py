"""Decoupled weight decay: weights shrink beside the step, not through the gradient."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, doc

from chainrule.components.contracts import Array, Transform
from chainrule.engine.network import Shape
from chainrule_transforms.terms import Biases, penalized


@dataclass(frozen=True)
class DecoupledDecay(Transform):
    """``theta <- theta - lr decay w``, where ``w`` are the weights before the step and ``lr`` is as scheduled.

    Loshchilov and Hutter (2017), Decoupled weight decay regularization, arXiv:1711.05101, line 9 of algorithm 1. With
    ``biases`` it makes ``adamw`` of ``adam``.
    """

    decay: Annotated[float, Ge(0), doc("share of lr * weights that each step takes off")] = 0.01
    biases: Biases = False

    def after(
        self, theta: Array, state: dict[str, Array], step: int, *, lr: Array, before: Array, shape: Shape
    ) -> Array:
        """Take ``lr decay w`` off."""
        less: Array = theta - lr * self.decay * penalized(before, shape, self.biases)
        return less
