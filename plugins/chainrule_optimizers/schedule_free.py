"""Gradient descent that averages instead of following a schedule."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval, doc

from chainrule.components.contracts import Array, Optimizer
from chainrule_optimizers.terms import LearningRate, WeightDecay, penalized


@dataclass(frozen=True)
class ScheduleFree(Optimizer):
    """``z <- z - lr g(y)``, ``x <- (1 - 1/t) x + z / t`` and ``y = (1 - beta) z + beta x``; ``x`` is kept.

    Gradients are evaluated at ``y``, which is ``theta``. The average ``x`` is what is measured and saved.

    Defazio et al. (2024), The road less scheduled, arXiv:2405.15682, eq. 3 to 5, as ``schedulefree.SGDScheduleFree``
    without warm-up; weight decay acts at ``y``.
    """

    lr: LearningRate = 1.0
    beta: Annotated[float, Interval(gt=0, lt=1), doc("share of the average where gradients are evaluated")] = 0.9
    weight_decay: WeightDecay = 0.0

    def init(self, theta: Array) -> dict[str, Array]:
        """Return ``z`` and ``x``, both where ``theta`` is."""
        return {"z": theta.copy(), "average": theta.copy()}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        """Move ``z``, then the average, then ``theta`` between them."""
        z, average = state["z"], state["average"]
        z -= self.lr * penalized(grad, theta, self.weight_decay)
        average += (z - average) / step
        theta[:] = (1 - self.beta) * z + self.beta * average

    def kept(self, theta: Array, state: dict[str, Array]) -> Array:
        """Return the average."""
        return state["average"]
