"""The largest of several linear functions."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Activation, Array


@dataclass(frozen=True)
class Maxout(Activation):
    """``a_j = max(z_j1, ..., z_jk)``: each unit takes the largest of its k pieces (Goodfellow et al. 2013).

    The derivative is 1 for that piece and 0 for the others; of equal ones the first counts.
    """

    pieces: Annotated[int, Ge(2), doc("linear functions of each unit, k; so many times the weights")] = 2

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return the largest piece of each unit."""
        first, *others = self._pieces_of(z)
        for piece in others:
            first = out = np.maximum(first, piece, out=out)
        return first

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a`` in the row of the largest piece, 0 in the others."""
        out = np.empty_like(z) if out is None else out
        left = np.ones_like(a, bool)  # where no piece was the largest yet
        for piece, part in zip(self._pieces_of(z), self._pieces_of(out), strict=True):
            largest = (piece == a) & left
            left &= ~largest
            np.multiply(grad_a, largest, part)
        return out

    def _pieces_of(self, rows: Array) -> list[Array]:
        """Return views of each piece of all units, ``(runs, units, samples)``."""
        units = rows.shape[1] // self.pieces
        return [rows[:, start : start + units] for start in range(0, rows.shape[1], units)]
