"""Muon: momentum whose steps have equal singular values, layer by layer."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Interval, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule.engine.network import Shape, product
from chainrule_optimizers.terms import DecoupledWeightDecay, LearningRate

_QUINTIC = (3.4445, -4.7750, 2.0315)  # steep at 0, and takes singular values from 0.7 to 1.2 into themselves


@dataclass(frozen=True)
class Muon(Optimizer):
    """``W <- (1 - lr weight_decay) W - lr sqrt(max(1, rows / columns)) O(m)`` of each layer's weights.

    ``m`` is the gradient with (Nesterov's) momentum, and ``O`` brings its singular values near 1 by ``iterations`` of
    ``X <- a X + (b A + c A^2) X`` with ``A = X X^T``. Biases and trained fields of activations,
    which are no matrices, take steps with momentum only.

    Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks; as ``torch.optim.Muon``.
    """

    lr: LearningRate = 1e-3
    momentum: Annotated[float, Interval(ge=0, lt=1), doc("decay of the moving average of gradients")] = 0.95
    nesterov: Annotated[bool, doc("look one step ahead")] = True
    weight_decay: DecoupledWeightDecay = 0.1
    eps: Annotated[float, Ge(0), doc("smallest norm that is divided by")] = 1e-7
    iterations: Annotated[int, Ge(1), doc("of the polynomial that evens out singular values")] = 5

    def init(self, theta: Array) -> dict[str, Array]:
        """Return the moving average of gradients, at zero."""
        return {"mean": np.zeros_like(theta)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int, *, shape: Shape) -> None:
        """Update the average, and take the step of each layer."""
        mean = state["mean"]
        mean += (1 - self.momentum) * (grad - mean)
        ahead = (1 - self.momentum) * grad + self.momentum * mean if self.nesterov else mean
        theta *= 1 - self.lr * self.weight_decay
        others = ([*shape.biases(flat), shape.fields(flat)] for flat in (theta, ahead))
        for numbers, move in zip(*others, strict=True):
            numbers -= self.lr * move
        lr, eps = (np.reshape(field, (-1, 1, 1)) for field in (self.lr, self.eps))
        for weights, move in zip(shape.weights(theta)[1:], shape.weights(ahead)[1:], strict=True):
            rows, columns = weights.shape[1:]
            weights -= lr * max(1, rows / columns) ** 0.5 * _evened(move, eps, self.iterations)


def _evened(matrices: Array, eps: Array, iterations: int) -> Array:
    """Return matrices of the same singular vectors, with singular values near 1."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if is_tall else matrices).copy()
    norm = np.sqrt(np.square(x.reshape(len(x), -1)).sum(axis=1))[:, None, None]
    x = x / np.maximum(norm, eps)
    a, b, c = _QUINTIC
    for _ in range(iterations):
        square = product(x, x.mT.copy())
        x = a * x + product(b * square + c * product(square, square), x)
    evened: Array = x.mT if is_tall else x
    return evened
