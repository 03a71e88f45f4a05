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

    Biases and trained fields of activations, which are vectors ``b`` with gradients ``g``, have one matrix each:
    ``b <- b - lr (B + eps)^(-1/2) g`` with the sum ``B`` of ``g g^T``. All roots are computed at each step, in a time
    that grows with the cube of the units.

    Gupta, Koren and Singer (2018), Shampoo: preconditioned stochastic tensor optimization, arXiv:1802.09568,
    algorithms 1 and 2.
    """

    lr: LearningRate = 0.1
    eps: Annotated[float, Gt(0), doc("added to all eigenvalues")] = 1e-6

    def init(self, theta: Array, *, shape: Shape) -> dict[str, Array]:
        """Return the sums of each layer and each trained field, at zero."""
        sizes = {name: vector.shape[1] for name, vector in _vectors(theta, shape).items()}
        for layer, weights in enumerate(shape.weights(theta)[1:], 1):
            sizes[f"rows_{layer}"], sizes[f"columns_{layer}"] = weights.shape[1:]
        return {name: np.zeros((len(theta), size, size), theta.dtype) for name, size in sizes.items()}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int, *, shape: Shape) -> None:
        """Add to the sums, and take the step of each layer."""
        lr, eps = (np.reshape(field, (-1, 1, 1)) for field in (self.lr, self.eps))
        for layer, (weights, weights_grad) in enumerate(
            zip(shape.weights(theta)[1:], shape.weights(grad)[1:], strict=True), 1
        ):
            g = np.ascontiguousarray(weights_grad)
            turned = np.ascontiguousarray(g.mT)
            rows = _root(state[f"rows_{layer}"], g, turned, eps, -1 / 4)
            columns = _root(state[f"columns_{layer}"], turned, g, eps, -1 / 4)
            weights -= lr * product(product(rows, g), columns)
        gradients = _vectors(grad, shape)
        for name, vector in _vectors(theta, shape).items():
            g = np.ascontiguousarray(gradients[name])
            vector -= lr * product(_root(state[name], g, g.mT, eps, -1 / 2), g)


def _vectors(flat: Array, shape: Shape) -> dict[str, Array]:
    """Return views of biases and trained fields by their names in the state, ``(runs, numbers, 1)``."""
    biases = {f"biases_{layer}": part[..., None] for layer, part in enumerate(shape.biases(flat)[1:], 1)}
    return biases | shape.named_fields(flat)


def _root(total: Array, left: Array, right: Array, eps: Array, power: float) -> Array:
    """Add ``left @ right`` to ``total``, and return a power of it with ``eps`` on its diagonal."""
    total += product(left, right)
    finite = np.isfinite(total).all(axis=(1, 2), keepdims=True)  # or LAPACK would refuse the whole stack
    values, vectors = np.linalg.eigh(np.where(finite, total, 0))
    values = np.where(finite, np.maximum(values[:, None, :], 0) + eps, np.nan)
    return product(vectors * values**power, np.ascontiguousarray(vectors.mT))
