"""Optimizers that ask for more than a gradient, against closed forms and those of other libraries."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power
from scipy.optimize import least_squares, minimize

import chainrule
from chainrule.components.random import Random
from chainrule.components.stacking import stack
from chainrule.config.compose import compose_settings
from chainrule.engine.network import Shape
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from chainrule_optimizers import (
    LBFGS,
    SAM,
    SGLD,
    Evolution,
    GradientDescent,
    LevenbergMarquardt,
    Momentum,
    Muon,
    ScheduleFree,
    Shampoo,
    chainrule_optimizers,
)
from chainrule_optimizers.lbfgs import _direction, _remember
from sizes import one_in

SHAPE = Shape((3, 5, 2))
RECORDS = Path(__file__).parents[1] / "reference"
FIRST = json.loads((RECORDS / "optimizers.json").read_text())
REFERENCE = json.loads((RECORDS / "further_optimizers.json").read_text())
OPTIMIZERS = {cls.name: cls for cls in chainrule_optimizers()}


def recorded(part, *names):
    """Runs of other libraries, as parameters of a test."""
    found = [run for run in REFERENCE[part] if not names or run["optimizer"] in names]
    return pytest.mark.parametrize("run", found, ids=lambda run: f"{run['optimizer']}-{run['library']}")


class Bowl:
    """A loss ``theta^T curvature theta / 2 + slope theta``, the same for all runs, that counts what it is asked for."""

    def __init__(self, theta, curvature, slope):
        self.theta, self._curvature, self._slope = theta, np.asarray(curvature), np.asarray(slope)
        self.grad, self.asked = np.empty_like(theta), {"losses": 0, "gradients": 0}

    def gradient(self, runs=None):
        self.asked["gradients"] += 1
        self.grad[:] = self.theta @ self._curvature + self._slope
        return self.grad

    def loss(self, runs=None):
        self.asked["losses"] += 1
        return (self.theta * (0.5 * self.theta @ self._curvature + self._slope)).sum(axis=1, keepdims=True)

    def jacobians(self):
        """Derivatives of as many samples as there are parameters, whose squared error is the loss."""
        size = self.theta.shape[1]
        yield np.sqrt(size) * np.linalg.cholesky(self._curvature).T[None]


def rolled(optimizer, bowl, count):
    """The parameters after each of so many steps in a bowl."""
    state, found = optimizer.init(bowl.theta), []
    for step in range(1, count + 1):
        optimizer.update(bowl.theta, bowl.gradient(), state, step, problem=bowl)
        found.append(bowl.theta.copy())
    return found


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


@recorded("along", "schedule_free")
def test_schedule_free_moves_and_averages_as_in_another_library(run):
    optimizer = ScheduleFree(**run["settings"])
    theta = np.array([FIRST["start"]])
    found, state = steps(optimizer, theta, np.array(FIRST["gradients"])[:, None])
    places = np.array([found[step - 1] for step in FIRST["recorded_steps"]])[:, 0]
    np.testing.assert_allclose(places, run["theta"], rtol=1e-12)
    np.testing.assert_allclose(optimizer.kept(theta, state)[0], run["kept"][-1], rtol=1e-12)


@recorded("layers")
def test_a_layer_moves_as_in_another_library(run):
    shape, layer = Shape((4, 3)), REFERENCE["layer"]
    optimizer = stack([OPTIMIZERS[run["optimizer"]](**run["settings"])] * 2, float)
    theta, gradients = np.tile(np.ravel(layer["start"]), (2, 1)), np.array(layer["gradients"])
    gradients = np.repeat(gradients.reshape(len(gradients), 1, -1), 2, axis=1)
    offered = {"shape": shape} if optimizer.name == "shampoo" else {}
    state = optimizer.init(theta, **offered)
    for step, (grad, expected) in enumerate(zip(gradients, run["theta"], strict=True), 1):
        optimizer.update(theta, grad, state, step, shape=shape)
        expected = np.array(expected)
        block = shape.blocks(theta)[1][1]
        moved = block if expected.shape == block.shape else block[:, 1:]
        np.testing.assert_allclose(moved, expected, rtol=1e-9)


@recorded("elsewhere")
def test_gradients_elsewhere_lead_where_they_lead_in_another_library(run):
    """But for what pytorch_optimizer adds to the norm."""
    optimizer, bowl = OPTIMIZERS[run["optimizer"]](**run["settings"]), REFERENCE["bowl"]
    bowl = Bowl(np.array([bowl["start"]]), bowl["curvature"], bowl["slope"])
    np.testing.assert_allclose(np.concatenate(rolled(optimizer, bowl, 20)), run["theta"], rtol=1e-7)


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


def test_shampoo_takes_roots_of_the_sums_of_products():
    """With SciPy's powers of matrices."""
    rng = np.random.default_rng(4)
    theta, gradients = rng.normal(size=(1, SHAPE.size)), rng.normal(size=(3, 1, SHAPE.size))
    optimizer, expected = Shampoo(lr=0.1, eps=0.2), theta.copy()
    state = optimizer.init(theta, shape=SHAPE)
    sums = [[0.0] * 3 for _ in range(3)]
    for step, grad in enumerate(gradients, 1):
        optimizer.update(theta, grad, state, step, shape=SHAPE)
        for layer in (1, 2):
            g, b = SHAPE.weights(grad)[layer][0], SHAPE.biases(grad)[layer][0]
            products = g @ g.T, g.T @ g, np.outer(b, b)
            sums[layer] = [total + product for total, product in zip(sums[layer], products, strict=True)]
            left, right, own = (
                np.real(fractional_matrix_power(total + 0.2 * np.eye(len(total)), power))
                for total, power in zip(sums[layer], (-0.25, -0.25, -0.5), strict=True)
            )
            SHAPE.weights(expected)[layer][0] -= 0.1 * left @ g @ right
            SHAPE.biases(expected)[layer][0] -= 0.1 * own @ b
        np.testing.assert_allclose(theta, expected, rtol=1e-9)


