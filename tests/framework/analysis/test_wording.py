"""Statistics as text."""

import math

import pytest

from chainrule.analysis import wording


@pytest.mark.parametrize(
    ("p", "sentence", "cell"),
    [
        (0.0, "p < 0.001", "< 0.001"),
        (0.00099, "p < 0.001", "< 0.001"),
        (0.001, "p = 0.001", "0.001"),
        (0.0123, "p = 0.012", "0.012"),
        (0.4, "p = 0.4", "0.4"),
        (1.0, "p = 1", "1"),
    ],
)
def test_p_values(p, sentence, cell):
    assert (wording.p_value(p), wording.p_number(p)) == (sentence, cell)


def test_shares():
    assert wording.percent(0.784) == "78 %"
    assert wording.percent_interval((0.7, 0.854)) == "70 to 85 %"


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [
        (0.012345, 2, "0.012"),
        (109.6, 2, "110"),
        (1234.5, 3, "1230"),
        (99.96, 3, "100"),
        (999_999.0, 2, "1e+06"),
        (2.3e-130, 2, "2.3e-130"),
        (math.inf, 2, "inf"),
        (0.0, 3, "0"),
    ],
)
def test_numbers_have_an_exponent_only_where_they_are_huge_or_tiny(value, count, text):
    assert wording.digits(value, count) == text


def test_losses():
    assert wording.loss(0.000123456) == "0.00012346"
    assert (wording.loss(math.inf), wording.loss(math.nan, "failed")) == ("diverged", "failed")


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((0.012345, 0.045678), "0.0123 to 0.0457"),
        ((0.5, math.inf), "0.5 to inf"),
        ((1234.0, 56789.0), "1230 to 56800"),
        ((math.inf, math.inf), ""),
        (None, ""),
    ],
)
def test_intervals_of_losses(interval, text):
    assert wording.loss_interval(interval) == text
