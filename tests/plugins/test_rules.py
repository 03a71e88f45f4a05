"""Backward rules against the article's numbers, written out entry by entry, and beside the exact one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule
from chainrule.components.contracts import Rule
from chainrule.components.parameters import build, parameters
from chainrule.components.stacking import stack
from chainrule.config.compose import compose_settings
from chainrule.engine.backprop import Backprop
from chainrule.engine.network import Pass, Shape, columns
from chainrule.errors import ConfigurationError
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from chainrule_rules import (
    AsPrinted,
    DirectFeedbackAlignment,
    Exact,
    FeedbackAlignment,
    SignSymmetric,
    chainrule_rules,
)

FEEDBACK = {cls.name: cls for cls in (FeedbackAlignment, DirectFeedbackAlignment, SignSymmetric)}
every_feedback = pytest.mark.parametrize("cls", FEEDBACK.values(), ids=FEEDBACK)


@pytest.fixture
def article():
    """Weights, inputs and deltas of layers 2 and 3 of the article's test network: sigmoid hidden layers, one sample."""
    rng = np.random.default_rng(0)
    w1, b1, w2, b2, w3, b3 = (rng.normal(size=shape) for shape in [(2, 2), (2,), (2, 2), (2,), (1, 2), (1,)])
    x = np.array([0.3, -0.7])
    a1 = 1 / (1 + np.exp(-(w1 @ x + b1)))
    a2 = 1 / (1 + np.exp(-(w2 @ a1 + b2)))
    delta3 = w3 @ a2 + b3 - (2 * 0.3 + 3 * -0.7 + 10)
    delta2 = delta3 * w3[0] * a2 * (1 - a2)
    layers = {
        "weights": [np.empty((1, 0, 0)), w1[None], w2[None], w3[None]],
        "deltas": [np.empty((1, 0, 1)), np.empty((1, 2, 1)), delta2[None, :, None], delta3[None, :, None]],
        "inputs": [np.concatenate([[1], a])[None, :, None] for a in (x, a1, a2)],
    }
    return layers, a1, a2


def random_layers(rng, runs, samples):
    """Return weights, deltas and inputs in the memory layout of the engine."""
    weights = [rng.normal(size=(runs, units, before)) for units, before in [(0, 2), (2, 2), (2, 2), (1, 2)]]
    deltas = [columns(runs, units, samples, float) for units in (0, 2, 2, 1)]
    inputs = [columns(runs, 3, samples, float) for _ in range(3)]
    for array in (*deltas, *inputs):
        array[...] = rng.normal(size=array.shape)
    return weights, deltas, inputs


def test_registered():
    assert {"exact", "as_printed", *FEEDBACK} <= {cls.name for cls in chainrule_rules()}
    assert AsPrinted.widths == (2, 2, 2, 1)
    assert Exact.widths is None


def test_exact_replaces_nothing():
    assert Exact.error is Rule.error
    assert Exact.gradient is Rule.gradient


def test_the_article_s_numbers(article):
    layers, a1, _ = article
    weights, deltas, inputs = layers["weights"], layers["deltas"], layers["inputs"]
    rule = AsPrinted()
    second = rule.gradient(2, deltas[2], inputs[1])[0]
    np.testing.assert_allclose(second[:, 0], [6.16707786, 0.47866803], atol=1e-8)
    np.testing.assert_allclose(second[:, 1:], [[2.46681369, 0.29572914]] * 2, atol=1e-8)
    delta1 = rule.error(1, weights, deltas, {}) * (a1 * (1 - a1))[:, None]
    first = rule.gradient(1, delta1, inputs[0])[0]
    np.testing.assert_allclose(first[:, 0], [1.9300442, 0.10704166], atol=1e-8)
    np.testing.assert_allclose(first[:, 1:], [[0.57901326, -0.07492916]] * 2, atol=1e-8)
    third = rule.gradient(3, deltas[3], inputs[2])[0]
    np.testing.assert_allclose(third[:, 1:], [[-6.95385284, -2.97513398]], atol=1e-8)


def test_the_second_layer_s_error_is_exact(article):
    layers, _, a2 = article
    error = AsPrinted().error(2, layers["weights"], layers["deltas"], {})
    np.testing.assert_allclose(error[0, :, 0] * a2 * (1 - a2), layers["deltas"][2][0, :, 0], rtol=1e-14)


