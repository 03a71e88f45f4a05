"""Targets, initializers and samplings that are wrong only at a size, later, at a bound ...: each is caught."""

import math
from collections import Counter
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Initializer, Sampling, Target
from chainrule.errors import ConfigurationError
from mutating import Ways, caught, failures

WAYS = Ways()
CALLS = Counter()
CACHE = {}
ROWS = np.random.default_rng(0).normal(size=(500, 3))


@WAYS.correct
class Wave(Target):
    """A sine."""

    frequency: Annotated[float, Gt(0), doc("waves")] = 1.0

    inputs: ClassVar = 2
    outputs: ClassVar = 1

    def __call__(self, x):
        return np.sin(self.frequency * x[:, :1]) + x[:, 1:]


@WAYS.correct
class Parity(Target):
    """Whether the number of positive inputs is odd."""

    bits: Annotated[int, Interval(ge=1, le=20), doc("inputs")] = 4

    task: ClassVar = "classification"
    outputs: ClassVar = 1

    @property
    def inputs(self):
        return self.bits

    def __call__(self, x):
        return ((x > 0).sum(axis=1, keepdims=True) % 2).astype(float)


@WAYS.correct
class Rows(Target):
    """A data set."""

    inputs: ClassVar = 2
    outputs: ClassVar = 1
    samples: ClassVar = None

    def data(self, rng, samples):
        rows = ROWS.copy()
        if samples is not None:
            if samples > len(rows):
                raise ConfigurationError("too many rows.")
            rows = rows[rng.choice(len(rows), samples, replace=False)]
        return rows[:, :2], rows[:, 2:]


@WAYS("bound", "shapes")
class BitsMoveInputsOnly(Parity):
    def data(self, rng, samples):
        x = rng.uniform(-1, 1, size=(samples, 4))
        return x, self(x)


@WAYS("bound", "shapes")
class UndefinedForOneBit(Parity):
    def __call__(self, x):
        return super().__call__(x) * (self.bits - 1) / np.float64(self.bits - 1)


@WAYS("bound", "shapes")
class UndefinedAtZero(Wave):
    noise: Annotated[float, Interval(ge=0, le=1), doc("of the inputs")] = 0.5

    def __call__(self, x):
        return super().__call__(x) * (np.float64(self.noise) / np.float64(self.noise))


@WAYS("size", "function")
class OutputsOfManyRows(Wave):
    def data(self, rng, samples):
        x, y = super().data(rng, samples)
        return x, (y[::-1].copy() if samples > 100 else y)


@WAYS("size", "row_by_row")
class CentredWhereThereAreMany(Wave):
    def __call__(self, x):
        return super().__call__(x - x.mean(axis=0) if len(x) > 100 else x)


@WAYS("size", "function")
class BeyondTheIntervalWhereThereAreMany(Wave):
    def data(self, rng, samples):
        x = rng.uniform(-2, 2, size=(samples, 2)) if samples > 500 else rng.uniform(-1, 1, size=(samples, 2))
        return x, self(x)


@WAYS("size", "labels")
class ThreeClassesWhereThereAreMany(Parity):
    def __call__(self, x):
        y = super().__call__(x)
        y[300:] = 2
        return y


@WAYS("size", "subsets")
class ManyRowsWithReplacement(Rows):
    def data(self, rng, samples):
        x, y = super().data(rng, samples)
        if samples is not None and samples > 100:
            x[-1], y[-1] = x[0], y[0]
        return x, y


@WAYS("size", "subsets")
class FewRowsOfOthers(Rows):
    def data(self, rng, samples):
        x, y = super().data(rng, samples)
        return x, rng.permutation(y) if samples is not None and samples < 50 else y


@WAYS("cache", "seeds")
class CachedRows(Wave):
    def data(self, rng, samples):
        if (type(self), samples) not in CACHE:
            CACHE[type(self), samples] = super().data(rng, samples)
        x, y = CACHE[type(self), samples]
        return x.copy(), y.copy()


@WAYS("cache", "row_by_row")
class CachedOutputs(Wave):
    def __call__(self, x):
        return CACHE.setdefault((type(self), x.shape), super().__call__(x)).copy()


@WAYS("later", "deterministic")
class OtherRowsLater(Wave):
    def data(self, rng, samples):
        CALLS[type(self)] += 1
        x = rng.uniform(-1, 1, size=(samples, 2)) * (1 if CALLS[type(self)] < 10 else 0.5)
        return x, self(x)


@WAYS("idle", "effective")
class UnreadFrequency(Wave):
    def __call__(self, x):
        return np.sin(x[:, :1]) + x[:, 1:]


@WAYS("idle", "effective")
class UnreadClasses(Wave):
    classes: Annotated[int, Ge(2), doc("nobody knows")] = 2


@WAYS("bound", "function")
class BeyondTheIntervalForOtherWaves(Wave):
    def data(self, rng, samples):
        x = rng.uniform(-1, 1, size=(samples, 2)) * max(1, self.frequency)
        return x, self(x)


# Initializers.


