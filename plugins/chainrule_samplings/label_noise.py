"""Wrong classes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval, doc

from chainrule.components.contracts import Array, Sampling


@dataclass(frozen=True)
class LabelNoise(Sampling):
    """Every sample once; with probability ``p`` its class is replaced by one drawn from all, anew in each epoch.

    All classes are equally likely, the true one too, so that a share of ``p (classes - 1) / classes`` is wrong: the
    DisturbLabel of Xie et al. (2016), arXiv:1605.00055.
    """

    p: Annotated[float, Interval(ge=0, le=1), doc("probability that a class is replaced")] = 0.1

    task: ClassVar[str | None] = "classification"

    def epoch(self, rng: np.random.Generator, x: Array, y: Array, epoch: int, epochs: int) -> tuple[Array, Array]:
        """Return the samples in a random order, some with another class."""
        order = rng.permutation(len(x))
        classes = np.eye(y.shape[1], dtype=y.dtype) if y.shape[1] > 1 else np.array([[0], [1]], y.dtype)
        is_replaced = rng.random(len(x)) < self.p
        drawn = classes[rng.integers(len(classes), size=len(x))]
        return x[order], np.where(is_replaced[:, None], drawn, y[order])
