# ruff: noqa: D102 - the contract documents rate
"""Rates that follow from the epoch alone; ``e`` of ``E`` epochs have been trained."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Array, Schedule

LeastRate = Annotated[float, Ge(0), doc("learning rate after the last epoch")]


@dataclass(frozen=True)
class Constant(Schedule):
    """``lr`` in every epoch."""

    is_constant: ClassVar[bool] = True

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        return lr


@dataclass(frozen=True)
class Step(Schedule):
    """``lr gamma^floor(e / step_size)``, as ``torch.optim.lr_scheduler.StepLR``, which has no default ``step_size``."""

    step_size: Annotated[int, Ge(1), doc("epochs between two changes of the rate")] = 30
    gamma: Annotated[float, Gt(0), doc("factor of the rate at each change")] = 0.1

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        return lr * self.gamma ** (epoch // self.step_size)


@dataclass(frozen=True)
class Exponential(Schedule):
    """``lr gamma^e``, as ``torch.optim.lr_scheduler.ExponentialLR``, which has no default ``gamma``."""

    gamma: Annotated[float, Gt(0), doc("factor of the rate at each epoch")] = 0.99

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        return lr * self.gamma**epoch


@dataclass(frozen=True)
class Cosine(Schedule):
    """``eta_min + (lr - eta_min) (1 + cos(pi e / E)) / 2``, as ``torch.optim.lr_scheduler.CosineAnnealingLR``.

    Its ``T_max`` is ``E``, so that the rate falls to ``eta_min`` once and never rises.

    Loshchilov and Hutter (2016), SGDR: stochastic gradient descent with warm restarts, arXiv:1608.03983; without the
    restarts.
    """

    eta_min: LeastRate = 0.0

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        return self.eta_min + (lr - self.eta_min) * ((1 + math.cos(math.pi * epoch / epochs)) / 2)


@dataclass(frozen=True)
class WarmupCosine(Schedule):
    """A straight rise from ``start_factor lr`` to ``lr`` in the first ``w = warmup E`` epochs, then as ``cosine``.

    The rise is ``lr (start_factor + (1 - start_factor) e / w)``; afterwards ``cosine`` counts
    ``e - w`` of ``E - w`` epochs. The rates are those of PyTorch's ``LinearLR`` and ``CosineAnnealingLR`` in a
    ``SequentialLR``.

    Rise: Goyal et al. (2017), Accurate, large minibatch SGD: training ImageNet in 1 hour, arXiv:1706.02677; followed by
    a cosine: He et al. (2018), Bag of tricks for image classification with convolutional neural networks,
    arXiv:1812.01187.
    """

    warmup: Annotated[float, Interval(ge=0, lt=1), doc("share of all epochs in which the rate rises")] = 0.1
    start_factor: Annotated[float, Interval(ge=0, le=1), doc("share of the rate in the first epoch")] = 1 / 3
    eta_min: LeastRate = 0.0

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        warmup = self.warmup * np.asarray(epochs, np.result_type(lr))
        rising = epoch < warmup
        share = epoch / np.where(rising, warmup, epochs)
        rise = lr * (self.start_factor + (1 - self.start_factor) * share)
        falling = epochs - warmup  # 0 if warmup rounds to 1: the rate then falls at once
        angle = np.where(falling > 0, math.pi * (epoch - warmup) / np.where(falling > 0, falling, 1), math.pi)
        return np.where(rising, rise, self.eta_min + (lr - self.eta_min) * ((1 + np.cos(angle)) / 2))
