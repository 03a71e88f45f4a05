# ruff: noqa: D102 - the contract documents init and error
"""Rules that send deltas back through other matrices than the weights' transpose; eq. 4 and 6 stay exact.

The update of the last layer is therefore the exact one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Rule
from chainrule.engine.network import product

Scale = Annotated[float, Gt(0), doc("entries of the feedback matrices lie between -scale and scale")]


@dataclass(frozen=True)
class FeedbackAlignment(Rule):
    """``B^(l) delta^(l+1)`` in place of eq. 5's ``W^(l+1)T delta^(l+1)``, with random ``B`` that never change.

    Entries of ``B`` are uniform in ``[-scale, scale]``. Training turns the weights so that ``B delta`` comes to within
    90 degrees of the gradient.

    Lillicrap, Cownden, Tweed and Akerman (2016), Random synaptic feedback weights support error backpropagation for
    deep learning, Nature Communications 7:13276.
    """

    scale: Scale = 0.5

    def init(self, rng: np.random.Generator, widths: Sequence[int]) -> dict[str, Array]:
        return _feedback(rng, self.scale, pairwise(widths[1:]))

    def error(
        self,
        layer: int,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        state: dict[str, Array],
        out: Array | None = None,
    ) -> Array:
        return product(state[f"B{layer}"], deltas[layer + 1], out)


@dataclass(frozen=True)
class DirectFeedbackAlignment(Rule):
    """``B^(l) delta^(L)`` in place of eq. 5: the error of the output layer ``L`` goes straight to every hidden layer.

    Entries of ``B``, which never change, are uniform in ``[-scale, scale]``.

    Nøkland (2016), Direct feedback alignment provides learning in deep neural networks, arXiv:1609.01596.
    """

    scale: Scale = 0.5

    def init(self, rng: np.random.Generator, widths: Sequence[int]) -> dict[str, Array]:
        return direct_feedback(rng, self.scale, widths)

    def error(
        self,
        layer: int,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        state: dict[str, Array],
        out: Array | None = None,
    ) -> Array:
        return product(state[f"B{layer}"], deltas[-1], out)


@dataclass(frozen=True)
class SignSymmetric(Rule):
    """``scale sign(W^(l+1))T delta^(l+1)`` in place of eq. 5: the signs of the weights, but all of one size.

    Uniform sign-concordant feedback of Liao, Leibo and Poggio (2016), How important is weight symmetry in
    backpropagation?, arXiv:1510.05067.
    """

    scale: Annotated[float, Gt(0), doc("size of the weights in the backward pass")] = 1.0

    takes_pieces = True

    def error(
        self,
        layer: int,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        state: dict[str, Array],
        out: Array | None = None,
    ) -> Array:
        return product((self.scale * np.sign(weights[layer + 1])).mT, deltas[layer + 1], out)


def direct_feedback(rng: np.random.Generator, scale: float, widths: Sequence[int]) -> dict[str, Array]:
    """Draw ``B1``, ``B2`` ... from the output layer to each hidden layer, ``(units, outputs)``, in [-scale, scale]."""
    return _feedback(rng, scale, [(units, widths[-1]) for units in widths[1:-1]])


def _feedback(rng: np.random.Generator, scale: float, shapes: Iterable[tuple[int, int]]) -> dict[str, Array]:
    """Draw ``B1``, ``B2`` ... of the hidden layers, ``(units, units that the error comes from)``."""
    return {f"B{layer}": rng.uniform(-scale, scale, shape) for layer, shape in enumerate(shapes, 1)}
