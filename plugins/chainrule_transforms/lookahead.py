"""Lookahead: slow weights follow fast ones, which start from them again and again."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Interval, doc

from chainrule.components.contracts import Array, Transform


@dataclass(frozen=True)
class Lookahead(Transform):
    """After every ``k`` steps ``s <- s + alpha (theta - s)`` and ``theta <- s``; ``s`` is measured and saved.

    The optimizer keeps its state. Zhang, Lucas, Hinton and Ba (2019), Lookahead optimizer: k steps forward, 1 step
    back, arXiv:1907.08610, algorithm 1.
    """

    k: Annotated[int, Ge(1), doc("steps of the fast weights between two of the slow ones")] = 5
    alpha: Annotated[float, Interval(ge=0, le=1), doc("how far the slow weights go towards the fast ones")] = 0.5

    def init(self, theta: Array) -> dict[str, Array]:
        """Begin with slow weights at the initial parameters."""
        return {"slow": theta.copy()}

    def after(self, theta: Array, state: dict[str, Array], step: int) -> Array:
        """Move the slow weights where it is time, and return them."""
        if step % self.k:
            return theta
        slow = state["slow"]
        slow += self.alpha * np.subtract(theta, slow)
        return slow

    def kept(self, theta: Array, state: dict[str, Array]) -> Array:
        """Return the slow weights."""
        return state["slow"]
