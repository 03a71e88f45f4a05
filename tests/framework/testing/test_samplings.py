"""Faulty samplings, each caught by the check that is meant for it."""

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, doc

from chainrule.components.contracts import Sampling
from mutating import Gallery, require

GALLERY = Gallery()


@GALLERY.sound
class Backwards(Sampling):
    is_permutation: ClassVar[bool] = True

    def epoch(self, rng, x, y, epoch, epochs):
        return np.arange(len(x))[::-1]


@GALLERY.sound
class Jittered(Sampling):
    """Random numbers of samples in one epoch, other samples in the next."""

    std: Annotated[float, Ge(0), doc("deviation")] = 0.1

    def epoch(self, rng, x, y, epoch, epochs, *, target):
        if epoch % 2:
            return rng.integers(len(x), size=len(x))
        return (x + self.std * rng.normal(size=x.shape)).astype(x.dtype), y[:]


@GALLERY.sound
class HalfNew(Sampling):
    """Half of the samples are new."""

    def epoch(self, rng, x, y, epoch, epochs, *, fresh):
        new = fresh(rng, len(x))
        is_new = rng.random((len(x), 1)) < 0.5
        return np.where(is_new, new[0], x), np.where(is_new, new[1], y)


@GALLERY.flawed("declared", others=True)
class ForRanking(Backwards):
    task: ClassVar[str] = "ranking"


@GALLERY.flawed("declared", others=True)
class PerhapsAPermutation(Backwards):
    is_permutation: ClassVar[int] = 1


@GALLERY.flawed("shapes", others=True)
class Halves(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        return rng.permutation(len(x))[: len(x) // 2 + 1]


@GALLERY.flawed("shapes", others=True)
class OtherSamplesThanOutputs(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        return np.vstack([x, x]), y.copy()


@GALLERY.flawed("shapes", others=True)
class CountsFromOne(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        return 1 + rng.permutation(len(x))


@GALLERY.flawed("shapes", others=True)
class WhichOnes(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        return rng.random(len(x)) < 0.5


@GALLERY.flawed("shapes", others=True)
class AList(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        return list(range(len(x)))


@GALLERY.flawed("shapes")
class Widened(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        return x + rng.normal(size=x.shape), y.copy()


@GALLERY.flawed("shapes", others=True)
class Standardized(Sampling):
    """The deviation of a single sample is 0."""

    def epoch(self, rng, x, y, epoch, epochs):
        order = rng.permutation(len(x))
        return ((x - x.mean(axis=0)) / x.std(axis=0))[order], y[order]


@GALLERY.flawed("permutation")
class NotEvery(Sampling):
    is_permutation: ClassVar[bool] = True

    def epoch(self, rng, x, y, epoch, epochs):
        return rng.integers(len(x), size=len(x))


@GALLERY.flawed("permutation")
class NotAtTheEnd(Sampling):
    is_permutation: ClassVar[bool] = True

    def epoch(self, rng, x, y, epoch, epochs):
        return rng.permutation(len(x)) // (2 if epoch > 8 else 1)


@GALLERY.flawed("pure", others=True)
class InPlace(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        x += rng.normal(size=x.shape)
        return x, y


@GALLERY.flawed("pure", others=True)
class GoesOn(Sampling):
    """Continues where the last epoch ended."""

    last: ClassVar[dict[int, int]] = {}

    def epoch(self, rng, x, y, epoch, epochs):
        start = self.last[len(x)] = self.last.get(len(x), 0) + 1
        return (np.arange(len(x)) + start) % len(x)


@GALLERY.flawed("deterministic", others=True)
class Global(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        return np.random.permutation(len(x))  # noqa: NPY002


@GALLERY.flawed("seeds", others=True)
class Copied(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        rng.random()
        return np.random.default_rng(epoch).permutation(len(x))


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)
