"""Curves, and the points of them that are shown."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chainrule.engine.curves import Curves, History, due_epochs


def test_measured_at_the_start_every_so_often_and_at_the_end():
    assert due_epochs(10, 4) == [0, 4, 8, 10]
    assert due_epochs(8, 4) == [0, 4, 8]
    assert due_epochs(0, 1) == [0]


def test_runs_leave_one_by_one():
    history = History(3, [0, 5, 10], ["loss"])
    history.add(np.array([0, 1, 2]), {"loss": np.array([3.0, 2.0, 1.0])})
    history.add(np.array([0, 2]), {"loss": np.array([2.5, 0.5])})
    history.add(np.array([2]), {"loss": np.array([0.25])})
    assert history.curves(1).epochs.tolist() == [0]
    assert history.curves(0).values["loss"].tolist() == [3.0, 2.5]
    assert history.curves(2).epochs.tolist() == [0, 5, 10]


@given(st.lists(st.floats(allow_nan=True, width=32), min_size=1, max_size=2000), st.integers(4, 400))
def test_thinning_keeps_first_last_smallest_and_largest(values, limit):
    curve = Curves(np.arange(len(values)) * 3, {"loss": np.array(values)})
    points = curve.thinned("loss", limit)
    assert len(points) <= limit
    epochs = [epoch for epoch, _ in points]
    assert epochs == sorted(set(epochs))
    assert {0, 3 * (len(values) - 1)} <= set(epochs)
    finite = [value for value in values if np.isfinite(value)]
    shown = [value for _, value in points if np.isfinite(value)]
    if finite:
        assert (min(shown), max(shown)) == (min(finite), max(finite))
    if len(values) <= limit - 2:
        assert len(points) == len(values)


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, np.nan, np.inf, 0.5]), min_size=1, max_size=12))
def test_the_best_so_far_is_the_first_of_the_smallest_finite_values(losses):
    numbers = np.arange(len(losses)).astype(float)
    curves = Curves(numbers, {"validation/loss": np.array(losses), "train/loss": numbers})
    for last, found in enumerate(curves.at_best("train/loss")):
        finite = [(loss, place) for place, loss in enumerate(losses[: last + 1]) if np.isfinite(loss)]
        assert found == (min(finite)[1] if finite else 0)
    finite = [(loss, place) for place, loss in enumerate(losses) if np.isfinite(loss)]
    assert curves.best == (min(finite)[1] if finite else None)
    without = Curves(numbers, {"train/loss": numbers})
    assert (without.best, without.at_best("train/loss").tolist()) == (0, [0] * len(losses))


def test_curves_go_on():
    first = Curves(np.array([0, 1]), {"train/loss": np.array([3.0, 2.0])})
    whole = first.then(Curves(np.array([2, 4]), {"train/loss": np.array([1.0, 0.5])}))
    assert whole.epochs.tolist() == [0, 1, 2, 4]
    assert whole.values["train/loss"].tolist() == [3.0, 2.0, 1.0, 0.5]
