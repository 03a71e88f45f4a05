"""In which order products add up is asked of NumPy; the answer predicts other products of the same form."""

import numpy as np
import pytest

from chainrule.compiled import order
from chainrule.compiled.order import FUSED, GROUPS, PLAIN, SINGLE, Order, added, summation
from compiling import compiled, exactly, same
from sizes import one_in


def as_views(a, b):
    return tuple(
        value
        for matrix in (a, b)
        for value in (matrix.shape, tuple(stride // matrix.itemsize for stride in matrix.strides))
    )


X, Y = np.array([[0.1, 0.7, -0.3, 1.9, 0.3, 2.3, -0.9]]), np.array([[3.3, -0.2, 0.7, 0.1, 0.9, -1.7, 0.6]])
P = [float(x * y) for x, y in zip(X[0], Y[0], strict=True)]


def term(place, total):
    return exactly(X[0][place], Y[0][place], total)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (SINGLE, P[0]),
        (PLAIN, ((((((0 + P[0]) + P[1]) + P[2]) + P[3]) + P[4]) + P[5]) + P[6]),
        (FUSED, term(6, term(5, term(4, term(3, term(2, term(1, term(0, 0.0)))))))),
        (GROUPS, (term(3, term(2, term(0, P[1]))) + term(4, P[5])) + P[6]),
        (Order(sums=2), (((P[0] + P[2]) + P[4]) + P[6]) + ((P[1] + P[3]) + P[5])),
        (Order(sums=2, block=4), ((P[0] + P[2]) + (P[1] + P[3])) + term(6, term(4, P[5]))),
        (Order(sums=4), ((P[0] + P[4]) + (P[2] + P[6])) + ((P[1] + P[5]) + P[3])),
        (Order(sums=4, halves=False), ((P[0] + P[4]) + (P[1] + P[5])) + ((P[2] + P[6]) + P[3])),
        (Order(fused=True, sums=4), (term(4, P[0]) + term(6, P[2])) + (term(5, P[1]) + P[3])),
    ],
)
def test_sums_in_each_order(chosen, expected):
    assert added(chosen, X, Y).tolist() == [expected]


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("terms", one_in(2, [(1,), (2,), (9,), (3,), (47,), (32,)]))
@pytest.mark.parametrize("columns", [1, 3, 18])
@pytest.mark.parametrize("lying", ["by rows", "reversed", "a turned", "b turned"])
def test_the_order_that_was_found_predicts_all_bits(rows, terms, columns, lying):
    rng = np.random.default_rng(rows + 10 * terms + 100 * columns)
    a, b = rng.normal(size=(rows, terms)), rng.normal(size=(terms, columns))
    if lying == "reversed":
        a, b = a[:, ::-1], b[::-1]
    elif lying == "a turned":
        a = np.ascontiguousarray(a.T).T
    elif lying == "b turned":
        b = np.ascontiguousarray(b.T).T
    orders = summation(*as_views(a, b), "d")
    got = np.matmul(a[None], b[None])[0]
    for (row, column), found in (orders or {}).items():
        assert added(found, a[row : row + 1], b[:, column][None])[0] == got[row, column], (row, column, found)


@pytest.mark.parametrize("terms", [2, 3, 4, 5, 8, 16, 33])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_random_products_tell_orders_apart_for_certain(terms, dtype, monkeypatch):
    draws = order._DRAWS
    monkeypatch.setattr(order, "_DRAWS", 20_000)
    rng = np.random.default_rng(terms)
    x, y = (order._random(rng, (1, terms))[:, 0].astype(dtype) for _ in range(2))
    sums = [added(candidate, x, y) for candidate in order._candidates(terms)]
    for place, one in enumerate(sums):
        for other in sums[:place]:
            unlike = (one != other).mean()
            assert unlike == 0 or (1 - unlike) ** draws < 1e-7


def test_all_columns_that_a_library_takes_alike_have_one_order():
    orders = summation((1, 4), (4, 1), (4, 25), (25, 1), "d")
    assert len({orders[0, column] for column in range(24)}) == 1


def test_a_reversed_product_is_added_up_in_its_order():
    """The engine relies on it for few samples: decision 1."""
    a, b = np.ones((3, 4))[:, ::-1], np.ones((4, 1))[::-1]
    assert set(summation(*as_views(a, b), "d").values()) == {PLAIN}


def test_large_products_are_left_to_the_library():
    assert summation((16, 17), (17, 1), (17, 256), (256, 1), "d") is None


@pytest.mark.parametrize(("terms", "columns"), one_in(2, [(9, 7), (2, 4), (40, 1), (33, 7), (7, 7), (1, 3)]))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("single", [False, True])
def test_sums_of_products_that_are_too_small_have_the_sign_of_numpy(terms, columns, dtype, single):
    rng = np.random.default_rng(terms)
    small = float(np.finfo(dtype).tiny) ** 0.75
    a = (small * rng.uniform(1, 2, (3, 5, terms))).astype(dtype)
    b = (small * rng.uniform(-2, -1, (3, terms, columns))).astype(dtype)
    b[:, :, ::2] *= rng.choice([1, -1, 0], b[:, :, ::2].shape)
    for x, y in ((a, b), (-a, b), (a[:, :1], b)):
        expected = np.concatenate([np.matmul(x[run : run + 1], y[run : run + 1]) for run in range(3)])
        assert same(compiled(lambda x, y: x @ y, x, y, single=single), expected)
