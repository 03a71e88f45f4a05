"""In which order NumPy's matrix product adds up, found out by asking it."""

import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

_ENTRIES = 160  # of products that are compared at least
_LARGE = 3000  # products of two numbers, beyond which BLAS is called: it is fast there


@functools.cache
def summation(
    a_dims: tuple[int, ...], a_strides: tuple[int, ...], b_dims: tuple[int, ...], b_strides: tuple[int, ...], char: str
) -> str:
    """Return how the product of two matrices that lie so in memory adds up.

    - ``plain``: ``0 + a0 b0``, then ``+ a1 b1`` ..., each rounded;
    - ``single``: ``a0 b0``, of one term;
    - ``fused``: the same in fused multiply-adds;
    - ``loop``: otherwise, so that the library itself must be called.

    The order depends on the shapes and the strides, never on the numbers, so that it is found with random ones.
    """
    (rows, terms), columns = a_dims, b_dims[1]
    if rows * terms * columns > _LARGE:
        return "loop"
    rng = np.random.default_rng(0)
    rules: dict[str, Callable[[Any, Any], float]] = {"plain": _plain, "fused": _fused}
    if terms == 1:
        rules = {"single": lambda x, y: x[0] * y[0], **rules}
    compared = 0
    while rules and compared < _ENTRIES:  # with other numbers each time, because orders often agree by chance
        a, b = _random(rng, a_dims, a_strides, char), _random(rng, b_dims, b_strides, char)
        got = np.matmul(a[None], b[None])[0]
        rules = {
            name: rule
            for name, rule in rules.items()
            if all(_same(rule(a[i], b[:, j]), got[i, j]) for i, j in np.ndindex(got.shape))  # each may have its order
        }
        compared += got.size
    return next(iter(rules), "loop")


def _random(rng: np.random.Generator, dims: Sequence[int], strides: Sequence[int], char: str) -> Any:
    """Return numbers with these distances in memory, some of them zero."""
    size = 1 + sum((n - 1) * abs(s) for n, s in zip(dims, strides, strict=True))
    numbers = rng.standard_normal(size).astype(char)
    numbers[rng.random(size) < 0.2] = 0
    begin = sum((n - 1) * -s for n, s in zip(dims, strides, strict=True) if s < 0)
    item = numbers.itemsize
    return np.lib.stride_tricks.as_strided(numbers[begin:], dims, [s * item for s in strides])


def _plain(x: Any, y: Any) -> Any:
    total = x.dtype.type(0)
    for a, b in zip(x, y, strict=True):
        total = total + a * b
    return total


def _fused(x: Any, y: Any) -> Any:
    """Return the sum in fused multiply-adds, each computed exactly and rounded once."""
    total = x.dtype.type(0)
    for a, b in zip(x, y, strict=True):
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(total))
        rounded = x.dtype.type(float(exact))
        total = rounded if exact else total + a * b
    return total


def _same(one: Any, other: Any) -> bool:
    return bool(one == other and np.signbit(one) == np.signbit(other))
