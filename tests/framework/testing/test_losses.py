"""Faulty losses, each caught by the check that is meant for it."""

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Interval, doc

from chainrule.components.contracts import Loss
from chainrule.components.stacking import sum_units
from chainrule.testing import kit
from mutating import Gallery, require

GALLERY = Gallery()


@GALLERY.sound
class Squares(Loss):
    weight: Annotated[float, Gt(0), doc("factor")] = 1.0

    def value(self, y_pred, y_true):
        return sum_units(self.weight * np.square(y_pred - y_true))

    def gradient(self, y_pred, y_true, out=None):
        out = np.subtract(y_pred, y_true, out)
        return np.multiply(out, 2 * self.weight, out)


@GALLERY.flawed("gradient")
class WrongSignOfError(Squares):
    def gradient(self, y_pred, y_true):
        return 2 * self.weight * (y_true - y_pred)


@GALLERY.flawed("gradient")
class HalfGradient(Squares):
    def gradient(self, y_pred, y_true):
        return self.weight * (y_pred - y_true)


@GALLERY.flawed("gradient", "samples_apart")
class DividedBySamples(Squares):
    def gradient(self, y_pred, y_true):
        return super().gradient(y_pred, y_true) / y_pred.shape[-1]


@GALLERY.flawed("adds_up")
class MeanOverOutputs(Squares):
    def value(self, y_pred, y_true):
        return super().value(y_pred, y_true) / y_pred.shape[1]

    def gradient(self, y_pred, y_true):
        return super().gradient(y_pred, y_true) / y_pred.shape[1]


@GALLERY.flawed("samples_apart", "gradient", "adds_up", others=True)
class ScaledBySamples(Squares):
    def value(self, y_pred, y_true):
        error = y_pred - y_true
        return sum_units(np.square(error)) / (1 + np.square(error).mean(axis=(1, 2))[:, None])


@GALLERY.flawed("shapes", others=True)
class MeanOfAll(Squares):
    def value(self, y_pred, y_true):
        return np.square(y_pred - y_true).mean()


@GALLERY.flawed("shapes")
class PromotedLoss(Squares):
    def value(self, y_pred, y_true):
        return super().value(y_pred, y_true) * np.ones(1)


@GALLERY.flawed("pure", others=True)
class SpoilsPrediction(Squares):
    def gradient(self, y_pred, y_true):
        y_pred -= y_true
        return 2 * self.weight * y_pred


@GALLERY.flawed("buffers", "trained")
class AddsToBuffer(Squares):
    def gradient(self, y_pred, y_true, out=None):
        if out is None:
            return super().gradient(y_pred, y_true)
        out += super().gradient(y_pred, y_true)
        return out


@GALLERY.flawed("stacking", "trained")
class WeightOfTheFirstRun(Squares):
    def value(self, y_pred, y_true):
        return np.ravel(self.weight)[0] * sum_units(np.square(y_pred - y_true))

    def gradient(self, y_pred, y_true):
        return 2 * np.ravel(self.weight)[0] * (y_pred - y_true)


@GALLERY.flawed("stacking")
class OrderOfSums(Squares):
    def value(self, y_pred, y_true):
        return (self.weight * np.square(y_pred - y_true)).sum(axis=1)


@GALLERY.flawed("shapes", "stacking", others=True)
class WrongAxis(Squares):
    def value(self, y_pred, y_true):
        weight = np.ravel(self.weight)
        return sum_units(weight * np.square(y_pred - y_true))


