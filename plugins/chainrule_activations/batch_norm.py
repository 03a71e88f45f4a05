"""Units with mean 0 and variance 1 over the samples of a step."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Interval, doc

from chainrule.components.contracts import Activation, Array


@dataclass(frozen=True)
class BatchNorm(Activation):
    """``a = gain (z - m) / sqrt(v + eps) + shift``: of each unit over the samples of a step (Ioffe & Szegedy 2015).

    Where a run is measured or predicts, mean and variance are running averages of those of the steps before. Gain and
    shift of each unit are learned. Names and defaults are those of PyTorch, which calls gain and shift weight and bias.
    """

    gain: Annotated[float, doc("factor before training")] = 1.0
    shift: Annotated[float, doc("what is added, before training")] = 0.0
    momentum: Annotated[float, Interval(gt=0, le=1), doc("weight of a step in the running averages")] = 0.1
    eps: Annotated[float, Gt(0), doc("added to the variance")] = 1e-5

    trained_per_unit = ("gain", "shift")
    min_samples = 2

    def init(self, units: int) -> dict[str, Array]:
        """Return running averages of mean and variance, at 0 and 1."""
        return {"mean": np.zeros(units), "variance": np.ones(units)}

    def forward(self, z: Array, *, training: bool, state: dict[str, Array]) -> Array:
        """Return ``gain (z - m) / sqrt(v + eps) + shift``; in training, update the running averages."""
        if training:
            mean, variance = _statistics(z)
            samples = z.shape[-1]
            unbiased = variance * (samples / max(samples - 1, 1))
            state["mean"] += self.momentum * (mean - state["mean"])
            state["variance"] += self.momentum * (unbiased - state["variance"])
        n, _ = self._normalized(z, training, state)
        a: Array = self.gain * n + self.shift
        return a

    def backward(  # type: ignore[override]  # fills nothing
        self, grad_a: Array, z: Array, a: Array, *, training: bool, state: dict[str, Array]
    ) -> Array:
        """Return ``(g - mean(g) - n mean(g n)) / sqrt(v + eps)`` with ``g = grad_a gain`` and the normalized ``n``.

        Where a run is measured, ``g / sqrt(v + eps)``: its averages do not depend on ``z``.
        """
        n, deviation = self._normalized(z, training, state)
        g = grad_a * self.gain
        if training:
            g = g - g.mean(axis=-1, keepdims=True) - n * (g * n).mean(axis=-1, keepdims=True)
        gradient: Array = g / deviation
        return gradient

    def field_gradient(
        self, name: str, grad_a: Array, z: Array, a: Array, *, training: bool, state: dict[str, Array]
    ) -> Array:
        """Return ``grad_a n`` for the gain and ``grad_a`` for the shift."""
        return grad_a * self._normalized(z, training, state)[0] if name == "gain" else grad_a

    def _normalized(self, z: Array, training: bool, state: dict[str, Array]) -> tuple[Array, Array]:
        mean, variance = _statistics(z) if training else (state["mean"], state["variance"])
        deviation = np.sqrt(variance + self.eps)
        return (z - mean) / deviation, deviation


def _statistics(z: Array) -> tuple[Array, Array]:
    """Return mean and variance over samples, ``(runs, units, 1)``."""
    mean = z.mean(axis=-1, keepdims=True)
    return mean, np.square(z - mean).mean(axis=-1, keepdims=True)
