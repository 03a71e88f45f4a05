"""Samplings that are orders: each epoch has every training sample once."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.components.contracts import Array, Sampling


@dataclass(frozen=True)
class Shuffled(Sampling):
    """Every sample once, in a new random order in each epoch."""

    is_permutation: ClassVar[bool] = True

    def epoch(self, rng: np.random.Generator, x: Array, y: Array, epoch: int, epochs: int) -> Array:
        """Return a random order."""
        return rng.permutation(len(x))


@dataclass(frozen=True)
class Fixed(Sampling):
    """Every sample once, in the same order in each epoch; nothing is drawn."""

    is_permutation: ClassVar[bool] = True

    def epoch(self, rng: np.random.Generator, x: Array, y: Array, epoch: int, epochs: int) -> Array:
        """Return the order of the training set."""
        return np.arange(len(x))
