"""The activation penalized_tanh."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval, doc
from chainrule import Activation, Array


@dataclass(frozen=True)
class PenalizedTanh(Activation):
    """``a = tanh z`` for ``z > 0``, else ``negative_slope tanh z``; ``g' = 1 - tanh^2 z``, likewise.

    Xu, Huang and Li (2016), Revise saturated activation functions, arXiv:1602.05980.
    """

    negative_slope: Annotated[float, Interval(ge=0, le=1), doc("factor for z <= 0")] = 0.25

    range = (-1.0, 1.0)
    kinks = (0.0,)

    def forward(self, z: Array) -> Array:
        """Return ``tanh z``, times the factor where ``z`` is negative."""
        a = np.tanh(z)
        return np.where(z > 0, a, self.negative_slope * a)

    def slope(self, z: Array, a: Array) -> Array:
        """Return ``1 - tanh^2 z``, times the factor where ``z`` is negative."""
        slope = 1 - np.square(np.tanh(z))
        return np.where(z > 0, slope, self.negative_slope * slope)
