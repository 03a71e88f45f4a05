"""What is drawn into axes of matplotlib."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

import chainrule
from chainrule.analysis.outcomes import Outcomes
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.reports import axes
from chainrule.reports.svg import Series


@pytest.fixture
def drawn():
    return Figure().subplots()


def outcomes(values):
    return Outcomes(
        Outcome(n, str(n), {"a": key}, seed, Reason.EPOCHS, {"train/loss": value})
        for n, (key, seed, value) in enumerate((k, s, v) for k, own in values.items() for s, v in enumerate(own))
    )


def test_the_losses_are_those_of_the_curves(drawn):
    run = chainrule.run("training.epochs=5", "training.batch_size=8")
    axes.losses(drawn, run)
    train, validation, *_ = drawn.get_lines()
    np.testing.assert_array_equal(train.get_ydata(), run.curves.values["train/loss"])
    np.testing.assert_array_equal(validation.get_ydata(), run.curves.values["validation/loss"])
    assert drawn.get_title() == "trained for all epochs"


def test_settings_are_drawn_below_one_another_the_best_first(drawn):
    axes.ranking(drawn, outcomes({"x": [4.0, 5.0, 6.0], "y": [1.0, 2.0, None]}))
    assert [label.get_text() for label in drawn.get_yticklabels()] == ["a=y (1 of 3 lost)", "a=x"]
    dots = [line for line in drawn.get_lines() if line.get_marker() == "o"]
    assert [sorted(line.get_xdata()) for line in dots] == [[1.0, 2.0], [4.0, 5.0, 6.0]]
    medians = [line.get_xdata()[0] for line in drawn.get_lines() if line.get_marker() == "|"]
    assert medians == [2.0, 5.0]
    assert drawn.get_ylim()[0] > drawn.get_ylim()[1], "the first is at the top"


def test_values_over_decades_have_a_logarithmic_axis(drawn):
    axes.ranking(drawn, outcomes({"x": [0.001, 5.0]}))
    assert drawn.get_xscale() == "log"


def test_lines_have_bands_and_gaps_where_they_are_not_finite(drawn):
    middle, low, high = [(0, 1.0), (1, math.inf)], [(0, 0.5), (1, 0.5)], [(0, 2.0), (1, math.inf)]
    axes.lines(drawn, [Series("a", middle, low, high), Series("b", [(0, 3.0)])], "epochs", "loss")
    first, second = drawn.get_lines()
    np.testing.assert_array_equal(first.get_ydata(), [1.0, np.nan])
    assert (len(drawn.collections), second.get_label(), drawn.get_ylabel()) == (1, "b", "loss")
    axes.lines(Figure().subplots(), [], "epochs", "loss")


def test_of_many_bands_the_edges_are_drawn(drawn):
    flat = [[(x, level) for x in range(3)] for level in (2.0, 1.0, 3.0)]
    axes.lines(drawn, [Series(str(number), *flat) for number in range(4)], "epochs", "loss")
    assert not drawn.collections
    assert [line.get_linestyle() for line in drawn.get_lines()] == [":", ":", "-"] * 4
