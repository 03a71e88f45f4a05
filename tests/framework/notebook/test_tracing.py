"""Gradients, and one step layer by layer."""

import dataclasses

import numpy as np
import pytest

import chainrule
from chainrule.engine.gradcheck import central_differences

SHORT = ["training.epochs=6", "training.batch_size=8"]


def forward(run, theta, hidden, output):
    """The network in NumPy: hidden layers and outputs, by formulas of the test."""
    inputs = run.samples.inputs
    a, y = run.samples.train[1 : 1 + inputs], run.samples.train[1 + inputs :]
    layers = list(zip(*run.shape.split(theta), strict=True))
    for number, (weights, biases) in enumerate(layers, 1):
        z = weights @ a + biases[:, None]
        a = output(z) if number == len(layers) else hidden(z)
    return a, y


def half_squared_error(run, theta):
    predicted, y = forward(run, theta, np.tanh, lambda z: z)
    return 0.5 * np.square(predicted - y).sum(axis=0).mean()


def cross_entropy(run, theta):
    predicted, y = forward(run, theta, lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(z) / np.exp(z).sum(axis=0))
    return -(y * np.log(predicted)).sum(axis=0).mean()


REGRESSION = ["activation=tanh", "network.hidden=[3,4]"]
CLASSES = ["target=wine", "output=softmax", "loss=categorical_cross_entropy", "network.hidden=[3]"]


@pytest.mark.parametrize(("overrides", "loss"), [(REGRESSION, half_squared_error), (CLASSES, cross_entropy)])
def test_the_gradient_is_that_of_central_differences(overrides, loss):
    run = chainrule.prepare(chainrule.settings(*overrides))
    points = run.theta + 0.3 * np.random.default_rng(0).standard_normal((3, run.theta.size))
    found = chainrule.gradient(run, points)
    expected = [central_differences(lambda theta: loss(run, theta), point) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    for point, row in zip(points, found, strict=True):
        assert chainrule.gradient(run, point).tobytes() == row.tobytes()


def test_a_gradient_changes_nothing_and_is_in_the_precision_of_the_run():
    run = chainrule.prepare(chainrule.settings(*SHORT, "training.dtype=float32"))
    expected = chainrule.train([[*SHORT, "training.dtype=float32"]])[0].theta
    given = run.theta.copy()
    found = chainrule.gradient(run, given)
    assert (found.dtype, found.shape) == (np.float32, given.shape)
    assert given.tobytes() == run.theta.tobytes()
    assert chainrule.train([run])[0].theta.tobytes() == expected.tobytes()


def test_another_rule_has_the_fixed_arrays_that_the_run_would_have_with_it():
    settings = chainrule.settings(*REGRESSION, "seed=7")
    rule = chainrule.component("rule", "feedback_alignment")
    exact, aligned = (chainrule.prepare(dataclasses.replace(settings, rule=each)) for each in (settings.rule, rule))
    found = chainrule.gradient(exact, exact.theta, rule)
    assert found.tobytes() == chainrule.gradient(aligned, exact.theta).tobytes()
    assert chainrule.gradient(aligned, exact.theta, settings.rule).tobytes() == (
        chainrule.gradient(exact, exact.theta).tobytes()
    )
    own, other = (exact.shape.split(each)[0] for each in (chainrule.gradient(exact, exact.theta), found))
    assert [np.array_equal(a, b) for a, b in zip(own, other, strict=True)] == [False, False, True]
    with pytest.raises(chainrule.ConfigurationError, match="rule=as_printed is defined for the 2-2-2-1 network only"):
        chainrule.gradient(exact, exact.theta, chainrule.component("rule", "as_printed"))


def test_a_step_with_two_outputs_for_each_of_the_target_s():
    weights, biases = [np.array([[1.0], [0.5]])], [np.zeros(2)]
    step = chainrule.trace_step(weights, biases, [2.0], [1.0], loss="gaussian_nll")
    loss = chainrule.component("loss", "gaussian_nll")
    given = np.array([[[2.0], [1.0]]])
    np.testing.assert_array_equal(step.delta[-1], loss.gradient(given, np.ones((1, 1, 1)))[0, :, 0])
    with pytest.raises(chainrule.ConfigurationError, match=r"^y must have the shape \(1, 1\), not \(2, 1\)\.$"):
        chainrule.trace_step(weights, biases, [2.0], [1.0, 1.0], loss="gaussian_nll")
