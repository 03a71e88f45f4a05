"""Prodigy: Adam that finds its own rate from how far it has come."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule_optimizers.terms import (
    DecoupledWeightDecay,
    Epsilon,
    FirstDecay,
    LearningRate,
    SecondDecay,
    average,
)


@dataclass(frozen=True)
class Prodigy(Optimizer):
    """``theta <- theta - lr d m / (sqrt(v) + d eps)``, where ``d`` grows towards the distance of the solution.

    ``m`` and ``v`` are averages of ``d g`` and of its square. ``d`` is the largest ``growth r / |s|_1`` so far, at
    least ``d0``: ``r`` is the sum of ``lr d^2 <g, theta_0 - theta>`` and ``s`` that of ``lr d^2 g``, both with the
    decay ``sqrt(beta2)``. So ``lr`` is 1, or what a schedule makes of it.

    Mishchenko and Defazio (2023), Prodigy: an expeditiously adaptive parameter-free learner, arXiv:2306.06101,
    algorithm 4; ``bias_correction`` as in the authors' program.
    """

    lr: LearningRate = 1.0
    beta1: FirstDecay = 0.9
    beta2: SecondDecay = 0.999
    eps: Epsilon = 1e-8
    weight_decay: DecoupledWeightDecay = 0.0
    d0: Annotated[float, Gt(0), doc("first estimate of the distance, too small rather than too large")] = 1e-6
    growth: Annotated[float, Ge(0), doc("factor of the estimates of the distance")] = 1.0
    bias_correction: Annotated[bool, doc("correct for averages that begin at 0, as adam does")] = False

    def init(self, theta: Array) -> dict[str, Array]:
        """Return where ``theta`` begins, averages and sums at zero, and the first distance."""
        zeros = {name: np.zeros_like(theta) for name in ("mean", "square_mean", "gradients")}
        one = np.ones_like(theta[..., :1])
        return zeros | {"start": theta.copy(), "progress": 0 * one, "distance": self.d0 * one}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        """Estimate the distance, and step with it."""
        distance, progress, gradients = state["distance"], state["progress"], state["gradients"]
        lr = self.lr * distance
        if self.bias_correction:
            lr = lr * ((1 - self.beta2**step) ** 0.5 / (1 - self.beta1**step))
        average(state["mean"], distance * grad, self.beta1)
        average(state["square_mean"], (distance * grad) ** 2, self.beta2)
        weight = distance / self.d0 * lr  # divided by d0, so that float32 holds it
        for total, value in (
            (progress, (grad * (state["start"] - theta)).sum(axis=-1, keepdims=True)),
            (gradients, grad),
        ):
            total *= self.beta2**0.5
            total += weight * value
        size = np.abs(gradients).sum(axis=-1, keepdims=True)
        np.maximum(distance, self.growth * progress / np.where(size > 0, size, 1), out=distance)
        theta *= 1 - lr * self.weight_decay
        theta -= lr * state["mean"] / (np.sqrt(state["square_mean"]) + distance * self.eps)