def test_lbfgs_has_the_directions_of_optax():
    """In the memory of a search that takes every length: what is recorded are places, not steps that were found."""
    found = REFERENCE["directions"]
    places, gradients = (np.array([each[name] for each in found])[:, None] for name in ("place", "gradient"))
    state = LBFGS(history=3).init(places[0])
    for number in range(1, len(found)):
        change = gradients[number] - gradients[number - 1]
        _remember(state, places[number] - places[number - 1], change, np.array([[True]]))
        expected = found[number]["direction"]
        np.testing.assert_allclose(_direction(gradients[number], **state), [expected], rtol=1e-9)


def rosenbrock(theta):
    """Values and gradients of ``sum 100 (b - a^2)^2 + (1 - a)^2`` over neighbours ``a, b``."""
    a, b = theta[:, :-1], theta[:, 1:]
    grad = np.zeros_like(theta)
    grad[:, :-1] += -400 * a * (b - a * a) - 2 * (1 - a)
    grad[:, 1:] += 200 * (b - a * a)
    return (100 * (b - a * a) ** 2 + (1 - a) ** 2).sum(axis=1, keepdims=True), grad


class Valley(Bowl):
    """Rosenbrock's valley, whose bottom is at ones."""

    def __init__(self, theta):
        super().__init__(theta, 0, 0)

    def gradient(self, runs=None):
        self.asked["gradients"] += 1
        self.grad[:] = rosenbrock(self.theta)[1]
        return self.grad

    def loss(self, runs=None):
        self.asked["losses"] += 1
        return rosenbrock(self.theta)[0]


def test_lbfgs_goes_down_rosenbrock_s_valley_in_as_many_steps_as_scipy():
    starts = np.random.default_rng(5).uniform(-2, 2, (6, 4))
    theirs = [
        minimize(lambda x: float(rosenbrock(x[None])[0][0, 0]), start, jac=lambda x: rosenbrock(x[None])[1][0],
                 method="L-BFGS-B", options={"maxcor": 10, "ftol": 0, "gtol": 1e-6})
        for start in starts
    ]  # fmt: skip
    for start, other in zip(starts, theirs, strict=True):
        valley = Valley(start[None].copy())
        places = rolled(LBFGS(), valley, 2 * other.nit)
        norms = [np.abs(rosenbrock(place)[1]).max() for place in places]
        assert min(norms) < 1e-6, "twice as many steps must do"


