"""New samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Sampling


@dataclass(frozen=True)
class Stream(Sampling):
    """New samples of a function in each epoch, none of them twice: what is minimized is the expected loss.

    Bottou (1998), Online learning and stochastic approximations.

    The training loss is still measured on the training set, which is not trained on. A data set is refused, because it
    has no new samples.
    """

    def epoch(
        self,
        rng: np.random.Generator,
        x: Array,
        y: Array,
        epoch: int,
        epochs: int,
        *,
        fresh: Callable[[np.random.Generator, int], tuple[Array, Array]],
    ) -> tuple[Array, Array]:
        """Return as many new samples as there are training samples."""
        return fresh(rng, len(x))
