"""The article's printed formulas against its numbers, written out entry by entry, and beside the exact ones."""

import numpy as np
import pytest

from chainrule.kinds import Rule
from chainrule.network import columns
from chainrule_rules import AsPrinted, Exact, chainrule_rules


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
    assert {cls.name for cls in chainrule_rules()} == {"exact", "as_printed"}
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
