# ruff: noqa: D102 - the contract documents init and update
"""Steps scaled by the past squares of each parameter's own gradient."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Interval, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule_optimizers.terms import Epsilon, LearningRate, WeightDecay, average, penalized


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """``s <- s + g^2; theta <- theta - lr_t g / (sqrt(s) + eps)``, as ``torch.optim.Adagrad``.

    The rate is ``lr_t = lr / (1 + (t - 1) lr_decay)`` at step ``t``.

    Duchi, Hazan and Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization.
    """

    lr: LearningRate = 1e-2
    lr_decay: Annotated[float, Ge(0), doc("how fast the learning rate falls with the number of steps")] = 0.0
    weight_decay: WeightDecay = 0.0
    initial_accumulator_value: Annotated[float, Ge(0), doc("sum of squared gradients before the first step")] = 0.0
    eps: Epsilon = 1e-10

    def init(self, theta: Array) -> dict[str, Array]:
        return {"square_sum": np.full_like(theta, self.initial_accumulator_value)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        grad = penalized(grad, theta, self.weight_decay)
        square_sum = state["square_sum"]
        square_sum += grad * grad
        lr = self.lr / (1 + (step - 1) * self.lr_decay)
        theta -= lr * grad / (np.sqrt(square_sum) + self.eps)


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """``d = sqrt(u + eps) / sqrt(v + eps) g; theta <- theta - lr d``, as ``torch.optim.Adadelta``.

    ``v`` and ``u`` are moving averages of ``g^2`` and of ``d^2``; ``u`` does not yet include the present ``d``.

    Zeiler (2012), ADADELTA: an adaptive learning rate method, arXiv:1212.5701.
    """

    lr: Annotated[float, Ge(0), doc("factor of the step")] = 1.0
    rho: Annotated[float, Interval(ge=0, le=1), doc("decay of both moving averages")] = 0.9
    eps: Annotated[float, Ge(0), doc("added under both roots; decides the size of the first steps")] = 1e-6
    weight_decay: WeightDecay = 0.0

    def init(self, theta: Array) -> dict[str, Array]:
        return {"square_mean": np.zeros_like(theta), "delta_square_mean": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        grad = penalized(grad, theta, self.weight_decay)
        square_mean, delta_square_mean = state["square_mean"], state["delta_square_mean"]
        average(square_mean, grad * grad, self.rho)
        delta = np.sqrt(delta_square_mean + self.eps) / np.sqrt(square_mean + self.eps) * grad
        average(delta_square_mean, delta * delta, self.rho)
        theta -= self.lr * delta


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """``b <- momentum b + g / (sqrt(v) + eps); theta <- theta - lr b``, as ``torch.optim.RMSprop``.

    ``v`` is the moving average of ``g^2``; ``centered`` subtracts the squared moving average of ``g``, so that ``v`` is
    a variance.

    Tieleman and Hinton (2012), Lecture 6.5, rmsprop, Neural Networks for Machine Learning; centered: Graves (2013),
    Generating sequences with recurrent neural networks, arXiv:1308.0850.
    """

    lr: LearningRate = 1e-2
    alpha: Annotated[float, Ge(0), doc("decay of the moving averages")] = 0.99
    eps: Epsilon = 1e-8
    weight_decay: WeightDecay = 0.0
    momentum: Annotated[float, Ge(0), doc("share of the last step that is kept")] = 0.0
    centered: Annotated[bool, doc("divide by the deviation of the gradient, not by its root mean square")] = False

    def init(self, theta: Array) -> dict[str, Array]:
        names = ["square_mean", "velocity", *(["mean"] if self.centered else [])]
        return {name: np.zeros_like(theta) for name in names}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        grad = penalized(grad, theta, self.weight_decay)
        square_mean, velocity = state["square_mean"], state["velocity"]
        average(square_mean, grad * grad, self.alpha)
        variance = square_mean
        if self.centered:
            mean = state["mean"]
            average(mean, grad, self.alpha)
            variance = square_mean - mean * mean
        velocity *= self.momentum
        velocity += grad / (np.sqrt(variance) + self.eps)
        theta -= self.lr * velocity
