"""Fused multiply-adds are those of exact fractions."""

from fractions import Fraction

import numpy as np

from chainrule.compiled.rounding import fused
from compiling import exactly


def test_fused_multiply_adds_are_rounded_once():
    rng = np.random.default_rng(1)
    a, b, c = (rng.standard_normal(3000) * 2.0 ** rng.integers(-20, 20, 3000) for _ in range(3))
    c[:1000] = -(a * b)[:1000]
    a[::7], c[::11] = 0, 0
    assert fused(a, b, c).tolist() == list(map(exactly, a, b, c))
    single = [each.astype(np.float32) for each in (a, b, c)]
    expected = [Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)) for x, y, z in zip(*single, strict=True)]
    got = [Fraction(float(value)) for value in fused(*single)]
    near = [abs(np.nextafter(np.float32(float(value)), np.float32(np.inf)) - np.float32(float(value))) for value in got]
    assert all(abs(x - y) <= Fraction(float(ulp)) / 2 for x, y, ulp in zip(got, expected, near, strict=True))
