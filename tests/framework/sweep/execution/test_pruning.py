"""Trials that are stopped early."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from sweeping import COMMAND, RATE, SEARCH, search, study

optuna = pytest.importorskip("optuna")
PLACE = "hydra.sweep.dir=found"


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
