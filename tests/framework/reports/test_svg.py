"""The drawings in reports."""

import math
import re
from itertools import pairwise

import pytest

from chainrule.reports.svg import Scale, Series, axis, chart, strip


def test_scales_place_numbers_and_choose_round_ticks():
    scale = Scale.over([0, 10], 100, 200)
    assert [scale.place(value) for value in (0, 5, 10, math.inf, -math.inf)] == [100, 150, 200, 200, 100]
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


def labels(drawn):
    return re.findall(r'<text x="([\d.]+)" y="24" text-anchor="middle">([^<]+)</text>', drawn)


def test_an_axis_has_ticks_where_the_scale_has_them_and_says_what_it_is():
    scale = Scale.over([0, 10], 6, 234)
    drawn = axis(scale)
    assert labels(drawn) == [(f"{max(scale.place(value), 3.25):.1f}", f"{value:g}") for value in scale.ticks()[:-1]] + [
        ("233.5", "10")  # so that it ends where the drawing does
    ]
    assert ">linear scale</text>" in drawn
    assert ">log scale</text>" in axis(Scale.over([1e-3, 1], 6, 234))


@pytest.mark.parametrize(
    "values", [[1234567, 1234999], [0.1, 0.10001], [1e-12, 1e12], [0.5], [-3.0, 7.0], [1e300, 2e300]]
)
def test_numbers_of_an_axis_are_apart_and_different(values):
    scale = Scale.over(values, 6, 234)
    found = labels(axis(scale))
    assert len({text for _, text in found}) == len(found) >= 2
    places = [(float(x) - 3.25 * len(text), float(x) + 3.25 * len(text)) for x, text in found]
    assert all(first[1] < second[0] for first, second in pairwise(places))
    for x, text in found:
        inside = 3.25 * len(text) < scale.place(float(text)) < 240 - 3.25 * len(text)
        assert not inside or float(x) == pytest.approx(scale.place(float(text)), abs=0.051)


@pytest.mark.parametrize("values", [[1e-5, 0.5], [2e-4, 3.0], [1e-4, 1e4], [1e-3, 123456.0]])
@pytest.mark.parametrize("end", [120, 170, 234])
def test_numbers_of_a_logarithmic_axis_are_equally_far_apart(values, end):
    found = [float(text) for _, text in labels(axis(Scale.over(values, 6, end)))]
    assert found
    assert len({round(math.log10(above / below)) for below, above in pairwise(found)}) <= 1


def test_the_last_number_of_an_axis_is_not_cut_off():
    drawn = chart([Series("a", [(0, 1.0), (1000, 2.0)])], "x", "y", "t")
    (at,) = re.findall(r'<text x="([\d.]+)" y="278" text-anchor="middle">1000<', drawn)
    assert float(at) + 6.5 * 4 / 2 <= 640


def test_of_many_bands_the_edges_are_drawn():
    def drawn(count):
        flat = [[(x, level) for x in range(3)] for level in (2.0, 1.0, 3.0)]
        return chart([Series(str(number), *flat) for number in range(count)], "x", "y", "t")

    assert (drawn(3).count('class="band '), drawn(3).count('class="edge ')) == (3, 0)
    assert (drawn(4).count('class="band '), drawn(4).count('class="edge ')) == (0, 8)


def test_a_band_that_is_infinite_is_cut_at_the_upper_edge_and_has_a_mark_there():
    middle, low = [(x, 2.0) for x in range(5)], [(x, 1.0) for x in range(5)]
    high = [(0, 3.0), (1, math.inf), (2, 3.0), (3, math.inf), (4, math.inf)]
    line = Series("a", middle, low, high)
    drawn = chart([line], "x", "y", "t")
    left, width = 64, 628 - 64
    at = [left + width * x / 4 for x in range(5)]
    (points,) = re.findall(r'class="band c0" points="([^"]+)"', drawn)
    upper = [tuple(map(float, point.split(","))) for point in points.split()][5:]
    assert upper == [(at[x], 12.0) for x in (4, 3, 2, 1, 0)]  # 3 is the highest number, so that all lie at the edge
    marks = re.findall(r'class="cut c0" x1="([\d.]+)" x2="([\d.]+)" y1="12" y2="12"', drawn)
    assert [tuple(map(float, mark)) for mark in marks] == [(at[1] - 3, at[1] + 3), (at[3] - 3, at[4] + 3)]
    assert line.is_cut
    assert Series("b", [(0, math.nan)]).is_cut
    assert not Series("c", middle, low, middle).is_cut
    assert "cut" not in chart([Series("c", middle, low, middle)], "x", "y", "t")
