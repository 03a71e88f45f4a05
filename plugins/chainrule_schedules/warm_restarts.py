# ruff: noqa: D102 - the contract documents rate
"""A cosine that starts again and again."""

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, doc

from chainrule.components.contracts import Array, Schedule
from chainrule_schedules.annealing import LeastRate


@dataclass(frozen=True)
class WarmRestarts(Schedule):
    """``eta_min + (lr - eta_min) (1 + cos(pi t / T)) / 2``, with ``t`` of the ``T`` epochs since the last restart.

    The first period has ``T_0`` epochs, and each next one ``T_mult`` times as many, as
    ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``, which has no default ``T_0``.

    Loshchilov and Hutter (2016), SGDR: stochastic gradient descent with warm restarts, arXiv:1608.03983, eq. 5.
    """

    T_0: Annotated[int, Ge(1), doc("epochs before the first restart")] = 10
    T_mult: Annotated[int, Ge(1), doc("factor of the period at each restart")] = 1
    eta_min: LeastRate = 0.0

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        since, period = epoch, self.T_0
        if self.T_mult == 1:
            since %= period
        while since >= period:
            since, period = since - period, period * self.T_mult
        return self.eta_min + (lr - self.eta_min) * ((1 + math.cos(math.pi * since / period)) / 2)
