"""Activations and losses that are wrong only at a size, later, at a bound, in one dtype ...: each is caught."""

import math
from collections import Counter
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, Lt, doc

from chainrule.components.contracts import Activation, Loss
from chainrule.components.stacking import sum_units
from mutating import Ways, caught, failures

WAYS = Ways()
CALLS = Counter()
CACHE = {}


def logistic(z):
    return 0.5 * (1 + np.tanh(0.5 * z))


@WAYS.correct
class Swish(Activation):
    """``z s(beta z)`` with the logistic function ``s``; correct."""

    beta: Annotated[float, Gt(0), doc("sharpness")] = 1.0

    def forward(self, z):
        return z * logistic(self.beta * z)

    def backward(self, grad_a, z, a):
        s = logistic(self.beta * z)
        return grad_a * (s + self.beta * (z * (s * (1 - s))))


@WAYS.correct
class Tan(Activation):
    """Correct."""

    range: ClassVar = (-1.0, 1.0)

    def forward(self, z):
        return np.tanh(z)

    def slope(self, z, a):
        return 1 - a * a


@WAYS.correct
class Softmax(Activation):
    """Correct."""

    range: ClassVar = (0.0, 1.0)
    min_units: ClassVar = 2

    def forward(self, z):
        e = np.exp(z - np.maximum.reduce(z, axis=-2, keepdims=True))
        return e / sum_units(e, keepdims=True)

    def backward(self, grad_a, z, a):
        return a * (grad_a - sum_units(grad_a * a, keepdims=True))


# A size.


@WAYS("size", "samples_apart")
class InALargeBatch(Swish):
    def backward(self, grad_a, z, a):
        result = super().backward(grad_a, z, a)
        return result * 0.5 if z.shape[-1] >= 1000 else result


@WAYS("size", "samples_apart")
class InAVeryLargeBatch(Tan):
    def forward(self, z):
        return np.tanh(z) if z.shape[-1] < 4000 else z / (1 + np.abs(z))


@WAYS("size", "samples_apart")
class InABatchOf32(Tan):
    def slope(self, z, a):
        return 1 - a * a if z.shape[-1] != 32 else 1 - np.abs(a)


@WAYS("size", "samples_apart")
class InABatchOf100(Tan):
    def forward(self, z):
        return np.tanh(z) if z.shape[-1] != 100 else np.tanh(0.9 * z)


