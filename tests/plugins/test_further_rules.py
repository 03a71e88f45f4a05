"""Rules that learn, draw or settle, each against what its paper says of it."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import scipy.optimize

import chainrule
from chainrule.components.random import Random
from chainrule.components.stacking import stack
from chainrule.config.compose import compose_settings
from chainrule.engine.backprop import Backprop
from chainrule.engine.gradcheck import central_differences
from chainrule.engine.machine import Machine
from chainrule.engine.network import Pass, Shape, columns
from chainrule.engine.rate import Rate
from chainrule.runs.execute import _stack, train_stack
from chainrule.runs.prepare import prepare
from chainrule_rules import (
    DifferenceTargetPropagation,
    DirectFeedbackAlignment,
    DirectRandomTargets,
    EquilibriumPropagation,
    Exact,
    ForwardGradient,
    KolenPollack,
    PredictiveCoding,
    WeightMirror,
)

WIDTHS = (3, 4, 5, 2)


def network(seed, widths=WIDTHS, samples=5):
    """Draw weights, biases, inputs and true outputs."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(units, before)) / np.sqrt(before) for before, units in pairwise(widths)]
    biases = [0.3 * rng.normal(size=units) for units in widths[1:]]
    return weights, biases, rng.normal(size=(widths[0], samples)), rng.normal(size=(widths[-1], samples))


def component(name, kind="activation"):
    return stack([chainrule.component(kind, name)], float)


def backprop(rule, of, state=None, rng=None, hidden="tanh"):
    """Return what computes the gradients of one run's mean loss, half the squared error, and its batch."""
    weights, biases, x, y = of
    shape = Shape((len(x), *map(len, weights)))
    theta = shape.flatten(weights, biases)[None]
    state = rule.init(np.random.default_rng(0), shape.widths) if state is None else state
    forward = Pass(shape, theta, component(hidden), component("identity"), x.shape[1])
    loss = component("half_squared_error", "loss")
    state = {name: array[None].copy() for name, array in state.items()}
    found = Backprop(forward, loss, stack([rule], float), state, np.empty_like(theta), rng)
    inputs = columns(1, 1 + len(x), x.shape[1], float)
    inputs[0, 0], inputs[0, 1:] = 1, x
    return found, found.batch(inputs, y[None])


def gradients(rule, of, **options):
    found, batch = backprop(rule, of, **options)
    return found(batch)[0].copy()


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def angle(one, other):
    return np.degrees(np.arccos(np.vdot(one, other) / np.linalg.norm(one) / np.linalg.norm(other)))


def trained_matrices(rule, epochs, *overrides):
    """Return feedback and weights of the hidden layers before and after training, and the number of steps."""
    settings = compose_settings([
        "network.hidden=[6,5]", "activation=tanh", "target=wine", "output=softmax", "loss=categorical_cross_entropy",
        "training.batch_size=16", "optimizer.lr=0.05", "data.validation=0", *overrides,
    ])  # fmt: skip
    run = prepare(dataclasses.replace(settings, rule=rule))
    stack_ = _stack([run])
    machine = Machine(stack_, None if stack_.schedule.is_constant else Rate(stack_))

    def matrices():
        weights = run.shape.weights(machine.theta)
        return [(machine._rule_state[f"B{layer}"][0].copy(), weights[layer + 1][0].copy()) for layer in (1, 2)]

    before = matrices()
    machine.train(0, epochs)
    return before, matrices(), machine.evaluations(0)[0]


@pytest.mark.parametrize("decay", [0.0, 0.1, 0.5])
def test_kolen_and_pollack_s_matrices_come_together_as_the_decay_says(decay):
    """Their theorem: equal adjustments and equal decay multiply ``B - W^T`` by ``1 - rate decay`` in each step."""
    rule = KolenPollack(decay=decay)
    before, after, steps = trained_matrices(rule, 40, f"optimizer.weight_decay={decay}")
    assert steps == 40 * 12
    for (B0, W0), (B, W) in zip(before, after, strict=True):
        np.testing.assert_allclose(B - W.T, (1 - 0.05 * decay) ** steps * (B0 - W0.T), rtol=1e-9, atol=1e-12)
        assert not np.allclose(B, B0, rtol=0.1)
    if decay == 0.1:
        assert all(angle(B, W.T) < angle(B0, W0.T) - 40 for (B0, W0), (B, W) in zip(before, after, strict=True))


