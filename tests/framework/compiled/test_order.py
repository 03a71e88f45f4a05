"""In which order products add up is asked of NumPy; the answer predicts other products of the same form."""

from fractions import Fraction

import numpy as np
import pytest

from chainrule.compiled.order import summation


def as_views(a, b):
    return tuple(
        value
        for matrix in (a, b)
        for value in (matrix.shape, tuple(stride // matrix.itemsize for stride in matrix.strides))
    )


def fused(a, b):
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total = float(Fraction(float(x)) * Fraction(float(y)) + Fraction(total))
    return total


def plain(a, b):
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += float(x) * float(y)
    return total


RULES = {"plain": plain, "fused": fused, "single": lambda a, b: float(a[0]) * float(b[0])}


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("terms", [1, 2, 3, 9])
@pytest.mark.parametrize("columns", [1, 2, 8])
@pytest.mark.parametrize("reversed_", [False, True])
def test_the_order_that_was_found_predicts_all_bits(rows, terms, columns, reversed_):
    rng = np.random.default_rng(rows + 10 * terms + 100 * columns)
    a, b = rng.normal(size=(rows, terms)), rng.normal(size=(terms, columns))
    if reversed_:
        a, b = a[:, ::-1], b[::-1]
    order = summation(*as_views(a, b), "d")
    got = np.matmul(a[None], b[None])[0]
    if order != "loop":
        expected = [[RULES[order](a[i], b[:, j]) for j in range(columns)] for i in range(rows)]
        assert got.tobytes() == np.array(expected).tobytes()


def test_a_reversed_product_is_added_up_in_its_order():
    """The engine relies on it for few samples: decision 1."""
    a, b = np.ones((3, 4))[:, ::-1], np.ones((4, 1))[::-1]
    assert summation(*as_views(a, b), "d") == "plain"


def test_long_sums_are_left_to_the_library():
    assert summation((2, 256), (256, 1), (256, 3), (1, 256), "d") == "loop"
