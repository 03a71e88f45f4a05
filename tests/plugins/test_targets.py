"""The targets that are functions, and the data sets of scikit-learn."""

import dataclasses
import subprocess
import sys
from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets

import chainrule_targets
from chainrule.components.parameters import build
from chainrule.errors import ConfigurationError
from chainrule_targets.datasets import BreastCancer, Diabetes, Digits, Wine
from chainrule_targets.functions import XOR, Friedman1, Linear, Sine, Spirals, TwoMoons

FUNCTIONS = [Linear, XOR, Sine, Friedman1, TwoMoons, Spirals]
SHIPPED = [Diabetes, BreastCancer, Wine, Digits]
BINARY = [XOR, TwoMoons, Spirals]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_everything_is_registered_under_its_name():
    names = [cls.name for cls in chainrule_targets.chainrule_targets()]
    assert names == [
        "linear",
        "xor",
        "sine",
        "friedman1",
        "two_moons",
        "spirals",
        "diabetes",
        "breast_cancer",
        "wine",
        "digits",
        "table",
    ]


@pytest.mark.parametrize("cls", FUNCTIONS)
def test_a_function_wants_a_number_of_samples(cls):
    with pytest.raises(ValueError, match="say how many samples"):
        cls().data(rng(), None)


@pytest.mark.parametrize("cls", BINARY)
@pytest.mark.parametrize("samples", [2, 255, 256])
def test_classes_are_balanced(cls, samples):
    _, y = cls().data(rng(), samples)
    assert set(np.unique(y)) == {0.0, 1.0}
    assert abs((y == 0).sum() - (y == 1).sum()) <= 1
    assert cls.task == "classification"


def test_linear_is_the_articles_function():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]])
    np.testing.assert_array_equal(Linear()(x), [[10.0], [12.0], [13.0], [9.5]])


def test_linear_has_one_input_for_each_coefficient():
    target = Linear(coefficients=(1.0, -2.0, 4.0), intercept=-1.0)
    assert target.inputs == 3
    np.testing.assert_array_equal(target(np.array([[1.0, 2.0, 3.0]])), [[8.0]])


def test_linear_refuses_no_coefficients():
    with pytest.raises(ConfigurationError) as caught:
        build(Linear, {"coefficients": []}, "target")
    assert str(caught.value) == "target.coefficients is empty; give it one number for each input."


def test_xor_has_the_truth_table_and_comes_in_turn():
    x, y = XOR().data(rng(), 6)
    np.testing.assert_array_equal(x, [[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [0, 1]])
    np.testing.assert_array_equal(y, [[0], [1], [1], [0], [0], [1]])


def test_xor_between_the_corners():
    np.testing.assert_array_equal(
        XOR()(np.array([[0.2, 0.9], [0.6, 0.7], [0.5, 0.5], [0.51, 0.5]])), [[1], [0], [0], [1]]
    )


def test_sine_in_closed_form():
    x = np.array([[0.0], [pi / 2], [-pi / 2]])
    np.testing.assert_allclose(Sine()(x), [[0.0], [1.0], [-1.0]])
    np.testing.assert_allclose(Sine(amplitude=3.0, frequency=2.0, phase=pi / 2)(x), [[3.0], [-3.0], [-3.0]])


@pytest.mark.parametrize("features", [5, 10, 13])
def test_friedman1_agrees_with_scikit_learn(features):
    x, y = datasets.make_friedman1(n_samples=40, n_features=features, random_state=1)
    np.testing.assert_allclose(Friedman1(features=features)(x)[:, 0], y, rtol=1e-13)


def test_friedman1_refuses_fewer_than_five_features():
    with pytest.raises(ConfigurationError, match=r"^target\.features must be a whole number >= 5, not 4\.$"):
        build(Friedman1, {"features": 4}, "target")


def test_two_moons_lie_on_the_half_circles_of_scikit_learn():
    def off_curve(x, label):
        first, second = x[label == 0], x[label == 1]
        assert (first[:, 1] >= 0).all()
        assert (second[:, 1] <= 0.5).all()
        return max(abs(np.hypot(*first.T) - 1).max(), abs(np.hypot(*(second - [1, 0.5]).T) - 1).max())

    x, y = TwoMoons().data(rng(), 300)
    assert off_curve(*datasets.make_moons(300, random_state=0)) < 1e-15
    assert off_curve(x, y[:, 0]) < 1e-15


def test_two_moons_labels_those_of_scikit_learn():
    x, label = datasets.make_moons(1001, random_state=0)
    np.testing.assert_array_equal(TwoMoons()(x)[:, 0], label)


@given(st.floats(-3, 4), st.floats(-3, 4))
def test_two_moons_elsewhere_the_nearer_half_circle_decides(x1, x2):
    t = np.linspace(0, pi, 2001)
    to_first = np.hypot(np.cos(t) - x1, np.sin(t) - x2).min()
    to_second = np.hypot(1 - np.cos(t) - x1, 0.5 - np.sin(t) - x2).min()
    if abs(to_first - to_second) > 1e-5:  # the sampled half circles are that fine
        assert TwoMoons()(np.array([[x1, x2]])) == (to_second < to_first)


def test_spirals_of_three_turns_are_the_original():
    i = np.arange(97)
    radius, angle = 6.5 * (104 - i) / 104, i * pi / 16
    original = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1) / 6.5
    np.testing.assert_array_equal(Spirals(turns=3.0)(original), np.zeros((97, 1)))
    np.testing.assert_array_equal(Spirals(turns=3.0)(-original), np.ones((97, 1)))


