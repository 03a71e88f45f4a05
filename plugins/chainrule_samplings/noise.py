"""Noise on inputs and outputs."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Array, Sampling


@dataclass(frozen=True)
class Noise(Sampling):
    """Every sample once, with new Gaussian noise on its inputs and outputs in each epoch.

    Noise on the inputs penalizes large slopes: in a linear model it is ridge regression with the penalty ``inputs^2``
    (Bishop 1995, Training with noise is equivalent to Tikhonov regularization). Noise on the outputs leaves the mean
    gradient as it is.
    """

    inputs: Annotated[float, Ge(0), doc("standard deviation on inputs, as scaled for the network")] = 0.1
    outputs: Annotated[float, Ge(0), doc("standard deviation on outputs, as scaled for the network")] = 0.0

    def epoch(self, rng: np.random.Generator, x: Array, y: Array, epoch: int, epochs: int) -> tuple[Array, Array]:
        """Return the samples in a random order, with noise."""
        order = rng.permutation(len(x))
        return _noisy(x[order], self.inputs, rng), _noisy(y[order], self.outputs, rng)


def _noisy(values: Array, deviation: float, rng: np.random.Generator) -> Array:
    noise = rng.standard_normal(values.shape)
    noisy: Array = (values + deviation * noise).astype(values.dtype)
    return noisy