def test_lbfgs_converges_faster_than_any_rate_in_a_bowl():
    """The quotient of errors itself goes to 0; gradient descent would need hundreds of steps here."""
    rng = np.random.default_rng(6)
    curvature = np.diag([1.0, 3.0, 10.0, 100.0])
    bowl = Bowl(rng.normal(size=(1, 4)), curvature, np.zeros(4))
    errors = [np.linalg.norm(place) for place in rolled(LBFGS(), bowl, 30)]
    assert errors[-1] < 1e-12
    assert bowl.asked["losses"] < 30 * 3.2, "or the first length is hardly ever good"


def test_lbfgs_charges_a_run_for_its_own_search_only():
    def searched(theta):
        counted = np.zeros((len(theta), 2), int)

        class Counted(Valley):
            def gradient(self, runs=None):
                counted[:, 0] += 1 if runs is None else runs[:, 0]
                return super().gradient(runs)

            def loss(self, runs=None):
                counted[:, 1] += 1 if runs is None else runs[:, 0]
                return super().loss(runs)

        rolled(stack([LBFGS()] * len(theta), float), Counted(theta), 15)
        return counted

    starts = np.random.default_rng(7).uniform(-2, 2, (5, 4))
    together = searched(starts.copy())
    assert together.tolist() == np.concatenate([searched(start[None].copy()) for start in starts]).tolist()
    assert len({*map(tuple, together.tolist())}) > 1, "or all runs search alike"


def test_lbfgs_stays_where_no_length_will_do():
    """Where the gradient points the wrong way, so that the loss rises however short the step."""

    class Wrong(Valley):
        def gradient(self, runs=None):
            return np.negative(super().gradient(runs), out=self.grad)

    theta = np.array([[0.5, 0.5]])
    rolled(LBFGS(), Wrong(theta), 3)
    assert theta.tolist() == [[0.5, 0.5]]


def test_lbfgs_accepts_only_lengths_that_decrease_the_loss_enough():
    """In a bowl of curvature 1, a step to the minimum has half of the decrease that the slope promises."""
    start = np.array([[0.3, -0.4]])
    for decrease, length in ((0.4, 1.0), (0.6, 0.5), (0.9, 0.125)):
        bowl = Bowl(start.copy(), np.eye(2), np.zeros(2))
        rolled(LBFGS(decrease=decrease, flattening=0.95), bowl, 1)
        np.testing.assert_allclose(bowl.theta, (1 - length) * start, atol=1e-15)


def test_lbfgs_remembers_nothing_of_a_search_that_found_nothing():
    """The only length that it may try lowers the loss, but leaves the slope nearly as it was."""
    bowl = Bowl(np.array([[0.3, -0.4]]), np.eye(2), np.zeros(2))
    optimizer = LBFGS(lr=0.01, trials=1)
    state = optimizer.init(bowl.theta)
    optimizer.update(bowl.theta, bowl.gradient(), state, 1, problem=bowl)
    np.testing.assert_allclose(bowl.theta, [[0.99 * 0.3, -0.99 * 0.4]])
    assert not any(array.any() for array in state.values())


def linear(hidden="[]", **fields):
    base = compose_settings([f"network.hidden={hidden}", "training.batch_size=null", "training.tolerance=0"])
    return dataclasses.replace(base, **fields)


def test_levenberg_marquardt_solves_linear_least_squares_in_one_step():
    base = linear(optimizer=LevenbergMarquardt(damping=1e-14))
    base = dataclasses.replace(
        base,
        training=dataclasses.replace(base.training, epochs=1),
        data=dataclasses.replace(base.data, noise=0.5),
    )
    (result,) = train_stack([prepare(base)])
    x, y = np.split(result.samples.train, [3])  # under a row of ones
    expected, *_ = np.linalg.lstsq(x.T, y[0], rcond=None)
    np.testing.assert_allclose(result.theta, expected, rtol=1e-9)
    assert result.evaluations == (2, 2), "the gradient and the derivatives of one output; the losses before and after"


