"""The exact rule, and the article's formulas as printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.components.contracts import Array, Rule
from chainrule.engine.network import product


@dataclass(frozen=True)
class Exact(Rule):
    """Eq. 5 and 6, the chain rule: what backpropagation computes (Rumelhart, Hinton & Williams 1986)."""

    takes_pieces = True


@dataclass(frozen=True)
class AsPrinted(Rule):
    """The formulas printed in the article for its 2-2-2-1 network, three of which are not the gradient.

    - In layers 1 and 2 ``w_12`` moves along ``delta_2 a_2`` and ``w_21`` along ``delta_1 a_1``; eq. 6 says
      ``delta_1 a_2`` and ``delta_2 a_1``.
    - In layer 1 ``delta_j = delta_j^(2) w_1j^(2) g'(z_j)``, one path only; eq. 5 says
      ``(delta_1^(2) w_1j^(2) + delta_2^(2) w_2j^(2)) g'(z_j)``.
    """

    widths: ClassVar[tuple[int, ...]] = (2, 2, 2, 1)

    def error(
        self,
        layer: int,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        state: dict[str, Array],
        out: Array | None = None,
    ) -> Array:
        """Return ``delta_j^(2) w_1j^(2)`` in layer 1, eq. 5 in layer 2."""
        if layer == 1:
            return np.multiply(deltas[2], weights[2][:, 0, :, None], out)
        return product(weights[layer + 1].mT, deltas[layer + 1], out)

    def gradient(self, layer: int, delta: Array, inputs: Array, out: Array | None = None) -> Array:
        """Return eq. 6, in layers 1 and 2 with the two entries as printed."""
        block = product(delta, inputs.mT, out)  # [b_1 w_11 w_12], [b_2 w_21 w_22]
        if layer < 3:
            block[:, 0, 2] = block[:, 1, 2]  # w_12: delta_2 a_2
            block[:, 1, 1] = block[:, 0, 1]  # w_21: delta_1 a_1
        return block
