"""The initializer against what follows from its definition by other ways."""

import numpy as np
import pytest

from chainrule_yesterday.initializer import Semiorthogonal


@pytest.mark.parametrize(("fan_in", "fan_out"), [(5, 3), (3, 5), (4, 4), (1, 7)])
def test_all_singular_values_are_the_gain(fan_in, fan_out):
    weights = Semiorthogonal(gain=2.0).weights(np.random.default_rng(0), fan_in, fan_out)
    assert weights.shape == (fan_out, fan_in)
    np.testing.assert_allclose(np.linalg.svd(weights, compute_uv=False), 2.0)


def test_every_direction_is_equally_likely():
    """The first column is a point of the unit circle; its angle would lie in one half without the signs."""
    rng = np.random.default_rng(0)
    x, y = np.array([Semiorthogonal().weights(rng, 2, 2)[:, 0] for _ in range(2000)]).T
    counts, _ = np.histogram(np.arctan2(y, x), bins=8, range=(-np.pi, np.pi))
    assert abs(counts - 250).max() < 4 * 250**0.5
