"""Orders by machine code are those of NumPy's generators, and leave these where NumPy leaves them."""

from contextlib import suppress

import numpy as np
import pytest

from chainrule.compiled.shuffling import Asked, Shuffler, shuffles_as_numpy

KINDS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 3, 255, 1000])
def test_orders_of_numpy(kind, n):
    assert shuffles_as_numpy(kind, n)
    generators, others = ([np.random.Generator(kind(seed)) for seed in (3, 4, 5)] for _ in range(2))
    for rng in (*generators, *others):
        rng.integers(10, size=3, dtype=np.uint32)  # half of 64 bits is kept for later
    orders = np.zeros((3, 4, n), np.int64)
    shuffler = Shuffler(generators, orders, [0, n, 2 * n])
    for count in (3, 4):
        shuffler(count)
        for run, rng in enumerate(others):
            assert np.array_equal(orders[run, :count], [run * n + rng.permutation(n) for _ in range(count)])
    for rng, other in zip(generators, others, strict=True):
        assert np.array_equal(rng.integers(10, size=5, dtype=np.uint32), other.integers(10, size=5, dtype=np.uint32))


def test_other_orders_are_not_taken(monkeypatch):
    monkeypatch.setattr("chainrule.compiled.shuffling._TEXT", SHIFTED)
    assert not shuffles_as_numpy.__wrapped__(np.random.PCG64, 9)


SHIFTED = """
define void @train(ptr noalias %table, i64 %runs, i64 %n, i64 %epochs, i64 %unused) {
  ret void
}
"""


def test_without_a_compiler_numpy_draws(monkeypatch):
    monkeypatch.setattr("chainrule.compiled.machine_code.available", lambda: "there is none")
    assert not shuffles_as_numpy.__wrapped__(np.random.PCG64, 9)


def test_what_asks_for_one_order_is_known():
    asked = Asked(5)
    assert asked.is_order(asked.permutation(5))
    assert not asked.is_order(np.arange(5))
    asked.permutation(5)
    assert not asked.is_order(np.arange(5))
    assert asked.is_order(asked.permutation(5))


WRONG = {
    "another number": lambda asked: asked.permutation(4),
    "no whole number": lambda asked: asked.permutation(5.0),
    "an array": lambda asked: asked.permutation(np.arange(5)),
    "twice": lambda asked: [asked.permutation(5) for _ in range(2)],
    "something else": lambda asked: asked.integers(5),
    "whether it can": lambda asked: hasattr(asked, "bit_generator"),
    "its class": lambda asked: isinstance(asked, np.random.Generator),
    "what is in the order": lambda asked: asked.permutation(5)[0],
}


@pytest.mark.parametrize("name", WRONG)
def test_what_asks_a_generator_for_something_else_is_known_though_it_goes_on(name):
    asked = Asked(5)
    with pytest.raises(LookupError):
        WRONG[name](asked)
    asked.is_order(None)
    assert not asked.is_order(asked.permutation(5))


QUESTIONS = {
    "equal": lambda x: x == 0,
    "other": lambda x: x != 0,
    "one of": lambda x: x in (1, 2),
    "of a range": lambda x: x in range(5),
    "less": lambda x: x < 3,
    "greater, from the right": lambda x: 3 > x,  # noqa: SIM300 - which method is asked depends on it
    "rest": lambda x: x % 2,
    "added, from the right": lambda x: 1 + x,
    "minus": lambda x: -x,
    "truth": lambda x: not x,
    "key": lambda x: {0: 1}.get(x),
    "place": lambda x: [1, 2][x],
    "entry": lambda x: x[0],
    "method": lambda x: x.sum(),
    "attribute": lambda x: getattr(x, "dtype", None),
    "whether it has one": lambda x: hasattr(x, "dtype"),
    "class": lambda x: isinstance(x, np.ndarray | int),
    "list": lambda x: list(x),
    "float": lambda x: float(x),
    "words": lambda x: f"{x}",
    "function": lambda x: np.argsort(x),
    "array": lambda x: np.asarray(x),
    "ufunc": lambda x: np.equal(x, 1),
}


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("shape", [(5, 2), ()])
def test_who_asks_for_more_than_a_shape_is_known_though_it_goes_on(name, shape):
    asked = Asked(5)
    with suppress(LookupError, TypeError):
        QUESTIONS[name](asked.unknown(shape))
    assert not asked.is_order(asked.permutation(5))


def test_the_shape_of_what_is_unknown_can_be_asked():
    asked = Asked(5)
    x = asked.unknown((5, 2))
    assert len(x) == x.shape[0] == 5
    assert x is not None
    assert asked.is_order(asked.permutation(len(x)))
