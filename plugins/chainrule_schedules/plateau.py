# ruff: noqa: D102 - the contract documents init, rate and measured
"""Rates that follow from the loss."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Interval, doc

from chainrule.components.contracts import Array, Schedule


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """``lr <- factor lr`` where the loss stagnates, as ``torch.optim.lr_scheduler.ReduceLROnPlateau``.

    A loss is better if it is below ``1 - threshold`` times the best one. Once it has not been for more than
    ``patience`` epochs the rate is reduced, and the epochs are counted anew after ``cooldown`` others. This is decided
    where losses are measured; results are PyTorch's with ``training.measure_every=1``. The loss before training does
    not count, as PyTorch never sees it.
    """

    factor: Annotated[float, Interval(ge=0, lt=1), doc("factor of the rate at each reduction")] = 0.1
    patience: Annotated[int, Ge(0), doc("epochs without a better loss that are put up with")] = 10
    threshold: Annotated[float, Interval(ge=0, lt=1), doc("least share by which a better loss is lower")] = 1e-4
    cooldown: Annotated[int, Ge(0), doc("epochs after a reduction that do not count")] = 0
    min_lr: Annotated[float, Ge(0), doc("smallest learning rate")] = 0.0
    eps: Annotated[float, Ge(0), doc("a reduction that is not larger is left out")] = 1e-8

    def init(self, lr: Array) -> dict[str, Array]:
        # ``since`` is the epoch after which epochs without a better loss are counted.
        return {"lr": np.copy(lr), "best": np.full_like(lr, np.inf), "since": np.zeros_like(lr, int)}

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        return state["lr"]

    def measured(self, loss: Array, epoch: int, state: dict[str, Array]) -> None:
        if epoch == 0:
            return
        lr, best, since = state["lr"], state["best"], state["since"]
        is_better = loss < best * (1 - self.threshold)
        np.copyto(best, loss, where=is_better)
        np.maximum(since, epoch, out=since, where=is_better)
        is_due = epoch - since > self.patience
        reduced = np.maximum(lr * self.factor, self.min_lr)
        np.copyto(lr, reduced, where=is_due & (lr - reduced > self.eps))
        since[is_due] = epoch + self.cooldown
