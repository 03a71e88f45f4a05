"""Activations with several pieces: maxout and gated linear units, and all that works with them."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
from annotated_types import doc
from scipy.special import expit

import chainrule
from chainrule.engine.gradcheck import central_differences
from chainrule.engine.network import Shape
from chainrule.registry.loaded import installed
from chainrule_activations import GLU, Maxout, ReLU
from stacks import LEAVING, everything, left_at

SHORT = ["network.hidden=[4,3]", "data.samples=40", "training.epochs=6", "training.measure_every=1"]
RULES = [name for name in installed().names("rule") if name != "as_printed"]


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape)


def refused(*overrides):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        chainrule.prepare(chainrule.settings(*overrides))
    return str(caught.value)


def test_maxout_of_x_and_0_is_relu():
    """Goodfellow et al. 2013, sec. 3: rectifiers and absolute values are special cases."""
    x, grad_a = drawn(2, 5, 7), drawn(2, 5, 7)[::-1]
    z = np.concatenate([x, 0 * x], axis=1)
    a = Maxout().forward(z)
    np.testing.assert_array_equal(a, ReLU().forward(x))
    np.testing.assert_array_equal(Maxout().backward(grad_a, z, a)[:, :5], ReLU().backward(grad_a, x, a))


def test_maxout_of_x_and_minus_x_is_the_absolute_value():
    x = drawn(2, 5, 7)
    z = np.concatenate([x, -x], axis=1)
    np.testing.assert_array_equal(Maxout().forward(z), np.abs(x))
    of_x, of_minus_x = np.split(Maxout().backward(np.ones_like(x), z, np.abs(x)), 2, axis=1)
    np.testing.assert_array_equal(of_x - of_minus_x, np.sign(x))


def test_of_equal_pieces_the_first_counts():
    z = np.full((1, 3, 1), 2.0)
    np.testing.assert_array_equal(Maxout(3).backward(np.ones((1, 1, 1)), z, z[:, :1]).ravel(), [1, 0, 0])


def test_glu_is_pytorch_s():
    """``torch.nn.functional.glu`` over units: the first half times the sigmoid of the second."""
    z, grad_a = drawn(2, 10, 7), drawn(2, 5, 7)
    value, gate = z[:, :5], expit(z[:, 5:])
    a = GLU().forward(z)
    np.testing.assert_allclose(a, value * gate, rtol=1e-14)
    expected = np.concatenate([grad_a * gate, grad_a * value * gate * (1 - gate)], axis=1)
    np.testing.assert_allclose(GLU().backward(grad_a, z, a), expected, rtol=1e-13, atol=1e-16)


def test_a_network_of_maxout_with_zero_pieces_is_one_of_relu():
    widths = Shape((3, 4, 4, 2))
    weights, biases = widths.split(drawn(widths.size))
    x, y = drawn(3, 9), drawn(2, 9)
    relu = chainrule.trace_step(weights, biases, x, y, hidden="relu")
    doubled = [[np.concatenate([part, 0 * part]) for part in parts[:2]] + parts[2:] for parts in (weights, biases)]
    maxout = chainrule.trace_step(*doubled, x, y, hidden="maxout")
    np.testing.assert_allclose(maxout.loss, relu.loss, rtol=1e-14)
    assert [each.shape for each in maxout.z] == [(8, 9), (8, 9), (2, 9)]
    assert [each.shape for each in maxout.a] == [(4, 9), (4, 9), (2, 9)]
    for name in ("delta", "weight_gradients", "bias_gradients"):
        for own, wanted in zip(getattr(maxout, name), getattr(relu, name), strict=True):
            np.testing.assert_allclose(own[: len(wanted)], wanted, rtol=1e-12, atol=1e-14)


@dataclass(frozen=True)
class LeakyGate(chainrule.Activation):
    """``v (s(w) + leak)`` with a leak that each unit learns: of somebody else."""

    leak: Annotated[float, doc("what a closed gate lets through, before training")] = 0.1

    pieces = 2
    trained_per_unit = ("leak",)

    def forward(self, z):
        value, gate = np.split(z, 2, axis=1)
        return value * (expit(gate) + self.leak)

    def backward(self, grad_a, z, a):
        value, gate = np.split(z, 2, axis=1)
        s = expit(gate)
        return np.concatenate([grad_a * (s + self.leak), grad_a * value * s * (1 - s)], axis=1)

    def field_gradient(self, name, grad_a, z, a):
        return grad_a * np.split(z, 2, axis=1)[0]


NETWORKS = [
    ["activation=maxout"],
    ["activation=maxout", "activation.pieces=5"],
    ["activation=glu"],
    ["activation=[maxout,tanh]"],
    ["activation=[tanh,glu]"],
    ["activation=glu", "norm=layer_norm"],
    ["activation=maxout", "norm=batch_norm"],
    ["activation=prelu", "output=glu"],
    ["activation=glu", "output=maxout", "output.pieces=3"],
    ["activation=LeakyGate", "norm=[layer_norm,identity]", "output=LeakyGate"],
]
FURTHER = [
    ["training.batch_size=8", "network.dropout=0.3"],
    ["optimizer=muon", "training.batch_size=7", "transforms=[max_norm,clip_layer]"],
    ["optimizer=shampoo", "initializer=lsuv", "training.batch_size=20"],
    ["optimizer=lbfgs", "initializer=orthogonal", "training.dtype=float32", "training.batch_size=null"],
]


def configured(*overrides):
    """Settings in which an activation may also be the one of this module."""
    own = {override.split("=")[0]: LeakyGate() for override in overrides if "LeakyGate" in override}
    rest = [override for override in overrides if "LeakyGate" not in override]
    return dataclasses.replace(chainrule.settings(*rest), **own)


def mean_loss(run, theta):
    """The mean training loss, by the prediction of a result rather than by the pass that is differentiated."""
    settings = dataclasses.replace(run.settings, training=dataclasses.replace(run.settings.training, epochs=0))
    (result,) = chainrule.train([dataclasses.replace(run, settings=settings, theta=theta)])
    return result.metrics["train/loss"]


# What batch_norm does is measured by running averages, so that the gradient is that of another loss.
@pytest.mark.parametrize("network", [each for each in NETWORKS if "norm=batch_norm" not in each], ids=" ".join)
def test_the_gradient_of_every_parameter_equals_central_differences_of_the_whole_loss(network):
    run = chainrule.prepare(configured(*SHORT, *network))
    theta = run.theta + 0.3 * np.random.default_rng(0).normal(size=run.theta.shape)
    expected = central_differences(lambda point: mean_loss(run, point), theta)
    np.testing.assert_allclose(chainrule.gradient(run, theta), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("network", "further"), [(each, FURTHER[at % 4]) for at, each in enumerate(NETWORKS)], ids=" ".join
)
def test_a_run_has_the_same_bits_in_a_stack_and_alone_while_others_leave(network, further):
    runs = [configured(*SHORT, *network, *further, f"seed={seed}") for seed in range(4)]
    together = chainrule.train(runs, stop=left_at(LEAVING))
    for seed in (0, 3):
        (alone,) = chainrule.train([runs[seed]])
        assert everything(together[seed]) == everything(alone)


def test_shapes_of_a_layer_with_pieces():
    settings = chainrule.settings(*SHORT, "activation=[maxout,glu]", "norm=layer_norm")
    run = chainrule.prepare(dataclasses.replace(settings, activation=(Maxout(3), LeakyGate())))
    assert run.shape.widths == (2, 4, 3, 1)
    assert run.shape.rows == (0, 12, 6, 1)
    assert str(run.shape) == "2-4-3-1"
    assert {field.key: field.values for field in run.shape.trained} == {
        "norm.1.gain": 12, "norm.1.shift": 12, "norm.2.gain": 6, "norm.2.shift": 6, "activation.2.leak": 3,
    }  # fmt: skip
    flat = np.arange(2.0 * run.shape.size).reshape(2, -1)
    assert [W.shape for W in run.shape.weights(flat)[1:]] == [(2, 12, 2), (2, 6, 4), (2, 1, 3)]
    assert [b.shape for b in run.shape.biases(flat)[1:]] == [(2, 12), (2, 6), (2, 1)]
    assert Shape((2, 3, 1)) == Shape((2, 3, 1), rows=(0, 3, 1)), "one piece is not said in two ways"


def test_initializers_draw_a_row_for_each_piece():
    for name in installed().names("initializer"):
        run = chainrule.prepare(chainrule.settings(*SHORT, "activation=maxout", f"initializer={name}"))
        assert [W.shape for W in run.shape.split(run.theta)[0]] == [(8, 2), (6, 4), (1, 3)]
    run = chainrule.prepare(chainrule.settings(*SHORT, "activation=maxout", "initializer=lsuv"))
    (W1, W2, _), x = run.shape.split(run.theta)[0], run.samples.train[1:3]
    z = W1 @ x
    np.testing.assert_allclose(z.var(), 1, rtol=1e-9)
    np.testing.assert_allclose((W2 @ np.maximum(z[:4], z[4:])).var(), 1, rtol=1e-9)


def test_a_record_keeps_all_pieces_and_another_run_starts_with_them(tmp_path):
    run = [*SHORT, "activation=glu", "tracking=none"]
    first = chainrule.run(*run, directory="first")
    arrays = chainrule.load("first").record.weights()
    assert (arrays["W1"].shape, arrays["b1"].shape, arrays["W2"].shape) == ((8, 2), (8,), (6, 4))
    assert list(chainrule.load("first").record.manifest.network.widths) == [2, 4, 3, 1]
    x = drawn(2, 5)
    again = chainrule.run(*run, "training.start=first", "training.epochs=0")
    assert again.predict(x).tobytes() == first.predict(x).tobytes()
    for other, here in (("tanh", "1 row"), ("maxout activation.pieces=3", "3 rows")):
        assert refused(*SHORT, *f"activation={other}".split(), "training.start=first") == (
            f"training.start=first has 2 and this run {here} of weights for each unit of layer 1: choose "
            "activations with as many pieces."
        )


def test_a_sweep_of_activations_with_one_piece_and_with_several(tmp_path):
    found = chainrule.sweep("activation=tanh,maxout,glu,[maxout,tanh]", "seed=0,1", *SHORT, "tracking=none")
    assert len(found) == 8
    assert all(outcome.reason == "epochs" for outcome in found)


def test_levenberg_marquardt_learns_with_them():
    """It reads the derivatives of each sample's outputs, which have columns of all pieces."""
    full = ["optimizer=levenberg_marquardt", "training.batch_size=null", "training.epochs=20"]
    for network in (*NETWORKS[:5], NETWORKS[-1]):
        (result,) = chainrule.train([configured(*SHORT, *network, *full)])
        first, *_, last = result.curves.values["train/loss"]
        assert last < 0.05 * first


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_takes_them_or_says_that_it_does_not(rule):
    run = [*SHORT, "activation=[tanh,maxout]", f"rule={rule}"]
    if installed().find("rule", rule).takes_pieces:
        (result,) = chainrule.train([run])
        first, *_, last = result.curves.values["train/loss"]
        assert last < first
        return
    assert refused(*run) == (
        f"rule={rule} is not defined for an activation with several pieces, and that of layer 2 has 2: choose "
        "rule=exact, or another activation."
    )


