"""The target against what follows from its definition by other ways."""

import functools
import itertools
import operator

import numpy as np
import pytest

from chainrule_yesterday.target import Parity


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_every_corner_is_the_exclusive_or_of_its_bits(bits):
    corners = list(itertools.product([0, 1], repeat=bits))
    expected = [[functools.reduce(operator.xor, corner)] for corner in corners]
    assert Parity(bits)(np.array(corners, float)).tolist() == expected


def test_samples_are_corners_and_half_of_them_odd():
    x, y = Parity().data(np.random.default_rng(0), 4096)
    assert set(np.unique(x)) == {0.0, 1.0}
    assert abs(y.mean() - 0.5) < 4 * 0.5 / 4096**0.5