@WAYS("size", "samples_apart")
class OfTheLastSamples(Tan):
    """Samples beyond a multiple of 64 are forgotten."""

    def slope(self, z, a):
        slope = 1 - a * a
        if z.shape[-1] > 64:
            slope[..., z.shape[-1] // 64 * 64 :] = 1
        return slope


@WAYS("size", "samples_apart")
class MixesLargeBatches(Tan):
    def forward(self, z):
        return np.tanh(z - z.mean(axis=-1, keepdims=True)) if z.shape[-1] > 500 else np.tanh(z)


@WAYS("size", "stacking")
class InALargeStack(Swish):
    def forward(self, z):
        beta = self.beta if len(z) <= 32 else self.beta.mean()
        return z * logistic(beta * z)


@WAYS("size", "stacking")
class OfTheLastRuns(Tan):
    def forward(self, z):
        a = np.tanh(z)
        a[256:] = 0
        return a


@WAYS("size", "gradient")
class OnWideLayers(Tan):
    def slope(self, z, a):
        return 1 - a * a if z.shape[1] <= 64 else 1 - np.abs(a)


@WAYS("size", "gradient")
class OnFourUnits(Softmax):
    def backward(self, grad_a, z, a):
        return super().backward(grad_a, z, a) if z.shape[1] != 4 else grad_a * a * (1 - a)


@WAYS("size", "gradient")
class OfManyUnits(Softmax):
    """Units after the hundredth are left out of the sum."""

    def backward(self, grad_a, z, a):
        return a * (grad_a - sum_units((grad_a * a)[:, :100], keepdims=True))


@WAYS("size", "gradient")
class OnASingleUnit(Tan):
    def slope(self, z, a):
        return 1 - a * a if z.shape[1] > 1 else np.ones_like(z)


# Later, and caches.


@WAYS("later", "pure")
class AfterHundredCalls(Tan):
    def forward(self, z):
        CALLS[type(self)] += 1
        return np.tanh(z) if CALLS[type(self)] < 100 else np.tanh(0.99 * z)


@WAYS("cache", "pure")
class CacheById(Tan):
    def forward(self, z):
        key = type(self), id(z)
        if key not in CACHE:
            CACHE[key] = z, np.tanh(z)
        return CACHE[key][1].copy()


@WAYS("cache", "pure")
class CacheByPlace(Tan):
    def slope(self, z, a):
        key = type(self), z.__array_interface__["data"][0], z.shape, z.dtype
        if key not in CACHE:
            CACHE[key] = z, 1 - a * a
        return CACHE[key][1].copy()


@WAYS("cache", "pure")
class CacheByShape(Tan):
    def slope(self, z, a):
        return CACHE.setdefault((type(self), z.shape, z.dtype), 1 - a * a).copy()


@WAYS("cache", "pure")
class CacheByAnEntry(Tan):
    def forward(self, z):
        return CACHE.setdefault((type(self), z.shape, z.dtype, float(z.flat[0])), np.tanh(z)).copy()


# A bound, an exponent, a default.


@WAYS("bound", "gradient")
class AtZero(Activation):
    """``z`` above and ``alpha (e^z - 1)`` below 0."""

    alpha: Annotated[float, Ge(0), doc("minus the limit")] = 1.0

    kinks: ClassVar = (0.0,)

    def forward(self, z):
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def slope(self, z, a):
        return np.where(z > 0, z.dtype.type(1), self.alpha * (a / self.alpha + 1))


@WAYS("bound", "gradient")
class AtOne(Activation):
    share: Annotated[float, Interval(ge=0, le=1), doc("of the identity")] = 0.5

    def forward(self, z):
        return self.share * z + (1 - self.share) * np.tanh(z)

    def slope(self, z, a):
        slope = self.share + (1 - self.share) * (1 - np.tanh(z) ** 2)
        return np.where(np.asarray(self.share) == 1, 0.5, 1).astype(z.dtype) * slope


@WAYS("bound", "gradient")
class OfAnotherDegree(Activation):
    degree: Annotated[int, Interval(ge=1, le=5), doc("of the power")] = 3

    def forward(self, z):
        return z * np.abs(z) ** (self.degree - 1)

    def slope(self, z, a):
        return 3 * np.abs(z) ** (self.degree - 1)


@WAYS("bound", "stacking")
class PowerOfAField(Activation):
    power: Annotated[float, Gt(0), doc("exponent")] = 1.3

    range: ClassVar = (0.0, np.inf)
    kinks: ClassVar = (0.0,)

    def forward(self, z):
        return np.maximum(z, 0) ** self.power

    def slope(self, z, a):
        above = np.where(z > 0, z, z.dtype.type(1))
        return np.where(z > 0, self.power * above ** (self.power - 1), z.dtype.type(0))


@WAYS("bound", "gradient")
class AtExactlyTwo(Swish):
    def backward(self, grad_a, z, a):
        return np.where(np.asarray(self.beta) == 2, 0.5, 1).astype(z.dtype) * super().backward(grad_a, z, a)


@WAYS("bound", "finite")
class TextbookSwish(Swish):
    """``s (1 + beta z (1 - s))`` is infinity times 0 where ``beta z`` overflows, which needs a beta above 1."""

    beta: Annotated[float, Interval(gt=0, le=4), doc("sharpness")] = 0.5

    def backward(self, grad_a, z, a):
        s = 1 / (1 + np.exp(-self.beta * z))
        return grad_a * (s * (1 + self.beta * z * (1 - s)))


@WAYS("bound", "finite")
class ExponentialOfBeta(Activation):
    """It overflows from ``beta z > 88`` on in float32, which the default does not reach."""

    beta: Annotated[float, Gt(0), doc("sharpness")] = 1e-14

    range: ClassVar = (-1.0, 1.0)

    def forward(self, z):
        return np.tanh(self.beta * z)

    def slope(self, z, a):
        e = np.exp(2 * self.beta * z)
        return self.beta * 4 * e / np.square(1 + e)


@WAYS("bound", "in_range")
class WiderThanDeclared(Activation):
    scale: Annotated[float, Interval(gt=0, le=3), doc("of the limit")] = 1.0

    range: ClassVar = (-1.0, 1.0)

    def forward(self, z):
        return self.scale * np.tanh(z)

    def slope(self, z, a):
        return self.scale * (1 - np.tanh(z) ** 2)


# One dtype.


@WAYS("dtype", "precision")
class WrongInSingle(Tan):
    def slope(self, z, a):
        return 1 - a * a if z.dtype == np.float64 else 1 - np.abs(a)


@WAYS("dtype", "precision")
class SlightlyWrongInSingle(Tan):
    def slope(self, z, a):
        return (1 - a * a) * (z.dtype.type(1) if z.dtype == np.float64 else z.dtype.type(0.95))


@WAYS("dtype", "gradient")
class HalfPrecisionInside(Tan):
    def slope(self, z, a):
        return (1 - a.astype(np.float16) ** 2).astype(z.dtype)


@WAYS("dtype", "precision")
class OtherFunctionInSingle(Tan):
    def forward(self, z):
        return np.tanh(z) if z.dtype == np.float64 else z / (1 + np.abs(z))


@WAYS("dtype", "precision")
class SingleInside(Tan):
    def forward(self, z):
        return np.tanh(z.astype(np.float32)).astype(z.dtype)


# A parameter that does nothing.


@WAYS("idle", "effective")
class ConstantBeta(Swish):
    def forward(self, z):
        return z * logistic(z)

    def backward(self, grad_a, z, a):
        s = logistic(z)
        return grad_a * (s + z * s * (1 - s))


@WAYS("idle", "effective")
class UnreadSwitch(Tan):
    steep: Annotated[bool, doc("whether it is steep")] = False


@WAYS("idle", "effective")
class UnreadNumber(Tan):
    terms: Annotated[int, Gt(0), doc("of a series")] = 5


# Jumps.


@WAYS("jump", "slope_at_kinks")
class JumpsAtItsKink(Activation):
    kinks: ClassVar = (0.0,)

    def forward(self, z):
        return np.where(z > 0, z + 0.5, 0.1 * z)

    def slope(self, z, a):
        return np.where(z > 0, z.dtype.type(1), z.dtype.type(0.1))


@WAYS("jump", "slope_at_kinks")
class JumpsAwayFromItsDefault(Activation):
    """``z``, at most ``limit``; the value above is a constant."""

    limit: Annotated[float, Gt(0), doc("largest value")] = 1.0

    @property
    def kinks(self):
        return tuple(np.ravel(self.limit).tolist())

    def forward(self, z):
        return np.where(z > self.limit, z.dtype.type(1), z)

    def slope(self, z, a):
        return (z <= self.limit).astype(z.dtype)


@WAYS("jump", "kinks")
class KinkAwayFromItsDefault(Activation):
    shift: Annotated[float, Interval(ge=-2, le=2), doc("of the corner")] = 0.0

    kinks: ClassVar = (0.0,)

    def forward(self, z):
        return np.maximum(z, self.shift)

    def slope(self, z, a):
        return (z > self.shift).astype(z.dtype)


@WAYS("jump", "kinks")
class JumpsBetweenUnits(Activation):
    """The larger of two neighbours is doubled."""

    min_units: ClassVar = 2

    def _factors(self, z):
        factors = np.ones_like(z)
        pairs = z.shape[1] // 2 * 2
        one, two = z[:, :pairs:2], z[:, 1:pairs:2]
        factors[:, :pairs:2] += one > two
        factors[:, 1:pairs:2] += two >= one
        return factors

    def forward(self, z):
        return z * self._factors(z)

    def backward(self, grad_a, z, a):
        return grad_a * self._factors(z)


@WAYS("jump", "kinks")
class JumpsBetweenManyUnits(Activation):
    """The largest is doubled where there are more than two."""

    min_units: ClassVar = 2

    def _factors(self, z):
        largest = np.maximum.reduce(z, axis=1, keepdims=True)
        return 1 + (z == largest).astype(z.dtype) * (z.shape[1] > 2)

    def forward(self, z):
        return z * self._factors(z)

    def backward(self, grad_a, z, a):
        return grad_a * self._factors(z)


@WAYS("jump", "kinks")
class KinkOfTheThirdUnit(Activation):
    """The third unit has a kink at 1."""

    def forward(self, z):
        a = z.copy()
        a[:, 2:3] = np.maximum(a[:, 2:3], 1)
        return a

    def slope(self, z, a):
        slope = np.ones_like(z)
        slope[:, 2:3] = z[:, 2:3] > 1
        return slope


@WAYS("far", "gradient")
class ClippedFarOut(Activation):
    def forward(self, z):
        return z + np.tanh(z)

    def slope(self, z, a):
        return np.where(np.abs(z) > 100, z.dtype.type(0), 2 - np.tanh(z) ** 2)


# Losses.


@WAYS.correct
class Squares(Loss):
    """Correct."""

    weight: Annotated[float, Gt(0), doc("factor")] = 1.0

    def value(self, y_pred, y_true):
        return sum_units(self.weight * np.square(y_pred - y_true))

    def gradient(self, y_pred, y_true):
        return 2 * self.weight * (y_pred - y_true)


@WAYS.correct
class Logistic(Loss):
    """Correct."""

    prediction_range: ClassVar = (0.0, 1.0)
    target_range: ClassVar = (0.0, 1.0)
    paired_output: ClassVar = "sigmoid"

    def value(self, y_pred, y_true):
        return sum_units(y_true * np.minimum(-np.log(y_pred), 100) + (1 - y_true) * np.minimum(-np.log1p(-y_pred), 100))

    def gradient(self, y_pred, y_true):
        return (y_pred - y_true) / np.maximum(y_pred * (1 - y_pred), 1e-12)

    def paired_value(self, z, y_true):
        return sum_units(np.maximum(z, 0) - z * y_true + np.log1p(np.exp(-np.abs(z))))

    def paired_delta(self, z, y_pred, y_true):
        return y_pred - y_true


@WAYS.correct
class Huber(Loss):
    """Correct."""

    delta: Annotated[float, Gt(0), doc("where it becomes linear")] = 1.0

    def value(self, y_pred, y_true):
        error = np.abs(y_pred - y_true)
        small = np.minimum(error, self.delta)
        return sum_units(small * (error - 0.5 * small))

    def gradient(self, y_pred, y_true):
        return np.clip(y_pred - y_true, -self.delta, self.delta)


@WAYS("size", "samples_apart")
class ValueAndGradientOverSamples(Squares):
    def value(self, y_pred, y_true):
        return super().value(y_pred, y_true) / y_pred.shape[-1]

    def gradient(self, y_pred, y_true):
        return super().gradient(y_pred, y_true) / y_pred.shape[-1]


@WAYS("size", "samples_apart")
class GradientOfLargeBatches(Squares):
    def gradient(self, y_pred, y_true):
        return super().gradient(y_pred, y_true) * (0.5 if y_pred.shape[-1] >= 500 else 1)


@WAYS("size", "gradient")
class GradientOfManyOutputs(Squares):
    def gradient(self, y_pred, y_true):
        return super().gradient(y_pred, y_true) * (0.5 if y_pred.shape[1] > 8 else 1)


@WAYS("size", "adds_up")
class MeanOfManyOutputs(Squares):
    def _share(self, y_pred):
        return 1 if y_pred.shape[1] <= 8 else 8 / y_pred.shape[1]

    def value(self, y_pred, y_true):
        return super().value(y_pred, y_true) * self._share(y_pred)

    def gradient(self, y_pred, y_true):
        return super().gradient(y_pred, y_true) * self._share(y_pred)


@WAYS("size", "stacking")
class LossOfALargeStack(Squares):
    def value(self, y_pred, y_true):
        weight = self.weight if len(y_pred) < 50 else np.ones_like(self.weight)
        return sum_units(weight * np.square(y_pred - y_true))


@WAYS("size", "paired")
class PairedOfManyOutputs(Logistic):
    def paired_delta(self, z, y_pred, y_true):
        return (y_pred - y_true) * (1 if z.shape[1] < 10 else 0.5)


@WAYS("bound", "gradient")
class AtTheTrueValueZero(Squares):
    target_range: ClassVar = (0.0, 1.0)

    def gradient(self, y_pred, y_true):
        return super().gradient(y_pred, y_true) * np.where(y_true == 0, y_true.dtype.type(0.5), y_true.dtype.type(1))


@WAYS("bound", "gradient")
class AtTheTrueValueOne(Logistic):
    def gradient(self, y_pred, y_true):
        return np.where(y_true == 1, -1, 1).astype(y_pred.dtype) * super().gradient(y_pred, y_true)


@WAYS("bound", "gradient")
class WithAllOfTheShare(Loss):
    """Wrong where ``share`` is 1."""

    share: Annotated[float, Interval(ge=0, le=1), doc("of the squares")] = 0.5

    def value(self, y_pred, y_true):
        error = y_pred - y_true
        return sum_units(self.share * np.square(error) + (1 - self.share) * np.abs(error))

    def gradient(self, y_pred, y_true):
        error = y_pred - y_true
        return np.where(
            np.asarray(self.share) == 1, error, 2 * self.share * error + (1 - self.share) * np.sign(error)
        ).astype(y_pred.dtype)


@WAYS("bound", "stacking")
class PowerOfTheError(Loss):
    power: Annotated[float, Interval(gt=1, le=4), doc("exponent")] = 1.5

    def value(self, y_pred, y_true):
        return sum_units(np.abs(y_pred - y_true) ** self.power)

    def gradient(self, y_pred, y_true):
        error = y_pred - y_true
        return np.sign(error) * self.power * np.abs(error) ** (self.power - 1)


@WAYS("dtype", "precision")
class LossWrongInSingle(Squares):
    def gradient(self, y_pred, y_true):
        return super().gradient(y_pred, y_true) * y_pred.dtype.type(1 if y_pred.dtype == np.float64 else 0.9)


@WAYS("dtype", "precision")
class LossSingleInside(Huber):
    def value(self, y_pred, y_true):
        delta = np.asarray(self.delta, np.float32)
        error = np.abs(y_pred.astype(np.float32) - y_true.astype(np.float32))
        small = np.minimum(error, delta)
        return sum_units(small * (error - np.float32(0.5) * small)).astype(y_pred.dtype)


@WAYS("dtype", "precision")
class PairedWrongInSingle(Logistic):
    def paired_delta(self, z, y_pred, y_true):
        return (y_pred - y_true) * z.dtype.type(1 if z.dtype == np.float64 else 0.5)


@WAYS("cache", "pure")
class LossCacheById(Squares):
    def value(self, y_pred, y_true):
        key = type(self), id(y_true)
        if key not in CACHE:
            CACHE[key] = y_true, super().value(y_pred, y_true)
        return CACHE[key][1].copy()


@WAYS("later", "pure")
class LossAfterHundredCalls(Squares):
    def gradient(self, y_pred, y_true):
        CALLS[type(self)] += 1
        return super().gradient(y_pred, y_true) * (1 if CALLS[type(self)] < 100 else 0.9)


@WAYS("idle", "effective")
class ConstantDelta(Huber):
    def value(self, y_pred, y_true):
        error = np.abs(y_pred - y_true)
        small = np.minimum(error, 1)
        return sum_units(small * (error - 0.5 * small))

    def gradient(self, y_pred, y_true):
        return np.clip(y_pred - y_true, -1, 1)


@WAYS("idle", "effective")
class UnreadPower(Squares):
    power: Annotated[int, Ge(1), doc("exponent")] = 2


@WAYS("jump", "gradient")
class JumpsUnlessDeltaIsOne(Huber):
    def value(self, y_pred, y_true):
        error = np.abs(y_pred - y_true)
        return sum_units(np.where(error <= self.delta, 0.5 * error * error, self.delta * error - 0.5))


@WAYS("jump", "gradient")
class JumpsAtAnError(Huber):
    def value(self, y_pred, y_true):
        error = y_pred - y_true
        return super().value(y_pred, y_true) + sum_units((error > 1.7).astype(y_pred.dtype))


@WAYS("far", "gradient")
class GradientClippedFarOut(Squares):
    def gradient(self, y_pred, y_true):
        return np.clip(super().gradient(y_pred, y_true), -1000, 1000)


@WAYS("far", "gradient")
class GradientClippedVeryFarOut(Squares):
    def gradient(self, y_pred, y_true):
        return np.clip(super().gradient(y_pred, y_true), -1e6, 1e6)


@WAYS("far", "paired_finite")
class PairedClippedFarOut(Loss):
    """Half the squared error of the identity, whose paired delta is clipped."""

    paired_output: ClassVar = "identity"

    def value(self, y_pred, y_true):
        return sum_units(0.5 * np.square(y_pred - y_true))

    def gradient(self, y_pred, y_true):
        return y_pred - y_true

    def paired_value(self, z, y_true):
        return self.value(z, y_true)

    def paired_delta(self, z, y_pred, y_true):
        return np.clip(z - y_true, -500, 500)


@WAYS("bound", "finite")
class ExponentialOfK(Loss):
    k: Annotated[float, Gt(0), doc("steepness")] = 1e-300

    def value(self, y_pred, y_true):
        error = np.abs(self.k * (y_pred - y_true))
        return sum_units(error + np.log1p(np.exp(-2 * error)) - math.log(2))

    def gradient(self, y_pred, y_true):
        e = np.exp(2 * self.k * (y_pred - y_true))
        return self.k * (e - 1) / (e + 1)


@WAYS("bound", "gradient")
class KinkOfAnotherSide(Loss):
    """``limit`` is a kink of its own, where the gradient is that of neither side."""

    limit: Annotated[float, Lt(0), doc("of the error")] = -1.0

    def value(self, y_pred, y_true):
        return sum_units(np.maximum(y_pred - y_true, self.limit))

    def gradient(self, y_pred, y_true):
        error = y_pred - y_true
        return np.where(error == self.limit, 2, error > self.limit).astype(y_pred.dtype)


@WAYS.every
def test_it_is_caught(cls, name):
    CALLS.clear()
    CACHE.clear()
    caught(cls, name)


@WAYS.every_correct
def test_what_they_are_derived_from_passes(cls):
    assert not failures(cls)
