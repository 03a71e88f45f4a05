"""The article's equations against published numbers and central differences."""

import dataclasses
import itertools

import numpy as np
import pytest

import chainrule
from chainrule.engine.gradcheck import central_differences
from chainrule.engine.network import Shape
from chainrule.registry.loaded import installed
from sizes import one_in


def article_net():
    """The test network: every parameter normal, in the order W1, b1, W2, b2, W3, b3."""
    rng = np.random.default_rng(0)
    shapes = [(2, 2), (2,), (2, 2), (2,), (1, 2), (1,)]
    drawn = [rng.normal(size=shape) for shape in shapes]
    return drawn[::2], drawn[1::2], np.array([0.3, -0.7]), np.array([2 * 0.3 + 3 * -0.7 + 10])


def close(actual, expected, digits=8):
    """Equal to the digits printed, of which the last may be off by one."""
    np.testing.assert_allclose(actual, expected, atol=1.5 * 10**-digits, rtol=0)


def test_exact_gradients_of_the_article_s_network():
    trace = chainrule.trace_step(*article_net())
    close(trace.weight_gradients[2], [[-6.95385284, -2.97513398]])
    close(trace.weight_gradients[1], [[2.46681368, 3.81012412], [0.19146586, 0.29572914]])
    close(trace.bias_gradients[1], [6.16707786, 0.47866803])
    close(trace.weight_gradients[0], [[0.55475972, -1.29443934], [0.37082559, -0.86525971]])
    close(trace.bias_gradients[0], [1.84919906, 1.23608529])


def test_gradients_as_the_article_prints_them():
    trace = chainrule.trace_step(*article_net(), rule="as_printed")
    close(trace.weight_gradients[1], [[2.46681369, 0.29572914], [2.46681369, 0.29572914]])
    close(trace.weight_gradients[0], [[0.57901326, -0.07492916], [0.57901326, -0.07492916]])
    close(trace.bias_gradients[0], [1.9300442, 0.10704166])
    exact = chainrule.trace_step(*article_net())
    close(trace.weight_gradients[2], exact.weight_gradients[2])


@dataclasses.dataclass(frozen=True)
class Scaled(chainrule.Rule):
    """Eq. 5 in layer 2 times a factor that ``init`` makes of a float field."""

    factor: float = 3.0

    def init(self, rng, widths):
        return {"factors": np.full((widths[2], 1), self.factor)}

    def error(self, layer, weights, deltas, state):
        exact = chainrule.product(weights[layer + 1].mT, deltas[layer + 1])
        return exact * state["factors"] if layer == 2 else exact


def test_the_state_of_a_rule_has_the_shapes_that_it_has_in_training():
    scaled, exact = (chainrule.trace_step(*article_net(), rule=rule) for rule in (Scaled(), "exact"))
    close(scaled.bias_gradients[1], 3 * exact.bias_gradients[1])


def test_mazur_s_step_by_step_example():
    """M. Mazur, A Step by Step Backpropagation Example (2015); that author leaves the biases alone."""
    weights = [np.array([[0.15, 0.20], [0.25, 0.30]]), np.array([[0.40, 0.45], [0.50, 0.55]])]
    biases = [np.array([0.35, 0.35]), np.array([0.60, 0.60])]
    trace = chainrule.trace_step(weights, biases, [0.05, 0.10], [0.01, 0.99], output="sigmoid")
    close(trace.a[-1], [0.75136507, 0.772928465])
    close(trace.loss, 0.298371109, 9)
    stepped = [W - 0.5 * g for W, g in zip(weights, trace.weight_gradients, strict=True)]
    close(stepped[1], [[0.35891648, 0.408666186], [0.511301270, 0.561370121]])
    close(stepped[0], [[0.149780716, 0.19956143], [0.24975114, 0.29950229]])


ACTIVATIONS, LOSSES = installed().names("activation"), installed().names("loss")


def truth(loss, outputs, samples, rng):
    """True values on which a loss is defined and smooth: away from predictions, and classes where it wants them."""
    if installed().find("loss", loss).one_hot:
        return np.eye(outputs)[:, rng.integers(0, outputs, samples)]
    if installed().find("loss", loss).target_range == (0, 1):
        return rng.integers(0, 2, (outputs, samples)).astype(float)
    return rng.normal(size=(outputs, samples)) + 5


def fitting_output(loss, activation):
    """The activation itself on the output layer where the loss is defined on its range, else one that fits."""
    low, high = installed().find("loss", loss).prediction_range
    found = installed().find("activation", activation)().range
    return activation if low <= found[0] and found[1] <= high else installed().find("loss", loss).paired_output


@pytest.mark.parametrize(("activation", "loss"), one_in(4, itertools.product(ACTIVATIONS, LOSSES), ci=2))
def test_gradients_equal_central_differences(activation, loss):
    rng = np.random.default_rng(3)
    output = fitting_output(loss, activation)
    widths = (3, 4, 3, 2 * installed().find("loss", loss).outputs_per_target)
    parts = (installed().find("activation", name)() for name in (activation, output))
    shape = Shape(widths, rows=Shape.of(widths, *parts).rows)
    weights, biases = shape.split(rng.normal(size=shape.size))
    x, y = rng.normal(size=(3, 5)), truth(loss, 2, 5, rng)
    options = {"hidden": activation, "output": output, "loss": loss}

    def mean(theta):
        return chainrule.trace_step(*shape.split(theta), x, y, **options).loss

    trace = chainrule.trace_step(weights, biases, x, y, **options)
    expected = central_differences(mean, shape.flatten(weights, biases))
    actual = shape.flatten(trace.weight_gradients, trace.bias_gradients)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-8 * max(1, np.abs(expected).max()))


def test_every_sample_has_its_own_delta_and_the_gradient_is_their_mean():
    weights, biases, x, y = article_net()
    other = np.array([0.5, 0.1])
    both = chainrule.trace_step(weights, biases, np.stack([x, other], axis=1), np.stack([y, y], axis=1))
    alone = [chainrule.trace_step(weights, biases, point, y) for point in (x, other)]
    for layer in range(3):
        np.testing.assert_allclose(both.delta[layer], np.stack([t.delta[layer] for t in alone], axis=1), rtol=1e-12)
        mean = (alone[0].weight_gradients[layer] + alone[1].weight_gradients[layer]) / 2
        np.testing.assert_allclose(both.weight_gradients[layer], mean, rtol=1e-12)
    assert both.loss == pytest.approx((alone[0].loss + alone[1].loss) / 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"y": [1.0, 2.0]}, r"y must have the shape \(1, 1\), not \(2, 1\)"),
        ({"x": [1.0]}, r"layer 1 needs weights \(units, 1\) and biases \(units,\), not \(2, 2\) and \(2,\)"),
        ({"biases": []}, "weights and biases need one entry per layer, and at least one, not 3 and 0"),
        ({"hidden": "sigmod"}, r"activation=sigmod is unknown \(did you mean 'sigmoid'\?\)"),
    ],
)
def test_shapes_that_do_not_fit(change, sentence):
    weights, biases, x, y = article_net()
    with pytest.raises(chainrule.ConfigurationError, match=sentence):
        chainrule.trace_step(**{"weights": weights, "biases": biases, "x": x, "y": y} | change)


def test_as_printed_on_another_network():
    with pytest.raises(chainrule.ConfigurationError, match=r"rule=as_printed is defined for the 2-2-2-1 network only"):
        chainrule.trace_step([np.ones((1, 2))], [np.ones(1)], [1.0, 2.0], [1.0], rule="as_printed")
