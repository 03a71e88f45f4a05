# ruff: noqa: D102 - the contract documents init and update
"""Gradient descent, the article's rule, and its two classical accelerations."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule_optimizers.terms import LearningRate, WeightDecay, penalized


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    """``theta <- theta - lr g``, as ``torch.optim.SGD``."""

    known_as: ClassVar[tuple[str, ...]] = ("sgd", "gd")
    lr: LearningRate = 1e-3
    weight_decay: WeightDecay = 0.0

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        theta -= self.lr * penalized(grad, theta, self.weight_decay)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """``v <- momentum v + (1 - dampening) g; theta <- theta - lr v``, as ``torch.optim.SGD(momentum=...)``.

    The first step is not dampened: ``v = g``. Where ``momentum`` is 0, PyTorch ignores ``dampening``; here it counts.

    Polyak (1964), Some methods of speeding up the convergence of iteration methods.
    """

    lr: LearningRate = 1e-3
    momentum: Annotated[float, Ge(0), doc("share of the velocity that is kept")] = 0.9
    dampening: Annotated[float, doc("share of the gradient that does not enter the velocity")] = 0.0
    weight_decay: WeightDecay = 0.0

    def init(self, theta: Array) -> dict[str, Array]:
        return {"velocity": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        grad = penalized(grad, theta, self.weight_decay)
        velocity = state["velocity"]
        velocity *= self.momentum
        velocity += grad if step == 1 else (1 - self.dampening) * grad
        theta -= self.lr * velocity


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """``v <- momentum v + g; theta <- theta - lr (g + momentum v)``, as ``torch.optim.SGD(nesterov=True)``.

    Nesterov (1983), A method for solving the convex programming problem with convergence rate O(1/k^2); in this form
    Sutskever et al. (2013), On the importance of initialization and momentum in deep learning.
    """

    lr: LearningRate = 1e-3
    momentum: Annotated[float, Gt(0), doc("share of the velocity that is kept")] = 0.9
    weight_decay: WeightDecay = 0.0

    def init(self, theta: Array) -> dict[str, Array]:
        return {"velocity": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        grad = penalized(grad, theta, self.weight_decay)
        velocity = state["velocity"]
        velocity *= self.momentum
        velocity += grad
        theta -= self.lr * (grad + self.momentum * velocity)
