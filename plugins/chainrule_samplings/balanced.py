"""Classes drawn equally often."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.components.contracts import Array, Sampling
from chainrule.engine.weights import classes_of


@dataclass(frozen=True)
class Balanced(Sampling):
    """Samples drawn independently, each class as likely as any other, and within a class each sample.

    PyTorch's ``WeightedRandomSampler`` with the inverse sizes of the classes as weights. Classes without a training
    sample are left out.
    """

    task: ClassVar[str | None] = "classification"

    def epoch(self, rng: np.random.Generator, x: Array, y: Array, epoch: int, epochs: int) -> Array:
        """Return random numbers of samples."""
        classes = classes_of(y)
        by_class = np.argsort(classes, kind="stable")
        _, sizes = np.unique(classes, return_counts=True)
        first = np.cumsum(sizes) - sizes
        drawn = rng.integers(len(sizes), size=len(x))
        chosen: Array = by_class[first[drawn] + rng.integers(sizes[drawn])]
        return chosen
