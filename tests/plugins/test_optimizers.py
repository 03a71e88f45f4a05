"""Optimizers against those of other libraries, recorded in ``tests/reference``, and against themselves in stacks."""

import dataclasses
import itertools
import json
from pathlib import Path

import annotated_types as bounds_of
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.components.arguments import asked
from chainrule.components.contracts import Optimizer
from chainrule.components.parameters import build, parameters
from chainrule.components.stacking import stack, take
from chainrule.errors import ConfigurationError
from chainrule_optimizers import Adam, GradientDescent, Nesterov, Rprop, chainrule_optimizers

RECORDS = Path(__file__).parents[1] / "reference"
REFERENCE = json.loads((RECORDS / "optimizers.json").read_text())
ALONG = json.loads((RECORDS / "further_optimizers.json").read_text())["along"]
OPTIMIZERS = {
    cls.name: cls
    for cls in chainrule_optimizers()  # the others are in test_further_optimizers.py
    if not asked(cls, "update") and cls.kept is Optimizer.kept
}
RUNS = [*REFERENCE["runs"], *(run for run in ALONG if run["optimizer"] in OPTIMIZERS)]
RECORDED = [pytest.param(run, id=f"{run['optimizer']}-{run.get('library', 'torch')}-{run['settings']}") for run in RUNS]
TOLERANCES = {"adabound": 1e-8}  # pytorch_optimizer adds 1e-15 to squares before it takes roots
DTYPES = [np.float32, np.float64]

every_optimizer = pytest.mark.parametrize("cls", OPTIMIZERS.values(), ids=OPTIMIZERS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def variants(cls):
    """Return the defaults of an optimizer under every setting of its switches."""
    switches = [name for name, parameter in parameters(cls).items() if parameter.type is bool]
    choices = itertools.product([False, True], repeat=len(switches))
    return [cls(**dict(zip(switches, choice, strict=True))) for choice in choices]


EVERY_VARIANT = [variant for cls in OPTIMIZERS.values() for variant in variants(cls)]
every_variant = pytest.mark.parametrize("optimizer", EVERY_VARIANT, ids=str)


def gradients_of(rng, shape, dtype):
    """Draw gradients of all sizes and signs, many of them 0.0 or -0.0."""
    size = 10 ** rng.uniform(-4, 2, shape)
    return (rng.choice([-1, -0.0, 0.0, 1], shape) * size).astype(dtype)


def test_every_registered_optimizer_is_recorded():
    assert {run["optimizer"] for run in RUNS} == set(OPTIMIZERS)


@pytest.mark.parametrize("stacked", [False, True], ids=["by hand", "stacked"])
@pytest.mark.parametrize("run", RECORDED)
def test_moves_as_in_another_library(run, stacked):
    optimizer = build(OPTIMIZERS[run["optimizer"]], run["settings"], "optimizer")
    theta, gradients = np.array(REFERENCE["start"]), np.array(REFERENCE["gradients"])
    if stacked:
        optimizer, theta, gradients = stack([optimizer], float), theta[None], gradients[:, None]
    state = optimizer.init(theta)
    rows = []
    for step, gradient in enumerate(gradients, 1):
        optimizer.update(theta, gradient, state, step)
        if step in REFERENCE["recorded_steps"]:
            rows.append(theta.ravel().copy())
    np.testing.assert_allclose(rows, run["theta"], rtol=TOLERANCES.get(optimizer.name, 1e-12), atol=0)


@pytest.mark.parametrize("cls", [OPTIMIZERS[name] for name in REFERENCE["defaults"]], ids=REFERENCE["defaults"])
def test_defaults_are_pytorchs(cls):
    """But for momentum: with PyTorch's 0 these would be gradient descent."""
    ours = {field.name: field.default for field in dataclasses.fields(cls)}
    theirs = REFERENCE["defaults"][cls.name]
    if cls.name in ("momentum", "nesterov"):
        assert ours.pop("momentum") == 0.9
    assert ours == {name: theirs[name] for name in ours}


def drawn_field(rng, parameter):
    """Draw a value within the bounds of a field; where its lower bound belongs to them, that is drawn often."""
    low, high = 0.0, 2.0
    for bound in parameter.bounds:
        match bound:
            case bounds_of.Gt(gt=low) | bounds_of.Ge(ge=low):
                high = low + 2
    for bound in parameter.bounds:
        match bound:
            case bounds_of.Lt(lt=high) | bounds_of.Le(le=high):
                pass
    if rng.random() < 0.4 and not any(isinstance(bound, bounds_of.Gt) for bound in parameter.bounds):
        return low
    return rng.choice([parameter.default, rng.uniform(low + 1e-3, high)]).item()


def walk(optimizer, theta, gradients, state, first=1):
    """Take one step along each gradient."""
    for step, grad in enumerate(gradients, first):
        optimizer.update(theta, grad, state, step)


def same_bytes(one, other):
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


def drawn_runs(rng, variant, runs):
    """Draw optimizers that differ in their numbers."""
    floats = {name: parameter for name, parameter in parameters(type(variant)).items() if parameter.is_stackable}
    values = [{name: drawn_field(rng, parameter) for name, parameter in floats.items()} for _ in range(runs)]
    return [dataclasses.replace(variant, **fields) for fields in values]


@every_dtype
@every_variant
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), runs=st.integers(1, 20), size=st.integers(1, 20))
def test_run_in_a_stack_equals_the_run_alone(optimizer, dtype, seed, runs, size):
    """Byte for byte, though the runs differ in their numbers, some diverge and half of them leave the stack."""
    rng = np.random.default_rng(seed)
    singles = drawn_runs(rng, optimizer, runs)
    start = rng.normal(size=(runs, size)).astype(dtype)
    start[rng.random(start.shape) < 0.2] *= 0
    start[rng.random(start.shape) < 0.05] = np.inf
    gradients = gradients_of(rng, (8, runs, size), dtype)
    gradients[rng.random(gradients.shape) < 0.01] = np.inf
    left = np.flatnonzero(rng.random(runs) < 0.5)

    with np.errstate(all="ignore"):
        together = stack(singles, dtype)
        theta = start.copy()
        state = together.init(theta)
        walk(together, theta, gradients[:4], state)
        fewer = take(together, left)
        fewer_theta, fewer_state = theta[left], {name: array[left] for name, array in state.items()}
        walk(together, theta, gradients[4:], state, first=5)
        walk(fewer, fewer_theta, gradients[4:, left], fewer_state, first=5)
        for run in range(runs):
            alone = stack([singles[run]], dtype)
            alone_theta = start[[run]]
            alone_state = alone.init(alone_theta)
            walk(alone, alone_theta, gradients[:, [run]], alone_state)
            assert same_bytes(alone_theta[0], theta[run])
            assert all(same_bytes(array[0], state[name][run]) for name, array in alone_state.items())
            for row in np.flatnonzero(left == run):
                assert same_bytes(alone_theta[0], fewer_theta[row])
                assert all(same_bytes(array[0], fewer_state[name][row]) for name, array in alone_state.items())