@pytest.mark.parametrize("turns", [0.25, 1.0, 1.5, 3.0, 7.3])
def test_spirals_wind_from_the_rim_inwards(turns):
    x, y = Spirals(turns=turns).data(rng(), 2000)
    x *= np.where(y == 0, 1, -1)
    radius = np.hypot(*x.T)
    angle = (1 - radius) * 13 / 12 * 2 * pi * turns
    np.testing.assert_allclose(x, radius[:, np.newaxis] * np.stack([np.sin(angle), np.cos(angle)], axis=1), atol=1e-12)
    assert 1 / 13 <= radius.min() < 0.1
    assert 0.98 < radius.max() <= 1
    np.testing.assert_array_equal(Spirals(turns=turns)(x), np.zeros((2000, 1)))


@pytest.mark.parametrize(
    ("cls", "bunch"),
    [
        (Diabetes, datasets.load_diabetes(scaled=False)),
        (BreastCancer, datasets.load_breast_cancer()),
        (Wine, datasets.load_wine()),
        (Digits, datasets.load_digits()),
    ],
)
def test_shipped_rows_are_those_of_scikit_learn(cls, bunch):
    target = cls()
    x, y = target.data(rng(), None)
    np.testing.assert_array_equal(x, bunch.data)
    assert target.task == ("regression" if cls is Diabetes else "classification")
    if target.outputs == 1:
        np.testing.assert_array_equal(y[:, 0], bunch.target)
    else:
        assert target.outputs == len(bunch.target_names)
        np.testing.assert_array_equal(y.sum(axis=1), 1)
        np.testing.assert_array_equal(y.argmax(axis=1), bunch.target)
        np.testing.assert_array_equal(np.unique(y), [0, 1])


def test_as_many_samples_as_rows_are_all_rows_in_order():
    for every, counted in zip(Wine().data(rng(), None), Wine().data(rng(), 178), strict=True):
        np.testing.assert_array_equal(every, counted)


def test_more_samples_than_rows_are_refused():
    with pytest.raises(ConfigurationError) as caught:
        Wine().data(rng(), 179)
    assert str(caught.value) == "data.samples=179 is more than the 178 rows that target=wine has."


@pytest.mark.parametrize("cls", SHIPPED)
def test_a_data_set_is_no_function(cls):
    target = cls()
    assert target.samples is None
    assert target.standardized
    assert not dataclasses.replace(target, standardize=False).standardized
    with pytest.raises(NotImplementedError, match="is a data set, not a function"):
        target(np.zeros((1, target.inputs)))


def test_sizes_are_known_without_scikit_learn():
    program = (
        "import sys, chainrule_targets as t\n"
        "print([(c().inputs, c().outputs) for c in t.chainrule_targets()[6:10]], 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[(10, 1), (30, 1), (13, 3), (64, 10)] False\n"
