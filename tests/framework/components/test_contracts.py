"""What a contract gives to those that implement it."""

from dataclasses import dataclass

import numpy as np
import pytest

from chainrule.components.contracts import (
    Activation,
    Component,
    Initializer,
    Loss,
    Optimizer,
    Target,
    default_name,
    takes_out,
)


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("Sigmoid", "sigmoid"),
        ("GradientDescent", "gradient_descent"),
        ("LeakyReLU", "leaky_re_lu"),
        ("ELU", "elu"),
        ("Friedman1", "friedman1"),
        ("Log2Loss", "log2_loss"),
    ],
)
def test_the_name_follows_from_that_of_the_class(class_name, name):
    assert default_name(class_name) == name
    assert type(class_name, (Component,), {}).name == name


def test_a_name_may_be_given_and_is_not_inherited():
    class ReLU(Component, name="relu"):
        pass

    class Steeper(ReLU):
        pass

    assert (ReLU.name, Steeper.name) == ("relu", "steeper")


@dataclass(frozen=True)
class Square(Activation):
    def forward(self, z):
        return z * z

    def slope(self, z, a):
        return 2 * z


class Frugal(Square):
    def slope(self, z, a, out=None):
        self.seen.append(out)
        return np.multiply(2, z, out=out)


def test_the_backward_pass_is_the_gradient_times_the_slope():
    z, grad = np.array([[[1.0, -3.0]]]), np.array([[[10.0, 0.5]]])
    assert Square().backward(grad, z, z * z).tolist() == [[[20.0, -3.0]]]
    buffer = np.empty_like(z)
    assert Square().backward(grad, z, z * z, out=buffer) is buffer
    assert buffer.tolist() == [[[20.0, -3.0]]]


def test_a_slope_that_takes_out_is_given_that_of_the_backward_pass():
    Frugal.seen = []
    z, buffer = np.array([[[1.0, -3.0]]]), np.empty((1, 1, 2))
    assert Frugal().backward(np.ones_like(z), z, z * z, out=buffer).tolist() == [[[2.0, -6.0]]]
    assert len(Frugal.seen) == 1
    assert Frugal.seen[0] is buffer
    assert takes_out(Frugal.slope)
    assert not takes_out(Square.slope)


def test_an_activation_without_a_derivative_says_so():
    class Bare(Activation):
        def forward(self, z):
            return z

    with pytest.raises(NotImplementedError, match="Bare has neither slope nor backward"):
        Bare().backward(np.ones((1, 1, 1)), np.ones((1, 1, 1)), np.ones((1, 1, 1)))


@pytest.mark.parametrize("contract", [Activation, Loss, Optimizer, Target, Initializer])
def test_a_contract_without_its_formulas_cannot_be_made(contract):
    with pytest.raises(TypeError, match="abstract"):
        type("Nothing", (contract,), {})()


def test_a_loss_that_promises_a_paired_output_must_compute_it():
    class Half(Loss):
        paired_output = "square"

        def value(self, y_pred, y_true):
            return y_pred

        def gradient(self, y_pred, y_true):
            return y_pred

    for method, arguments in {"paired_value": (1, 2), "paired_delta": (1, 2, 3)}.items():
        with pytest.raises(NotImplementedError, match=f"Half declares a paired output but no {method}"):
            getattr(Half(), method)(*arguments)


class Plane(Target):
    inputs, outputs = 2, 1
    low, high = 3.0, 5.0

    def __call__(self, x):
        return x.sum(axis=1, keepdims=True)


def test_a_function_is_sampled_evenly_in_its_interval():
    x, y = Plane().data(np.random.default_rng(1), 4000)
    assert (x.shape, y.shape) == ((4000, 2), (4000, 1))
    assert 3 <= x.min() < 3.01
    assert 4.99 < x.max() < 5
    # A fourth of the interval holds a fourth of 8000 numbers, give or take five standard deviations of that count.
    counts = np.histogram(x, bins=4, range=(3, 5))[0]
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(8000 * 0.25 * 0.75)
    np.testing.assert_array_equal(y[:, 0], x[:, 0] + x[:, 1])
    again, _ = Plane().data(np.random.default_rng(1), 4000)
    np.testing.assert_array_equal(x, again)


def test_a_function_has_no_rows_and_a_data_set_no_function():
    with pytest.raises(ValueError, match="say how many samples"):
        Plane().data(np.random.default_rng(1), None)

    class Rows(Target):
        inputs = outputs = 1

    with pytest.raises(NotImplementedError, match="the target rows is a data set, not a function"):
        Rows()(np.zeros((1, 1)))


def test_biases_begin_at_zero_unless_they_are_drawn():
    class Ones(Initializer):
        def weights(self, rng, fan_in, fan_out):
            return np.ones((fan_out, fan_in))

    assert Ones().biases(np.random.default_rng(0), 3, 2).tolist() == [0.0, 0.0]
    assert Ones().variance(3, 2) is None
