"""Faulty targets, each caught by the check that is meant for it."""

import random
from itertools import count
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Target
from chainrule.errors import ConfigurationError
from mutating import Gallery, require

GALLERY = Gallery()
CALLS = count()
ROWS = np.arange(40.0).reshape(20, 2)


@GALLERY.sound
class Wave(Target):
    frequency: Annotated[float, Gt(0), doc("waves")] = 1.0

    inputs: ClassVar = 2
    outputs: ClassVar = 1

    def __call__(self, x):
        return np.sin(self.frequency * x[:, :1]) + x[:, 1:]


@GALLERY.flawed("declared", others=True)
class Upside(Wave):
    low: ClassVar = 1.0
    high: ClassVar = -1.0

    def data(self, rng, samples):
        x = rng.uniform(-1, 1, size=(samples, 2))
        return x, self(x)


@GALLERY.flawed("declared", others=True)
class TooFewNames(Wave):
    input_names: ClassVar = ("a",)


@GALLERY.flawed("declared", others=True)
class EqualNames(Wave):
    input_names: ClassVar = ("a", "a")


@GALLERY.flawed("declared", others=True)
class UnknownTask(Wave):
    task: ClassVar = "ranking"


@GALLERY.flawed("shapes", others=True)
class Flat(Wave):
    def __call__(self, x):
        return np.sin(x[:, 0])


@GALLERY.flawed("shapes")
class Whole(Wave):
    def data(self, rng, samples):
        x = rng.integers(0, 2, size=(samples, 2))
        return x, super().__call__(x)


@GALLERY.flawed("shapes", others=True)
class NotFinite(Wave):
    def __call__(self, x):
        return np.log(x[:, :1])


@GALLERY.sound
class Weighted(Wave):
    def data(self, rng, samples):
        x, y = super().data(rng, samples)
        return x, y, np.abs(x[:, 0])


@GALLERY.flawed("shapes")
class WeightsInColumns(Wave):
    def data(self, rng, samples):
        x, y = super().data(rng, samples)
        return x, y, np.abs(x)


@GALLERY.flawed("shapes")
class NegativeWeights(Wave):
    def data(self, rng, samples):
        x, y = super().data(rng, samples)
        return x, y, x[:, 0]


@GALLERY.flawed("deterministic")
class RandomWeights(Wave):
    def data(self, rng, samples):
        x, y = super().data(rng, samples)
        return x, y, np.random.uniform(0, 1, len(x))  # noqa: NPY002


@GALLERY.flawed("deterministic")
class GlobalGenerator(Wave):
    def data(self, rng, samples):
        x = np.random.uniform(-1, 1, size=(samples, 2))  # noqa: NPY002
        return x, self(x)


@GALLERY.flawed("deterministic")
class SeedsTheGlobalGenerator(Wave):
    def data(self, rng, samples):
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        return super().data(rng, samples)


@GALLERY.flawed("deterministic", others=True)
class FreshGenerator(Wave):
    def data(self, rng, samples):
        return super().data(np.random.default_rng(), samples)


@GALLERY.flawed("deterministic")
class Counts(Wave):
    def data(self, rng, samples):
        x, _ = super().data(rng, samples)
        x *= 1 / (1 + 1e-9 * next(CALLS))
        return x, self(x)


@GALLERY.flawed("seeds")
class IgnoresSeed(Wave):
    def data(self, rng, samples):
        rng.random()
        return super().data(np.random.default_rng(0), samples)


@GALLERY.flawed("function")
class OutputsOfOtherRows(Wave):
    def data(self, rng, samples):
        x, y = super().data(rng, samples)
        return x, y[::-1].copy()


@GALLERY.flawed("function")
class BeyondItsInterval(Wave):
    def data(self, rng, samples):
        x = rng.uniform(-2, 2, size=(samples, 2))
        return x, self(x)


@GALLERY.flawed("row_by_row")
class Centred(Wave):
    def __call__(self, x):
        return super().__call__(x - x.mean(axis=0))


@GALLERY.flawed("row_by_row", others=True)
class SpoilsRows(Wave):
    def __call__(self, x):
        x *= 2
        return x[:, :1].copy()


@GALLERY.sound
class Sign(Target):
    task: ClassVar = "classification"
    inputs: ClassVar = 2
    outputs: ClassVar = 1

    def __call__(self, x):
        return (x[:, :1] > 0).astype(float)


@GALLERY.sound
class Parity(Target):
    bits: Annotated[int, Gt(0), doc("inputs")] = 4

    task: ClassVar = "classification"
    outputs: ClassVar = 1

    @property
    def inputs(self):
        return self.bits

    def __call__(self, x):
        return ((x > 0).sum(axis=1, keepdims=True) % 2).astype(float)

    def data(self, rng, samples):
        x = rng.choice([-1.0, 1.0], size=(samples, self.bits))
        return x, self(x)


@GALLERY.flawed("labels")
class MinusOne(Sign):
    def __call__(self, x):
        return np.sign(x[:, :1])


@GALLERY.flawed("labels")
class TwoClassesAtOnce(Sign):
    outputs: ClassVar = 2

    def __call__(self, x):
        return (x > 0).astype(float)


@GALLERY.sound
class Rows(Target):
    inputs: ClassVar = 1
    outputs: ClassVar = 1
    samples: ClassVar = None

    def data(self, rng, samples):
        rows = ROWS.copy()
        if samples is not None:
            if samples > len(rows):
                raise ConfigurationError("too many rows.")
            rows = rows[rng.choice(len(rows), samples, replace=False)]
        return rows[:, :1], rows[:, 1:]


@GALLERY.flawed("deterministic", others=True)
class HandsOutItsRows(Rows):
    def data(self, rng, samples):
        if samples is None:
            return ROWS[:, :1], ROWS[:, 1:]
        return super().data(rng, samples)


@GALLERY.flawed("subsets")
class WithReplacement(Rows):
    def data(self, rng, samples):
        if samples is None or samples > len(ROWS):
            return super().data(rng, samples)
        rows = ROWS[rng.choice(len(ROWS), samples)]
        return rows[:, :1], rows[:, 1:]


@GALLERY.flawed("subsets")
class LabelsOfOtherRows(Rows):
    def data(self, rng, samples):
        x, y = super().data(rng, samples)
        return x, y if samples is None else rng.permutation(y)


@GALLERY.flawed("subsets", others=True)
class NeverRefuses(Rows):
    def data(self, rng, samples):
        return super().data(rng, samples and min(samples, len(ROWS)))


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    ROWS[...] = np.arange(40.0).reshape(20, 2)
    require(cls, checks, others)
