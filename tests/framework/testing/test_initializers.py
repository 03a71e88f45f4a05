"""Faulty initializers, each caught by the check that is meant for it."""

import math
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Initializer
from mutating import Gallery, require

GALLERY = Gallery()


@GALLERY.sound
class Scaled(Initializer):
    gain: Annotated[float, Gt(0), doc("factor")] = 1.0

    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0, self.gain / math.sqrt(fan_in), size=(fan_out, fan_in))

    def variance(self, fan_in, fan_out):
        return self.gain**2 / fan_in


@GALLERY.flawed("variance")
class Undeclared(Scaled):
    """Nobody could see whether it takes the right fan."""

    variance = Initializer.variance


@GALLERY.sound
class OfOneScale(Initializer):
    """Where no fan matters, no formula is needed."""

    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0, 0.1, size=(fan_out, fan_in))


@GALLERY.sound
class Orthogonal(Initializer):
    def weights(self, rng, fan_in, fan_out):
        q, r = np.linalg.qr(rng.normal(size=(max(fan_in, fan_out), min(fan_in, fan_out))))
        q = q * np.sign(np.diag(r))
        return q if fan_out >= fan_in else q.T


@GALLERY.sound
class Diagonal(Initializer):
    def weights(self, rng, fan_in, fan_out):
        return np.eye(fan_out, fan_in)


@GALLERY.flawed("variance")
class WrongFan(Scaled):
    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0, self.gain / math.sqrt(fan_out), size=(fan_out, fan_in))


@GALLERY.flawed("variance")
class ForgottenGain(Scaled):
    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0, 1 / math.sqrt(fan_in), size=(fan_out, fan_in))


@GALLERY.flawed("variance")
class DeviationForVariance(Scaled):
    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0, self.gain / fan_in, size=(fan_out, fan_in))


@GALLERY.flawed("variance")
class UniformOfTheDeviation(Scaled):
    """Its bound lacks the root of 3."""

    def weights(self, rng, fan_in, fan_out):
        bound = self.gain / math.sqrt(fan_in)
        return rng.uniform(-bound, bound, size=(fan_out, fan_in))


@GALLERY.sound
class RandomScale(Undeclared):
    """No formula gives the variance of one layer."""

    def weights(self, rng, fan_in, fan_out):
        return super().weights(rng, fan_in, fan_out) * rng.uniform(0.1, 1)


@GALLERY.flawed("shapes")
class Transposed(Scaled):
    def weights(self, rng, fan_in, fan_out):
        return super().weights(rng, fan_out, fan_in) * math.sqrt(fan_out / fan_in)


@GALLERY.flawed("shapes")
class ColumnOfBiases(Scaled):
    def biases(self, rng, fan_in, fan_out):
        return np.zeros((fan_out, 1))


@GALLERY.flawed("deterministic")
class DrawsGlobally(Scaled):
    def biases(self, rng, fan_in, fan_out):
        return np.random.normal(size=fan_out)  # noqa: NPY002


@GALLERY.flawed("seeds")
class IgnoresItsGenerator(Scaled):
    def weights(self, rng, fan_in, fan_out):
        return super().weights(np.random.default_rng(0), fan_in, fan_out)


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)
