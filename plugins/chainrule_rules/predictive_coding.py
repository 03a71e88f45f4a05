# ruff: noqa: D102 - the contract documents gradients
"""Layers that predict the next one, and settle before they learn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Array, Network, Rule
from chainrule.engine.network import product


@dataclass(frozen=True)
class PredictiveCoding(Rule):
    """Values ``x`` of the hidden layers settle where an energy is small; then weights follow the energy's gradient.

    With predictions ``mu^(l) = W^(l) g(x^(l-1)) + b^(l)`` the energy of a sample is ``sum_l |x^(l) - mu^(l)|^2 / 2``
    over the hidden layers, and the loss of the output ``g(mu^(L))`` divided by ``variance``. Of half a squared error
    this is the energy of the paper, with the variance 1 in all layers but the last. ``x`` begins at the forward pass
    and takes ``steps`` of size ``rate`` down. The gradients are those of ``variance`` times the energy there; for a
    large variance ``x`` hardly moves, and they are nearly the exact ones.

    With ``fixed`` predictions and slopes stay those of the forward pass. Then the errors ``mu - x`` tend to the exact
    deltas; they are equal to these from as many steps as hidden layers on if ``rate`` is 1.

    Whittington and Bogacz (2017), An approximation of the error backpropagation algorithm in a predictive coding
    network with local Hebbian synaptic plasticity, Neural Computation 29:1229-1262; fixed predictions: Millidge,
    Tschantz and Buckley (2020), Predictive coding approximates backprop along arbitrary computation graphs,
    arXiv:2006.04182.
    """

    rate: Annotated[float, Interval(gt=0, le=1), doc("size of a step in which values settle")] = 0.1
    steps: Annotated[int, Ge(1), doc("how many steps values take before weights do one")] = 20
    variance: Annotated[float, Gt(0), doc("variance of the output; that of hidden values is 1")] = 1.0
    fixed: Annotated[bool, doc("whether predictions stay those of the forward pass")] = False

    def gradients(
        self, network: Network, deltas: Sequence[Array], y_true: Array, state: dict[str, Array]
    ) -> list[Array]:
        last = len(network.weights) - 1
        hidden = range(1, last)
        predicted, x, a = [*network.z], [*network.z], [*network.a]
        inputs = [array if layer < 2 else array.copy(order="K") for layer, array in enumerate(network.inputs)]
        errors = [predicted[layer] - x[layer] for layer in range(last)]  # the energy's derivatives by the predictions
        errors.append(deltas[-1] / self.variance)
        for _ in range(self.steps):
            falls = [
                network.activations[layer].backward(
                    product(network.weights[layer + 1].mT, errors[layer + 1]), x[layer], a[layer]
                )
                for layer in hidden
            ]
            if self.fixed:
                for layer, fall in zip(hidden, falls, strict=True):
                    errors[layer] = errors[layer] - self.rate * (errors[layer] - fall)
                continue
            for layer, fall in zip(hidden, falls, strict=True):
                x[layer] = x[layer] + self.rate * (errors[layer] - fall)
                a[layer] = network.activations[layer].forward(x[layer])
                inputs[layer + 1][:, 1:] = a[layer]
                predicted[layer + 1] = product(network.weights[layer + 1], a[layer]) + network.biases[layer + 1]
            for layer in hidden:
                errors[layer] = predicted[layer] - x[layer]
            errors[last] = network.output_delta(predicted[last]) / self.variance
        errors = [self.variance * error for error in errors]
        for layer in hidden:
            deltas[layer][...] = errors[layer]
        return [product(errors[layer], inputs[layer].mT) for layer in range(1, last + 1)]
