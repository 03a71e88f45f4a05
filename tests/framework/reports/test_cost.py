"""What a report says about costs: as plain numbers, as a table, and in sentences."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chainrule.analysis.comparison import compare_outcomes
from chainrule.records.comparison import Comparison
from chainrule.records.outcome import Outcome
from chainrule.records.timing import CellEntry, Timing, write_timing
from chainrule.reports import cost
from chainrule.reports.budget import EpochCurves

PLAN = Comparison("optimizer", ("adam", "newton"), ("sine", "wine"), {"optimizer.lr": "interval(0,1)"}, 1, 1, 3, 8)
EPOCHS = np.arange(0, 101, 10)
SWEEP = SimpleNamespace(directory=Path("/sweep"), settings=lambda number: {})


def result(plan=PLAN):
    """Newton ends with smaller losses."""
    outcomes = [
        Outcome(number, "", {}, number, "epochs", {"validation/loss": 1 + (plan.contender(number) == "adam")})
        for number in range(plan.runs)
    ]
    return compare_outcomes(SWEEP, plan, outcomes, "validation/loss")


def curves(tunings=8, seeds=3):
    """The loss of newton falls from 200 to 1, that of adam from 102 to 2: with half of the epochs newton is worse."""
    fallen = np.stack([102 - EPOCHS, 201 - 2.0 * EPOCHS])
    return EpochCurves(EPOCHS, np.broadcast_to(fallen[None, :, None, None], (2, 2, tunings, seeds, 11)), ())


def measured(directory, factor, updates=(7, 7)):
    cells = [
        CellEntry(target=target, contender=contender, seconds=[own] * 5, updates=batches, gradients=batches, epochs=100)
        for target in PLAN.targets
        for contender, own, batches in zip(PLAN.contenders, (1e-5, factor * 1e-5), updates, strict=True)
    ]
    write_timing(directory, Timing(runs=16, cells=cells, note=""))
    return SimpleNamespace(directory=directory)


def told(sweep, found=None, own=None):
    """As other programs read it, as strictly as they may."""
    found = found or result()
    return json.loads(json.dumps(cost.numbers(sweep, found, own or curves()), allow_nan=False))


def test_the_order_flips_at_equal_time(tmp_path):
    found = told(measured(tmp_path, 4))
    assert [each["contender"] for each in found["contenders"]] == ["adam", "newton"]
    assert [each["step"] for each in found["contenders"]] == pytest.approx([1, 4])
    assert [each["run_seconds"] for each in found["contenders"]] == pytest.approx([7e-3, 28e-3])
    (pair,) = found["equal_time"]["pairs"]
    assert (pair["better"], pair["worse"], pair["ahead"]) == ("newton", "adam", "adam")
    assert pair["epochs"] == {"sine": [25, 100], "wine": [25, 100]}
    assert (pair["probability"], pair["by_target"]) == (0, {"sine": 0, "wine": 0})
    assert found["equal_time"]["sentences"] == found["equal_time"]["changes"]
    assert found["equal_time"]["sentences"][0].startswith(
        "At equal time, when newton has trained 25 % of its epochs, adam is ahead of newton"
    )
    assert (found["equal_evaluations"], found["evaluate_alike"]) == (None, True)


def test_where_it_does_not_flip_nothing_has_changed(tmp_path):
    found = told(measured(tmp_path, 1.0))["equal_time"]
    assert found["sentences"] == ["At equal time newton and adam end all epochs, so that nothing changes."]
    assert found["changes"] == []


def test_batches_of_other_sizes_make_equal_evaluations_a_question_of_its_own(tmp_path):
    """Newton has half as many batches, and each takes four times as long."""
    found = told(measured(tmp_path, 4, updates=(8, 4)))
    assert found["equal_time"]["pairs"][0]["epochs"]["sine"] == [50, 100]
    (pair,) = found["equal_evaluations"]["pairs"]
    assert (pair["epochs"]["sine"], pair["ahead"]) == ([100, 50], "newton")
    assert found["equal_evaluations"]["sentences"][0].startswith(
        "At equal numbers of gradient evaluations, when adam has trained 50 % of its epochs, newton is ahead of adam"
    )
    assert found["equal_evaluations"]["changes"] == []
    assert len(cost.content(found)["sentences"]) == 2


def test_with_one_tuning_each_seed_is_a_block(tmp_path):
    plan = dataclasses.replace(PLAN, tunings=1, seeds=8)
    many, few = told(measured(tmp_path, 4), result(plan), curves(1, 8)), told(measured(tmp_path, 4), own=curves(8, 1))
    assert many["equal_time"]["pairs"] == few["equal_time"]["pairs"]


def test_a_race_has_times_only(tmp_path):
    found = cost.numbers(measured(tmp_path, 4), result(), None)
    assert found["contenders"][1]["step"] == pytest.approx(4)
    assert found["equal_time"] is found["equal_evaluations"] is None
    assert cost.content(found)["rows"] == [("adam", "1", "0.007 s"), ("newton", "4", "0.028 s")]
    assert cost.content(found)["sentences"] == []


def test_what_was_not_measured_is_told_and_of_older_comparisons_nothing_is(tmp_path):
    assert cost.numbers(SimpleNamespace(directory=tmp_path), result(), curves()) is None
    assert cost.content(None) is None
    write_timing(tmp_path, Timing(runs=16, cells=[], note="The time of a step was not measured: no."))
    found = told(SimpleNamespace(directory=tmp_path))
    assert (found["note"], found["contenders"]) == ("The time of a step was not measured: no.", [])
    assert found["equal_time"] is found["evaluate_alike"] is None


def test_a_spread_is_shown_where_there_is_one():
    assert cost._ratio(1.1387, (1.042, 1.2386)) == "1.14 (1.04 to 1.24)"
    assert cost._ratio(1.0, (1.0, 1.0)) == "1"
