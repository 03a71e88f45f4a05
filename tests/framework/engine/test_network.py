"""Flat parameters, and products whose bits do not depend on the stack."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.engine.network import Shape, columns, planned_product, product

widths = st.integers(1, 40)
samples = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 18, 20, 31, 33, 51, 64, 128, 205, 256])
runs = st.sampled_from([2, 3, 5, 24, 64])
dtypes = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 2**32 - 1)


def stacked(rng, runs, units, samples, dtype):
    """A stack of columns, units first in memory, and the same first run alone."""
    many, one = columns(runs, units, samples, dtype), columns(1, units, samples, dtype)
    many[:] = rng.normal(size=many.shape)
    one[:] = many[:1]
    return many, one


@settings(max_examples=400, deadline=None)
@given(widths, widths, samples, runs, dtypes, seeds)
def test_the_three_products_of_a_step_have_the_same_bits_in_a_stack_and_alone(below, units, n, runs, dtype, seed):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(runs, units * (1 + below) + 3)).astype(dtype)
    inputs, delta = stacked(rng, runs, 1 + below, n, dtype), stacked(rng, runs, units, n, dtype)
    results = []
    for number in (runs, 1):
        x, d = inputs[number == 1], delta[number == 1]
        block = theta[:number, : units * (1 + below)].reshape(number, units, 1 + below)
        planned = [
            (block, x, columns(number, units, n, dtype)),
            (block[:, :, 1:].mT, d, columns(number, below, n, dtype)),
            (d, x.mT, np.empty((number, units, 1 + below), dtype)),
        ]
        for a, b, out in planned:
            multiply, operands = planned_product(a, b, out, n)
            out.fill(np.nan)
            multiply(*operands)
            np.testing.assert_allclose(out, a @ b, rtol=1e-4, atol=1e-4)
        results.append([*(out for _, _, out in planned), product(d, x.mT), product(block, x)])
    for many, one in zip(*results, strict=True):
        assert many[0].tobytes() == one[0].tobytes()


@given(widths, widths, st.integers(1, 6), st.integers(1, 20), seeds)
def test_products_are_products(m, k, runs, n, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(runs, m, k)), rng.normal(size=(runs, k, n))
    np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-10, atol=1e-10)


def test_the_article_s_network_has_15_parameters_in_blocks_with_the_bias_first():
    shape = Shape((2, 2, 2, 1))
    assert (shape.size, shape.layers, str(shape)) == (15, 3, "2-2-2-1")
    theta = np.arange(15.0)
    weights, biases = shape.split(theta)
    np.testing.assert_array_equal(weights[0], [[1, 2], [4, 5]])
    np.testing.assert_array_equal(biases[2], [12])
    np.testing.assert_array_equal(shape.flatten(weights, biases), theta)
    blocks = shape.blocks(theta[None])
    blocks[1][0, 0, 0] = 99
    assert theta[0] == 99, "blocks are views"


def test_no_hidden_layer():
    assert Shape((3, 2)).size == 8
