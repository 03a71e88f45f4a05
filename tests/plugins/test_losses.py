"""Losses against PyTorch's, recorded in ``tests/reference``, central differences through every output activation."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from chainrule.components.arguments import takes_out
from chainrule.components.parameters import build
from chainrule.components.stacking import stack
from chainrule.errors import ConfigurationError
from chainrule_activations import chainrule_activations
from chainrule_losses import BinaryCrossEntropy, CategoricalCrossEntropy, Huber, LogCosh, chainrule_losses

FURTHER = {"quantile", "hinge", "focal", "poisson", "gaussian_nll", "kl"}  # in test_further_losses.py
LOSSES = {cls.name: cls for cls in chainrule_losses() if cls.name not in FURTHER}
OUTPUTS = {cls.name: cls for cls in chainrule_activations() if cls.min_samples == cls.pieces == 1}
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "activations_losses.json").read_text())
VARIANTS = [*(cls() for cls in LOSSES.values()), Huber(0.3), Huber(2.0)]
PAIRED = [loss for loss in VARIANTS if loss.paired_output]
KINKED = {"absolute_error"}  # at e = 0
H = 1e-5
COMPOSED = [
    (loss, output)
    for loss in VARIANTS
    for output in (cls() for cls in OUTPUTS.values())
    if loss.prediction_range[0] <= output.range[0] and output.range[1] <= loss.prediction_range[1]
]

every_variant = pytest.mark.parametrize("loss", VARIANTS, ids=str)
every_pair = pytest.mark.parametrize("loss", PAIRED, ids=str)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def case_id(case):
    return f"{case['name']}-{case['parameters']}"


def within(interval, rng, shape):
    """Draw from an interval, of which infinite ends stand for -3 and 3."""
    return rng.uniform(*np.clip(interval, -3, 3), size=shape)


def truth_for(loss, rng, shape):
    """Draw true values that the loss admits."""
    y = within(loss.target_range, rng, shape)
    return y / y.sum(axis=-2, keepdims=True) if loss.one_hot else y


def predictions_for(loss, rng, shape):
    """Draw predictions that the loss admits, away from the ends of their range."""
    return 0.01 + 0.98 * within(loss.prediction_range, rng, shape)


def central_differences(function, x):
    """Differentiate the sum of ``function(x)`` by each entry of ``x``."""
    steps = H * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([(function(x + step) - function(x - step)).sum() / (2 * H) for step in steps]).reshape(x.shape)


def test_every_registered_loss_is_recorded():
    assert {case["name"] for case in REFERENCE["losses"]} | {"log_cosh"} == set(LOSSES)
    assert {case["name"] for case in REFERENCE["paired"]} == {loss.name for loss in PAIRED}


@pytest.mark.parametrize("case", REFERENCE["losses"], ids=case_id)
def test_value_and_gradient_as_in_pytorch(case):
    loss = build(LOSSES[case["name"]], case["parameters"], "loss")
    y_pred, y_true = np.array([case["y_pred"]]), np.array([case["y_true"]])
    np.testing.assert_allclose(loss.value(y_pred, y_true)[0], case["value"], rtol=1e-12)
    expected = np.array(case["gradient"])
    p = y_pred[0]
    if loss.name == "binary_cross_entropy":
        expected[p * (1 - p) < 1e-12] *= float(np.float32(1e-12)) / 1e-12  # PyTorch rounds its limit
    if loss.name == "categorical_cross_entropy":
        expected[p < 1e-12] = -y_true[0][p < 1e-12] / 1e-12  # PyTorch's binary limit; autograd knows none here
    np.testing.assert_allclose(loss.gradient(y_pred, y_true)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("case", REFERENCE["paired"], ids=case_id)
def test_paired_value_and_delta_as_in_pytorch(case):
    loss = LOSSES[case["name"]]()
    z, y_true = np.array([case["y_pred"]]), np.array([case["y_true"]])
    with np.errstate(over="ignore"):
        y_pred = OUTPUTS[loss.paired_output]().forward(z)
    np.testing.assert_allclose(loss.paired_value(z, y_true)[0], case["value"], rtol=1e-12)
    np.testing.assert_allclose(loss.paired_delta(z, y_pred, y_true)[0], case["gradient"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("loss", "output"), COMPOSED, ids=str)
def test_eq_4_through_every_output_activation(loss, output):
    """``dL/dz`` of the composed ``loss(output(z))``, and of the paired forms where the loss has them."""
    rng = np.random.default_rng(0)
    z = rng.choice([-1, 1], (1, 3, 20)) * rng.uniform(0.1, 4, (1, 3, 20))
    y_true = truth_for(loss, rng, z.shape)
    a = output.forward(z)
    delta = output.backward(loss.gradient(a, y_true), z, a)
    expected = central_differences(lambda z: loss.value(output.forward(z), y_true), z)
    assert loss.name not in KINKED or np.abs(a - y_true).min() > 2 * H
    np.testing.assert_allclose(delta, expected, rtol=1e-6, atol=1e-8)
    if loss.paired_output == output.name:
        np.testing.assert_allclose(loss.paired_value(z, y_true), loss.value(a, y_true), rtol=1e-12)
        np.testing.assert_allclose(loss.paired_delta(z, a, y_true), delta, rtol=1e-11, atol=1e-14)
        paired = central_differences(lambda z: loss.paired_value(z, y_true), z)
        np.testing.assert_allclose(loss.paired_delta(z, a, y_true), paired, rtol=1e-6, atol=1e-8)


@every_dtype
@every_pair
def test_paired_forms_are_finite_at_extreme_inputs(loss, dtype):
    z = np.array([[[1e4, -1e4, 1e30], [-1e4, 1e4, -1e30]]], dtype)
    with np.errstate(over="ignore"):
        y_pred = OUTPUTS[loss.paired_output]().forward(z)
    right = np.array([[[1, 0, 1], [0, 1, 0]]], dtype)
    assert loss.paired_value(z, right).tolist() == [[0, 0, 0]]
    assert not loss.paired_delta(z, y_pred, right).any()
    gap = z.max(axis=1) - z.min(axis=1)  # one output each off by 1e4, or one class by 2e4
    np.testing.assert_array_equal(loss.paired_value(z, 1 - right), gap)
    np.testing.assert_array_equal(loss.paired_delta(z, y_pred, 1 - right), 2 * right - 1)


@every_variant
def test_a_perfect_prediction_costs_nothing(loss):
    y = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    value = loss.value(y, y)
    assert not value.any()
    assert not np.signbit(value).any()


@pytest.mark.parametrize("wrong", [[0.0, 1.0], [1.0, 0.0]])
@pytest.mark.parametrize("cls", [BinaryCrossEntropy, CategoricalCrossEntropy])
def test_certainty_of_the_wrong_class_costs_100_an_output(cls, wrong):
    y_pred, y_true = np.reshape(wrong, (1, 2, 1)), 1 - np.reshape(wrong, (1, 2, 1))
    cost = cls().value(y_pred, y_true)
    assert cost.item() == (200 if cls is BinaryCrossEntropy else 100)
    assert np.isfinite(cls().gradient(y_pred, y_true)).all()


@pytest.mark.parametrize("e", [1e-150, 1e-9, 1e-3, 0.5, 0.999999, 1.0, 1.5, 20.0, 1e4, 1e300])
def test_log_cosh_is_precise_for_small_and_large_errors(e):
    if e < 1e-2:
        expected = e**2 / 2 - e**4 / 12 + e**6 / 45
    else:
        expected = math.log(math.cosh(e)) if e < 700 else e - math.log(2)
    zero = np.zeros((1, 1, 1))
    for y_pred in (zero + e, zero - e):
        np.testing.assert_allclose(LogCosh().value(y_pred, zero), expected, rtol=1e-14)
        np.testing.assert_allclose(LogCosh().gradient(y_pred, zero), np.tanh(y_pred), rtol=1e-15)


@every_dtype
@every_variant
def test_plain_numbers_give_the_bits_of_a_stack(loss, dtype):
    rng, shape = np.random.default_rng(0), (1, 3, 7)
    y_pred, y_true = (draw(loss, rng, shape).astype(dtype) for draw in (predictions_for, truth_for))
    stacked = stack([loss], dtype)
    for method in ("value", "gradient"):
        assert getattr(loss, method)(y_pred, y_true).tobytes() == getattr(stacked, method)(y_pred, y_true).tobytes()


@every_variant
def test_all_take_a_buffer(loss):
    assert takes_out(type(loss).gradient)
    assert not loss.paired_output or takes_out(type(loss).paired_delta)


def test_huber_refuses_a_delta_of_zero():
    with pytest.raises(ConfigurationError, match=r"loss\.delta must be a number > 0, not 0"):
        build(Huber, {"delta": 0}, "loss")
