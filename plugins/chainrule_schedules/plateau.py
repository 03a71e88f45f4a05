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

    A loss is better if it is below ``1 - threshold`` times the best one. After more than ``patience`` epochs without a
    better loss the rate is reduced, and counting starts again ``cooldown`` epochs later. The schedule decides when
    losses are measured; its rates are PyTorch's with ``training.measure_every=1``. The loss before training does not
    count, because PyTorch never sees it.
    """

    factor: Annotated[float, Interval(ge=0, lt=1), doc("factor of the rate at each reduction")] = 0.1
    patience: Annotated[int, Ge(0), doc("epochs without a better loss before the rate is reduced")] = 10
    threshold: Annotated[float, Interval(ge=0, lt=1), doc("smallest relative decrease of a better loss")] = 1e-4
    cooldown: Annotated[int, Ge(0), doc("epochs after a reduction that do not count")] = 0
    min_lr: Annotated[float, Ge(0), doc("smallest learning rate")] = 0.0
    eps: Annotated[float, Ge(0), doc("the rate is reduced only if it falls by more than this")] = 1e-8

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
