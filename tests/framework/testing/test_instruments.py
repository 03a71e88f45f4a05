"""Faulty instruments, each caught by the check that is meant for it."""

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, doc

from chainrule.registry.instruments import Finding, Instrument
from mutating import Gallery, require

GALLERY = Gallery()


@GALLERY.sound
class HighLoss(Instrument):
    source: ClassVar[str] = "made for a test"
    cures: ClassVar[tuple[str, ...]] = ("rate/10",)

    most: Annotated[float, Gt(0), doc("loss, at most")] = 0.1

    def measured(self, seen, *, backward):
        return {"loss": seen.losses["train/loss"], "grad": backward.grad.sum()}

    def findings(self, course):
        above = np.flatnonzero(~(course.seen["loss"] < self.most))
        if len(above):
            yield Finding("high", "the loss is high", int(course.epochs[above[0]]), {"loss": course.seen["loss"][-1]})


@GALLERY.sound
class Nothing(Instrument):
    source: ClassVar[str] = "made for a test"

    def findings(self, course):
        return ()


@GALLERY.flawed("declared")
class OfNowhere(HighLoss):
    source: ClassVar[str] = ""


@GALLERY.flawed("declared")
class CuredByPrayer(HighLoss):
    cures: ClassVar[tuple[str, ...]] = ("prayer",)


@GALLERY.flawed("stated")
class WithoutNumbers(HighLoss):
    def findings(self, course):
        yield Finding("high", "the loss is high", 0, {})


@GALLERY.flawed("stated")
class AfterTheEnd(HighLoss):
    def findings(self, course):
        yield Finding("high", "the loss is high", 10**6, {"loss": 1.0})


@GALLERY.flawed("stated")
class OnALayerThatIsNot(HighLoss):
    def findings(self, course):
        yield Finding("high", "the loss is high", 0, {"loss": 1.0}, layer=9)


@GALLERY.flawed("alone", others=True)
class Remembers(HighLoss):
    seen: ClassVar[list[int]] = []

    def findings(self, course):
        self.seen.append(1)
        yield Finding("high", "the loss is high", 0, {"times": float(len(self.seen))})


@GALLERY.flawed("pure", others=True)
class Writes(HighLoss):
    def measured(self, seen):
        seen.theta[...] = 0
        return {"loss": 1.0}


@GALLERY.every
def test_each_fault_is_found_by_its_check(cls, checks, others):
    require(cls, checks, others)
