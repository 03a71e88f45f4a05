# ruff: noqa: D102 - the contract documents init and update
"""Rprop: only the sign of the gradient counts."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Array, Optimizer


@dataclass(frozen=True)
class Rprop(Optimizer):
    """``theta <- theta - d sign(g)``, each parameter with a step ``d`` of its own, as ``torch.optim.Rprop``.

    ``d`` begins at ``lr``. It grows by ``eta2``, up to ``step_size_max``, where ``g`` has the sign it had before. Where
    the sign has changed, a minimum was stepped over: ``d`` shrinks by ``eta1``, down to ``step_size_min``, and the
    parameter rests for this step (its ``g`` counts as 0). Use it with full batches: in small ones noise
    changes the signs. Schedules cannot change it, because ``lr`` only decides the first step.

    Riedmiller and Braun (1993), A direct adaptive method for faster backpropagation learning: the RPROP algorithm;
    resting in place of stepping back: Igel and Hüsken (2000), Improving the Rprop learning algorithm.
    """

    rate: ClassVar[str | None] = None

    lr: Annotated[float, Ge(0), doc("first step of every parameter")] = 1e-2
    eta1: Annotated[float, Interval(gt=0, lt=1), doc("factor of the step after a change of sign")] = 0.5
    eta2: Annotated[float, Gt(1), doc("factor of the step after an equal sign")] = 1.2
    step_size_min: Annotated[float, Ge(0), doc("smallest step")] = 1e-6
    step_size_max: Annotated[float, Ge(0), doc("largest step")] = 50.0

    def init(self, theta: Array) -> dict[str, Array]:
        return {"previous": np.zeros_like(theta), "step_size": np.full_like(theta, self.lr)}

    def update(self, theta: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        previous, step_size = state["previous"], state["step_size"]
        agreement = grad * previous
        changed = agreement < 0
        np.multiply(step_size, self.eta2, out=step_size, where=agreement > 0)
        np.multiply(step_size, self.eta1, out=step_size, where=changed)
        np.maximum(step_size, self.step_size_min, out=step_size)
        np.minimum(step_size, self.step_size_max, out=step_size)
        np.copyto(previous, grad)
        previous[changed] = 0
        theta -= step_size * np.sign(previous)
