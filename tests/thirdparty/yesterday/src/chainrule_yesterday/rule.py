"""The rule clipped_error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc
from chainrule import Array, Rule, product


@dataclass(frozen=True)
class ClippedError(Rule):
    """Eq. 5 with the error of each unit and sample held within ``[-limit, limit]``, so that none explodes on its way.

    Graves (2013), Generating sequences with recurrent neural networks, arXiv:1308.0850, section 2.1.
    """

    limit: Annotated[float, Gt(0), doc("largest error that travels on")] = 1.0

    def error(self, layer: int, weights: Sequence[Array], deltas: Sequence[Array], state: dict[str, Array]) -> Array:
        """Return the sum in eq. 5, clipped."""
        exact = product(weights[layer + 1].mT, deltas[layer + 1])
        return np.minimum(np.maximum(exact, -self.limit), self.limit)
