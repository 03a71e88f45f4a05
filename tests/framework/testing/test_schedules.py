"""Faulty schedules, each caught by the check that is meant for it."""

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Interval, doc

from chainrule.components.contracts import Schedule
from mutating import Gallery, require

GALLERY = Gallery()


@GALLERY.sound
class Plateaus(Schedule):
    """Lower after each epoch that is not better."""

    factor: Annotated[float, Interval(gt=0, lt=1), doc("of the rate")] = 0.5

    def init(self, lr):
        return {"factor": np.ones_like(lr), "best": np.full_like(lr, np.inf)}

    def rate(self, lr, epoch, epochs, state):
        return lr * state["factor"]

    def measured(self, loss, epoch, state):
        worse = loss >= state["best"]
        state["factor"] *= np.where(worse, self.factor, state["factor"].dtype.type(1))
        np.minimum(state["best"], loss, out=state["best"])


@GALLERY.sound
class Decays(Schedule):
    power: Annotated[float, Gt(0), doc("of the decay")] = 0.5

    def rate(self, lr, epoch, epochs, state):
        return lr * (1 + epoch) ** -self.power


@GALLERY.sound
class Grows(Schedule):
    """Out of all bounds in float32, though not at its default."""

    gamma: Annotated[float, Gt(0), doc("of the rate")] = 1.5

    def rate(self, lr, epoch, epochs, state):
        return lr * self.gamma**epoch


@GALLERY.flawed("finite", others=True)
class GrowsTooFast(Grows):
    gamma: Annotated[float, Gt(0), doc("of the rate")] = 4.0


@GALLERY.flawed("finite")
class UndefinedAfterTheLastEpoch(Decays):
    def rate(self, lr, epoch, epochs, state):
        left = np.full_like(lr, epochs - epoch)
        return lr * left / left


@GALLERY.flawed("finite", others=True)
class NeedsEveryLoss(Decays):
    """Its table has gaps where losses are not measured in every epoch."""

    def init(self, lr):
        return {"losses": np.full((len(lr), 200), np.nan, lr.dtype)}

    def rate(self, lr, epoch, epochs, state):
        return lr / (1 + state["losses"][:, [epoch]])

    def measured(self, loss, epoch, state):
        state["losses"][:, [epoch]] = loss


@GALLERY.flawed("finite", others=True)
class Negative(Decays):
    def rate(self, lr, epoch, epochs, state):
        return lr * (1 - 2 * epoch / epochs)


@GALLERY.flawed("finite", others=True)
class DividesByEpochsLeft(Decays):
    def rate(self, lr, epoch, epochs, state):
        return lr / np.asarray(epochs - 1 - epoch, lr.dtype)


@GALLERY.flawed("shapes", others=True)
class RateOfAllRuns(Decays):
    def rate(self, lr, epoch, epochs, state):
        return lr[:, 0]


@GALLERY.flawed("shapes")
class PromotedRate(Decays):
    def rate(self, lr, epoch, epochs, state):
        return lr * np.float64(0.5)


@GALLERY.flawed("pure", others=True)
class DecaysInPlace(Decays):
    def rate(self, lr, epoch, epochs, state):
        lr *= 0.9
        return lr


@GALLERY.flawed("pure", others=True)
class CountsQuestions(Decays):
    def init(self, lr):
        return {"asked": np.zeros_like(lr)}

    def rate(self, lr, epoch, epochs, state):
        state["asked"] += 1
        return lr / (1 + state["asked"])


@GALLERY.flawed("nothing_kept", others=True)
class BestOnClass(Decays):
    best: ClassVar = np.inf

    def rate(self, lr, epoch, epochs, state):
        return lr / (1 + min(type(self).best, 9.0))

    def measured(self, loss, epoch, state):
        type(self).best = float(loss[0, 0]) if epoch else np.inf


@GALLERY.flawed("stacking", others=True)
class PowerOfTheFirstRun(Decays):
    def rate(self, lr, epoch, epochs, state):
        return lr * (1 + epoch) ** -np.ravel(self.power)[0]


@GALLERY.flawed("stacking", others=True)
class MeanLoss(Plateaus):
    def measured(self, loss, epoch, state):
        super().measured(np.full_like(loss, loss.mean()), epoch, state)


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)
