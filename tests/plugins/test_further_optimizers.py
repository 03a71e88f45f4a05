"""Optimizers that ask for more than a gradient, against closed forms."""

import dataclasses

import numpy as np
import pytest

import chainrule
from chainrule.components.random import Random
from chainrule.components.stacking import stack
from chainrule.config.compose import compose_settings
from chainrule.engine.network import Shape
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from chainrule_optimizers import SAM, SGLD, GradientDescent, Momentum, Muon, ScheduleFree

SHAPE = Shape((3, 5, 2))


def trained(optimizer, *overrides):
    base = compose_settings(["training.epochs=20", "training.batch_size=16", *overrides])
    (result,) = train_stack([prepare(dataclasses.replace(base, optimizer=optimizer))])
    return result


def steps(optimizer, theta, gradients, **offered):
    """The parameters after each step along given gradients."""
    state, found = optimizer.init(theta), []
    for step, grad in enumerate(gradients, 1):
        optimizer.update(theta, grad, state, step, **offered)
        found.append(theta.copy())
    return found, state


def test_muon_brings_singular_values_near_one_and_keeps_the_singular_vectors():
    rng = np.random.default_rng(0)
    theta, grad = rng.normal(size=(2, 4, SHAPE.size))[:, :3]
    before, muon = theta.copy(), Muon(lr=0.1, weight_decay=0.0, nesterov=False)
    steps(stack([muon] * 3, float), theta, [grad], shape=SHAPE)
    for layer in (1, 2):
        moved = (SHAPE.weights(before)[layer] - SHAPE.weights(theta)[layer]) / 0.1
        rows, columns = moved.shape[1:]
        for run, move in enumerate(moved / max(1, rows / columns) ** 0.5):
            u, values, v = np.linalg.svd(SHAPE.weights(grad)[layer][run], full_matrices=False)
            assert values[-1] > 0.05 * values[0], "or five iterations are too few"
            evened = u.T @ move @ v.T
            assert np.all((np.diag(evened) > 0.6) & (np.diag(evened) < 1.3))
            np.testing.assert_allclose(evened, np.diag(np.diag(evened)), atol=1e-9)
        biases = SHAPE.biases(before)[layer] - 0.1 * (1 - muon.momentum) * SHAPE.biases(grad)[layer]
        np.testing.assert_allclose(SHAPE.biases(theta)[layer], biases, rtol=1e-12)


def test_muon_s_average_looks_ahead_and_its_weights_decay():
    """A matrix of one column has one singular value, so that only its direction is left."""
    shape, rng = Shape((1, 3)), np.random.default_rng(1)
    start, gradients = rng.normal(size=(1, 6)), rng.normal(size=(4, 1, 6))
    muon = Muon(lr=0.1, momentum=0.9, weight_decay=0.5, iterations=30)
    found, _ = steps(muon, start.copy(), gradients, shape=shape)
    mean = np.zeros_like(start)
    for grad, expected in zip(gradients, found, strict=True):
        mean = 0.9 * mean + 0.1 * grad
        ahead = 0.1 * grad + 0.9 * mean
        np.testing.assert_allclose(expected[:, 0::2], 0.95 * start[:, 0::2] - 0.1 * ahead[:, 0::2], rtol=1e-12)
        direction = (0.95 * start[:, 1::2] - expected[:, 1::2]) / 0.1
        cosine = (direction * ahead[:, 1::2]).sum() / np.linalg.norm(direction) / np.linalg.norm(ahead[:, 1::2])
        assert cosine == pytest.approx(1, abs=1e-12)
        assert 0.6 < np.linalg.norm(direction) / 3**0.5 < 1.3  # as the fixed points of the polynomial
        start = expected


