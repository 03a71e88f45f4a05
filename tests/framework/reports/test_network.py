"""The drawing of a network."""

import itertools
import re

import numpy as np
import pytest

from chainrule.reports.network import drawing
from pages import parsed


def test_there_is_a_line_for_each_weight_and_a_circle_for_each_unit():
    weights = [np.array([[1.0, -2.0], [0.5, 0.0], [1.0, 1.0]]), np.array([[3.0, -0.1, 3.0]])]
    text = drawing(weights, ["2 inputs", "3 <tanh>", "1 identity"])
    parsed(text)
    assert text.count("<circle") == 6
    widths = {}
    for colour, width, path in re.findall(r'<path class="edge c(\d) w(\d)" d="([^"]+)"', text):
        widths[colour, width] = widths.get((colour, width), 0) + path.count("M")
    # Relative to the largest of the layer, in quarters; the weight that is zero has no line.
    assert widths == {("0", "1"): 1, ("0", "2"): 3, ("0", "4"): 2, ("1", "4"): 1, ("1", "1"): 1}
    assert "&lt;tanh&gt;" in text
    assert 'aria-label="network 2-3-1"' in text


@pytest.mark.parametrize("widths", [(64, 500, 300, 10), (3, *[40] * 20, 1), (1, 1)])
def test_of_large_networks_some_units_are_drawn(widths):
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((after, before)) for before, after in itertools.pairwise(widths)]
    text = drawing(weights, [f"{width} units" for width in widths])
    assert len(text) < 60_000
    assert text.count(">...<") == sum(width > 12 or (len(widths) > 8 and width > 6) for width in widths)


def test_weights_that_are_not_finite_have_no_line_and_too_many_layers_no_drawing():
    text = drawing([np.array([[np.nan, np.inf, 1.0]])], ["3 inputs", "1 identity"])
    assert text.count("M") == 1
    assert drawing([np.ones((1, 1))] * 30, ["1 x"] * 31) == ""