def test_signs_of_the_weights_of_all_pieces():
    widths = Shape((3, 4, 2), rows=(0, 8, 2))
    weights, biases = widths.split(drawn(widths.size))
    trace = chainrule.trace_step(weights, biases, drawn(3, 9), drawn(2, 9), hidden="glu", rule="sign_symmetric")
    error = np.sign(weights[1]).T @ trace.delta[1]
    value, gate = trace.z[0][:4], expit(trace.z[0][4:])
    np.testing.assert_allclose(trace.delta[0][:4], error * gate, rtol=1e-12)
    np.testing.assert_allclose(trace.delta[0][4:], error * value * gate * (1 - gate), rtol=1e-11)


def test_what_has_several_pieces_is_no_norm():
    assert refused("norm=glu") == (
        "norm=glu has 2 pieces, but a norm gives as many values as it gets: choose it as activation."
    )
    assert refused("activation=maxout", "activation.pieces=1").startswith(
        "activation.pieces must be a whole number >= 2"
    )


def test_arrays_that_do_not_fit_are_told():
    with pytest.raises(chainrule.ConfigurationError) as caught:
        chainrule.trace_step([drawn(3, 2), drawn(1, 1)], [drawn(3), drawn(1)], drawn(2), drawn(1), hidden="glu")
    assert str(caught.value) == "layer 1 has 3 rows of weights, but its activation needs 2 for each unit."
