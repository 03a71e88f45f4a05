"""Initializers against the moments of their distributions."""

import math

import numpy as np
import pytest

from chainrule.components.parameters import build
from chainrule.components.random import Random
from chainrule.components.stacking import stack
from chainrule.config.compose import compose_settings
from chainrule.engine.network import Pass
from chainrule.errors import ConfigurationError
from chainrule.runs.prepare import prepare
from chainrule_initializers import (
    LSUV,
    Fan,
    HeNormal,
    HeUniform,
    Normal,
    Orthogonal,
    Siren,
    Uniform,
    XavierNormal,
    XavierUniform,
    Zeros,
)
from chainrule_initializers import chainrule_initializers as registered

FAN_IN, FAN_OUT = 200, 300
# each with the variance of its weights and, of uniform ones, the interval
EXPECTED = [
    (Normal(), 1.0, None),
    (Normal(2.0, 0.5), 0.25, None),
    (Normal(3.0, 0.0), 0.0, None),
    (Uniform(), 1 / 12, (0, 1)),
    (Uniform(-3.0, 1.0), 16 / 12, (-3, 1)),
    (XavierNormal(), 2 / 500, None),
    (XavierNormal(3.0), 18 / 500, None),
    (XavierUniform(), 2 / 500, (-math.sqrt(6 / 500), math.sqrt(6 / 500))),
    (XavierUniform(3.0), 18 / 500, (-math.sqrt(54 / 500), math.sqrt(54 / 500))),
    (HeNormal(), 2 / 200, None),
    (HeNormal(mode=Fan.FAN_OUT), 2 / 300, None),
    (HeNormal(a=0.5), 2 / 1.25 / 200, None),
    (HeUniform(), 2 / 200, (-math.sqrt(6 / 200), math.sqrt(6 / 200))),
    (HeUniform(0.5, Fan.FAN_OUT), 2 / 1.25 / 300, (-math.sqrt(6 / 1.25 / 300), math.sqrt(6 / 1.25 / 300))),
    (Zeros(), 0.0, None),
]
every_initializer = pytest.mark.parametrize(
    ("initializer", "variance", "interval"), EXPECTED, ids=lambda item: str(item)
)


def mean_of(initializer):
    return {Normal: lambda i: i.mean, Uniform: lambda i: (i.a + i.b) / 2}.get(type(initializer), lambda i: 0.0)(
        initializer
    )


def test_every_registered_initializer_is_expected():
    assert {type(initializer) for initializer, *_ in EXPECTED} | {Orthogonal, LSUV, Siren} == set(registered())


@every_initializer
def test_weights_have_the_variance_of_the_formula(initializer, variance, interval):
    weights = initializer.weights(np.random.default_rng(0), FAN_IN, FAN_OUT)
    assert weights.shape == (FAN_OUT, FAN_IN)
    assert weights.var() == pytest.approx(variance, rel=0.03)
    assert weights.mean() == pytest.approx(mean_of(initializer), abs=5 * math.sqrt(variance / weights.size))
    if interval:
        low, high = interval
        assert low <= weights.min() < low + 1e-3 * (high - low)
        assert high - 1e-3 * (high - low) < weights.max() <= high


@every_initializer
def test_biases_are_drawn_alike_or_zero(initializer, variance, interval):
    biases = initializer.biases(np.random.default_rng(0), 3, 60_000)
    assert biases.shape == (60_000,)
    if isinstance(initializer, Normal | Uniform):
        assert biases.var() == pytest.approx(variance, rel=0.03)
        assert biases.mean() == pytest.approx(mean_of(initializer), abs=5 * math.sqrt(variance / biases.size))
    else:
        assert not biases.any()


def test_normal_draws_the_article_s_start():
    """W1, b1, W2, b2, W3, b3 one after another from one generator."""
    ours, theirs = np.random.default_rng(0), np.random.default_rng(0)
    for fan_in, fan_out in [(2, 2), (2, 2), (2, 1)]:
        np.testing.assert_array_equal(Normal().weights(ours, fan_in, fan_out), theirs.normal(size=(fan_out, fan_in)))
        np.testing.assert_array_equal(Normal().biases(ours, fan_in, fan_out), theirs.normal(size=(fan_out,)))


@pytest.mark.parametrize("b", [1, 2])
def test_uniform_refuses_an_empty_interval(b):
    with pytest.raises(
        ConfigurationError, match=rf"initializer\.b must be a number > initializer\.a = 2, not {b}\.0\."
    ):
        build(Uniform, {"a": 2, "b": b}, "initializer")


