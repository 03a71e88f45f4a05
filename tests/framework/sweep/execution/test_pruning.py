"""Trials that are stopped early."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from chainrule.sweep.execution.pruning import PRUNERS, TrialPruner, looks, optuna_pruner
from sweeping import COMMAND, RATE, SEARCH, search, study

optuna = pytest.importorskip("optuna")
PLACE = "hydra.sweep.dir=found"


@pytest.mark.slow
def test_pruned_trials_leave_the_stack_early_and_change_no_bits():
    arguments = [
        RATE,
        "seed=range(2)",
        "hydra.sweeper.trials=24",
        "hydra.sweeper.batch=8",
        "hydra.sweeper.sampler=random",
    ]
    search(*arguments, "hydra.sweeper.pruner=median", PLACE)
    search(*arguments, "hydra.sweep.dir=whole")
    trials = study().trials
    pruned = [trial.number for trial in trials if trial.state.name == "PRUNED"]
    assert 2 < len(pruned) < 20
    sweep, whole = read_sweep(Path("found")), read_sweep(Path("whole"))
    for number in range(48):
        record, other = read_record(sweep.place(number)), read_record(whole.place(number))
        if number // 2 in pruned:
            assert record.manifest["reason"] == "pruned"
            assert record.manifest["epochs"] < 40
            points = len(record.curves().epochs)
            np.testing.assert_array_equal(
                record.curves().values["train/loss"], other.curves().values["train/loss"][:points]
            )
        else:
            assert (record.directory / "weights.npz").read_bytes() == (other.directory / "weights.npz").read_bytes()
    assert trials[pruned[0]].intermediate_values


@pytest.mark.slow
def test_what_is_given_up_is_what_has_large_losses_whatever_is_optimised():
    """And the same at every try."""
    arguments = [RATE, "hydra.sweeper.trials=16", "hydra.sweeper.batch=8", "hydra.sweeper.sampler=random"]
    maximised = ["hydra.sweeper.metrics=[validation/r2]", "hydra.sweeper.directions=[maximize]"]
    search(*arguments, *maximised, "hydra.sweeper.pruner=median", PLACE)
    ends = {"PRUNED": [], "COMPLETE": []}
    for trial in study().trials[8:]:  # the first are compared with too few
        ends[trial.state.name].append(read_record(read_sweep(Path("found")).place(trial.number)))
    losses = {state: [r.curves().values["validation/loss"][0:8].min() for r in found] for state, found in ends.items()}
    assert min(losses["PRUNED"]) > np.median(losses["COMPLETE"])
    states = []
    for name in ("first", "second"):
        search(*arguments, "hydra.sweeper.pruner=hyperband", f"hydra.sweep.dir={name}")
        states.append([trial.state for trial in study(f"{name}/optuna.log").trials])
    assert states[0] == states[1]


def test_without_optuna_the_extra_is_named(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "optuna.py").write_text("raise ImportError('no')")
    done = subprocess.run([*COMMAND, *SEARCH, RATE], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(tmp_path / "site")}, timeout=100)  # fmt: skip
    assert done.stderr.strip().endswith("pip install 'chainrule[optuna]'.")


def test_a_trial_is_looked_at_twenty_times_at_most():
    losses = {epoch: float(epoch) for epoch in range(101)}
    assert [epoch for epoch, _ in looks([losses], 100)] == list(range(5, 101, 5))
    assert [epoch for epoch, _ in looks([losses], 10)] == list(range(1, 101)), "at every epoch of a short training"
    seldom = dict.fromkeys(range(0, 101, 7), 0.0)
    assert [epoch for epoch, _ in looks([seldom], 100)] == list(range(7, 101, 7)), "where a loss is known"
    assert list(looks([], 100)) == []


def test_what_is_seen_of_a_trial_is_the_median_of_those_that_still_train():
    curves = [{0: 9.0, 1: 1.0, 2: 5.0}, {0: 9.0, 1: 2.0, 2: 7.0}, {0: 9.0, 1: 6.0}]
    assert list(looks(curves, 2)) == [(1, 2.0), (2, 6.0)]


@pytest.fixture
def past():
    """Six trials, whose losses after the second epoch were 1 to 6."""
    return tuple(
        optuna.trial.create_trial(value=float(loss), intermediate_values={2: float(loss)}) for loss in range(1, 7)
    )


def test_all_runs_of_a_trial_stop_where_their_median_is_above_that_of_the_past(past):
    """Of which the median is 3.5."""
    pruner = TrialPruner("median", past, {10: 6, 11: 6, 12: 6, 13: 7, 14: 7, 15: 7}, epochs=40)
    decide = pruner.for_stack([10, 11, 12, 13, 14, 15])
    runs = np.arange(6)
    losses = np.array([3.0, 3.4, 99.0, 0.0, 3.6, 4.0])
    for epoch in (0, 1):
        assert not decide(epoch, runs, losses).any(), "too early"
    assert decide(2, runs, losses).tolist() == [False] * 3 + [True] * 3


def test_runs_that_have_left_the_stack_do_not_count(past):
    pruner = TrialPruner("median", past, {0: 6, 1: 6, 2: 7}, epochs=40)
    assert pruner.for_stack([0, 1, 2])(2, np.array([1, 2]), np.array([3.6, 3.4])).tolist() == [True, False]
    assert pruner.for_stack([2, 1, 0])(2, np.array([0]), np.array([3.6])).tolist() == [True]


def test_without_a_pruner_nothing_stops(past):
    decide = TrialPruner("none", past, {0: 6}, epochs=40).for_stack([0])
    assert not decide(2, np.array([0]), np.array([1e9])).any()


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_is_optuna_s(name):
    assert type(optuna_pruner(name)) is getattr(optuna.pruners, PRUNERS[name])
