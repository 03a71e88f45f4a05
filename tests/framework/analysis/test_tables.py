"""Outcomes as tables."""

import math
import sys

import pandas
import pytest

from chainrule.analysis import tables
from chainrule.analysis.outcomes import Outcomes
from chainrule.engine.reason import Reason
from chainrule.errors import ChainruleError
from chainrule.records.outcome import Outcome


def outcome(number, value, seed, reason="finished", **settings):
    return Outcome(number, f"d{number}", settings, seed, Reason(reason), {"loss": value}, "")


FOUND = Outcomes([outcome(n, n % 2 + n / 10, n // 2, lr=n % 2, depth=3) for n in range(14)], "loss")


def test_the_ranking_is_that_of_pandas():
    runs, ranking = FOUND.table("runs").frame(), FOUND.table("ranking").frame()
    expected = runs.groupby("lr")["loss"].median().sort_values()
    assert ranking["lr"].tolist() == expected.index.tolist()
    assert ranking["median"].tolist() == pytest.approx(expected.tolist())
    assert ranking["rank"].tolist() == [1, 2]
    assert ranking["runs"].tolist() == [7, 7]
    below = runs.groupby("lr")["loss"].quantile(0.25, interpolation="lower").loc[expected.index]
    assert ranking["quartile 1"].tolist() == pytest.approx(below.tolist())
    assert list(FOUND.table("runs")[0]) == ["run", "lr", "depth", "seed", "reason", "record", "loss"]


def test_lost_runs_are_counted_and_what_is_missing_is_none():
    found = Outcomes([outcome(0, None, 0, "diverged", lr=1), outcome(1, None, 0, "failed")], "loss")
    assert found.table("runs")[1] == {
        "run": 1, "lr": None, "seed": 0, "reason": "failed", "record": "d1", "loss": None,
    }  # fmt: skip
    first, second = found.table("ranking")
    assert (first["lr"], first["median"], first["interval low"], first["diverged"]) == (1, math.inf, None, 1)
    assert (second["lr"], second["failed"]) == (None, 1)


def test_columns_of_one_name_are_kept_apart():
    settings = {"loss": "mse", "seed": 5, "rank": 2}
    found = Outcomes([Outcome(0, "d", settings, 1, Reason.FINISHED, {"loss": 0.5, "run": 3.0})], "loss")
    assert found.table("runs") == [
        {"run": 0, "loss": "mse", "params.seed": 5, "rank": 2, "seed": 1, "reason": "finished", "record": "d"}
        | {"metrics.loss": 0.5, "metrics.run": 3.0}
    ]
    assert found.table("ranking")[0]["params.rank"] == 2


def test_effects_and_the_levels_of_each_parameter():
    assert FOUND.table("effects") == [
        {"parameter": effect.parameter, "share": effect.share, "p": effect.p, "units": effect.units}
        for effect in FOUND.effects
    ]
    runs = FOUND.table("runs").frame()
    for row in FOUND.table("levels"):
        same = runs[runs[row["parameter"]].astype(str) == row["value"]]["loss"]
        assert (row["median"], row["runs"]) == (pytest.approx(same.median()), len(same))


def test_without_a_comparison_its_tables_are_empty():
    for name in ("pairs", "standings"):
        assert FOUND.table(name) == []
        assert isinstance(FOUND.table(name).frame(), pandas.DataFrame)


def test_without_pandas_the_rows_remain(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    rows = tables.Table([{"a": 1}])
    assert rows[0]["a"] == 1
    with pytest.raises(ChainruleError, match="needs pandas: `pip install pandas`"):
        rows.frame()
