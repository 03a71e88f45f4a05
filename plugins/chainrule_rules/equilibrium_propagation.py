# ruff: noqa: D102 - the contract documents gradients
"""A network with feedback that settles freely and nudged; the difference of the two is the gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Array, Network, Rule
from chainrule.engine.network import product


@dataclass(frozen=True)
class EquilibriumPropagation(Rule):
    """Gradients of the loss at the equilibrium of a network whose hidden layers also drive the layers below them.

    Hidden layers settle at ``a^(l) = g(W^(l) a^(l-1) + b^(l) + feedback W^(l+1)T a^(l+1))``, where the last one has no
    feedback; the output is eq. 1 and 2 of it, as in the forward pass. This is where the energy

        ``E = sum_l feedback^(l-h) (G(a^(l)) - a^(l)T (W^(l) a^(l-1) + b^(l)))``,  ``l = 1 .. h``

    is stationary, with ``h`` hidden layers and ``G' = g^-1``. It is the Hopfield energy of the paper for
    ``feedback=1``. Nudged by ``beta`` times the loss and by ``-beta``, the layers settle again, and the gradient is
    the difference of the energy's derivatives divided by ``2 beta``. For small ``beta`` it is that of the loss at the
    free equilibrium. The network that is measured has no feedback: it is the equilibrium for small ``feedback``, and
    for one hidden layer, where the gradients are therefore the exact ones.

    Scellier and Bengio (2017), Equilibrium propagation: bridging the gap between energy-based models and
    backpropagation, Frontiers in Computational Neuroscience 11:24. Weak feedback: Xie and Seung (2003), Neural
    Computation 15:441-454. Nudging to both sides, and an output that is read out: Laborieux et al. (2021), Frontiers in
    Neuroscience 15:633674.
    """

    beta: Annotated[float, Gt(0), doc("strength of the nudge; the smaller, the nearer the gradient is")] = 0.1
    feedback: Annotated[float, Interval(gt=0, le=1), doc("strength of backward against forward connections")] = 0.1
    rate: Annotated[float, Interval(gt=0, le=1), doc("size of a step in which layers settle")] = 0.5
    steps: Annotated[int, Ge(1), doc("how many steps layers take to settle, freely and nudged")] = 10

    def gradients(
        self, network: Network, deltas: Sequence[Array], y_true: Array, state: dict[str, Array]
    ) -> list[Array]:
        last = len(network.weights) - 1
        start = [network.inputs[1][:, 1:], *network.a[1:last]]
        free = self._settled(network, [*network.z[:last]], start, None)
        up, down = (self._settled(network, *free, sign * self.beta)[1] for sign in (1, -1))
        inputs = _inputs(network, last, free[1])
        blocks = [product(network.output_delta(_affine(network, last, free[1])), inputs.mT)]
        scale = 0.5 / self.beta
        for layer in range(last - 1, 0, -1):
            above, below = _inputs(network, layer, up), _inputs(network, layer, down)
            # a b - c d in terms of small differences, which rounding does not spoil
            difference, middle = scale * (down[layer] - up[layer]), scale * 0.5 * (down[layer] + up[layer])
            deltas[layer][...] = difference
            block = product(difference, (0.5 * (above + below)).mT)
            blocks.append(block + product(middle, (below - above).mT) if layer > 1 else block)
            scale = scale / self.feedback
        return blocks[::-1]

    def _settled(
        self, network: Network, z: Sequence[Array], a: Sequence[Array], nudge: Array | float | None
    ) -> tuple[list[Array], list[Array]]:
        """Let hidden layers settle from ``z`` and ``a``, which have the samples at index 0; return where they end."""
        z, a, last = [*z], [*a], len(network.weights) - 1
        for _ in range(self.steps):
            for layer in range(1, last):
                drive = _affine(network, layer, a)
                if layer < last - 1:
                    drive = drive + product(network.weights[layer + 1].mT, self.feedback * a[layer + 1])
                elif nudge is not None:
                    pull = network.output_delta(_affine(network, last, a))
                    drive = drive - product(network.weights[last].mT, nudge * pull)
                z[layer] = z[layer] + self.rate * (drive - z[layer])
                a[layer] = network.activations[layer].forward(z[layer])
        return z, a


def _affine(network: Network, layer: int, a: Sequence[Array]) -> Array:
    """Return eq. 1 of a layer."""
    return product(network.weights[layer], a[layer - 1]) + network.biases[layer]


def _inputs(network: Network, layer: int, a: Sequence[Array]) -> Array:
    """Return the input of a layer, with a row of ones."""
    if layer == 1:
        return network.inputs[1]
    inputs: Array = network.inputs[layer].copy(order="K")
    inputs[:, 1:] = a[layer - 1]
    return inputs
