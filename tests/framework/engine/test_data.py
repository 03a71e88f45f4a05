"""From targets to samples, and the scores."""

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import sklearn.metrics
import sklearn.model_selection
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule.components.contracts import Target
from chainrule.config.settings import settings_from_config
from chainrule.engine.data import Scaling, accuracy, draw, r2
from chainrule.errors import ConfigurationError, PluginError
from chainrule.registry.loaded import installed

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


def raw_rows(samples):
    """The rows of each part by name, as pairs of inputs."""
    return {name: [tuple(row) for row in samples.raw(part)[0].T.round(9)] for name, part in samples.parts.items()}


def rows_in(parts):
    return sorted(itertools.chain.from_iterable(parts))


@given(st.integers(3, 40), st.floats(0, 0.3), st.floats(0, 0.3), st.integers(0, 9))
def test_the_parts_are_all_samples_and_validation_does_not_depend_on_the_test(samples, validation, test, seed):
    options = settings(samples=samples, validation=validation)
    whole = draw(Plane(), np.random.SeedSequence(seed), **options)
    parts = draw(Plane(), np.random.SeedSequence(seed), **options, test=test)
    assert parts.digest == whole.digest
    assert parts.validation.tobytes() == whole.validation.tobytes()
    assert parts.test.shape[1] == round(samples * test)
    rows = raw_rows(parts)
    assert rows_in(rows.values()) == rows_in(raw_rows(whole).values())
    assert len(set(rows_in(rows.values()))) == samples


def test_the_test_part_is_scaled_by_the_training_rows():
    samples = draw(Rows(), fresh(), **settings(), test=0.3)
    np.testing.assert_allclose(samples.train[1:].mean(axis=1), 0, atol=1e-12)
    assert samples.test.shape == (4, 3)
    x, y = samples.raw(samples.test)
    np.testing.assert_allclose(y[0], x[0] * 5)


@pytest.mark.parametrize(("samples", "folds", "test"), [(10, 5, 0.0), (13, 4, 0.0), (13, 4, 0.2), (7, 7, 0.0)])
def test_folds_are_of_scikit_learn_s_sizes_and_each_sample_is_in_one(samples, folds, test):
    drawn = [draw(Plane(), fresh(), **settings(samples=samples), folds=folds, fold=f, test=test) for f in range(folds)]
    expected = sklearn.model_selection.KFold(folds).split(np.zeros(samples - round(samples * test)))
    sizes = [(len(train), len(held_out)) for train, held_out in expected]
    assert [(one.train.shape[1], one.validation.shape[1]) for one in drawn] == sizes
    rows = [raw_rows(one) for one in drawn]
    everything = rows_in(raw_rows(draw(Plane(), fresh(), **settings(samples=samples))).values())
    for one in rows:
        assert rows_in(one.values()) == everything
        assert one.get("test") == rows[0].get("test")
    assert rows_in([rows[0].get("test", []), *(one["validation"] for one in rows)]) == everything


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"validation": 0.5, "test": 0.5},
            "data.validation=0.5 and data.test=0.5 of 4 samples leave none to train on; ",
        ),
        ({"validation": 0, "test": 0.9}, "data.validation=0 and data.test=0.9 of 4 samples leave none to train on; "),
        ({"folds": 5}, "data.folds=5 of 4 samples leaves a fold without any; lower it or raise data.samples."),
        ({"folds": 4, "test": 0.3}, "data.folds=4 and data.test=0.3 of 4 samples leave a fold without any; lower them"),
    ],
)
def test_parts_for_which_there_are_too_few_samples(options, sentence):
    with pytest.raises(ConfigurationError) as caught:
        draw(Plane(), fresh(), **(settings(samples=4) | options))
    assert str(caught.value).startswith(sentence)


def test_fresh_samples_are_scaled_like_those_of_training():
    target = chainrule.component("target", "friedman1")
    samples = draw(target, fresh(), **settings(samples=50, dtype="float32"))
    x, y = samples.fresh(np.random.default_rng(0), 7)
    assert (x.dtype, y.dtype) == (np.float32, np.float32)
    raw_x, raw_y = samples.x_scaling.undo(x.T), samples.y_scaling.undo(y.T)
    np.testing.assert_allclose(raw_y.T, target(raw_x.T), rtol=1e-4)


def shares(samples):
    """The share of each class in each part."""
    return [samples.raw(part)[1].mean(axis=1) for part in samples.parts.values()]


@pytest.mark.parametrize("options", [{}, {"test": 0.2}, {"folds": 5, "fold": 2}])
def test_parts_of_a_data_set_have_each_class_in_proportion(options):
    target = chainrule.component("target", "wine")
    whole = target.rows()[1].mean(axis=0)
    samples = draw(target, fresh(), **settings(), **options, stratify=None)
    for part, found in zip(samples.parts.values(), shares(samples), strict=True):
        np.testing.assert_allclose(found, whole, atol=1 / part.shape[1])
    plain = draw(target, fresh(), **settings(), **options)
    assert max(np.abs(found - whole).max() for found in shares(plain)) > 0.03
    assert [part.shape for part in plain.parts.values()] == [part.shape for part in samples.parts.values()]
    assert plain.digest == samples.digest


def test_samples_that_are_drawn_are_stratified_only_if_that_is_asked_for():
    moons = chainrule.component("target", "spirals")
    plain, unasked, asked = (draw(moons, fresh(), **settings(), stratify=each) for each in (False, None, True))
    assert plain.train.tobytes() == unasked.train.tobytes() != asked.train.tobytes()
    assert np.abs(shares(asked)[1] - 0.5).max() < 1 / 51


def test_a_regression_cannot_be_stratified():
    assert draw(Rows(), fresh(), **settings(), stratify=None).train.shape[1] == 8
    with pytest.raises(ConfigurationError, match=r"data\.stratify needs classes, but target=rows is a regression"):
        draw(Rows(), fresh(), **settings(), stratify=True)


def test_a_configuration_of_before_is_not_stratified_and_the_packaged_one_is_where_there_are_classes():
    config = chainrule.settings("target=wine").to_config()
    assert config["data"].pop("stratify") is None
    assert settings_from_config(config, installed()).data.stratify is False
