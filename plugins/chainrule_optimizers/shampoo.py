"""Shampoo: AdaGrad with a matrix for the rows and one for the columns of each layer's weights."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule.engine.network import Shape, product
from chainrule_optimizers.terms import LearningRate


@dataclass(frozen=True)
class Shampoo(Optimizer):
    """``W <- W - lr (L + eps)^(-1/4) G (R + eps)^(-1/4)`` with the sums ``L`` of ``G G^T`` and ``R`` of ``G^T G``.

    Biases, which are vectors ``b`` with gradients ``g``, have one matrix: ``b <- b - lr (B + eps)^(-1/2) g`` with the
    sum ``B`` of ``g g^T``. All roots are computed at each step, in a time that grows with the cube of the units.

    Gupta, Koren and Singer (2018), Shampoo: preconditioned stochastic tensor optimization, arXiv:1802.09568,
    algorithms 1 and 2.
    """

    lr: LearningRate = 0.1
    eps: Annotated[float, Gt(0), doc("added to all eigenvalues")] = 1e-6

    def init(self, theta: Array, *, shape: Shape) -> dict[str, Array]:
        """Return the sums of each layer, at zero."""
        runs, state = len(theta), {}
        for layer, weights in enumerate(shape.weights(theta)[1:], 1):
            rows, columns = weights.shape[1:]
            for name, size in (("rows", rows), ("columns", columns), ("biases", rows)):
                state[f"{name}_{layer}"] = np.zeros((runs, size, size), theta.dtype)
        return state

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int, *, shape: Shape) -> None:
        """Add to the sums, and take the step of each layer."""
        lr, eps = (np.reshape(field, (-1, 1, 1)) for field in (self.lr, self.eps))
        layers = zip(
            *(views(flat)[1:] for flat in (theta, grad) for views in (shape.weights, shape.biases)), strict=True
        )
        for layer, (weights, biases, weights_grad, biases_grad) in enumerate(layers, 1):
            g = np.ascontiguousarray(weights_grad)
            turned = np.ascontiguousarray(g.mT)
            rows = _root(state[f"rows_{layer}"], g, turned, eps, -1 / 4)
            columns = _root(state[f"columns_{layer}"], turned, g, eps, -1 / 4)
            weights -= lr * product(product(rows, g), columns)
            g = np.ascontiguousarray(biases_grad)[..., None]
            root = _root(state[f"biases_{layer}"], g, g.mT, eps, -1 / 2)
            biases -= (lr * product(root, g))[..., 0]


def _root(total: Array, left: Array, right: Array, eps: Array, power: float) -> Array:
    """Add ``left @ right`` to ``total``, and return a power of it with ``eps`` on its diagonal."""
    total += product(left, right)
    finite = np.isfinite(total).all(axis=(1, 2), keepdims=True)  # or LAPACK would refuse the whole stack
    values, vectors = np.linalg.eigh(np.where(finite, total, 0))
    values = np.where(finite, np.maximum(values[:, None, :], 0) + eps, np.nan)
    return product(vectors * values**power, np.ascontiguousarray(vectors.mT))
