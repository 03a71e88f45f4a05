"""Runs that a tracker keeps as outcomes."""

import math
import sys
from dataclasses import replace

import pytest

from chainrule.analysis.tracked import Choices, tracked_outcomes
from chainrule.engine.reason import Reason
from chainrule.errors import ConfigurationError
from chainrule.records.tracked import Status, TrackedRun, TrackedRuns


def run(key, loss=None, status="finished", parent=None, **parameters):
    metrics = {} if loss is None else {"loss": loss}
    return TrackedRun(key, Status(status), {name: str(value) for name, value in parameters.items()}, metrics, parent)


def outcomes_of(*runs, **choices):
    return tracked_outcomes(TrackedRuns("mine", "sqlite:///x.db", runs), Choices(**choices))


def ranked(found):
    return [(group.settings, group.values) for group in found.ranking]


def told(found, word):
    (note,) = [note for note in found.notes if word in note]
    return note


GRID = [run(f"{lr}-{seed}", lr + seed, lr=lr, seed=seed) for lr in (1, 2) for seed in range(3)]


def test_settings_are_ranked_over_their_seeds():
    found = outcomes_of(*[replace(each, parameters={**each.parameters, "epochs": "10"}) for each in GRID])
    assert ranked(found) == [
        ({"lr": 1}, (1, 2, 3)),
        ({"lr": 2}, (2, 3, 4)),
    ]
    assert [outcome.seed for outcome in found] == [0, 1, 2, 0, 1, 2]
    assert [outcome.directory for outcome in found] == [each.key for each in GRID]
    assert {outcome.reason for outcome in found} == {Reason.FINISHED}
    assert found.parameters.constants == {"epochs": 10}
    assert found.notes == (
        "Ranked by loss, assumed: smaller values are better, assumed from its name.",
        "Seed: seed, assumed from the name.",
    )


def test_losses_that_may_measure_different_things_are_named():
    runs = [run(f"{own}{seed}", 1.0, **{"loss.delta": own, "seed": seed}) for own in (1, 2) for seed in range(2)]
    assert "loss may measure different things, because loss.delta varies:" in told(outcomes_of(*runs), "measure")
    scored = [replace(each, metrics={"r2": 0.5}) for each in runs]
    assert not [note for note in outcomes_of(*scored).notes if "measure" in note]
    both = [replace(each, parameters={**each.parameters, "target": each.key[0]}) for each in scored]
    assert "r2 may measure different things, because target varies:" in told(outcomes_of(*both), "measure")


def test_large_values_may_be_good():
    found = outcomes_of(*GRID, maximize=True)
    assert [group.settings["lr"] for group in found.ranking] == [2, 1]
    assert found.notes[0] == "Ranked by loss, assumed: larger values are better."
    lost = outcomes_of(*GRID, run("x", math.inf, lr=2, seed=9), maximize=True)
    assert lost.ranking[0].values == (-math.inf, 2, 3, 4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, sys.float_info.max, -sys.float_info.max])
def test_what_is_not_finite_is_the_worst(value):
    found = outcomes_of(*GRID, run("x", value, lr=1, seed=9))
    assert found.ranking[0].values == (1, 2, 3, math.inf)
    assert (found[-1].reason, found[-1].metrics) == (Reason.DIVERGED, {"loss": None})
    assert told(found, "worst") == "Counted as the worst: loss not finite (1)."


def test_failed_and_killed_runs():
    found = outcomes_of(
        *GRID,
        run("f", 0.5, "failed", lr=1, seed=4),
        run("g", None, "failed", lr=1, seed=5),
        run("k", 0.5, "killed", lr=2, seed=6),
        run("l", None, "killed", lr=2, seed=7),
    )
    assert ranked(found) == [({"lr": 2}, (0.5, 2, 3, 4, math.inf)), ({"lr": 1}, (1, 2, 3, math.inf, math.inf))]
    assert told(found, "worst") == "Counted as the worst: failed (2), killed without loss (1)."
    assert told(found, "pruned") == "Killed, which the table of runs calls pruned, and counted with the last loss (1)."


def test_runs_that_broke_off_early_have_what_is_the_same_in_all_others_or_are_left_out():
    parameters = {"epochs": 10, "batch": 32, "data_seed": 5}
    full = [run(each.key, each.metrics["loss"], out=f"/{each.key}", **each.parameters, **parameters) for each in GRID]
    found = outcomes_of(
        *full,
        run("a", None, "failed", seed=4, lr=1),
        run("b", None, "killed", seed=4, epochs=10),
        run("c", None, "failed"),
        run("d", None, "failed", seed=4, lr=1, batch=1024),
    )
    assert ranked(found) == [
        ({"lr": 1, "batch": 32}, (1, 2, 3, math.inf)),
        ({"lr": 2, "batch": 32}, (2, 3, 4)),
        ({"lr": 1, "batch": 1024}, (math.inf,)),  # a value that has always failed is a setting
    ]
    assert told(found, "Left") == "Left out: failed or killed before they had their parameters (2)."
    assert told(found, "No setting") == "No setting, because it differs from run to run: out."


def test_runs_that_say_nothing_are_left_out_and_counted():
    found = outcomes_of(*GRID, run("r", 0.1, "running", lr=1, seed=4), run("w", None, lr=1, seed=5), run("v", lr=1))
    assert len(found) == 6
    assert told(found, "Left") == "Left out: still running (1), finished without loss (2)."


