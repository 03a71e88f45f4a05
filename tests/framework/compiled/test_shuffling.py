"""Orders by machine code are those of NumPy's generators, and leave these where NumPy leaves them."""

import numpy as np
import pytest

from chainrule.compiled.shuffling import Asked, Shuffler, Unknown, shuffles_as_numpy

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
    for wrong in (4, 5.0, np.arange(5)):
        with pytest.raises(LookupError):
            asked.permutation(wrong)
    asked.permutation(5)
    with pytest.raises(LookupError):
        asked.permutation(5)
    with pytest.raises(AttributeError):
        asked.integers(5)


def test_of_what_is_unknown_only_the_shape_can_be_asked():
    x, epoch = Unknown((5, 2)), Unknown(())
    assert len(x) == x.shape[0] == 5
    asks = [
        lambda: epoch == 0,
        lambda: epoch != 0,
        lambda: epoch in (1, 2),
        lambda: epoch < 3,
        lambda: epoch % 2,
        lambda: not epoch,
        lambda: {0: 1}.get(epoch),
        lambda: len(epoch),
        lambda: x[0],
        lambda: x.sum(),
        lambda: list(x),
        lambda: float(x),
        lambda: np.argsort(x)[1],
    ]
    for ask in asks:
        with pytest.raises((LookupError, TypeError, AttributeError)):
            ask()
