"""Few connections, but strong ones."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, doc

from chainrule import Array, Initializer


@dataclass(frozen=True)
class Sparse(Initializer):
    """Every unit has ``connections`` weights from ``N(0, std^2)``, the others are 0; biases 0.

    So the input of a unit does not grow with the layer before. Martens (2010), Deep learning via Hessian-free
    optimization, section 5.
    """

    connections: Annotated[int, Ge(1), doc("weights of a unit that are not 0, at most")] = 15
    std: Annotated[float, Gt(0), doc("standard deviation of these weights")] = 1.0

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        order = rng.permuted(np.tile(np.arange(fan_in), (fan_out, 1)), axis=1)
        return np.where(order < self.connections, rng.normal(0.0, self.std, (fan_out, fan_in)), 0.0)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``std^2`` times the share of the weights that are not 0."""
        return self.std**2 * min(self.connections, fan_in) / fan_in
