# ruff: noqa: D102 - the contract documents gradients
"""Gradients from forward passes alone: a random direction, times the slope along it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Array, Network, Rule
from chainrule.components.random import Random
from chainrule.components.stacking import sum_units
from chainrule.engine.network import product


@dataclass(frozen=True)
class ForwardGradient(Rule):
    """``(dL/dtheta . v) v`` with a normal ``v``, the mean over ``draws``: unbiased, because ``E[v v^T] = 1``.

    The slope along ``v`` is carried forward beside the activations. While a network is measured, the gradients are the
    exact ones, which are the mean over all ``v``. The Jacobian of hidden activations must be symmetric, as that of
    every elementwise one and of softmax is; with a norm before them the gradients in training are biased.

    Baydin, Pearlmutter, Syme, Wood and Torr (2022), Gradients without backpropagation, arXiv:2202.08587.
    """

    draws: Annotated[int, Ge(1), doc("how many directions each step of training has")] = 1

    def gradients(
        self,
        network: Network,
        deltas: Sequence[Array],
        y_true: Array,
        state: dict[str, Array],
        *,
        rng: Random | None,
    ) -> list[Array]:
        if rng is None:
            return _exact(network, deltas)
        shapes = [(units, 1 + before) for _, units, before in (W.shape for W in network.weights[1:])]
        total = [np.zeros((len(y_true), *shape), y_true.dtype) for shape in shapes]
        for _ in range(self.draws):
            direction = [rng.normal(*shape) for shape in shapes]
            slope = _slope(network, deltas[-1], direction)
            for sum_, v in zip(total, direction, strict=True):
                sum_ += slope * v
        return [each / self.draws for each in total]


def _slope(network: Network, delta: Array, direction: Sequence[Array]) -> Array:
    """Return the derivative of the summed loss along a direction, ``(runs, 1, 1)``."""
    moved = product(direction[0], network.inputs[1])  # how fast z of a layer moves
    for layer, v in enumerate(direction[1:], 2):
        a = network.activations[layer - 1].backward(moved, network.z[layer - 1], network.a[layer - 1])
        moved = product(v, network.inputs[layer]) + product(network.weights[layer], a)
    along: Array = sum_units(delta * moved).sum(axis=-1)
    return along[:, None, None]


def _exact(network: Network, deltas: Sequence[Array]) -> list[Array]:
    """Return the gradients by eq. 5 and 6."""
    for layer in range(len(network.weights) - 2, 0, -1):
        error = product(network.weights[layer + 1].mT, deltas[layer + 1])
        deltas[layer][...] = network.activations[layer].backward(error, network.z[layer], network.a[layer])
    return [product(delta, inputs.mT) for delta, inputs in zip(deltas[1:], network.inputs[1:], strict=True)]
