"""Ishigami's function."""

from dataclasses import dataclass
from math import pi
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import doc

from chainrule import Array, Target


@dataclass(frozen=True)
class Ishigami(Target):
    """``f(x) = sin x1 + a sin^2 x2 + b x3^4 sin x1``, x uniform in [-pi, pi]; ``x3`` matters only together with ``x1``.

    Ishigami and Homma (1990), An importance quantification technique in uncertainty analysis for computer models.
    """

    a: Annotated[float, doc("share of x2")] = 7.0
    b: Annotated[float, doc("share of x3")] = 0.1

    inputs: ClassVar[int] = 3
    outputs: ClassVar[int] = 1
    low: ClassVar[float] = -pi
    high: ClassVar[float] = pi

    def __call__(self, x: Array) -> Array:
        """Return ``f(x)``, shape ``(samples, 1)``."""
        x1, x2, x3 = x.T
        y: Array = np.sin(x1) + self.a * np.sin(x2) ** 2 + self.b * x3**4 * np.sin(x1)
        return y[:, np.newaxis]