def test_kolen_and_pollack_s_matrices_follow_a_schedule_of_the_weights():
    """Of a rate that falls each factor is ``1 - rate decay`` of its own step."""
    overrides = ["optimizer.weight_decay=0.4", "schedule=exponential", "schedule.gamma=0.9", "training.epochs=20"]
    before, after, steps = trained_matrices(KolenPollack(decay=0.4), 20, *overrides)
    factor = np.prod([(1 - 0.05 * 0.9**epoch * 0.4) ** (steps // 20) for epoch in range(20)])
    for (B0, W0), (B, W) in zip(before, after, strict=True):
        np.testing.assert_allclose(B - W.T, factor * (B0 - W0.T), rtol=1e-9, atol=1e-12)


def test_the_weight_mirror_comes_to_the_transpose_at_the_expected_pace():
    """The mean of the matrices is ``W^T + (1 - rate)^steps (B_0 - W^T)``; 4,000 runs with equal weights."""
    runs, rng = 4000, np.random.default_rng(0)
    rule = stack([WeightMirror(rate=0.1, draws=4)] * runs, float)
    weights = [
        np.empty((runs, 0, 0)),
        *(np.repeat(rng.normal(size=(1, *shape)), runs, 0) for shape in [(3, 2), (2, 3)]),
    ]
    start = rng.normal(size=(3, 2))
    state = {"B1": np.repeat(start[None], runs, 0)}
    random = Random([np.random.default_rng([1, run]) for run in range(runs)], float)
    deltas = [np.empty((runs, units, 1)) for units in (0, 3, 2)]
    for step in range(1, 11):
        rule.adapt(weights, deltas, [], state, step, rng=random)
        mean, expected = state["B1"].mean(axis=0), weights[2][0].T + 0.9**step * (start - weights[2][0].T)
        error = state["B1"].std(axis=0) / np.sqrt(runs)
        assert (np.abs(mean - expected) < 4.5 * error).all()


def test_the_weight_mirror_follows_weights_that_are_trained():
    before, after, _ = trained_matrices(WeightMirror(rate=0.05, draws=64), 20)
    for (B0, W0), (B, W) in zip(before, after, strict=True):
        assert angle(B0, W0.T) > 45
        assert angle(B, W.T) < 15
        assert np.linalg.norm(B) == pytest.approx(np.linalg.norm(W), rel=0.15)


def test_random_targets_are_direct_feedback_of_a_network_that_predicts_nothing():
    """With half the squared error, an error ``0 - y_true`` is the delta of an output 0."""
    weights, biases, x, y = network(0)
    weights[-1][:], biases[-1][:] = 0, 0
    of = weights, biases, x, y
    found, expected = (gradients(cls(scale=0.7), of) for cls in (DirectRandomTargets, DirectFeedbackAlignment))
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_random_targets_leave_the_predictions_alone():
    weights, biases, x, y = network(0)
    first = slice(0, Shape(WIDTHS).slices()[2].stop)
    one = gradients(DirectRandomTargets(), (weights, biases, x, y))
    weights[-1] *= 3
    np.testing.assert_array_equal(gradients(DirectRandomTargets(), (weights, biases, x, y))[first], one[first])
    np.testing.assert_allclose(gradients(DirectRandomTargets(), (weights, biases, x, 2 * y))[first], 2 * one[first])


def test_random_targets_teach_classes():
    choice = ["target=wine", "network.hidden=[16]", "activation=tanh", "output=softmax", "optimizer.lr=0.05"]
    choice += ["loss=categorical_cross_entropy", "rule=direct_random_targets", "training.epochs=60"]
    runs = [prepare(compose_settings([*choice, "training.batch_size=16", f"seed={seed}"])) for seed in range(5)]
    assert np.median([result.metrics["validation/accuracy"] for result in train_stack(runs)]) > 0.9


def squares(seed, orthogonal):
    """Return a linear network whose hidden layers have inverses, and the state that has these."""
    weights, biases, x, y = network(seed, (3, 4, 4, 4, 2))
    if orthogonal:
        weights[1:3] = [np.linalg.qr(W)[0] for W in weights[1:3]]
    state = {}
    for layer in (2, 3):
        inverse = np.linalg.inv(weights[layer - 1])
        state[f"V{layer}"] = np.column_stack([-inverse @ biases[layer - 1], inverse])
    return (weights, biases, x, y), state


@pytest.mark.parametrize("step", [0.01, 0.5])
def test_target_propagation_by_rotations_is_exact(step):
    """The inverse of an orthogonal matrix is its transpose."""
    of, state = squares(0, orthogonal=True)
    found = gradients(DifferenceTargetPropagation(step=step), of, state=state, hidden="identity")
    np.testing.assert_allclose(found, gradients(Exact(), of, hidden="identity"), rtol=1e-10, atol=1e-13)


def test_with_exact_inverses_each_layer_makes_its_target_of_the_target_below():
    """Lee et al., section 2.2: ``f(target of l-1) = target of l``; the error is the inverse's, not the transpose's."""
    (weights, biases, x, y), state = squares(1, orthogonal=False)
    rule = DifferenceTargetPropagation(step=0.2)
    found, batch = backprop(rule, (weights, biases, x, y), state=state, hidden="identity")
    found(batch)
    a = [None, *(array[0] for array in found.forward.a[1:])]
    targets = [None, *(a[layer] - 0.2 * found.delta[layer][0] for layer in (1, 2, 3))]
    np.testing.assert_allclose(targets[3], a[3] - 0.2 * weights[3].T @ (a[4] - y), rtol=1e-10)
    for layer in (2, 3):
        made = weights[layer - 1] @ targets[layer - 1] + biases[layer - 1][:, None]
        np.testing.assert_allclose(made, targets[layer], rtol=1e-9, atol=1e-11)


def test_inverses_are_learned():
    """Of linear layers with as many units as the one below, the inverse is what least squares finds."""
    of, exact = squares(2, orthogonal=False)
    rule = DifferenceTargetPropagation(noise=1.0, rate=0.02)
    found, batch = backprop(rule, of, hidden="identity")
    found(batch)
    adapt = found.adapting(batch, lr=None, rng=Random([np.random.default_rng(0)], float))
    before = {name: distance(found._state[name][0], exact[name]) for name in exact}
    for step in range(1, 20001):
        adapt(step)
    for name in exact:
        assert before[name] > 0.5
        assert distance(found._state[name][0], exact[name]) < 0.05


@pytest.mark.parametrize("widths", [(3, 2), (3, 4, 2), WIDTHS, (2, 2, 2, 1), (3, 4, 5, 6, 2)])
def test_predictive_coding_with_fixed_predictions_is_exact_after_as_many_steps_as_layers(widths):
    of = network(0, widths)
    exact, hidden = gradients(Exact(), of), max(len(widths) - 2, 1)
    found = gradients(PredictiveCoding(fixed=True, rate=1.0, steps=hidden), of)
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-14)
    slowly = gradients(PredictiveCoding(fixed=True, rate=0.2, steps=300), of)
    np.testing.assert_allclose(slowly, exact, rtol=1e-9, atol=1e-12)
    if len(widths) > 3:
        assert distance(gradients(PredictiveCoding(fixed=True, rate=1.0, steps=hidden - 1), of), exact) > 0.01


@pytest.mark.parametrize(("samples", "variance"), [(1, 1.0), pytest.param(3, 0.5, marks=pytest.mark.slow)])
def test_predictive_coding_follows_the_gradient_of_the_settled_energy(samples, variance):
    """The energy of the paper, written out and minimised by SciPy, differentiated by differences."""
    weights, biases, x, y = network(3, samples=samples)
    shape = Shape(WIDTHS)

    def energy(values, W, b, sample):
        first, second = values[:4], values[4:]
        gaps = first - W[0] @ x[:, sample] - b[0], second - W[1] @ np.tanh(first) - b[1]
        output = y[:, sample] - W[2] @ np.tanh(second) - b[2]
        return 0.5 * sum(gap @ gap for gap in gaps) + 0.5 * output @ output / variance

    def settled(theta):
        W, b = shape.split(theta)
        total = 0.0
        for sample in range(samples):
            first = W[0] @ x[:, sample] + b[0]
            start = np.concatenate([first, W[1] @ np.tanh(first) + b[1]])
            options = {"gtol": 1e-9, "maxiter": 5000}
            total += scipy.optimize.minimize(energy, start, (W, b, sample), options=options).fun
        return variance * total / samples

    theta = shape.flatten(weights, biases)
    found = gradients(PredictiveCoding(rate=0.1, steps=2000, variance=variance), (weights, biases, x, y))
    np.testing.assert_allclose(found, central_differences(settled, theta), rtol=1e-4, atol=1e-6)


def test_predictive_coding_is_nearly_exact_where_the_output_is_loose():
    """Whittington and Bogacz: the larger the variance of the output, the nearer; the distance falls in proportion."""
    of = network(0)
    distances = [
        distance(gradients(PredictiveCoding(rate=0.2, steps=500, variance=variance), of), gradients(Exact(), of))
        for variance in (1.0, 1e2, 1e3, 1e4)
    ]
    assert distances[0] > 0.1
    assert distances[1] / distances[2] == pytest.approx(10, rel=0.1)
    assert distances[2] / distances[3] == pytest.approx(10, rel=0.1)
    assert distances[3] < 1e-3


def equilibrium_loss(feedback, x, y, shape):
    """The mean loss where the hidden layers are settled, found by SciPy; as a function of flat parameters."""

    def loss(theta):
        W, b = shape.split(theta)
        cuts = np.cumsum(shape.widths[1:-2])

        def gap(flat, sample):
            a = [x[:, sample], *np.split(flat, cuts)]
            drives = [W[layer - 1] @ a[layer - 1] + b[layer - 1] for layer in range(1, len(a))]
            for layer in range(1, len(a) - 1):
                drives[layer - 1] = drives[layer - 1] + feedback * W[layer].T @ a[layer + 1]
            return np.concatenate([np.tanh(drive) for drive in drives]) - flat

        total = 0.0
        for sample in range(x.shape[1]):
            start = np.zeros(sum(shape.widths[1:-1]))
            for _ in range(200):
                start = start + 0.5 * gap(start, sample)
            flat = scipy.optimize.root(gap, start, (sample,), tol=1e-13).x
            output = W[-1] @ flat[-shape.widths[-2] :] + b[-1]
            total += 0.5 * np.sum((y[:, sample] - output) ** 2)
        return total / x.shape[1]

    return loss


@pytest.mark.parametrize("widths", [(2, 2, 2, 1), WIDTHS, (2, 3, 4, 3, 1)])
@pytest.mark.parametrize("feedback", [0.2, pytest.param(1.0, marks=pytest.mark.slow)])
def test_equilibrium_propagation_is_the_gradient_of_the_equilibrium_s_loss(widths, feedback):
    """Theorem 1 of the paper, for small nudges; the error falls with the square of the nudge."""
    weights, biases, x, y = of = network(1, widths, samples=2)
    weights[:] = [0.6 * W for W in weights]  # so that there is one equilibrium
    shape = Shape(widths)
    expected = central_differences(equilibrium_loss(feedback, x, y, shape), shape.flatten(weights, biases))
    distances = [
        distance(gradients(EquilibriumPropagation(beta=beta, feedback=feedback, steps=300), of), expected)
        for beta in (0.5, 0.05, 0.005)
    ]
    assert distances[2] < 1e-4
    assert distances[1] < 0.05 * distances[0]
    assert distance(gradients(Exact(), of), expected) > 0.01


def test_without_layers_to_drive_equilibrium_propagation_is_backpropagation():
    """With one hidden layer the forward pass is the equilibrium; with more, for small feedback."""
    of = network(0, (3, 5, 2))
    found = gradients(EquilibriumPropagation(beta=1e-3, steps=100), of)
    np.testing.assert_allclose(found, gradients(Exact(), of), rtol=1e-4, atol=1e-6)
    of = network(0)
    distances = [
        distance(gradients(EquilibriumPropagation(beta=1e-3, feedback=size, steps=100), of), gradients(Exact(), of))
        for size in (0.1, 0.01, 0.001)
    ]
    assert distances[2] < 2e-3
    assert distances[0] / distances[1] == pytest.approx(10, rel=0.3)


@pytest.mark.parametrize("hidden", ["tanh", "softmax"])
def test_a_forward_gradient_is_the_slope_along_what_is_drawn(hidden):
    of, generator = network(0), [np.random.default_rng(7)]
    exact = gradients(Exact(), of, hidden=hidden)
    v = np.random.default_rng(7).standard_normal(exact.size)
    found = gradients(ForwardGradient(), of, rng=Random(generator, float), hidden=hidden)
    np.testing.assert_allclose(found, (exact @ v) * v, rtol=1e-9)
    measured = gradients(ForwardGradient(), of, hidden=hidden)
    np.testing.assert_allclose(measured, exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("draws", [1, 3])
def test_forward_gradients_are_unbiased_and_as_large_as_they_should_be(draws):
    """Of normal ``v``: ``E[(g v) v] = g``, and ``E|(g v) v|^2 = (n + 2) |g|^2`` with ``n`` parameters."""
    of = network(0, (2, 3, 1))
    exact, times = gradients(Exact(), of), 20000 // draws
    found, batch = backprop(ForwardGradient(draws=draws), of, rng=Random([np.random.default_rng(1)], float))
    drawn = np.array([found(batch)[0].copy() for _ in range(times)])
    assert (np.abs(drawn.mean(axis=0) - exact) < 4.5 * drawn.std(axis=0) / np.sqrt(times)).all()
    square, size = exact @ exact, exact.size
    expected = square * (1 + (size + 1) / draws)
    assert np.square(drawn).sum(axis=1).mean() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("cls", [KolenPollack, WeightMirror])
def test_feedback_begins_as_that_of_feedback_alignment(cls):
    one, other = (
        made.init(np.random.default_rng(3), WIDTHS)
        for made in (cls(), chainrule.component("rule", "feedback_alignment"))
    )
    assert all(one[name].tobytes() == other[name].tobytes() for name in other)
    of = network(0)
    found, expected = (
        gradients(rule, of, state=one) for rule in (cls(), chainrule.component("rule", "feedback_alignment"))
    )
    assert found.tobytes() == expected.tobytes()
