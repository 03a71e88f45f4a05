"""Activations that learn or are newer, against JAX's functions and derivatives, and what their papers say of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import chainrule
from chainrule_activations import SELU, HardSwish, Mish, PReLU, Sine, Snake, Swish, chainrule_activations

ACTIVATIONS = {cls.name: cls for cls in chainrule_activations()}
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "further_activations.json").read_text())[
    "activations"
]
NAMES = sorted({case["name"] for case in REFERENCE})
every_case = pytest.mark.parametrize("case", REFERENCE, ids=lambda case: f"{case['name']}-{case['parameters']}")
SHORT = ["data.samples=60", "training.batch_size=16", "training.epochs=30", "optimizer=adam", "optimizer.lr=0.01"]


@every_case
def test_value_and_slope_as_in_jax(case):
    activation = ACTIVATIONS[case["name"]](**case["parameters"])
    z = np.array(case["z"])[None, None]
    a = activation.forward(z)
    np.testing.assert_allclose(a[0, 0], case["a"], rtol=1e-11, atol=1e-15)
    slope = activation.backward(np.full_like(z, 2.0), z, a)[0, 0] / 2
    np.testing.assert_allclose(slope, case["slope"], rtol=1e-10, atol=1e-13)


@every_case
def test_derivatives_by_trained_fields_as_in_jax(case):
    activation = ACTIVATIONS[case["name"]](**case["parameters"])
    z = np.array(case["z"])[None, None]
    for field in (*activation.trained, *activation.trained_per_unit):
        found = activation.field_gradient(field, np.full_like(z, -3.0), z, activation.forward(z))[0, 0] / -3
        np.testing.assert_allclose(found, case[f"by {field}"], rtol=1e-10, atol=1e-13)


def test_selu_keeps_mean_0_and_variance_1():
    """Klambauer et al. 2017, eq. 4 and 5: the fixed point of normal inputs."""
    for power, moment in ((1, 0.0), (2, 1.0)):
        value = sum(
            quad(lambda z, power=power: float(SELU().forward(np.array([z]))[0]) ** power * norm.pdf(z), *ends)[0]
            for ends in ((-12, 0), (0, 12))
        )
        assert value == pytest.approx(moment, abs=1e-9)


def test_swish_lies_between_a_line_and_relu():
    """Ramachandran et al. 2017, sec. 2: z / 2 for beta 0, silu for 1, and relu as beta grows."""
    z = np.linspace(-5, 5, 101)[None, None]
    np.testing.assert_allclose(Swish(0.0).forward(z), z / 2)
    np.testing.assert_array_equal(Swish(1.0).forward(z), ACTIVATIONS["silu"]().forward(z))
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(Swish(1e4).forward(z), np.maximum(z, 0), atol=1e-12)


def test_mish_in_its_rational_form():
    z = np.linspace(-8, 8, 101)[None, None]
    squared = (1 + np.exp(z)) ** 2
    np.testing.assert_allclose(Mish().forward(z), z * (squared - 1) / (squared + 1), rtol=1e-12, atol=1e-15)


def test_hard_swish_is_straight_outside_of_three():
    np.testing.assert_array_equal(
        HardSwish().forward(np.array([-9.0, -3.0, -1.5, 0.0, 3.0, 9.0])), [0, 0, -0.375, 0, 3, 9]
    )


def test_snake_is_a_line_with_a_cosine():
    """Ziyin et al. 2020, eq. 4: z - cos(2 alpha z) / (2 alpha) + 1 / (2 alpha)."""
    z = np.linspace(-5, 5, 101)[None, None]
    np.testing.assert_allclose(Snake(0.7).forward(z), z - np.cos(1.4 * z) / 1.4 + 1 / 1.4, rtol=1e-12, atol=1e-12)


def test_sine_is_siren_with_a_frequency_of_30():
    z = np.linspace(-1, 1, 11)[None, None]
    np.testing.assert_allclose(Sine(30.0).forward(z), np.sin(30 * z))


def test_prelu_is_leaky_relu_before_it_learns():
    z = np.linspace(-1, 1, 11)[None, None]
    np.testing.assert_array_equal(PReLU(0.1).forward(z), ACTIVATIONS["leaky_relu"](0.1).forward(z))


@pytest.mark.parametrize("name", NAMES)
def test_each_learns_a_function(name):
    run = [*SHORT, "target=sine", "network.hidden=[8]", f"activation={name}"]
    (result,) = chainrule.train([run])
    first, *_, last = result.curves.values["train/loss"]
    assert last < 0.7 * first
