"""RAdam: Adam that waits until its average of squares can be trusted."""

from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Optimizer
from chainrule_optimizers.terms import (
    Epsilon,
    FirstDecay,
    LearningRate,
    SecondDecay,
    WeightDecay,
    average,
    penalized,
)


@dataclass(frozen=True)
class RAdam(Optimizer, name="radam"):
    """``theta <- theta - lr r m^ / sqrt(v^)`` once ``rho > 5``, and ``theta <- theta - lr m^`` before.

    ``rho`` is the number of squared gradients that ``v`` stands for, at most ``2 / (1 - beta2) - 1``. ``r`` is the
    share of a step that their variance allows. As ``torch.optim.RAdam``, which adds ``eps`` to ``sqrt(v)``.

    Liu et al. (2019), On the variance of the adaptive learning rate and beyond, arXiv:1908.03265, algorithm 2.
    """

    lr: LearningRate = 1e-3
    beta1: FirstDecay = 0.9
    beta2: SecondDecay = 0.999
    eps: Epsilon = 1e-8
    weight_decay: WeightDecay = 0.0

    def init(self, theta: Array) -> dict[str, Array]:
        """Return the averages of gradients and of their squares, at zero."""
        return {"mean": np.zeros_like(theta), "square_mean": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        """Update the averages, and step as far as they allow."""
        grad = penalized(grad, theta, self.weight_decay)
        mean, square_mean = state["mean"], state["square_mean"]
        average(mean, grad, self.beta1)
        average(square_mean, grad * grad, self.beta2)
        move = self.lr / (1 - self.beta1**step) * mean
        trusted, share = _share(self.beta2, step)
        if trusted.any():
            root = np.sqrt(square_mean) + self.eps
            adapted = (share * (1 - self.beta2**step) ** 0.5).astype(theta.dtype) / np.where(trusted, root, 1)
            move = np.where(trusted, adapted * move, move)
        theta -= move


def _share(beta2: float, step: int) -> tuple[Array, Array]:
    """Return whether the average of squares can be trusted, and ``r``; in float64, because ``rho`` cancels at first."""
    decay = np.asarray(beta2, float)
    power = decay**step
    most = 2 / (1 - decay) - 1
    rho = most - 2 * step * power / (1 - power)
    trusted = rho > 5
    rho, most = np.where(trusted, rho, 6), np.where(trusted, most, 6)
    return trusted, np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
