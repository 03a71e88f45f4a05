"""The drawings in reports."""

import math
import re

import pytest

from chainrule.reports.svg import Scale, Series, chart, strip


def test_scales_place_numbers_and_choose_round_ticks():
    scale = Scale.over([0, 10], 100, 200)
    assert [scale.place(value) for value in (0, 5, 10, math.inf)] == [100, 150, 200, 200]
    assert scale.ticks() == [0, 2, 4, 6, 8, 10]
    log = Scale.over([1e-4, 1.0], 0, 400)
    assert log.log
    assert log.place(1e-2) == pytest.approx(200)
    assert log.ticks() == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    assert Scale.over([3.0], 0, 10).place(3.0) == 5
    assert Scale.over([], 0, 10).ticks()


def test_lines_and_dots_stand_where_their_numbers_are():
    drawn = chart([Series("a < b", [(0, 0), (10, 1), (20, math.nan)])], "x", "y", "t")
    assert 'points="64.0,260.0 628.0,12.0"' in drawn
    assert "a &lt; b" in drawn
    row = strip([1.0, 2.0, math.inf], Scale(1.0, 2.0, 6, 106, log=False), 2.0, (1.0, math.inf))
    assert re.findall(r'class="dot( lost)?" cx="([\d.]+)"', row) == [("", "6.0"), ("", "106.0"), (" lost", "106.0")]


def test_ticks_that_are_given_stand_on_a_logarithmic_axis():
    drawn = chart([Series("a", [(1, 0), (2, 1), (4, 1)])], "x", "y", "t", ticks=(1, 2, 4))
    assert 'points="64.0,260.0 346.0,12.0 628.0,12.0"' in drawn
    assert re.findall(r'text-anchor="middle">(\d+)</text>', drawn) == ["1", "2", "4"]
