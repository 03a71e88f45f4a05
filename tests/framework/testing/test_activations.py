"""Faulty activations, each caught by the check that is meant for it."""

from typing import Annotated, ClassVar

import numpy as np
import pytest
from annotated_types import Gt, Interval, Lt, doc

from chainrule.components.contracts import Activation
from chainrule.components.stacking import sum_units
from chainrule.testing import check, kit
from mutating import Gallery, failures, require

GALLERY = Gallery()
STATE = {}


@GALLERY.sound
class Swish(Activation):
    """``z / (1 + e^(-beta z))``."""

    beta: Annotated[float, Gt(0), doc("sharpness")] = 1.0

    range: ClassVar = (-np.inf, np.inf)

    def forward(self, z, out=None):
        out = np.multiply(z, -self.beta, out)
        np.exp(out, out)
        np.add(out, 1, out)
        return np.divide(z, out, out)

    def backward(self, grad_a, z, a, out=None):
        s = 1 / (1 + np.exp(-self.beta * z))
        return np.multiply(grad_a, s + self.beta * (z * (s * (1 - s))), out)


@GALLERY.flawed("gradient")
class WrongSign(Swish):
    def backward(self, grad_a, z, a):
        return -super().backward(grad_a, z, a)


@GALLERY.flawed("gradient")
class FactorTwo(Swish):
    def backward(self, grad_a, z, a):
        return 2 * super().backward(grad_a, z, a)


@GALLERY.flawed("gradient")
class ForgottenBeta(Swish):
    """Right at the default only."""

    def backward(self, grad_a, z, a):
        s = 1 / (1 + np.exp(-self.beta * z))
        return grad_a * (s * (1 + z * (1 - s)))


@GALLERY.flawed("gradient")
class NothingFromAbove(Swish):
    def backward(self, grad_a, z, a):
        return super().backward(np.ones_like(z), z, a)


@GALLERY.sound
class Tan(Activation):
    """By slope."""

    range: ClassVar = (-1.0, 1.0)

    def forward(self, z):
        return np.tanh(z)

    def slope(self, z, a):
        return 1 - a * a


@GALLERY.flawed("gradient")
class SlopeOfOutput(Tan):
    def slope(self, z, a):
        return 1 - np.tanh(a) ** 2


@GALLERY.flawed("gradient")
class WrongSlopeBesideBackward(Tan):
    def slope(self, z, a):
        return 1 - a

    def backward(self, grad_a, z, a):
        return grad_a * (1 - a * a)


@GALLERY.flawed("in_range")
class NarrowRange(Tan):
    range = (-0.9, 0.9)


@GALLERY.flawed("registered", kit.COMPLETE)
class NeitherSlopeNorBackward(Activation):
    def forward(self, z):
        return np.tanh(z)


@GALLERY.flawed("pure", others=True)
class SpoilsInput(Tan):
    def forward(self, z):
        np.tanh(z, z)
        return z.copy()

    def slope(self, z, a):
        return 1 - a * a


@GALLERY.flawed("pure", others=True)
class SpoilsGradient(Tan):
    def backward(self, grad_a, z, a):
        grad_a *= 1 - a * a
        return grad_a


@GALLERY.flawed("pure")
class OwnBuffer(Tan):
    def forward(self, z):
        buffer = STATE.setdefault((z.shape, z.dtype), np.empty_like(z))
        return np.tanh(z, buffer)


@GALLERY.flawed("pure", others=True)
class RemembersOnClass(Tan):
    def forward(self, z):
        type(self).last = z.copy()
        return np.tanh(z)

    def slope(self, z, a):
        return 1 - np.tanh(type(self).last[: len(z), : z.shape[1], : z.shape[2]]) ** 2


@GALLERY.flawed("shapes", others=True)
class Promotes(Tan):
    def slope(self, z, a):
        return np.float64(1) - a * a


@GALLERY.flawed("shapes")
class PromotesByArray(Tan):
    def forward(self, z):
        return np.tanh(z * np.array([1.0]))


@GALLERY.flawed("buffers", "trained")
class ForgetsBuffer(Tan):
    def forward(self, z, out=None):
        return np.tanh(z)


@GALLERY.flawed("buffers", "trained")
class HalfABuffer(Tan):
    def forward(self, z, out=None):
        if out is None:
            return np.tanh(z)
        np.tanh(z[:, :1], out[:, :1])
        return out


@GALLERY.flawed("samples_apart", "gradient", "pure")
class CentredOverSamples(Tan):
    def forward(self, z):
        return np.tanh(z - z.mean(axis=2, keepdims=True))


@GALLERY.flawed("stacking", "trained")
class ParametersOfTheFirstRun(Swish):
    def forward(self, z):
        beta = np.ravel(self.beta)[0]
        return z / (1 + np.exp(-beta * z))

    def backward(self, grad_a, z, a):
        beta = np.ravel(self.beta)[0]
        s = 1 / (1 + np.exp(-beta * z))
        return grad_a * (s + beta * (z * (s * (1 - s))))


@GALLERY.flawed("stacking", "trained")
class ScaledOverRuns(Tan):
    def slope(self, z, a):
        return (1 - a * a) * (1 + 1e-12 * len(a))


@GALLERY.sound
class Leaky(Activation):
    kinks: ClassVar = (0.0,)

    def forward(self, z):
        return np.maximum(z, 0) + 0.1 * np.minimum(z, 0)

    def slope(self, z, a):
        return np.where(z > 0, z.dtype.type(1), z.dtype.type(0.1))


