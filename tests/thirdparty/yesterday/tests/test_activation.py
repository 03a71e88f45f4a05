"""The activation against what follows from its definition by other ways."""

import numpy as np

from chainrule_yesterday.activation import PenalizedTanh

Z = np.log([2, 1 / 2, 3, 1 / 3])  # tanh log x = (x^2 - 1) / (x^2 + 1), a fraction


def test_values_that_are_fractions():
    np.testing.assert_allclose(PenalizedTanh(0.5).forward(Z), [3 / 5, -3 / 10, 4 / 5, -2 / 5], rtol=1e-15)


def test_slopes_that_are_fractions():
    slopes = PenalizedTanh(0.5).slope(Z, PenalizedTanh(0.5).forward(Z))
    np.testing.assert_allclose(slopes, [16 / 25, 8 / 25, 9 / 25, 9 / 50], rtol=1e-15)