def test_sam_steps_along_the_gradient_at_the_worst_point_nearby():
    """In a network without hidden layers, whose gradient is that of linear least squares."""
    base = compose_settings(["network.hidden=[]", "training.epochs=3", "training.batch_size=null"])
    run = prepare(dataclasses.replace(base, optimizer=SAM(lr=0.1, rho=0.3, momentum=0.5, weight_decay=0.01)))
    (result,) = train_stack([run])
    x, y = np.split(run.samples.train, [3])  # under a row of ones

    def gradient(theta):
        return (theta @ x - y) @ x.T / x.shape[1]

    theta, velocity = run.theta[None], 0.0
    for _ in range(3):
        grad = gradient(theta)
        velocity = 0.5 * velocity + gradient(theta + 0.3 * grad / np.linalg.norm(grad)) + 0.01 * theta
        theta = theta - 0.1 * velocity
    np.testing.assert_allclose(result.theta[None], theta, rtol=1e-12)
    assert result.evaluations == (6, 0)
    assert result.metrics["gradient_evaluations"] == 6


def test_sam_around_nothing_is_momentum_at_twice_the_cost():
    first = trained(SAM(lr=0.01, rho=0.0, momentum=0.9))
    second = trained(Momentum(lr=0.01, momentum=0.9))
    np.testing.assert_allclose(first.theta, second.theta, rtol=1e-9)
    assert first.evaluations[0] == 2 * second.evaluations[0] == 2 * 20 * 13


def test_sam_stays_where_the_gradient_is_zero():
    theta = np.ones((1, 4))
    problem = type("Problem", (), {"gradient": lambda self: np.zeros((1, 4))})()
    steps(SAM(), theta, [np.zeros((1, 4))], problem=problem)
    assert theta.tolist() == [[1, 1, 1, 1]]


def test_schedule_free_keeps_the_average_of_plain_descent():
    rng = np.random.default_rng(2)
    start, gradients = rng.normal(size=(2, 6)), rng.normal(size=(9, 2, 6))
    optimizer = ScheduleFree(lr=0.3, beta=0.8)
    found, state = steps(optimizer, start.copy(), gradients)
    plain = start - 0.3 * np.cumsum(gradients, axis=0)
    averages = np.cumsum(plain, axis=0) / np.arange(1, 10)[:, None, None]
    np.testing.assert_allclose(found, 0.2 * plain + 0.8 * averages, rtol=1e-12)
    np.testing.assert_allclose(optimizer.kept(found[-1], state), averages[-1], rtol=1e-12)


def test_schedule_free_measures_and_saves_the_average():
    result = trained(ScheduleFree(lr=0.02))
    x, y = result.samples.raw(result.samples.train)
    assert result.metrics["train/loss"] == pytest.approx(0.5 * np.square(result.predict(x) - y).mean(), rel=1e-9)
    trained_with = trained(GradientDescent(lr=0.02))
    assert result.theta.tobytes() != trained_with.theta.tobytes()


def test_sgld_samples_a_normal_distribution_around_the_minimum_of_a_bowl():
    """Of ``k theta^2 / 2`` the variance after many steps is ``2 T / (k (2 - lr k))``, with steps of any size."""
    curvature, runs = np.array([[0.5, 1.0, 4.0]]), 4000
    optimizer = SGLD(lr=0.2, temperature=0.3)
    rng = Random([np.random.default_rng([3, run]) for run in range(runs)], float)
    theta = np.ones((runs, 3))
    for step in range(1, 101):
        optimizer.update(theta, curvature * theta, {}, step, rng=rng)
    expected = 2 * 0.3 / (curvature * (2 - 0.2 * curvature))
    np.testing.assert_allclose(theta.var(axis=0), expected[0], rtol=4 * np.sqrt(2 / runs))
    np.testing.assert_allclose(theta.mean(axis=0), 0, atol=4 * np.sqrt(expected.max() / runs))


def test_sgld_without_temperature_is_gradient_descent():
    assert trained(SGLD(lr=0.01, temperature=0.0)).theta.tobytes() == trained(GradientDescent(lr=0.01)).theta.tobytes()


@pytest.mark.parametrize("optimizer", [Muon(lr=0.05), SAM(lr=0.01), ScheduleFree(lr=0.02), SGLD()], ids=str)
def test_they_learn_a_plane(optimizer):
    result = chainrule.train(
        [dataclasses.replace(compose_settings(["seed=1", "training.epochs=60"]), optimizer=optimizer)]
    )[0]
    assert result.metrics["validation/r2"] > 0.9
