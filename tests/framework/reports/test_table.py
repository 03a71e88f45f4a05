"""The runs of a sweep as a table."""

import io

import pandas
import pytest

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.reports import table


def outcomes():
    first = Outcome(0, "0", {"optimizer.lr": 0.1, "target.path": 'a "b",c.csv'}, 3, Reason.EPOCHS, {"train/loss": 0.25})
    second = Outcome(
        1, "1", {"optimizer.lr": 1.0, "rule": "exact"}, 4, Reason.DIVERGED, {"train/loss": None, "train/r2": 0.5}
    )
    third = Outcome(2, "2", {"optimizer.lr": 0.1}, 5, Reason.FAILED, {}, "ValueError: no")
    return SweepOutcomes(None, [third, first, second])


def test_a_data_frame_has_one_row_a_run():
    found = pandas.read_csv(io.StringIO(table.runs(outcomes())))
    keys = ["optimizer.lr", "target.path", "rule"]
    assert list(found) == ["run", *keys, "seed", "reason", "record", "train/loss", "train/r2"]
    assert found["run"].tolist() == [0, 1, 2]
    assert found["optimizer.lr"].tolist() == [0.1, 1.0, 0.1]
    assert found["target.path"][0] == 'a "b",c.csv'
    assert found["reason"].tolist() == ["epochs", "diverged", "failed"]
    assert found["train/loss"][0] == 0.25
    assert found["train/loss"].isna().tolist() == [False, True, True]
    assert found["train/r2"].tolist()[1] == pytest.approx(0.5)


def test_numbers_have_all_their_digits():
    value = 0.1 + 0.2
    one = SweepOutcomes(None, [Outcome(0, "0", {}, 0, Reason.EPOCHS, {"train/loss": value})])
    assert table.runs(one).splitlines()[1].split(",")[-1] == repr(value)


def test_of_no_runs_there_is_a_heading():
    assert table.runs(SweepOutcomes(None, [])) == "run,seed,reason,record\n"
