"""From targets to samples, and the scores."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule.components.contracts import Target
from chainrule.engine.data import Scaling, accuracy, draw, r2
from chainrule.errors import ConfigurationError, PluginError

ROWS = np.arange(20.0).reshape(10, 2)
ROWS.flags.writeable = False


@dataclass(frozen=True)
class Plane(Target):
    inputs: ClassVar[int] = 2
    outputs: ClassVar[int] = 1

    def __call__(self, x):
        return x @ [[2.0], [3.0]] + 10


@dataclass(frozen=True)
class Rows(Target):
    """Ten rows of its own; standardized."""

    inputs: ClassVar[int] = 2
    outputs: ClassVar[int] = 1
    samples: ClassVar[None] = None
    standardized: ClassVar[bool] = True

    def data(self, rng, samples):
        return ROWS, ROWS[:, :1] * 5


def settings(**changes):
    return {"samples": None, "validation": 0.2, "noise": 0.0, "dtype": "float64"} | changes


def fresh():
    return np.random.SeedSequence(7)


def test_the_article_s_default_is_256_samples_of_which_a_fifth_is_kept():
    samples = draw(Plane(), fresh(), **settings())
    assert samples.train.shape == (4, 205)
    assert samples.validation.shape == (4, 51)
    assert (samples.train[0] == 1).all()
    np.testing.assert_allclose(samples.train[3], 2 * samples.train[1] + 3 * samples.train[2] + 10)


def test_same_seed_same_bytes_and_another_seed_others():
    first, again = (draw(Plane(), fresh(), **settings(noise=0.1)) for _ in range(2))
    other = draw(Plane(), np.random.SeedSequence(8), **settings(noise=0.1))
    assert first.train.tobytes() == again.train.tobytes()
    assert first.digest == again.digest != other.digest


def test_noise_leaves_inputs_and_split_alone_in_a_regression():
    clean, noisy = draw(Plane(), fresh(), **settings()), draw(Plane(), fresh(), **settings(noise=0.5))
    assert clean.train[:3].tobytes() == noisy.train[:3].tobytes()
    difference = noisy.train[3] - clean.train[3]
    assert 0.4 < difference.std() < 0.6


def test_data_of_a_target_are_never_altered():
    draw(Rows(), fresh(), **settings(noise=1.0))
    assert (np.arange(20.0).reshape(10, 2) == ROWS).all()


def test_standardizing_uses_the_training_rows_only():
    samples = draw(Rows(), fresh(), **settings(validation=0.3))
    np.testing.assert_allclose(samples.train[1:].mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(samples.train[1:].std(axis=1), 1)
    x, y = samples.raw(samples.validation)
    assert {tuple(row) for row in x.T} <= {tuple(row) for row in ROWS}
    np.testing.assert_allclose(y[0], x[0] * 5)


@given(st.floats(-1e6, 1e6), st.integers(1, 9))
def test_a_constant_feature_is_shifted_but_not_scaled(value, count):
    scaling = Scaling.of(np.full((1, count), value))
    assert scaling.scale == 1
    assert abs(scaling.apply(np.array([[value + 1.0]])) - 1) < 1e-6


def test_no_sample_left_to_train_on():
    with pytest.raises(ConfigurationError, match=r"data.validation=0.9 of 3 samples leaves none to train on"):
        draw(Plane(), fresh(), **settings(samples=3, validation=0.9))


def test_a_target_that_returns_wrong_shapes_is_named():
    @dataclass(frozen=True)
    class Crooked(Plane):
        def __call__(self, x):
            return x[:, 0]

    with pytest.raises(PluginError, match=r"target=crooked returned x \(256, 2\) and y \(256,\)"):
        draw(Crooked(), fresh(), **settings())


@given(st.integers(1, 4), st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_r2_equals_scikit_learn_s(outputs, samples, seed):
    rng = np.random.default_rng(seed)
    y, guess = rng.normal(size=(2, outputs, samples))
    assert r2(guess, y) == pytest.approx(sklearn.metrics.r2_score(y.T, guess.T), rel=1e-10)


def test_r2_without_variance():
    assert r2(np.ones((1, 3)), np.ones((1, 3))) == 1
    assert r2(np.zeros((1, 3)), np.ones((1, 3))) == 0
    assert np.isnan(r2(np.ones((1, 1)), np.ones((1, 1))))


def test_accuracy_of_one_output_and_of_several():
    assert accuracy(np.array([[0.2, 0.5, 0.9]]), np.array([[0.0, 1.0, 0.0]])) == pytest.approx(2 / 3)
    assert accuracy(np.array([[3.0, 0.1], [1.0, 0.2]]), np.array([[1.0, 1.0], [0.0, 0.0]])) == 0.5


def test_r2_of_values_without_a_mean_is_no_number():
    assert np.isnan(r2(np.array([[1.0, 2.0]]), np.array([[np.inf, np.inf]])))


def test_values_that_the_dtype_cannot_hold():
    with pytest.raises(ConfigurationError, match=r"too large or too small for training\.dtype=float32"):
        draw(chainrule.component("target", "linear", intercept=1e39), fresh(), **settings(dtype="float32", samples=9))


def test_noise_leaves_the_classes_alone():
    target = chainrule.component("target", "two_moons")
    clean, noisy = (draw(target, fresh(), **settings(noise=noise, samples=40)).train for noise in (0.0, 0.3))
    assert not np.array_equal(clean[1:-1], noisy[1:-1])
    assert set(np.unique(noisy[-1])) == {0.0, 1.0}
