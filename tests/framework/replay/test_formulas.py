"""Formulas as components state them, with numbers for their symbols."""

import math

import numpy as np
import pytest

import chainrule
from chainrule.replay import formulas


def component(kind, name, **values):
    return chainrule.component(kind, name, **values)


@pytest.mark.parametrize(
    ("kind", "name", "read", "stated"),
    [
        ("activation", "sigmoid", formulas.of_activation, "a = 1 / (1 + e^-z)"),
        ("activation", "softmax", formulas.of_activation, "a_j = e^(z_j) / sum_k e^(z_k)"),
        ("loss", "half_squared_error", formulas.of_loss, "L = 1/2 sum (y_true - y_pred)^2"),
        ("optimizer", "gradient_descent", formulas.of_optimizer, "theta <- theta - lr g"),
        ("optimizer", "adam", formulas.of_optimizer, "theta <- theta - lr m^ / (sqrt(v^) + eps)"),
    ],
)
def test_what_components_state(kind, name, read, stated):
    assert read(component(kind, name)) == stated


def test_a_component_that_states_nothing_has_no_formula():
    class Silent(chainrule.Activation):
        def forward(self, z):
            return z

    assert formulas.of_activation(Silent()) == ""


def test_numbers_stand_for_symbols_and_parameters_and_negative_ones_in_parentheses():
    elu = component("activation", "elu", alpha=0.5)
    formula = formulas.right_side(formulas.of_activation(elu))
    assert formulas.substituted(formula, {"z": -2.0}, elu) == "(-2) for (-2) > 0, else 0.5 (e^(-2) - 1)"


def test_what_is_substituted_is_what_the_component_computes():
    """The substituted text, evaluated, is the number that the engine gives."""
    sigmoid = component("activation", "sigmoid")
    text = formulas.substituted(formulas.right_side(formulas.of_activation(sigmoid)), {"z": 0.3}, sigmoid)
    python = text.replace("e^-", "math.e**-")
    assert eval(python, {"math": math}) == pytest.approx(float(sigmoid.forward(np.full((1, 1, 1), 0.3))[0, 0, 0]))


def test_a_sum_over_outputs_is_written_out():
    loss = component("loss", "half_squared_error")
    formula = formulas.right_side(formulas.of_loss(loss))
    pairs = [formulas.loss_symbols(0.01, 0.75), formulas.loss_symbols(0.99, -0.5)]
    assert formulas.summed(formula, pairs, loss) == "1/2 ((0.01 - 0.75)^2 + (0.99 - (-0.5))^2)"
    assert formulas.summed(formula, pairs[:1], loss) == "1/2 (0.01 - 0.75)^2"


def test_derivatives_of_losses():
    entropy = component("loss", "categorical_cross_entropy")
    assert formulas.of_loss_gradient(entropy, True) == "p - y"
    assert formulas.of_loss_gradient(entropy, False) == "-y / p"
    assert formulas.of_loss_gradient(component("loss", "half_squared_error"), False) == "-(y_true - y_pred)"


def test_numbers():
    assert (formulas.number(1 / 3), formulas.value(1 / 3), formulas.factor(-0.5)) == (
        "0.333333",
        "0.333333333",
        "(-0.5)",
    )