def test_mode_is_chosen_by_name():
    assert build(HeNormal, {"mode": "fan_out"}, "initializer") == HeNormal(mode=Fan.FAN_OUT)
    with pytest.raises(ConfigurationError, match=r"one of fan_in, fan_out, not 'fan_on' \(did you mean"):
        build(HeNormal, {"mode": "fan_on"}, "initializer")


@pytest.mark.parametrize(("fan_in", "fan_out"), [(5, 3), (3, 5), (4, 4), (1, 7), (7, 1)])
def test_all_singular_values_of_orthogonal_weights_are_the_gain(fan_in, fan_out):
    weights = Orthogonal(gain=2.0).weights(np.random.default_rng(0), fan_in, fan_out)
    assert weights.shape == (fan_out, fan_in)
    np.testing.assert_allclose(np.linalg.svd(weights, compute_uv=False), 2.0)


def test_orthogonal_weights_have_every_direction():
    """The first column is a point of the unit circle; without the signs its angle would lie in one half."""
    rng = np.random.default_rng(0)
    x, y = np.array([Orthogonal().weights(rng, 2, 2)[:, 0] for _ in range(2000)]).T
    counts, _ = np.histogram(np.arctan2(y, x), bins=8, range=(-np.pi, np.pi))
    assert abs(counts - 250).max() < 4 * 250**0.5


def layers(*words):
    """``z`` of each layer for the training samples of a run, before training."""
    run = prepare(compose_settings([*words]))
    samples, inputs = run.samples.train, run.samples.inputs
    hidden, output = run.settings.activation, run.settings.output
    rng = Random([np.random.default_rng(0)], samples.dtype)  # so that norms do what they do in training
    own = (stack([each], samples.dtype) for each in (hidden, output, run.settings.norm))
    hidden, output, norm = own
    forward = Pass(run.shape, run.theta[None], hidden, output, samples.shape[1], rng, norm=norm)
    forward.forward(forward.first(samples[None, : 1 + inputs]))
    return [z[0] for z in forward.z[1:]]


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
def test_lsuv_gives_every_layer_unit_variance(activation):
    words = ["initializer=lsuv", f"activation={activation}", "network.hidden=[20,5,30]", "target=friedman1"]
    for z in layers(*words):
        assert z.var() == pytest.approx(1, rel=1e-12)
    for z in layers(*words, "training.dtype=float32"):
        assert z.var() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("norm", ["batch_norm", "layer_norm", "[layer_norm,identity,batch_norm]"])
def test_lsuv_sees_norms_and_the_activation_of_each_layer(norm):
    words = ["initializer=lsuv", "activation=[prelu,tanh,snake]", "network.hidden=[20,5,30]", "target=friedman1"]
    for z in layers(*words, f"norm={norm}", "training.batch_size=8", "network.dropout=0.3"):
        assert z.var() == pytest.approx(1, rel=1e-12)


def test_lsuv_leaves_what_does_not_vary():
    weights = LSUV().weights(np.random.default_rng(0), 3, 3, inputs=np.zeros((3, 9)))
    np.testing.assert_allclose(weights @ weights.T, np.eye(3), atol=1e-12)


def test_siren_keeps_the_distribution_of_pre_activations():
    """Sines of many periods have the mean square 1/2, and those of a normal z of variance v ``(1 - exp(-2 v)) / 2``.

    Twice the mean square is the variance of the next ``omega_0 z``, with which it becomes stationary at 0.797.
    """
    rng, initializer = np.random.default_rng(0), Siren()
    a, expected = rng.uniform(-1, 1, (2, 4000)), [math.nan, 1.0]
    for layer, (fan_in, fan_out) in enumerate([(2, 512), *[(512, 512)] * 5], 1):
        z = 30 * (initializer.weights(rng, fan_in, fan_out, layer=layer) @ a)
        assert layer == 1 or z.var() == pytest.approx(expected[layer - 1], rel=0.04)
        expected += [1 - math.exp(-2 * expected[-1])] if layer > 1 else []
        a = np.sin(z)
    assert expected[-1] == pytest.approx(0.797, abs=0.01)
    assert np.abs(initializer.weights(rng, 4, 9999, layer=1)).max() == pytest.approx(1 / 4, rel=1e-3)
    assert np.abs(initializer.weights(rng, 4, 9999, layer=2)).max() == pytest.approx(math.sqrt(6 / 4) / 30, rel=1e-3)
    assert np.abs(initializer.biases(rng, 4, 9999)).max() == pytest.approx(1 / 2, rel=1e-3)
