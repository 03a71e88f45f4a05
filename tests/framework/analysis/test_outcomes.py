"""What a sweep came to: a sequence of outcomes, and what follows from them."""

from pathlib import Path

import pytest

from chainrule.analysis import outcomes as module
from chainrule.analysis.effects import effects
from chainrule.analysis.outcomes import Outcomes, SweepOutcomes
from chainrule.analysis.ranking import groups
from chainrule.engine.reason import Reason
from chainrule.errors import ConfigurationError
from chainrule.records.outcome import Outcome
from chainrule.records.sweep import new_sweep

SWEEP = new_sweep(Path("/sweep"), [], Path("/"), {}, {})


def outcome(number, seed, metric="validation/loss", **settings):
    return Outcome(number, str(number), settings, seed, Reason.EPOCHS, {metric: float(number)})


FOUND = [outcome(3, 1, a=2, b=1), outcome(0, 0, a=1, b=1), outcome(2, 0, a=2, b=1), outcome(1, 1, a=1, b=1)]


def test_it_is_the_sequence_of_outcomes_in_the_order_of_their_jobs():
    found = SweepOutcomes(SWEEP, iter(FOUND))
    assert [each.number for each in found] == [0, 1, 2, 3]
    assert (len(found), found[0].number, [each.number for each in found[1:3]]) == (4, 0, [1, 2])
    assert FOUND[0] in found
    assert not SweepOutcomes(SWEEP, [])


def test_what_follows_is_that_of_the_outcomes():
    found = SweepOutcomes(SWEEP, FOUND)
    assert found.metric == "validation/loss"
    assert found.ranking == groups(FOUND, "validation/loss")
    assert [group.settings for group in found.ranking] == [{"a": 1, "b": 1}, {"a": 2, "b": 1}]
    assert found.effects == [effect for effect in effects(FOUND, "validation/loss") if effect.parameter == "a"]
    assert found.comparison is None
    assert SweepOutcomes(SWEEP, [outcome(0, 0, "train/loss")]).metric == "train/loss"


def test_other_metrics_may_be_compared_and_be_large():
    found = Outcomes(FOUND, "train/loss", maximize=True)
    assert (found.metric, found.maximize, found.comparison) == ("train/loss", True, None)
    large = Outcomes(FOUND, "validation/loss", maximize=True)
    assert [group.settings["a"] for group in large.ranking] == [2, 1]
    assert large.effects == found_effects(large)


def found_effects(found):
    return [effect for effect in effects(FOUND, found.metric, found.maximize) if len(effect.levels) > 1]


def test_tables_are_asked_for_by_name():
    found = Outcomes(FOUND)
    assert [row["run"] for row in found.table("runs")] == [0, 1, 2, 3]
    assert [row["a"] for row in found.table("ranking")] == [1, 2]
    with pytest.raises(ConfigurationError, match=r"no table 'rankings' \(did you mean 'ranking'\?\): runs, ranking, "):
        found.table("rankings")


@pytest.mark.parametrize("name", ["metric", "ranking", "effects", "comparison"])
def test_it_is_computed_once(monkeypatch, name):
    found = SweepOutcomes(SWEEP, FOUND)
    first = getattr(found, name)
    for function in ("groups", "effects", "compared_metric", "compare_outcomes"):
        monkeypatch.setattr(module, function, None)
    assert getattr(found, name) is first


@pytest.mark.parametrize(
    ("restored", "word"),
    [([False, False], "final"), ([True, True], "restored"), ([True, False], "final or restored")],
)
def test_which_value_is_compared_is_known(restored, word):
    own = [
        Outcome(number, str(number), {}, number, Reason.EPOCHS, {"train/loss": 1.0}, restored=is_restored)
        for number, is_restored in enumerate(restored)
    ]
    failed = Outcome(2, "2", {}, 2, Reason.FAILED, {})
    assert Outcomes([*own, failed]).which == word
