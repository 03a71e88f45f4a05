"""Samples drawn with replacement."""

from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Sampling


@dataclass(frozen=True)
class Replacement(Sampling):
    """Samples drawn independently, each as likely as any other: some come several times, a share of 1/e not at all.

    An epoch is a bootstrap sample (Efron 1979, Bootstrap methods: another look at the jackknife). PyTorch's
    ``RandomSampler(replacement=True)``.
    """

    def epoch(self, rng: np.random.Generator, x: Array, y: Array, epoch: int, epochs: int) -> Array:
        """Return random numbers of samples."""
        return rng.integers(len(x), size=len(x))
