"""Axes as pandas makes and takes them."""

import matplotlib as mpl
import pytest
from matplotlib import pyplot

import chainrule
from chainrule.notebook.plotting import axes

SHORT = ["training.epochs=4", "training.batch_size=16", "tracking=none"]


@pytest.fixture(autouse=True)
def _closed():
    mpl.use("agg")
    yield
    pyplot.close("all")


def test_axes_are_given_or_made():
    given = pyplot.figure().subplots()
    assert axes(given) is given
    made = axes()
    assert made is not given
    assert pyplot.gcf() is made.figure


def test_what_runs_and_sweeps_draw():
    ax = chainrule.run(*SHORT).plot()
    assert ax.get_xlabel() == "epoch"
    found = chainrule.sweep("seed=0,1", "activation=tanh,relu", *SHORT, directory="s", quiet=True)
    assert found.plot(ax=ax) is ax
    assert found.plot().get_xlabel() == "validation/loss"
    assert len(found.plot("curves").get_lines()) == 2
    with pytest.raises(chainrule.ConfigurationError, match=r"^'curve' cannot be drawn \(did you mean 'curves'\?\)"):
        found.plot("curve")
    with pytest.raises(chainrule.ConfigurationError, match=r"^There are no pairs"):
        found.plot("pairs")


def test_a_comparison_draws_its_pairs():
    few = {"budget": 2, "tunings": 2, "tuning_seeds": 1, "seeds": 2, "quiet": True}
    found = chainrule.compare("activation=tanh,relu", *SHORT, targets="sine", **few, directory="c")
    ax = found.plot()
    (pair,) = found.comparison.pairs
    bar, stroke, half = ax.get_lines()
    assert tuple(bar.get_xdata()) == pair.interval
    assert tuple(stroke.get_xdata()) == (pair.probability,)
    assert half.get_xdata()[0] == 0.5
