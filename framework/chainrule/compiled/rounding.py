"""Fused multiply-adds of arrays, rounded once, which NumPy has not."""

from typing import Any

import numpy as np

_SPLIT = 2.0**27 + 1  # cuts a number of 53 bits into two of 26


def fused(a: Any, b: Any, c: Any) -> Any:
    """Return ``a b + c``, rounded once: arrays of float64 or float32, whose products do not overflow.

    Boldo and Melquiond (2008), Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd,
    IEEE Transactions on Computers 57, figure 3.
    """
    if a.dtype == np.float32:
        return _odd_sum(a.astype(float) * b.astype(float), c.astype(float)).astype(a.dtype)
    high, low = _exact_product(a, b)
    first, second = _exact_sum(c, low)
    total, rest = _exact_sum(high, first)
    return total + _odd_sum(second, rest)


def _exact_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the rounded sum, and what rounding has taken off (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _exact_product(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the rounded product, and what rounding has taken off (Dekker)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(a: Any) -> tuple[Any, Any]:
    scaled = _SPLIT * a
    high = scaled - (scaled - a)
    return high, a - high


def _odd_sum(a: Any, b: Any) -> Any:
    """Return the sum of float64 rounded to odd: of two neighbours that are as good, that whose last bit is 1."""
    total, rest = _exact_sum(a, b)
    bits = np.asarray(total).view(np.int64)
    nearer = np.where((rest > 0) == (total > 0), 1, -1)
    odd: Any = np.where((rest != 0) & (bits & 1 == 0), bits + nearer, bits).view(float)
    return odd
