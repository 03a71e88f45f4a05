"""Derivatives by central differences, against closed forms."""

import numpy as np
import pytest

from chainrule.engine.gradcheck import central_differences


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (lambda x: np.sin(x).sum(), np.cos),
        (lambda x: np.exp(x).sum(), np.exp),
        (lambda x: (x**3).sum() / 3, np.square),
        (lambda x: np.log1p(np.exp(x)).sum(), lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_they_agree_with_closed_forms_to_nine_digits(function, derivative):
    point = np.array([[-2.0, -0.5, 0.3], [1.0, 1.2, 3.0]])
    np.testing.assert_allclose(central_differences(function, point), derivative(point), rtol=1e-9)


def test_each_entry_has_its_own_derivative():
    matrix = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    point = np.array([7.0, -1.0])
    found = central_differences(lambda x: np.square(matrix @ x).sum() / 2, point)
    np.testing.assert_allclose(found, matrix.T @ matrix @ point, rtol=1e-9)


@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
def test_a_straight_line_has_its_slope_whatever_the_size_of_the_point(size):
    np.testing.assert_allclose(central_differences(lambda x: 3 * x[0], np.array([size])), [3], rtol=1e-9)


def test_the_point_is_not_changed_and_may_hold_whole_numbers():
    point = np.array([2, 3])
    np.testing.assert_allclose(central_differences(lambda x: x[0] * x[1], point), [3, 2], rtol=1e-9)
    assert point.tolist() == [2, 3]
    assert point.dtype.kind == "i"


def test_a_single_number_and_no_number_are_points():
    assert central_differences(lambda x: float(x) ** 2, np.array(3.0)) == pytest.approx(6, rel=1e-9)
    assert central_differences(lambda x: 0.0, np.zeros((0, 2))).shape == (0, 2)
