# ruff: noqa: D102 - the contract documents rate
"""One rise and one fall of the rate."""

import enum
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Interval, doc

from chainrule.components.contracts import Array, Schedule


class Annealing(enum.StrEnum):
    """The course of a rise or a fall."""

    COS = "cos"  # half a cosine
    LINEAR = "linear"


@dataclass(frozen=True)
class OneCycle(Schedule):
    """A rise from ``lr / div_factor`` to ``lr``, then a fall to ``lr / (div_factor final_div_factor)`` until the end.

    The largest rate comes in the epoch ``pct_start E - 1``, counted from 0 of ``E`` epochs, as with
    ``torch.optim.lr_scheduler.OneCycleLR(max_lr=lr, total_steps=E)``. Its momentum, which falls while the rate rises,
    stays as it is here.

    Smith and Topin (2017), Super-convergence: very fast training of neural networks using large learning rates,
    arXiv:1708.07120.
    """

    pct_start: Annotated[float, Interval(ge=0, le=1), doc("share of all epochs in which the rate rises")] = 0.3
    div_factor: Annotated[float, Gt(0), doc("the largest rate, divided by the first")] = 25.0
    final_div_factor: Annotated[float, Gt(0), doc("the first rate, divided by the last")] = 1e4
    anneal_strategy: Annotated[Annealing, doc("course of the rise and of the fall")] = Annealing.COS

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        last, number = epochs - 1, np.result_type(lr)
        now = np.asarray(min(epoch, last), number)  # after the last epoch the rate stays
        peak = self.pct_start * np.asarray(epochs, number) - 1
        rising = (peak > 0) & (now <= peak)
        begin, length = np.where(rising, 0, peak), np.where(rising, peak, last - peak)
        share = (now - begin) / np.where(length > 0, length, 1)
        first = lr / self.div_factor
        low = np.where(rising, first, first / self.final_div_factor)
        height = np.where(rising, share, 1 - share)  # from 0 for the lower end to 1 for lr
        if self.anneal_strategy is Annealing.COS:
            height = (1 - np.cos(math.pi * height)) / 2
        rate: Array = low + (lr - low) * height
        return rate