def test_parents_are_left_out_and_give_parameters_to_nested_runs_without():
    nested = [run(f"n{lr}{seed}", lr + seed, parent=f"p{lr}", seed=seed) for lr in (1, 2) for seed in range(3)]
    parents = [run("p1", None, parent="top", lr=1), run("p2", 0.1, "running", parent="top", lr=2), run("top", lr=9)]
    found = outcomes_of(*parents, *nested)
    assert ranked(found) == [
        ({"lr": 1}, (1, 2, 3)),
        ({"lr": 2}, (2, 3, 4)),
    ]
    assert told(found, "Left") == "Left out: parents without loss (2), parents of runs that count (1)."
    own = [run(f"n{seed}", seed, parent="p1", seed=seed, depth=seed // 2) for seed in range(4)]
    assert outcomes_of(parents[0], *own).parameters.settings == ("depth",)
    lonely = [run("a", 1.0, parent="gone"), run("b", 2.0, parent="b")]  # deleted, and nonsense
    assert len(outcomes_of(*lonely)) == 2


def test_of_runs_with_equal_settings_and_seed_the_newest_counts():
    found = outcomes_of(run("old", math.nan, lr=1, seed=0), *GRID[1:], run("new", 7.0, lr="1.0", seed="0.0"))
    assert found.ranking[0].settings == {"lr": 2}
    assert found.ranking[1].values == (2, 3, 7)
    assert told(found, "newer") == "Left out: followed by a newer run with the same settings and seed (1)."


def test_without_a_seed_equal_runs_are_repetitions():
    runs = [run(str(number), float(number), lr=number % 2, random_state="None") for number in range(6)]
    found = outcomes_of(*runs)
    assert [group.values for group in found.ranking] == [(0, 2, 4), (1, 3, 5)]
    assert {outcome.seed for outcome in found} == {None}
    plain = outcomes_of(*[run(str(number), float(number), lr=number % 2) for number in range(6)])
    assert (
        told(plain, "seed") == "No parameter is called like a seed: runs with equal settings are repetitions (assumed)."
    )
    none = outcomes_of(*GRID, seed="none")
    assert none.parameters.settings == ("lr", "seed")
    assert told(none, "no seed")


def test_a_seed_may_be_chosen_or_consist_of_several():
    runs = [run(f"{a}{b}", a + b + 0.5, fold=a, data_seed=a, model_seed=b) for a in range(2) for b in range(3)]
    assert {outcome.seed for outcome in outcomes_of(*runs)} == {"0, 0", "0, 1", "0, 2", "1, 0", "1, 1", "1, 2"}
    assert {outcome.seed for outcome in outcomes_of(*runs, seed="fold")} == {0, 1}
    assert told(outcomes_of(*runs, seed="fold,model_seed"), "Seed") == "Seed: fold and model_seed."
    follows = [run(f"{x}{n}", 1.0, x=x, seed=n, data_seed=n // 2, rng=7) for x in range(2) for n in range(4)]
    assert [outcome.seed for outcome in outcomes_of(*follows)] == [0, 1, 2, 3] * 2
    assert outcomes_of(*follows).parameters.settings == ("x",)
    texts = [run(str(place), 1.0, seed=text) for place, text in enumerate(["abc", "7.5", "", "7"])]
    assert [outcome.seed for outcome in outcomes_of(*texts)] == ["abc", "7.5", None, 7]


def test_missing_values_are_not_set():
    found = outcomes_of(*GRID, run("x", 9.0, seed=0))
    assert found[-1].settings == {"lr": "not set"}


def test_runs_without_repetitions_are_no_evidence():
    runs = [run(str(number), float(number), lr=number % 2, note=f"try {number}") for number in range(6)]
    assert "If one of lr, note is no setting, name the others by --settings" in told(outcomes_of(*runs), "No two runs")
    assert not [note for note in outcomes_of(*runs, settings=("lr",)).notes if "No two runs" in note]


def test_settings_may_be_chosen():
    runs = [run(f"{each.key}", each.metrics["loss"], **each.parameters, note=each.key) for each in GRID]
    assert told(outcomes_of(*runs), "No setting") == "No setting, because it differs from run to run: note."
    found = outcomes_of(*runs, settings=("note",))
    assert found.parameters.settings == ("note",)
    assert told(found, "No setting") == "No setting, because others were chosen: lr."
    assert len(found.ranking) == 6


@pytest.mark.parametrize(
    ("runs", "choices", "message"),
    [
        ([], {}, r"'mine' at sqlite:///x.db has no runs"),
        (GRID, {"metric": "lss"}, r"No run has a metric 'lss' \(did you mean 'loss'\?\); they have loss\."),
        (GRID, {"seed": "sed"}, r"No run has a parameter 'sed' \(did you mean 'seed'\?\) to be the seed; 'none' says"),
        (GRID, {"settings": ("lrr",)}, r"No run has a parameter 'lrr' \(did you mean 'lr'\?\) to be a setting"),
        ([run("r", 1.0, "running")], {}, r"No run of the experiment 'mine' can be ranked: still running \(1\)"),
        ([run("r", None)], {}, "The runs have no metrics"),
    ],
)
def test_what_cannot_be_is_said(runs, choices, message):
    with pytest.raises(ConfigurationError, match=message):
        outcomes_of(*runs, **choices)