@GALLERY.sound
class Steep(Activation):
    """``tanh(k z)``, smooth however steep."""

    k: Annotated[float, Gt(0), doc("steepness")] = 500.0

    range: ClassVar = (-1.0, 1.0)

    def forward(self, z):
        return np.tanh(self.k * z)

    def slope(self, z, a):
        return self.k * (1 - a * a)


@GALLERY.flawed("kinks")
class UndeclaredKink(Leaky):
    kinks = ()


@GALLERY.flawed("kinks")
class UndeclaredKinkElsewhere(Activation):
    kinks: ClassVar = (0.0,)
    range: ClassVar = (0.0, 6.0)

    def forward(self, z):
        return np.clip(z, 0, 6)

    def slope(self, z, a):
        return ((z > 0) & (z < 6)).astype(z.dtype)


@GALLERY.flawed("kinks")
class UndeclaredJump(Activation):
    def forward(self, z):
        return np.where(z > 1, z + 1, z)

    def slope(self, z, a):
        return np.ones_like(z)


@GALLERY.flawed("slope_at_kinks")
class WrongSlopeAtKink(Leaky):
    def slope(self, z, a):
        return np.where(z == 0, z.dtype.type(2), np.where(z > 0, z.dtype.type(1), z.dtype.type(0.1)))


@GALLERY.sound
class Clipped(Activation):
    """Its kinks and its range are parameters."""

    low: Annotated[float, Lt(0), doc("lowest")] = -1.0
    high: Annotated[float, Gt(0), doc("highest")] = 1.0

    @property
    def range(self):
        return float(np.min(self.low)), float(np.max(self.high))

    @property
    def kinks(self):
        return (*np.ravel(self.low).tolist(), *np.ravel(self.high).tolist())

    def forward(self, z):
        return np.clip(z, self.low, self.high)

    def slope(self, z, a):
        return ((z > self.low) & (z < self.high)).astype(z.dtype)


@GALLERY.sound
class Exponential(Activation):
    """Overflows, because it is that large."""

    range: ClassVar = (0.0, np.inf)

    def forward(self, z):
        return np.exp(z)

    def slope(self, z, a):
        return a.copy()


@GALLERY.sound
class Cube(Activation):
    def forward(self, z):
        return z * z * z

    def slope(self, z, a):
        return 3 * z * z


@GALLERY.flawed("stacking", "trained")
class PowerOfAField(Activation):
    """NumPy squares where the only exponent is 2, and raises to powers where others stand beside it."""

    power: Annotated[float, Interval(ge=1, le=3), doc("exponent")] = 2.0

    range: ClassVar = (0.0, np.inf)
    kinks: ClassVar = (0.0,)

    def forward(self, z):
        return np.maximum(z, 0) ** self.power

    def slope(self, z, a):
        return np.where(z > 0, self.power * np.maximum(z, 0) ** (self.power - 1), z.dtype.type(0))


@GALLERY.sound
class Plus(Activation):
    """``log(1 + e^z)``."""

    range: ClassVar = (0.0, np.inf)

    def forward(self, z):
        return np.logaddexp(z, z.dtype.type(0))

    def slope(self, z, a):
        return 1 / (1 + np.exp(-z))


@GALLERY.flawed("finite")
class NaivePlus(Plus):
    def forward(self, z):
        return np.log(1 + np.exp(z))


@GALLERY.flawed("finite")
class NaiveSlope(Plus):
    def slope(self, z, a):
        return np.exp(z) / (1 + np.exp(z))


@GALLERY.flawed("finite", "in_range")
class NaiveSoftmax(Activation):
    range: ClassVar = (0.0, 1.0)
    min_units: ClassVar = 2

    def forward(self, z):
        e = np.exp(z)
        return e / sum_units(e, keepdims=True)

    def backward(self, grad_a, z, a):
        return a * (grad_a - sum_units(grad_a * a, keepdims=True))


@GALLERY.flawed("gradient")
class SoftmaxWithoutCoupling(Activation):
    range: ClassVar = (0.0, 1.0)
    min_units: ClassVar = 2

    def forward(self, z):
        e = np.exp(z - np.maximum.reduce(z, axis=-2, keepdims=True))
        return e / sum_units(e, keepdims=True)

    def backward(self, grad_a, z, a):
        return grad_a * a * (1 - a)


@GALLERY.flawed("stacking")
class SumsThatDependOnTheStack(SoftmaxWithoutCoupling):
    """``sum`` adds a single column in pairs."""

    def forward(self, z):
        e = np.exp(z - np.maximum.reduce(z, axis=-2, keepdims=True))
        return e / e.sum(axis=-2, keepdims=True)

    def backward(self, grad_a, z, a):
        return a * (grad_a - sum_units(grad_a * a, keepdims=True))


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)


def test_a_sentence_says_what_where_and_what_to_do():
    message = failures(WrongSign)["gradient"]
    assert message.startswith("WrongSign.backward returns ")
    assert "but the central difference of forward is " in message
    assert message.endswith("Correct the derivative.")
    assert failures(SlopeOfOutput)["gradient"].startswith("SlopeOfOutput.slope returns "), "what it has written"
    message = failures(UndeclaredKinkElsewhere)["kinks"]
    assert message.startswith("UndeclaredKinkElsewhere.forward has a kink at z = 6, where its slope changes by ")
    assert message.endswith("declare it in kinks.")


def test_figures_are_the_numbers_of_the_sentence():
    (result,) = check(WrongSign).failures
    assert result.figures["returned"] == pytest.approx(-result.figures["expected"])
