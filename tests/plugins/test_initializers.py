"""Initializers against the moments of their distributions."""

import math

import numpy as np
import pytest

from chainrule.components.parameters import build
from chainrule.errors import ConfigurationError
from chainrule_initializers import Fan, HeNormal, HeUniform, Normal, Uniform, XavierNormal, XavierUniform, Zeros
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
    assert {type(initializer) for initializer, *_ in EXPECTED} == set(registered())


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
