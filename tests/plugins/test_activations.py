"""Activations against PyTorch's, recorded in ``tests/reference``, at their limits, and as plain numbers."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.components.arguments import takes_out
from chainrule.components.parameters import build
from chainrule.components.stacking import stack
from chainrule.engine.network import columns
from chainrule.errors import ConfigurationError
from chainrule_activations import ELU, Identity, LeakyReLU, Softmax, Softplus, chainrule_activations

FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE, FURTHER = (
    json.loads((FOLDER / name).read_text()) for name in ("activations_losses.json", "further_activations.json")
)
ELSEWHERE = {"batch_norm", "layer_norm", "maxout", "glu"}  # tested in test_norms.py and test_pieces.py
ACTIVATIONS = {cls.name: cls for cls in chainrule_activations() if cls.name not in ELSEWHERE}
VARIANTS = [
    *(cls() for cls in ACTIVATIONS.values()),
    *(LeakyReLU(slope) for slope in (-1.0, 0.0, 0.3, 1.5)),
    *(ELU(alpha) for alpha in (-0.5, 0.0, 0.4, 2.5)),
    *(Softplus(beta, threshold) for beta, threshold in [(0.1, 20.0), (2.5, 5.0), (1.0, 0.0), (1.0, 80.0)]),
]
every_activation = pytest.mark.parametrize("cls", ACTIVATIONS.values(), ids=ACTIVATIONS)
every_variant = pytest.mark.parametrize("activation", VARIANTS, ids=str)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(autouse=True)
def _as_in_the_trainer():
    with np.errstate(all="ignore"):
        yield


def one_run(z):
    """Return one run of one sample."""
    return np.array(z, dtype=float).reshape(1, -1, 1)


def random_columns(rng, runs, units, samples, dtype, scale=4.0):
    """Return random numbers in the memory layout of the engine."""
    z = columns(runs, units, samples, dtype)
    z[...] = scale * rng.normal(size=z.shape)
    return z


def slope_of(activation, z):
    a = activation.forward(z)
    return activation.backward(np.ones_like(z), z, a)


def test_every_registered_activation_is_recorded():
    cases = (*REFERENCE["activations"], *FURTHER["activations"])
    assert {case["name"] for case in cases} | {"softmax"} == set(ACTIVATIONS)


@pytest.mark.parametrize("case", REFERENCE["activations"], ids=lambda case: f"{case['name']}-{case['parameters']}")
def test_value_and_slope_as_in_pytorch(case):
    activation = build(ACTIVATIONS[case["name"]], case["parameters"], "activation")
    z = one_run(case["z"])
    np.testing.assert_allclose(activation.forward(z).ravel(), case["a"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(slope_of(activation, z).ravel(), case["slope"], rtol=1e-12, atol=1e-15)


def test_softmax_as_in_pytorch():
    z, a, grad_a, grad_z = (np.array([REFERENCE["softmax"][name]]) for name in ("z", "a", "grad_a", "grad_z"))
    np.testing.assert_allclose(Softmax().forward(z), a, rtol=1e-12)
    np.testing.assert_allclose(Softmax().backward(grad_a, z, a), grad_z, rtol=1e-12, atol=1e-16)


@every_variant
def test_range_contains_every_output_and_no_more(activation):
    low, high = activation.range
    rng = np.random.default_rng(0)
    z = np.concatenate([np.linspace(-2000, 2000, 4001), np.linspace(-3, 3, 60001), rng.normal(size=999)])
    a = activation.forward(z.reshape(1, 3, -1))
    assert low <= a.min()
    assert a.max() <= high
    if math.isfinite(low):
        assert a.min() == pytest.approx(low, abs=1e-7)
    if math.isfinite(high):
        assert a.max() == pytest.approx(high, abs=1e-7)


def test_what_depends_on_parameters_is_known_of_a_stack():
    assert stack([ELU(0.5), ELU(2.0)], float).range == (-2.0, math.inf)
    assert stack([Softplus(2.0, 20.0), Softplus(1.0, 5.0)], float).kinks == (10.0, 5.0)


ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805  # of selu

# a and g'(z) of each activation that has limits, for huge z of both signs
LIMITS = {
    "identity": lambda z: (z, np.ones_like(z)),
    "sigmoid": lambda z: (z > 0, np.zeros_like(z)),
    "relu": lambda z: (np.maximum(z, 0), z > 0),
    "tanh": lambda z: (np.sign(z), np.zeros_like(z)),
    "leaky_relu": lambda z: (np.where(z > 0, z, z * z.dtype.type(0.01)), np.where(z > 0, z.dtype.type(1), 0.01)),
    "elu": lambda z: (np.where(z > 0, z, -1), z > 0),
    "softplus": lambda z: (np.maximum(z, 0), z > 0),
    "gelu": lambda z: (np.maximum(z, 0), z > 0),
    "silu": lambda z: (np.maximum(z, 0), z > 0),
    "softmax": lambda z: (z == z.max(), np.zeros_like(z)),
    "prelu": lambda z: (np.where(z > 0, z, z / 4), np.where(z > 0, z.dtype.type(1), 0.25)),
    "swish": lambda z: (np.maximum(z, 0), z > 0),
    "mish": lambda z: (np.maximum(z, 0), z > 0),
    "hard_swish": lambda z: (np.maximum(z, 0), z > 0),
    "selu": lambda z: (np.where(z > 0, z * z.dtype.type(SCALE), -SCALE * ALPHA), np.where(z > 0, SCALE, 0)),
}


@every_dtype
@pytest.mark.parametrize("cls", [ACTIVATIONS[name] for name in LIMITS], ids=LIMITS)
def test_limits_at_extreme_inputs(cls, dtype):
    for size in (800, 1e4, 1e30):
        z = np.array([-size, size], dtype).reshape(1, 2, 1)
        a, slope = LIMITS[cls.name](z)
        np.testing.assert_array_equal(cls().forward(z), a.astype(dtype))
        np.testing.assert_array_equal(slope_of(cls(), z), slope.astype(dtype))


@every_dtype
@every_variant
def test_plain_numbers_give_the_bits_of_a_stack(activation, dtype):
    z, grad_a = (random_columns(np.random.default_rng(seed), 1, 9, 7, dtype) for seed in (0, 1))
    stacked = stack([activation], dtype)
    a = stacked.forward(z)
    assert activation.forward(z).tobytes() == a.tobytes()
    assert activation.backward(grad_a, z, a).tobytes() == stacked.backward(grad_a, z, a).tobytes()


@every_activation
def test_all_but_identity_take_a_buffer(cls):
    assert takes_out(cls.forward) == takes_out(cls.backward) == (cls is not Identity)


def test_identity_copies_nothing():
    z, grad_a = np.ones((1, 2, 3)), np.ones((1, 2, 3))
    assert Identity().forward(z) is z
    assert Identity().backward(grad_a, z, z) is grad_a


def test_softmax_adds_up_to_one_and_knows_no_shift():
    z = np.random.default_rng(0).normal(size=(2, 5, 7))
    a = Softmax().forward(z)
    np.testing.assert_allclose(a.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_allclose(Softmax().forward(z + 1e4), a, rtol=1e-10)
    np.testing.assert_array_equal(Softmax().forward(np.full((1, 4, 1), 1e4)), np.full((1, 4, 1), 0.25))


@pytest.mark.parametrize("values", [{"beta": 0.0}, {"beta": -1.0}, {"threshold": -1.0}, {"threshold": 81.0}], ids=str)
def test_softplus_refuses_parameters_outside_its_bounds(values):
    with pytest.raises(ConfigurationError, match=rf"activation\.{next(iter(values))} must be a number"):
        build(Softplus, values, "activation")


def test_importing_the_plugin_leaves_scipy_alone():
    code = "import sys, chainrule_activations; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
