"""Wilson's interval against published numbers."""

import pytest

from chainrule.analysis.shares import Share


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_newcombe_1998_method_3(count, of, low, high):
    assert Share(count, of).interval == pytest.approx((low, high), abs=5e-5)
    assert Share(of - count, of).interval == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_a_share_is_above_another_if_the_intervals_are_apart():
    assert Share(19, 20).is_above(Share(2, 20))
    assert not Share(3, 4).is_above(Share(1, 4))
    assert str(Share(9, 11)) == "9 of 11 [52, 95 %]"
