"""Samples between two others."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Array, Sampling


@dataclass(frozen=True)
class Mixup(Sampling):
    """Samples on the line between two: ``w (x1, y1) + (1 - w) (x2, y2)`` with ``w`` from ``Beta(alpha, alpha)``.

    Each sample is mixed with another random one, and each pair has a ``w`` of its own. Zhang et al. (2018), mixup:
    Beyond empirical risk minimization, arXiv:1710.09412; their code draws one ``w`` for each batch.
    """

    alpha: Annotated[float, Gt(0), doc("small: near one of the two; 1: anywhere between; large: halfway")] = 0.2

    def epoch(self, rng: np.random.Generator, x: Array, y: Array, epoch: int, epochs: int) -> tuple[Array, Array]:
        """Return mixed samples in a random order."""
        one, other = rng.permutation(len(x)), rng.permutation(len(x))
        w = rng.beta(self.alpha, self.alpha, size=(len(x), 1))
        return _mixed(x[one], x[other], w), _mixed(y[one], y[other], w)


def _mixed(one: Array, other: Array, w: Array) -> Array:
    mixed: Array = (w * one + (1 - w) * other).astype(one.dtype)
    return mixed