def test_levenberg_marquardt_steps_as_damping_says_and_relaxes_it():
    curvature, start = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -2.0]])
    bowl, expected = Bowl(start.copy(), curvature, np.zeros(2)), start[0]
    optimizer = LevenbergMarquardt(damping=0.5, relaxed=0.2)
    state = optimizer.init(bowl.theta)
    for step in range(1, 4):
        optimizer.update(bowl.theta, bowl.gradient(), state, step, problem=bowl)
        expected = expected - np.linalg.solve(curvature + 0.5 * 0.2 ** (step - 1) * np.eye(2), curvature @ expected)
        np.testing.assert_allclose(bowl.theta[0], expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(state["damping"], 0.5 * 0.2**step)


def test_levenberg_marquardt_ends_where_scipy_ends():
    base = compose_settings(
        ["network.hidden=[1]", "activation=tanh", "target=sine", "data.samples=40", "data.noise=0.3",
         "training.batch_size=null", "training.epochs=100", "training.tolerance=0", "initializer=xavier_normal"]
    )  # fmt: skip
    run = prepare(dataclasses.replace(base, optimizer=LevenbergMarquardt()))
    (result,) = train_stack([run])
    x, y = np.split(result.samples.train, [2])

    def residuals(theta):
        weights, biases = run.shape.split(theta)
        hidden = np.tanh(weights[0] @ x[1:] + biases[0][:, None])
        return (weights[1] @ hidden + biases[1][:, None] - y).ravel()

    theirs = least_squares(residuals, run.theta, method="lm", xtol=1e-12, ftol=1e-12)
    loss = theirs.cost / x.shape[1]
    assert result.metrics["train/loss"] == pytest.approx(loss, rel=1e-6)


def test_levenberg_marquardt_damps_a_run_whose_equations_are_singular():
    """Two samples for five parameters, with less damping than rounding."""
    base = linear("[1]", optimizer=LevenbergMarquardt(damping=1e-30))
    base = dataclasses.replace(
        base,
        training=dataclasses.replace(base.training, epochs=6),
        data=dataclasses.replace(base.data, samples=2, validation=0.0),
    )
    (result,) = train_stack([prepare(base)])
    assert result.metrics["train/loss"] < 0.1 * result.curves.values["train/loss"][0]


def test_evolution_estimates_the_slope_of_a_bowl_without_bias():
    """In a bowl, differences of losses on opposite sides are slopes exactly, however far away."""
    curvature, slope = np.diag([1.0, 2.0, 0.5]), np.array([1.0, -1.0, 0.3])
    optimizer, start = Evolution(lr=1.0, deviation=0.7, pairs=3), np.array([[0.5, 1.0, -2.0]])
    theta = start.copy()
    rng = Random([np.random.default_rng(8)], float)
    optimizer.update(theta, np.full((1, 3), np.nan), {}, 1, problem=Bowl(theta, curvature, slope), rng=rng)
    noise = np.random.default_rng(8).standard_normal((3, 3))
    gradient = (start @ curvature + slope)[0]
    np.testing.assert_allclose(start[0] - theta[0], (noise @ gradient) @ noise / 3, rtol=1e-12)

    runs = 20_000
    theta = np.tile(start, (runs, 1))
    rng = Random([np.random.default_rng([9, run]) for run in range(runs)], float)
    optimizer.update(theta, np.zeros_like(theta), {}, 1, problem=Bowl(theta, curvature, slope), rng=rng)
    moved = start - theta
    np.testing.assert_allclose(moved.mean(axis=0), gradient, atol=4 * moved.std() / np.sqrt(runs))


def test_evolution_counts_two_losses_for_each_pair():
    assert trained(Evolution(pairs=3)).evaluations == (20 * 13, 20 * 13 * 6)


LEARNERS = [
    *(Muon(lr=0.05), Shampoo(lr=0.5), SAM(lr=0.1), LBFGS(), LevenbergMarquardt()),
    *(ScheduleFree(lr=0.2), SGLD(lr=0.1), Evolution(lr=0.1)),
]


@pytest.mark.parametrize(
    "optimizer", one_in(2, [pytest.param(each) for each in LEARNERS]), ids=lambda optimizer: optimizer.name
)
def test_they_learn_a_plane(optimizer):
    base = compose_settings(["seed=1", "training.epochs=60", "training.batch_size=8"])
    (result,) = chainrule.train([dataclasses.replace(base, optimizer=optimizer)])
    assert result.metrics["validation/r2"] > 0.9
