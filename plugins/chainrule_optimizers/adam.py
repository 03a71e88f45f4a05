# ruff: noqa: D102 - the contract documents init and update
"""Adam and its relatives: moving averages of the gradient and of its square, corrected for their start at zero.

``m`` and ``v`` are the averages with decays ``beta1`` and ``beta2``. Because they start at 0, they are too small by the
factors ``1 - beta1^t`` and ``1 - beta2^t`` at step ``t``; ``m^`` and ``v^`` are divided by these factors.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule_optimizers.terms import (
    DecoupledWeightDecay,
    Epsilon,
    FirstDecay,
    LearningRate,
    SecondDecay,
    WeightDecay,
    average,
    penalized,
)

AMSGrad = Annotated[bool, doc("divide by the largest average of squared gradients so far")]


@dataclass(frozen=True)
class Adam(Optimizer):
    """``theta <- theta - lr m^ / (sqrt(v^) + eps)``, as ``torch.optim.Adam``.

    Kingma and Ba (2014), Adam: a method for stochastic optimization, arXiv:1412.6980; ``amsgrad``: Reddi, Kale and
    Kumar (2018), On the convergence of Adam and beyond, arXiv:1904.09237.
    """

    lr: LearningRate = 1e-3
    beta1: FirstDecay = 0.9
    beta2: SecondDecay = 0.999
    eps: Epsilon = 1e-8
    weight_decay: WeightDecay = 0.0
    amsgrad: AMSGrad = False

    def init(self, theta: Array) -> dict[str, Array]:
        return _init(theta, self.amsgrad)

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        grad = penalized(grad, theta, self.weight_decay)
        _update(self, theta, grad, state, step)


@dataclass(frozen=True)
class AdamW(Optimizer, name="adamw"):
    """``theta <- (1 - lr weight_decay) theta``, then as ``adam``; as ``torch.optim.AdamW``.

    Loshchilov and Hutter (2017), Decoupled weight decay regularization, arXiv:1711.05101.
    """

    lr: LearningRate = 1e-3
    beta1: FirstDecay = 0.9
    beta2: SecondDecay = 0.999
    eps: Epsilon = 1e-8
    weight_decay: DecoupledWeightDecay = 1e-2
    amsgrad: AMSGrad = False

    def init(self, theta: Array) -> dict[str, Array]:
        return _init(theta, self.amsgrad)

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        theta *= 1 - self.lr * self.weight_decay
        _update(self, theta, grad, state, step)


def _init(theta: Array, amsgrad: bool) -> dict[str, Array]:
    names = ["mean", "square_mean", *(["square_mean_max"] if amsgrad else [])]
    return {name: np.zeros_like(theta) for name in names}


def _update(adam: Adam | AdamW, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
    """Take the step that ``adam`` and ``adamw`` have in common."""
    mean, square_mean = state["mean"], state["square_mean"]
    average(mean, grad, adam.beta1)
    average(square_mean, grad * grad, adam.beta2)
    if adam.amsgrad:
        square_mean = np.maximum(state["square_mean_max"], square_mean, out=state["square_mean_max"])
    correction1 = 1 - adam.beta1**step
    correction2 = 1 - adam.beta2**step
    denominator = np.sqrt(square_mean) / correction2**0.5 + adam.eps
    theta -= adam.lr / correction1 * mean / denominator


@dataclass(frozen=True)
class NAdam(Optimizer):
    """``theta <- theta - lr m~ / (sqrt(v^) + eps)``: Adam with Nesterov's momentum, as ``torch.optim.NAdam``.

    ``m~ = mu_{t+1} m / (1 - M_{t+1}) + (1 - mu_t) g / (1 - M_t)`` looks one step ahead. ``M_t`` is the product of the
    momenta up to ``t``; these grow: ``mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)``.

    Dozat (2016), Incorporating Nesterov momentum into Adam.
    """

    lr: LearningRate = 2e-3
    beta1: FirstDecay = 0.9
    beta2: SecondDecay = 0.999
    eps: Epsilon = 1e-8
    weight_decay: Annotated[float, Ge(0), doc("L2 penalty, or as in adamw if decoupled")] = 0.0
    momentum_decay: Annotated[float, Ge(0), doc("how fast the momentum grows from beta1 / 2 to beta1")] = 4e-3
    decoupled_weight_decay: Annotated[bool, doc("weight decay as in adamw")] = False

    def init(self, theta: Array) -> dict[str, Array]:
        zeros = {name: np.zeros_like(theta) for name in ("mean", "square_mean")}
        return zeros | {"mu_product": np.ones_like(theta[..., :1])}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        if self.decoupled_weight_decay:
            theta *= 1 - self.lr * self.weight_decay
        else:
            grad = penalized(grad, theta, self.weight_decay)
        mean, square_mean, mu_product = state["mean"], state["square_mean"], state["mu_product"]
        average(mean, grad, self.beta1)
        average(square_mean, grad * grad, self.beta2)
        mu = self._mu(step)
        mu_next = self._mu(step + 1)
        mu_product *= mu
        ahead = mu_next / (1 - mu_product * mu_next) * mean + (1 - mu) / (1 - mu_product) * grad
        denominator = np.sqrt(square_mean / (1 - self.beta2**step)) + self.eps
        theta -= self.lr * ahead / denominator

    def _mu(self, step: int) -> float:
        mu: float = self.beta1 * (1 - 0.5 * 0.96 ** (step * self.momentum_decay))
        return mu
