"""Nothing in a figure is cut off or lies on something else."""

import itertools

import numpy as np
import pytest

from chainrule_pictures import canvas
from chainrule_pictures.canvas import Powers

pytestmark = pytest.mark.usefixtures("drawn")


def figure_of(rows, columns, bars=None, legend=None, caption=False, square=False, long=1):
    """A figure with labels everywhere; the boxes of all that is in it, by what they are."""
    figure = canvas.empty(7.5, 5, 120)
    title = figure.suptitle("what it is\nin two lines", y=0.99, va="top")
    figure.get_layout_engine().keep_clear(title, "top")
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, axes in enumerate(grid.flat):
        axes.plot([0, 1], [0, 10.0**number * long], label=f"line {number}")
        axes.set_title("a panel\nof two lines")
        axes.set_xlabel("what is across")
        axes.set_ylabel("what is up")
        if square:
            axes.set_box_aspect(1)
    made = {"title": title}
    if bars:
        shown = grid[0, 0].imshow(np.eye(2) * 1e4, aspect="auto")
        panels = [grid[0]] if bars == "bottom" else [[axes] for axes in grid.flat]
        for number, part in enumerate(panels):
            bar = canvas.colour_bar(figure, shown, part, side=bars, share=0.8, label="what has colours")
            made[f"bar {number}"] = bar.ax
    if legend:
        canvas.legend(figure, *grid[0, 0].get_legend_handles_labels(), side=legend)
        made["legend"] = figure.legends[0]
    if caption:
        canvas.caption(figure, "what else there is to say")
        made["caption"] = figure._supxlabel
    figure.canvas.draw()
    made |= {f"panel {number}": axes for number, axes in enumerate(grid.flat)}
    renderer = figure.canvas.get_renderer()
    return figure, {name: artist.get_tightbbox(renderer) for name, artist in made.items()}


FIGURES = {
    "one panel": {"rows": 1, "columns": 1},
    "long numbers": {"rows": 1, "columns": 1, "long": 1e-4},
    "a legend below": {"rows": 1, "columns": 2, "legend": "bottom"},
    "a legend beside": {"rows": 1, "columns": 1, "legend": "right"},
    "a grid": {"rows": 2, "columns": 3, "caption": True},
    "squares": {"rows": 1, "columns": 2, "square": True, "bars": "bottom"},
    "a bar beside": {"rows": 1, "columns": 1, "bars": "right", "legend": "bottom"},
    "a bar beside each": {"rows": 2, "columns": 2, "bars": "right", "caption": True},
}


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off_or_lies_on_something_else(name):
    figure, boxes = figure_of(**FIGURES[name])
    for box in boxes.values():
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    for one, other in itertools.combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[other]), f"{one} and {other}"


def test_panels_are_as_wide_as_their_ratios_say():
    figure = canvas.empty(7.5, 5, 120)
    left, right = figure.subplots(1, 2, width_ratios=(3, 1))
    figure.canvas.draw()
    assert left.get_position().width == pytest.approx(3 * right.get_position().width)
    assert left.get_position().height == pytest.approx(right.get_position().height)


def test_where_there_is_no_room_nothing_is_moved():
    figure = canvas.empty(0.5, 0.5, 80)
    axes = figure.subplots()
    axes.set_ylabel("what is up")
    before = axes.get_position().bounds
    figure.canvas.draw()
    assert axes.get_position().bounds == before


def test_powers_of_ten_are_text():
    assert [Powers()(value) for value in (1e-3, 1.0, 1e12)] == ["10⁻³", "10⁰", "10¹²"]
    within = Powers(labelOnlyBase=False, minor_thresholds=(99, 99))
    assert within(2e-3) == "2\N{MULTIPLICATION SIGN}10⁻³"
