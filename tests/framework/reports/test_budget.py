"""What a report says about fewer points and fewer epochs."""

import dataclasses
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chainrule.analysis.comparison import compare_outcomes
from chainrule.engine.curves import Curves
from chainrule.engine.reason import Reason
from chainrule.errors import RecordError
from chainrule.records.comparison import Comparison
from chainrule.records.outcome import Outcome
from chainrule.reports import budget

SPACE = {"optimizer.lr": "interval(0,1)"}
PLAN = Comparison("optimizer", ("adam", "rprop"), ("sine", "wine"), SPACE, 4, 2, 3, 8)
EPOCHS = np.arange(0, 101, 10)
SWEEP = SimpleNamespace(directory=Path("/sweep"), settings=lambda number: {"optimizer.lr": math.sin(number // 2)})


def result(plan=PLAN, value=lambda contender, number: (contender == "rprop") + math.sin(number), reason="epochs"):
    """The result of a comparison; one run has lost if a reason says so."""
    outcomes = []
    for number in range(plan.runs):
        became = Reason(reason if number == plan.tuning_runs else "epochs")
        metrics = {"validation/loss": None if became == "diverged" else value(plan.contender(number), number)}
        outcomes.append(Outcome(number, str(number), {}, number, became, metrics if became != "failed" else {}))
    return compare_outcomes(SWEEP, plan, outcomes, "validation/loss")


def curve(number, epochs=EPOCHS):
    """The loss is the number of the job at the start, and falls by as much as epochs pass."""
    return Curves(epochs, {"validation/loss": number - epochs.astype(float)})


@pytest.fixture
def records(monkeypatch):
    """Curves by the number of the job, in place of those on disk."""
    own = {}

    def read(directory):
        number = int(directory.name)
        found = own.get(number, curve(number))
        if found is None:
            raise RecordError("gone")
        return SimpleNamespace(curves=lambda: found)

    monkeypatch.setattr(budget, "read_record", read)
    return own


def test_curves_lie_where_their_runs_belong(records):
    found = budget.read_curves(SWEEP, result())
    assert found.epochs.tolist() == EPOCHS.tolist()
    for target, contender, tuning in np.ndindex(2, 2, 8):
        numbers = np.array(PLAN.tuned(target, contender, tuning))
        assert np.array_equal(found.losses[target, contender, tuning], numbers[:, None] - EPOCHS)


def test_a_run_that_stopped_keeps_its_last_value_and_one_that_diverged_has_lost(records):
    first = PLAN.tuning_runs
    records[first] = curve(first, EPOCHS[:4])
    kept = budget.read_curves(SWEEP, result()).losses[0, 0, 0, 0]
    assert kept.tolist() == [first, first - 10, first - 20, *[first - 30] * 8]
    lost = budget.read_curves(SWEEP, result(reason="diverged")).losses[0, 0, 0, 0]
    assert lost.tolist() == [first, first - 10, first - 20, first - 30, *[math.inf] * 7]
    failed = budget.read_curves(SWEEP, result(reason="failed")).losses[0, 0, 0, 0]
    assert np.isinf(failed).all()


def test_a_run_that_restores_its_best_epoch_would_end_with_the_best_so_far():
    rising = Curves(EPOCHS[:5], {"validation/loss": np.array([4.0, 2.0, 5.0, 1.0, 3.0]), "train/loss": np.arange(5.0)})
    last, best = (
        Outcome(0, "0", {}, 0, Reason.EPOCHS, {"validation/loss": 3.0, "train/loss": 4.0}, restored=restored)
        for restored in (False, True)
    )
    epochs = EPOCHS[:6]
    assert budget._row(rising, last, "validation/loss", epochs).tolist() == [4, 2, 5, 1, 3, 3]
    assert budget._row(rising, best, "validation/loss", epochs).tolist() == [4, 2, 2, 1, 1, 1]
    assert budget._row(rising, best, "train/loss", epochs).tolist() == [0, 1, 1, 3, 3, 3]
    diverged = dataclasses.replace(best, reason=Reason.DIVERGED)
    assert budget._row(rising, diverged, "validation/loss", epochs).tolist() == [4, 2, 2, 1, 1, math.inf]


def test_a_quarter_and_a_half_of_the_epochs_are_those_measured_last_before(records):
    found = budget.read_curves(SWEEP, result())
    assert [step.amount for step in found.steps[0]] == [20, 50]
    for number in range(PLAN.tuning_runs, PLAN.runs):
        records[number] = curve(number, np.array([0, 100]))
    assert budget.read_curves(SWEEP, result()) is None, "nothing was measured on the way"


@pytest.mark.parametrize(("tunings", "seeds", "read"), [(1, 40, 24), (8, 40, 3), (30, 40, 1), (6, 2, 2)])
def test_of_many_runs_some_of_each_tuning_are_read(records, tunings, seeds, read):
    plan = dataclasses.replace(PLAN, tunings=tunings, seeds=seeds)
    found = budget.read_curves(SWEEP, result(plan))
    assert found.losses.shape == (2, 2, min(tunings, 24), read, 11)
    assert found.losses[1, 1, -1, :, 0].tolist() == [*plan.tuned(1, 1, min(tunings, 24) - 1)][:read]
    assert budget.read_curves(SWEEP, result(dataclasses.replace(plan, until_decided=True))) is None


def test_with_one_tuning_each_seed_that_was_read_is_a_block(records):
    one = dataclasses.replace(PLAN, tunings=1, seeds=3, targets=("sine",))
    found = result(one)
    (told,) = budget.content(found, budget.read_curves(SWEEP, found))["epochs"]
    assert told.startswith("3 seeds cannot tell what 20 or 50 epochs would change: take ")


def test_without_a_record_or_a_measured_loss_there_are_no_curves(records):
    records[PLAN.runs - 1] = None
    assert budget.read_curves(SWEEP, result()) is None
    for number in range(PLAN.tuning_runs, PLAN.runs):
        records[number] = Curves(EPOCHS, {"train/loss": EPOCHS})
    assert budget.read_curves(SWEEP, result()) is None


def test_what_is_drawn_are_medians_and_quartiles_after_the_start():
    losses = np.random.default_rng(0).random((2, 2, 6, 2, 201))
    epochs, middle, low, high = budget.EpochCurves(np.arange(201), losses, ()).drawn()
    assert (epochs[0], epochs[-1], len(epochs)) == (1, 200, 60)
    for place, epoch in enumerate(epochs):
        own = np.sort(losses[1, 0, ..., epoch].ravel())
        assert (low[1, 0, place], high[1, 0, place]) == (own[2], own[8])
        assert middle[1, 0, place] == np.median(own)


def test_the_numbers_are_plain_and_strict(records):
    found = result()
    numbers = json.loads(json.dumps(budget.numbers(found, budget.read_curves(SWEEP, found)), allow_nan=False))
    points, epochs = numbers["fewer_points"], numbers["fewer_epochs"]
    assert (points["points"], points["even"]) == ([1, 2, 4], True)
    places = [(each["target"], each["contender"]) for each in points["losses"]]
    assert places == [("sine", "adam"), ("sine", "rprop"), ("wine", "adam"), ("wine", "rprop")]
    assert points["losses"][3]["median"] == list(found.budgets.reached[1][1].medians)
    (pair,) = points["pairs"]
    (steps,) = found.budgets.steps
    assert [each["amount"] for each in pair["steps"]] == [1, 2]
    assert [each["interval"] for each in pair["steps"]] == [list(step.estimate.interval) for step in steps]
    assert list(pair["steps"][0]["by_target"]) == ["sine", "wine"]
    assert {each["ahead"] for each in pair["steps"]} <= {"adam", "rprop", None}
    assert epochs["epochs"] == EPOCHS[1:].tolist()
    assert len(epochs["losses"]) == 4
    assert len(points["sentences"]) == len(epochs["sentences"]) == 1


@pytest.mark.parametrize("change", [{"tuning_seeds": 1}, {"tunings": 1}, {"points": 1}])
def test_where_no_run_is_left_to_tell_nothing_is_told_about_points(records, change):
    found = result(dataclasses.replace(PLAN, **change))
    assert budget.numbers(found, None) == {"fewer_points": None, "fewer_epochs": None}
    assert budget.content(found, None) is None
    shown = budget.content(found, budget.read_curves(SWEEP, found))
    assert (shown["points"], shown["columns"], len(shown["figures"])) == ([], ["20 epochs", "50 epochs"], 2)


def test_what_is_shown_has_a_column_for_each_amount_and_a_row_of_figures_for_each_target(records):
    found = result()
    shown = budget.content(found, budget.read_curves(SWEEP, found))
    assert shown["columns"] == ["1 point", "2 points", "20 epochs", "50 epochs"]
    assert [len(each["cells"]) for each in shown["pairs"]] == [4]
    assert shown["pairs"][0]["whole"] == f"{100 * found.pairs[0].probability:.0f} %"
    assert [figure["caption"] for figure in shown["figures"]] == ["sine", "sine", "wine", "wine"]
    assert shown["even"]
    several = result(dataclasses.replace(PLAN, space={**SPACE, "initializer": "a,b"}))
    assert not budget.content(several, None)["even"]
    assert "1 or 2 points" in shown["points"][0]
    assert "20 or 50 epochs" in shown["epochs"][0]


def test_what_would_hide_all_else_is_not_drawn_and_bands_are_cut():
    middle, low, high = np.array([1e9, 2.0, 1.0, 1.0]), np.array([1e8, 1.5, 0.5, 0.5]), np.array([1e9, 2.5, 1.5, 1e9])
    figure = budget._figure(
        ("adam",), (1, 2, 4, 8), [(middle, low, high)], "sine: loss", "points", "loss", (1, 2, 4, 8)
    )
    line, band = (
        re.search(f'class="{name} c0" points="([^"]*)"', figure["svg"])[1].split() for name in ("line", "band")
    )
    assert (len(line), len(band)) == (3, 6)
    heights = [float(text.partition(",")[2]) for text in band]
    assert min(heights) == pytest.approx(12), "the last upper edge lies at the top, three times the largest median"
    assert heights.count(min(heights)) == 1
    assert figure["caption"] == "sine"
