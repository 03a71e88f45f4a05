"""The transforms against optax's, recorded in ``tests/reference``, against closed forms, and in any order."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from chainrule.components.parameters import build
from chainrule.components.random import Random
from chainrule.components.stacking import stack
from chainrule.config.compose import compose_settings
from chainrule.engine.network import Shape
from chainrule.engine.transforms import Transforms
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from chainrule_optimizers import Adam, GradientDescent, Momentum
from chainrule_transforms import (
    EMA,
    L1,
    L2,
    Centralization,
    Clip,
    ClipValue,
    Lookahead,
    MaxNorm,
    Noise,
    chainrule_transforms,
)
from sizes import one_in

TRANSFORMS = {cls.name: cls for cls in chainrule_transforms()}
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "transforms.json").read_text())
RECORDED = [pytest.param(run, id=f"{run['transform']}-{run['settings']}") for run in REFERENCE["runs"]]
SHAPE = Shape(tuple(REFERENCE["widths"]))
UNRECORDED = {"noise", "l1"}  # random; and optax has no penalty of L1


def walk(transforms, optimizer, theta, gradients, shape=SHAPE, generators=None):
    """Return the parameters after each step, and those that are kept."""
    theta = np.array(theta, float).reshape(1, -1)
    optimizer = stack([optimizer], float)
    rng = Random(generators or [np.random.default_rng(0)], float)
    stacked = stack([tuple(transforms)], float)
    parts = Transforms(stacked, theta, {"shape": shape, "rng": rng, "lr": optimizer.lr})
    update, state = parts.around(optimizer.update), optimizer.init(theta)
    thetas, kept = [], []
    for step, gradient in enumerate(gradients, 1):
        update(theta, np.array(gradient, float).reshape(1, -1), state, step)
        thetas.append(theta[0].copy())
        kept.append(parts.kept(theta)[0].copy())
    return np.array(thetas), np.array(kept)


def test_what_is_not_random_is_recorded_or_listed():
    assert {run["transform"] for run in REFERENCE["runs"]} | UNRECORDED == set(TRANSFORMS)


@pytest.mark.parametrize("run", RECORDED)
def test_steps_are_those_of_optax(run):
    transform = build(TRANSFORMS[run["transform"]], run["settings"], "transforms")
    lr, momentum = REFERENCE["lr"], REFERENCE["momentum"]
    optimizer = Adam(lr=lr) if run["optimizer"] == "adam" else Momentum(lr=lr, momentum=momentum)
    thetas, kept = walk([transform], optimizer, REFERENCE["theta"], REFERENCE["gradients"])
    np.testing.assert_allclose(thetas, run["thetas"], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(kept, run.get("kept", run["thetas"]), rtol=1e-12, atol=1e-14)


def test_l1_ends_at_the_soft_threshold():
    """``(w - t)^2 / 2 + s |w|`` is least at ``sign(t) max(|t| - s, 0)``; the bias is not penalized."""
    target, shape = np.array([5.0, 2.0, -0.3, 0.1]), Shape((3, 1))
    theta, transform, lr = np.zeros((1, 4)), L1(strength=0.5), 1e-3
    for step in range(1, 20001):
        theta -= lr * transform.gradient(theta - target, theta, {}, step, shape=shape)
    np.testing.assert_allclose(theta, [[5.0, 1.5, 0.0, 0.0]], atol=2 * lr)


def test_penalties_are_sums_of_weights():
    theta, shape = np.array([[7.0, 3.0, -4.0], [1.0, 0.0, 2.0]]), Shape((2, 1))
    np.testing.assert_allclose(L1(strength=0.1).penalty(theta, shape=shape), [[0.7], [0.2]])
    np.testing.assert_allclose(L2(strength=0.1).penalty(theta, shape=shape), [[1.25], [0.2]])
    np.testing.assert_allclose(L2(strength=0.1, biases=True).penalty(theta, shape=shape), [[3.7], [0.25]])


def test_l2_is_ridge_regression():
    """A linear net under full-batch gradient descent with an L2 penalty ends where the normal equations say."""
    settings = ["activation=identity", "network.hidden=[]", "training.batch_size=null", "training.epochs=3000"]
    strength = 0.3
    run = prepare(
        compose_settings(
            [
                *(*settings, "data.validation=0", "data.noise=1", "optimizer.lr=0.3", "transforms=[l2]"),
                *(f"transforms.l2.strength={strength}", "training.tolerance=0", "training.measure_every=1000"),
            ]
        )
    )
    x, y = run.samples.train[:3].T, run.samples.train[3]  # ones and two inputs
    penalty = np.diag([0, strength, strength]) * len(x)
    expected = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    (result,) = train_stack([run])
    np.testing.assert_allclose(result.theta, expected, rtol=1e-8)
    residual = np.square(x @ expected - y).mean() / 2
    np.testing.assert_allclose(result.curves.values["train/loss"][-1], residual, rtol=1e-8)  # without the penalty


def test_noise_has_the_variance_of_the_paper():
    rng = Random([np.random.default_rng(0)], float)
    for eta, gamma, step in [(0.3, 0.55, 1), (0.3, 0.55, 100), (1.0, 2.0, 10), (0.01, 0.0, 7)]:
        zero, t = np.zeros((1, 40000)), step - 1
        noise = Noise(eta=eta, gamma=gamma).gradient(zero, zero, {}, step, rng=rng)
        assert abs(noise.mean()) < 5 * np.sqrt(eta / 40000)
        np.testing.assert_allclose(noise.var(), eta / (1 + t) ** gamma, rtol=0.04)
    assert not Noise(eta=0.0).gradient(zero, zero, {}, 1, rng=rng).any()


def test_short_gradients_are_not_touched():
    grad, theta = np.array([[0.3, -0.4, 0.0]]), np.zeros((1, 3))
    for transform in (Clip(limit=0.5), ClipValue(limit=0.4)):
        assert transform.gradient(grad, theta, {}, 1).tobytes() == grad.tobytes()
    assert MaxNorm(limit=0.5).after(grad, {}, 1, shape=Shape((2, 1))).tobytes() == grad.tobytes()


def test_a_layer_with_one_input_keeps_its_gradient():
    grad = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert Centralization().gradient(grad, grad, {}, 1, shape=Shape((1, 2))).tobytes() == grad.tobytes()


def test_lookahead_that_goes_all_the_way_is_the_optimizer_alone():
    theta, gradients = REFERENCE["theta"], REFERENCE["gradients"]
    alone, _ = walk([], GradientDescent(lr=0.1), theta, gradients)
    ahead, _ = walk([Lookahead(alpha=1.0)], GradientDescent(lr=0.1), theta, gradients)
    np.testing.assert_allclose(ahead, alone, rtol=1e-12)


def test_gradients_pass_through_the_list_in_its_order():
    """Clipped to norm 1 and then penalized, or penalized and then clipped."""
    shape, theta, grad = Shape((2, 1)), [0.0, 3.0, 4.0], [[0.0, 30.0, 40.0]]
    clip, l2, descent = Clip(limit=1.0), L2(strength=2.0), GradientDescent(lr=1.0)
    clipped_first, _ = walk([clip, l2], descent, theta, grad, shape)
    np.testing.assert_allclose(clipped_first, [[0.0, 3 - 0.6 - 6, 4 - 0.8 - 8]])
    clipped_last, _ = walk([l2, clip], descent, theta, grad, shape)
    np.testing.assert_allclose(clipped_last, [[0.0, 3 - 0.6, 4 - 0.8]])


def test_parameters_pass_through_the_list_in_its_order():
    """The average is of what the transforms ahead of it made; the last that recommends something is heard."""
    shape, theta, grad = Shape((2, 1)), [0.0, 3.0, 4.0], [[0.0, 0.0, 0.0]]
    descent, project, average, ahead = GradientDescent(lr=1.0), MaxNorm(limit=1.0), EMA(), Lookahead(k=9)
    for transforms, expected in (
        ([project, average], [0.0, 0.6, 0.8]),
        ([average, project], [0.0, 3.0, 4.0]),
        ([project, average, ahead], [0.0, 3.0, 4.0]),
        ([project, ahead, average], [0.0, 0.6, 0.8]),
    ):
        np.testing.assert_allclose(walk(transforms, descent, theta, grad, shape)[1], [expected])


PAIRS = list(itertools.permutations(TRANSFORMS, 2))


LEAVING = {0: 1, 1: 3}  # runs, and after which epoch


def trained(runs, numbers):
    """The results of runs of a stack, some of which leave it."""

    def prune(epoch, active, losses):
        return np.array([LEAVING.get(numbers[run]) == epoch for run in active])

    return train_stack([prepare(run) for run in runs], prune=prune)


@pytest.mark.parametrize("optimizer", one_in(3, ["gradient_descent", "adam", "sam", "schedule_free", "muon", "sgld"]))
def test_any_two_in_any_order_train_with_any_optimizer_as_alone(optimizer):
    """A share of the pairs with each optimizer; runs leave the stack."""
    pairs = PAIRS[::11] if optimizer == "gradient_descent" else PAIRS[len(optimizer) :: 37]
    for pair in pairs:
        words = [f"optimizer={optimizer}", f"transforms=[{','.join(pair)}]", "training.epochs=4", "data.samples=20"]
        base = compose_settings([*words, "training.batch_size=6", "training.measure_every=1"])
        runs = [dataclasses.replace(base, seed=seed) for seed in range(3)]
        together = trained(runs, range(3))
        for number, run in enumerate(runs):
            (alone,) = trained([run], [number])
            assert alone.theta.tobytes() == together[number].theta.tobytes(), pair
            for name, curve in alone.curves.values.items():
                assert curve.tobytes() == together[number].curves.values[name].tobytes(), (pair, name)