@pytest.mark.parametrize("samples", [1, 4, 40])
def test_every_entry_as_printed(samples):
    weights, deltas, inputs = random_layers(np.random.default_rng(0), 3, samples)
    rule = AsPrinted()
    for layer in (1, 2):
        (d1, d2), (one, a1, a2) = deltas[layer].swapaxes(0, 1), inputs[layer - 1].swapaxes(0, 1)
        printed = [[d1 * one, d1 * a1, d2 * a2], [d2 * one, d1 * a1, d2 * a2]]
        expected = np.array(printed).sum(axis=-1).transpose(2, 0, 1)
        np.testing.assert_allclose(
            rule.gradient(layer, deltas[layer], inputs[layer - 1]), expected, rtol=1e-12, atol=1e-14
        )
    exact = np.einsum("rjs,rks->rjk", deltas[3], inputs[2])
    np.testing.assert_allclose(rule.gradient(3, deltas[3], inputs[2]), exact, rtol=1e-12, atol=1e-14)
    one_path = [deltas[2][:, j] * weights[2][:, 0, j, None] for j in (0, 1)]
    np.testing.assert_array_equal(rule.error(1, weights, deltas, {}), np.stack(one_path, axis=1))
    exact = np.einsum("rij,ris->rjs", weights[3], deltas[3])
    np.testing.assert_allclose(rule.error(2, weights, deltas, {}), exact, rtol=1e-14)


def gradients(rule, weights, biases, x, y, state=None):
    """Return the gradients of one run's mean loss, tanh in the hidden layers, as one flat vector."""
    shape = Shape((len(x), *(len(W) for W in weights)))
    theta = shape.flatten(weights, biases)[None]
    tanh, identity = (stack([chainrule.component("activation", name)], float) for name in ("tanh", "identity"))
    loss = stack([chainrule.component("loss", "half_squared_error")], float)
    if state is None:
        state = rule.init(np.random.default_rng(0), shape.widths)
    state = {name: array[None] for name, array in state.items()}
    forward = Pass(shape, theta, tanh, identity, x.shape[1])
    backprop = Backprop(forward, loss, stack([rule], float), state, np.empty_like(theta))
    inputs = columns(1, 1 + len(x), x.shape[1], float)
    inputs[0, 0], inputs[0, 1:] = 1, x
    return backprop(backprop.batch(inputs, y[None]))[0].copy()


def network(rng, widths, samples=5):
    """Draw weights, biases, inputs and true outputs."""
    weights = [rng.normal(size=(units, before)) for before, units in pairwise(widths)]
    biases = [rng.normal(size=units) for units in widths[1:]]
    return weights, biases, rng.normal(size=(widths[0], samples)), rng.normal(size=(widths[-1], samples))


