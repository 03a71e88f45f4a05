"""Gradient centralization."""

from dataclasses import dataclass

from chainrule.components.contracts import Array, Transform
from chainrule.engine.network import Shape


@dataclass(frozen=True)
class Centralization(Transform):
    """``g_w <- g_w - mean(g_w)`` for the weights ``w`` into one unit: their sum stays what it is.

    Yong, Huang, Hua and Zhang (2020), Gradient centralization: a new optimization technique for deep neural networks,
    arXiv:2004.01461, eq. 1. Gradients of biases stay as they are, and so do those of a layer with one input, which
    would become 0.
    """

    def gradient(self, grad: Array, theta: Array, state: dict[str, Array], step: int, *, shape: Shape) -> Array:
        """Take the mean over its inputs off the gradient of each unit's weights."""
        central = grad.copy()
        for weights in shape.weights(central)[1:]:
            if weights.shape[-1] > 1:
                weights -= weights.mean(axis=-1, keepdims=True)
        return central