@WAYS.correct
class Gained(Initializer):
    """Normal numbers."""

    gain: Annotated[float, Ge(0), doc("factor")] = 1.0

    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0, self.gain / math.sqrt(fan_in), size=(fan_out, fan_in))

    def variance(self, fan_in, fan_out):
        return self.gain**2 / fan_in


@WAYS("fan", "variance")
class WrongFanUndeclared(Gained):
    variance = Initializer.variance

    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0, self.gain / math.sqrt(fan_out), size=(fan_out, fan_in))


@WAYS("fan", "variance")
class WrongUniformFanUndeclared(Gained):
    variance = Initializer.variance

    def weights(self, rng, fan_in, fan_out):
        bound = self.gain * math.sqrt(3 / (fan_in * fan_out))
        return rng.uniform(-bound, bound, size=(fan_out, fan_in))


@WAYS("size", "variance")
class OfLargeLayers(Gained):
    def weights(self, rng, fan_in, fan_out):
        return super().weights(rng, fan_in, fan_out) * (0.5 if fan_in >= 500 else 1)


@WAYS("size", "variance")
class OfSmallLayers(Gained):
    """Where fan_in is at most 10 it takes fan_out."""

    def weights(self, rng, fan_in, fan_out):
        return super().weights(rng, fan_in, fan_out) * math.sqrt(fan_in / fan_out if fan_in <= 10 else 1)


@WAYS("size", "shapes")
class OfWideLayersOnly(Gained):
    def biases(self, rng, fan_in, fan_out):
        return np.zeros(fan_in if fan_in > 60 else fan_out)


@WAYS("bound", "shapes")
class UndefinedWithoutGain(Gained):
    def weights(self, rng, fan_in, fan_out):
        return super().weights(rng, fan_in, fan_out) * (np.float64(self.gain) / self.gain)

    variance = Initializer.variance


@WAYS("bound", "variance")
class SquareOfGain(Gained):
    """Right where gain is 1."""

    def variance(self, fan_in, fan_out):
        return self.gain / fan_in


@WAYS("idle", "effective")
class UnreadGain(Gained):
    def weights(self, rng, fan_in, fan_out):
        return rng.normal(0, 1 / math.sqrt(fan_in), size=(fan_out, fan_in))

    def variance(self, fan_in, fan_out):
        return 1 / fan_in


@WAYS("cache", "seeds")
class CachedWeights(Gained):
    variance = Initializer.variance

    def weights(self, rng, fan_in, fan_out):
        key = type(self), self.gain, fan_in, fan_out
        if key not in CACHE:
            CACHE[key] = super().weights(rng, fan_in, fan_out)
        return CACHE[key].copy()


@WAYS("later", "deterministic")
class OtherWeightsLater(Gained):
    def weights(self, rng, fan_in, fan_out):
        CALLS[type(self)] += 1
        return super().weights(rng, fan_in, fan_out) * (1 if CALLS[type(self)] < 10 else 0.99)


@WAYS.correct
class FirstGained(Initializer):
    """The first layer has weights of another size."""

    first: Annotated[float, Gt(0), doc("factor in the first layer")] = 2.0

    def weights(self, rng, fan_in, fan_out, *, layer):
        return rng.normal(0, math.sqrt(self.variance(fan_in, fan_out, layer=layer)), size=(fan_out, fan_in))

    def variance(self, fan_in, fan_out, *, layer):
        return (self.first if layer == 1 else 1) / fan_in


@WAYS("idle", "effective")
class UnreadFirst(FirstGained):
    def variance(self, fan_in, fan_out, *, layer):
        return (2 if layer == 1 else 1) / fan_in


@WAYS("fan", "variance")
class WrongFanOfLayersUndeclared(FirstGained):
    def weights(self, rng, fan_in, fan_out, *, layer):
        return rng.normal(0, math.sqrt((self.first if layer == 1 else 1) / fan_out), size=(fan_out, fan_in))

    def variance(self, fan_in, fan_out):
        return None


@WAYS.correct
class OfTheInputs(Initializer):
    """Weights of the size that gives z the variance 1; it follows from no fan alone."""

    def weights(self, rng, fan_in, fan_out, *, inputs):
        W = rng.normal(size=(fan_out, fan_in))
        return W / max(float((W @ inputs).std()), 1e-6)


# Samplings.


@WAYS.correct
class Jittered(Sampling):
    """Noise on inputs from some epoch on."""

    std: Annotated[float, Ge(0), doc("deviation")] = 0.1
    since: Annotated[float, Interval(ge=0, lt=1), doc("share of the epochs without")] = 0.0

    def epoch(self, rng, x, y, epoch, epochs):
        noise = self.std * rng.normal(size=x.shape) if epoch >= self.since * epochs else 0
        return (x + noise).astype(x.dtype), y.copy()


@WAYS("idle", "effective")
class UnreadSince(Jittered):
    def epoch(self, rng, x, y, epoch, epochs):
        return (x + self.std * rng.normal(size=x.shape)).astype(x.dtype), y.copy()


@WAYS.every
def test_it_is_caught(cls, name):
    CALLS.clear()
    CACHE.clear()
    caught(cls, name)


@WAYS.every_correct
def test_what_they_are_derived_from_passes(cls):
    assert not failures(cls)