@pytest.mark.parametrize(("cls", "widths"), [
    (FeedbackAlignment, (3, 2)), (FeedbackAlignment, (3, 5, 2)), (FeedbackAlignment, (3, 4, 5, 2)),
    (FeedbackAlignment, (2, 1, 3, 1, 1)), (DirectFeedbackAlignment, (3, 2)), (DirectFeedbackAlignment, (3, 5, 2)),
])  # fmt: skip
def test_with_the_weights_transposed_feedback_alignment_is_exact(cls, widths):
    """The direct one with one hidden layer only: with more, no matrix stands for the layers in between."""
    weights, biases, x, y = network(np.random.default_rng(0), widths)
    state = {f"B{layer}": weights[layer].T for layer in range(1, len(weights))}
    actual = gradients(cls(), weights, biases, x, y, state)
    np.testing.assert_allclose(actual, gradients(Exact(), weights, biases, x, y), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("scale", [1.0, 0.25, 3.0])
def test_with_weights_of_one_size_sign_symmetry_is_exact(scale):
    rng = np.random.default_rng(0)
    weights, biases, x, y = network(rng, (3, 4, 5, 2))
    weights = [scale * np.sign(W) for W in weights]
    actual = gradients(SignSymmetric(scale=scale), weights, biases, x, y)
    np.testing.assert_allclose(actual, gradients(Exact(), weights, biases, x, y), rtol=1e-13, atol=1e-15)


@every_feedback
def test_the_last_layer_s_gradient_is_exact_and_others_are_not(cls):
    network_of = network(np.random.default_rng(0), (3, 4, 5, 2))
    actual, exact = gradients(cls(), *network_of), gradients(Exact(), *network_of)
    last = Shape((3, 4, 5, 2)).slices()[3]
    assert actual[last].tobytes() == exact[last].tobytes()
    assert not np.isclose(actual, exact)[: last.start].any()


WIDTHS = (3, 4, 5, 2)


def layers_of(rng, runs, samples, widths=WIDTHS, dtype=float):
    """Return weights as views of blocks and deltas, in the memory layout of the engine."""
    theta = rng.normal(size=(runs, Shape(widths).size)).astype(dtype)
    weights = [block[:, :, 1:] for block in Shape(widths).blocks(theta)]
    deltas = [columns(runs, units, samples, dtype) for units in (0, *widths[1:])]
    for delta in deltas:
        delta[...] = rng.normal(size=delta.shape)
    return weights, deltas


@pytest.mark.parametrize("samples", [1, 4, 40])
def test_every_entry_of_the_errors(samples):
    rng = np.random.default_rng(0)
    weights, deltas = layers_of(rng, 3, samples)
    scales = np.array([0.5, 1.0, 2.0])
    for layer, above in ((1, 5), (2, 2)):
        B = rng.normal(size=(3, WIDTHS[layer], above))
        error = FeedbackAlignment().error(layer, weights, deltas, {f"B{layer}": B})
        np.testing.assert_allclose(error, np.einsum("rij,rjs->ris", B, deltas[layer + 1]), rtol=1e-12, atol=1e-14)
        B = rng.normal(size=(3, WIDTHS[layer], 2))
        error = DirectFeedbackAlignment().error(layer, weights, deltas, {f"B{layer}": B})
        np.testing.assert_allclose(error, np.einsum("rij,rjs->ris", B, deltas[3]), rtol=1e-12, atol=1e-14)
        rule = stack([SignSymmetric(scale=float(scale)) for scale in scales], float)
        expected = np.einsum("r,rij,ris->rjs", scales, np.sign(weights[layer + 1]), deltas[layer + 1])
        np.testing.assert_allclose(rule.error(layer, weights, deltas, {}), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("cls", "shapes"),
    [
        (FeedbackAlignment, {"B1": (4, 5), "B2": (5, 2)}),
        (DirectFeedbackAlignment, {"B1": (4, 2), "B2": (5, 2)}),
        (SignSymmetric, {}),
    ],
)
def test_feedback_has_a_matrix_a_hidden_layer(cls, shapes):
    state = cls().init(np.random.default_rng(0), WIDTHS)
    assert {name: array.shape for name, array in state.items()} == shapes
    assert cls().init(np.random.default_rng(0), (3, 2)) == {}


@pytest.mark.parametrize("cls", [FeedbackAlignment, DirectFeedbackAlignment])
def test_feedback_is_uniform_follows_from_the_seed_and_grows_with_scale(cls):
    widths = (10, 200, 300, 100)
    one, same, other = (cls().init(np.random.default_rng(seed), widths) for seed in (0, 0, 1))
    double = cls(scale=1.0).init(np.random.default_rng(0), widths)
    for name, B in one.items():
        assert B.tobytes() == same[name].tobytes()
        assert not np.isclose(B, other[name]).all()
        np.testing.assert_allclose(double[name], 2 * B, rtol=1e-12)
        assert 0.499 < np.abs(B).max() <= 0.5
        assert np.histogram(B, 10, (-0.5, 0.5))[0] == pytest.approx(B.size / 10, rel=0.06)


@every_feedback
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    runs=st.integers(2, 20),
    samples=st.sampled_from([1, 2, 5, 7, 8, 16, 17, 64]),
    hidden=st.lists(st.sampled_from([1, 2, 3, 8, 9, 30]), min_size=1, max_size=3),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_bits_of_errors_do_not_depend_on_the_stack_nor_on_the_buffer(cls, seed, runs, samples, hidden, dtype):
    rng = np.random.default_rng(seed)
    widths = (3, *hidden, int(rng.integers(1, 4)))
    weights, deltas = layers_of(rng, runs, samples, widths, dtype)
    rules = [cls(scale=float(scale)) for scale in rng.uniform(0.1, 2, runs)]
    states = [rule.init(rng, widths) for rule in rules]
    state = {name: np.stack([own[name] for own in states]).astype(dtype) for name in states[0]}
    together = stack(rules, dtype)
    run = int(rng.integers(runs))
    own_theta = np.concatenate([np.zeros((1, 0), dtype)] + [
        np.concatenate([np.zeros((1, W.shape[1], 1), dtype), W[[run]]], axis=2).reshape(1, -1) for W in weights[1:]
    ], axis=1)  # fmt: skip
    own_weights = [block[:, :, 1:] for block in Shape(widths).blocks(own_theta)]
    own_deltas = [columns(1, delta.shape[1], samples, dtype) for delta in deltas]
    for own, delta in zip(own_deltas, deltas, strict=True):
        own[...] = delta[[run]]
    own_state = {name: np.ascontiguousarray(array[[run]]) for name, array in state.items()}
    alone = stack([rules[run]], dtype)
    for layer in range(1, len(hidden) + 1):
        buffer = columns(runs, widths[layer], samples, dtype)
        error = together.error(layer, weights, deltas, state, out=buffer)
        assert error is buffer
        own_error = alone.error(layer, own_weights, own_deltas, own_state)
        assert own_error.dtype == dtype
        assert own_error.tobytes() == np.ascontiguousarray(error[[run]]).tobytes()


def angle(one, other):
    """Return the angle between two vectors, in degrees."""
    return np.degrees(np.arccos(one @ other / np.linalg.norm(one) / np.linalg.norm(other)))


def test_training_aligns_the_weights_with_the_feedback():
    """Lillicrap et al.: where the update and the gradient of the hidden layers begin apart, their angle falls below 90.

    The task is wine, three classes, with tanh; twenty networks and feedbacks at random.
    """
    choice = ["target=wine", "network.hidden=[10]", "activation=tanh", "training.batch_size=16", "data.validation=0"]
    choice += ["output=identity", "loss=half_squared_error"]
    choice += ["rule=feedback_alignment", "initializer.std=0.3", "optimizer.lr=0.05", "training.epochs=60"]
    runs = [prepare(compose_settings([*choice, f"seed={seed}"])) for seed in range(20)]
    angles = []
    for run, result in zip(runs, train_stack(runs), strict=True):
        first = run.shape.slices()[1]
        pair = []
        for theta in (run.theta, result.theta):
            parts = [*run.shape.split(theta), run.samples.train[1:14], run.samples.train[14:]]
            update = gradients(run.settings.rule, *parts, run.rule_state)
            pair.append(angle(update[first], gradients(Exact(), *parts)[first]))
        angles.append(pair)
    before, after = np.array(angles).T
    assert before.max() > 90
    assert after.max() < 90
    assert np.median(after) < np.median(before) - 15


@every_feedback
@pytest.mark.parametrize("choice", [
    [],
    ["activation=tanh", "network.hidden=[16,16]"],
    ["target=two_moons", "network.hidden=[16]", "output=sigmoid", "loss=binary_cross_entropy"],
    pytest.param(["target=wine", "network.hidden=[16,8]", "output=softmax", "loss=categorical_cross_entropy",
                  "optimizer=adam"], marks=pytest.mark.slow),
])  # fmt: skip
def test_networks_learn_by_feedback(cls, choice):
    runs = [
        prepare(compose_settings([f"rule={cls.name}", f"seed={s}", "training.epochs=40", *choice])) for s in range(3)
    ]
    for result in train_stack(runs):
        losses = result.curves.values["train/loss"]
        assert losses[-1] < 0.7 * losses[0]


def test_refuses_feedback_of_no_size():
    for cls in FEEDBACK.values():
        with pytest.raises(ConfigurationError) as refused:
            build(cls, {"scale": 0.0}, "rule")
        assert str(refused.value) == "rule.scale must be a number > 0, not 0.0."
        assert all(parameter.description for parameter in parameters(cls).values())
