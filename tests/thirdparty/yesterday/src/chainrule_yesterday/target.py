"""The target parity."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval, doc
from chainrule import Array, Target


@dataclass(frozen=True)
class Parity(Target):
    """1 where an odd number of the bits is 1, else 0; of two bits this is ``xor``.

    No bit tells anything without all the others. Minsky and Papert (1969), Perceptrons. Samples are corners of the
    unit cube, at random; between them a bit counts as 1 above 0.5.
    """

    bits: Annotated[int, Interval(ge=1, le=64), doc("number of inputs")] = 4

    outputs: ClassVar[int] = 1
    task: ClassVar[str] = "classification"
    low: ClassVar[float] = 0.0

    @property
    def inputs(self) -> int:
        """Number of bits."""
        return self.bits

    def __call__(self, x: Array) -> Array:
        """Return 0 or 1, shape ``(samples, 1)``."""
        ones = np.count_nonzero(x > 0.5, axis=1, keepdims=True)
        return (ones % 2).astype(float)

    def data(self, rng: np.random.Generator, samples: int | None) -> tuple[Array, Array]:
        """Return corners at random."""
        x = super().data(rng, samples)[0].round()
        return x, self(x)