@every_variant
def test_keeps_float32_by_hand(optimizer):
    theta = np.ones(4, np.float32)
    state = optimizer.init(theta)
    optimizer.update(theta, np.full(4, 0.5, np.float32), state, 1)
    assert {array.dtype for array in [theta, *state.values()]} == {np.dtype(np.float32)}


@every_variant
def test_descends_a_quadratic(optimizer):
    curvature = np.array([[0.3, 1.0, 3.0]])
    theta = np.array([[1.0, -1.0, 0.5]])
    stacked = stack([optimizer], float)
    state = stacked.init(theta)
    before = (curvature * theta**2).sum()
    for step in range(1, 1001):
        stacked.update(theta, curvature * theta, state, step)
    assert (curvature * theta**2).sum() < 0.8 * before


@every_variant
def test_zero_gradient_at_the_first_step_moves_nothing_but_decay(optimizer):
    stacked = stack([optimizer], float)
    theta = np.array([[1.0, -2.0, 0.0]])
    stacked.update(theta, np.zeros_like(theta), stacked.init(theta), 1)
    kept = 1 - 1e-3 * 1e-2 if optimizer.name in ("adamw", "sgdw") else 1
    np.testing.assert_array_equal(theta, kept * np.array([[1.0, -2.0, 0.0]]))


def test_gradient_descent_is_the_articles_rule():
    theta, grad = np.array([1.0, 2.0]), np.array([10.0, -4.0])
    GradientDescent(lr=0.5).update(theta, grad, {}, 1)
    assert theta.tolist() == [-4.0, 4.0]


@every_optimizer
def test_refuses_a_negative_learning_rate(cls):
    with pytest.raises(ConfigurationError) as refused:
        build(cls, {"lr": -0.1}, "optimizer")
    assert str(refused.value) == "optimizer.lr must be a number >= 0, not -0.1."
    assert build(cls, {"lr": 0}, "optimizer").lr == 0


@pytest.mark.parametrize(
    ("cls", "field", "value", "wanted"),
    [
        (Adam, "beta1", 1.0, ">= 0 and < 1"),
        (Adam, "weight_decay", -1.0, ">= 0"),
        (Nesterov, "momentum", 0.0, "> 0"),
        (Rprop, "eta1", 0.0, "> 0 and < 1"),
        (Rprop, "eta1", 1.0, "> 0 and < 1"),
        (Rprop, "eta2", 1.0, "> 1"),
    ],
)
def test_refuses_what_pytorch_refuses(cls, field, value, wanted):
    with pytest.raises(ConfigurationError) as refused:
        build(cls, {field: value}, "optimizer")
    assert str(refused.value) == f"optimizer.{field} must be a number {wanted}, not {value}."
