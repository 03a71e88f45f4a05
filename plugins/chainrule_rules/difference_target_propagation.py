# ruff: noqa: D102 - the contract documents the methods
"""Targets for every layer, by learned inverses of the layers above."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, doc

from chainrule.components.contracts import Array, Network, Rule
from chainrule.components.random import Random
from chainrule.engine.network import product


@dataclass(frozen=True)
class DifferenceTargetPropagation(Rule):
    """Each hidden layer is drawn to a target, which learned inverses ``g`` of the layers above make.

    The last hidden layer's target is a step along its gradient, ``a^(l) - step dL/da^(l)``. Below, the target is
    ``a^(l-1) + g(target of l) - g(a^(l))``, where ``g(a) = activation(V a + c)`` has the activation of the layer below.
    A layer's error is ``(a - target) / step``, so that updates have the size of gradients. In each step of training
    gradient descent makes ``g`` better at undoing its layer near the activations: it is given what the layer makes of
    ``a^(l-1)`` with noise, and told ``a^(l-1)`` with that noise.

    Lee, Zhang, Fischer and Bengio (2015), Difference target propagation, arXiv:1412.7525, algorithm 1.
    """

    step: Annotated[float, Gt(0), doc("step along the gradient that makes the last hidden layer's target")] = 0.1
    rate: Annotated[float, Gt(0), doc("learning rate of the inverses")] = 0.01
    noise: Annotated[float, Ge(0), doc("standard deviation of the noise around which inverses are learned")] = 0.1
    scale: Annotated[float, Gt(0), doc("first weights of the inverses lie between -scale and scale")] = 0.5

    def init(self, rng: np.random.Generator, widths: Sequence[int]) -> dict[str, Array]:
        """Return ``V`` for each layer but the first and the last, ``(units before, 1 + units)``, ``c`` in column 0."""
        inverses = {}
        for layer in range(2, len(widths) - 1):
            inverses[f"V{layer}"] = rng.uniform(-self.scale, self.scale, (widths[layer - 1], 1 + widths[layer]))
            inverses[f"V{layer}"][:, 0] = 0
        return inverses

    def gradients(
        self, network: Network, deltas: Sequence[Array], y_true: Array, state: dict[str, Array]
    ) -> list[Array]:
        last = len(network.weights) - 1
        blocks = [product(deltas[last], network.inputs[last].mT)]
        for layer in range(last - 1, 0, -1):
            z, a = network.z[layer], network.a[layer]
            if layer == last - 1:
                error = product(network.weights[last].mT, deltas[last])
            else:
                above, inverse = network.a[layer + 1], state[f"V{layer + 1}"]
                g = network.activations[layer].forward
                target = above - self.step * error
                error = (g(_affine(inverse, above)) - g(_affine(inverse, target))) / self.step
            deltas[layer][...] = network.activations[layer].backward(error, z, a)
            blocks.append(product(deltas[layer], network.inputs[layer].mT))
        return blocks[::-1]

    def adapt(
        self,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        inputs: Sequence[Array],
        state: dict[str, Array],
        step: int,
        *,
        network: Network,
        rng: Random,
    ) -> None:
        for layer in range(2, len(weights) - 1):
            before, inverse = network.a[layer - 1], state[f"V{layer}"]
            wanted = before + self.noise * rng.normal(*before.shape[1:])
            a = network.activations[layer].forward(product(weights[layer], wanted) + network.biases[layer])
            z = _affine(inverse, a)
            found = network.activations[layer - 1].forward(z)
            delta = network.activations[layer - 1].backward(found - wanted, z, found) / a.shape[-1]
            inverse[:, :, 1:] -= self.rate * product(delta, a.mT)
            inverse[:, :, :1] -= self.rate * delta.sum(axis=-1, keepdims=True)


def _affine(inverse: Array, a: Array) -> Array:
    """Return ``V a + c``."""
    return product(inverse[:, :, 1:], a) + inverse[:, :, :1]