@GALLERY.sound
class MeanAndScale(Loss):
    outputs_per_target: ClassVar = 2

    def value(self, y_pred, y_true):
        mean, scale = np.split(y_pred, 2, axis=1)
        return sum_units(np.logaddexp(0, scale) + np.square(mean - y_true))

    def gradient(self, y_pred, y_true):
        mean, scale = np.split(y_pred, 2, axis=1)
        return np.concatenate([2 * (mean - y_true), 1 / (1 + np.exp(-scale))], axis=1)

    def point(self, y_pred):
        return y_pred[:, : y_pred.shape[1] // 2]


@GALLERY.flawed("declared", others=True)
class NoPoint(MeanAndScale):
    point = Loss.point


@GALLERY.flawed("gradient")
class ScaleIsConstant(MeanAndScale):
    def gradient(self, y_pred, y_true):
        right = super().gradient(y_pred, y_true)
        right[:, right.shape[1] // 2 :] = 0
        return right


@GALLERY.flawed("shapes")
class PointOfTheFirstOutput(MeanAndScale):
    def point(self, y_pred):
        return y_pred[:, :1]


@GALLERY.flawed("pure", others=True)
class PointSpoilsItsInput(MeanAndScale):
    def point(self, y_pred):
        y_pred[:, 0] *= 1 + 1e-9
        return y_pred[:, : y_pred.shape[1] // 2]


@GALLERY.flawed("adds_up")
class MeanOverTargets(MeanAndScale):
    def value(self, y_pred, y_true):
        return super().value(y_pred, y_true) / y_true.shape[1]

    def gradient(self, y_pred, y_true):
        return super().gradient(y_pred, y_true) / y_true.shape[1]


@GALLERY.sound
class Absolute(Loss):
    def value(self, y_pred, y_true):
        return sum_units(np.abs(y_pred - y_true))

    def gradient(self, y_pred, y_true):
        return np.sign(y_pred - y_true)


@GALLERY.sound
class Quantile(Loss):
    share: Annotated[float, Interval(gt=0, lt=1), doc("of the errors above")] = 0.9

    def value(self, y_pred, y_true):
        error = y_true - y_pred
        return sum_units(np.maximum(self.share * error, (self.share - 1) * error))

    def gradient(self, y_pred, y_true):
        return np.where(y_true > y_pred, -self.share, 1 - self.share).astype(y_pred.dtype)


@GALLERY.sound
class Poisson(Loss):
    """Overflows, because it is that large."""

    target_range: ClassVar = (0.0, np.inf)

    def value(self, y_pred, y_true):
        return sum_units(np.exp(y_pred) - y_true * y_pred)

    def gradient(self, y_pred, y_true):
        return np.exp(y_pred) - y_true


@GALLERY.flawed("gradient")
class WrongAtZero(Absolute):
    """Its gradient at an error of 0 is twice the one-sided derivative."""

    def gradient(self, y_pred, y_true):
        return np.where(y_pred == y_true, y_pred.dtype.type(2), np.sign(y_pred - y_true))


@GALLERY.flawed("finite")
class NaiveLogCosh(Loss):
    def value(self, y_pred, y_true):
        return sum_units(np.log(np.cosh(y_pred - y_true)))

    def gradient(self, y_pred, y_true):
        return np.tanh(y_pred - y_true)


@GALLERY.sound
class Logistic(Loss):
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


@GALLERY.flawed("finite")
class NaiveLogLoss(Logistic):
    def value(self, y_pred, y_true):
        return -sum_units(y_true * np.log(y_pred) + (1 - y_true) * np.log(1 - y_pred))


@GALLERY.flawed("paired", "paired_finite")
class WrongPairedDelta(Logistic):
    def paired_delta(self, z, y_pred, y_true):
        return (y_pred - y_true) * y_pred * (1 - y_pred)


@GALLERY.flawed("paired_finite")
class NaivePairedValue(Logistic):
    def paired_value(self, z, y_true):
        return sum_units(np.log(1 + np.exp(z)) - z * y_true)


@GALLERY.flawed("registered", kit.COMPLETE)
class HalfAPair(Logistic):
    paired_delta = Loss.paired_delta


@GALLERY.flawed("declared", others=True)
class PairedWithNothing(Logistic):
    paired_output = None


@GALLERY.flawed("declared", others=True)
class OneHotOfOne(Logistic):
    one_hot = True


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)
