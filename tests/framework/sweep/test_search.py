"""Searches by Optuna."""

import os
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chainrule.records.manifest import CURVES, MANIFEST
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from chainrule.sweep.search import Search, SearchOptions
from sizes import one_in
from sweeping import COMMAND, RATE, SEARCH, command, search, study

optuna = pytest.importorskip("optuna")
PLACE = "hydra.sweep.dir=found"


@pytest.mark.slow
def test_a_search_trains_batches_and_finds_a_better_rate_than_most():
    done = search(
        RATE, "activation=tanh,relu", "seed=range(3)", "hydra.sweeper.trials=40", "hydra.sweeper.batch=5", PLACE
    )
    trials = study().trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 40
    sweep = read_sweep(Path("found"))
    assert sweep.runs == 120
    for trial in trials:  # the median over seeds of what the records hold
        own = [read_record(sweep.place(3 * trial.number + seed)).manifest for seed in range(3)]
        assert {m["configuration"]["activation"]["name"] for m in own} == {trial.params["activation"]}
        assert {m["configuration"]["optimizer"]["lr"] for m in own} == {trial.params["optimizer.lr"]}
        assert trial.value == np.median([m["metrics"]["validation/loss"] for m in own])
    values = [trial.value for trial in trials]
    assert np.median(values[20:]) < np.median(values[:10])  # the first ten are drawn at random
    assert "best trial" in done.stdout


@pytest.mark.slow
def test_a_stored_study_continues():
    options = ["hydra.sweeper.storage=sqlite:///study.db", "hydra.sweeper.study=rates", "hydra.sweeper.trials=6"]
    search(RATE, *options, PLACE)
    search(RATE, *options, "hydra.sweep.dir=more")
    trials = optuna.load_study(study_name="rates", storage="sqlite:///study.db").trials
    assert len(trials) == 12
    assert len({trial.params["optimizer.lr"] for trial in trials}) == 12


@pytest.mark.slow
def test_a_study_of_something_else_is_refused():
    stored = ["hydra.sweeper.storage=sqlite:///study.db", "hydra.sweeper.study=mine", "hydra.sweeper.trials=2"]
    search(RATE, *stored, PLACE)
    other = ["hydra.sweep.dir=other", *stored]
    done = search(RATE, *other, "hydra.sweeper.directions=[maximize]", code=1)
    assert "study mine was begun with hydra.sweeper.directions=['minimize'], not ['maximize']" in done.stderr
    done = search("optimizer.lr=0.1,0.2", *other, code=1)
    assert "for optimizer.lr, not CategoricalDistribution" in done.stderr
    assert {trial.state.name for trial in study_in("sqlite:///study.db").trials} == {"COMPLETE"}


def study_in(storage):
    return optuna.load_study(study_name="mine", storage=storage)


def test_what_is_damaged_of_a_search_is_trained_again():
    search(RATE, "seed=range(2)", "hydra.sweeper.trials=12", "hydra.sweeper.batch=6", PLACE)
    sweep = read_sweep(Path("found"))
    before = [outcome.metrics for outcome in sweep.outcomes()]
    (sweep.place(3) / MANIFEST).unlink()
    (sweep.place(4) / CURVES).write_bytes(b"")
    command("resume", "found")
    assert [outcome.metrics for outcome in sweep.outcomes()] == before
    assert all(read_record(sweep.place(number)).is_intact() for number in range(24))


@pytest.mark.slow
def test_an_interrupted_stack_of_a_search_is_judged_as_a_whole_again(tmp_path):
    """A part of its records may be there; its decisions depend on all of its runs."""
    arguments = [
        RATE,
        "seed=range(2)",
        "hydra.sweeper.trials=12",
        "hydra.sweeper.batch=6",
        "hydra.sweeper.pruner=median",
    ]
    search(*arguments, PLACE)
    sweep = read_sweep(Path("found"))
    expected = [(outcome.reason, outcome.metrics) for outcome in sweep.outcomes()]
    assert "pruned" in {reason for reason, _ in expected}
    journal = (tmp_path / "found" / "optuna.log").read_text().splitlines(keepends=True)
    asked = [n for n, line in enumerate(journal) if "chainrule.sweep" in line][-1]  # nothing of the last batch was told
    (tmp_path / "found" / "optuna.log").write_text("".join(journal[: asked + 1]))
    for number in (12, 15, 17):
        (sweep.place(number) / MANIFEST).unlink()
    command("resume", "found")
    assert [(outcome.reason, outcome.metrics) for outcome in sweep.outcomes()] == expected


@pytest.mark.slow
def test_a_run_that_diverged_is_the_worst_whatever_is_optimised():
    diverging = ["optimizer.lr=0.001,1e30", "training.epochs=5", "hydra.sweeper.trials=12", "hydra.sweeper.batch=12"]
    search(*diverging, "hydra.sweeper.metrics=[validation/r2]", "hydra.sweeper.directions=[maximize]", PLACE)
    found = {float(trial.params["optimizer.lr"]): trial.value for trial in study().trials}
    assert found[1e30] == -np.inf
    assert np.isfinite(found[0.001])
    assert float(study().best_params["optimizer.lr"]) == 0.001


@pytest.mark.slow
def test_another_seed_of_the_sampler_suggests_other_values():
    found = []
    for seed in (0, 1):
        options = [f"hydra.sweeper.sampler_seed={seed}", "hydra.sweeper.trials=6", f"hydra.sweep.dir=s{seed}"]
        search(RATE, "training.epochs=1", *options, "+hydra.sweeper.params.seed=5")
        found += [trial.params["optimizer.lr"] for trial in study(f"s{seed}/optuna.log").trials]
        assert read_record(Path(f"s{seed}") / "0").manifest["configuration"]["seed"] == 5
    assert len(set(found)) == 12
    assert read_sweep(Path("s0")).title == "6 trials of optimizer.lr"


def test_two_objectives():
    done = search(RATE, "network.hidden=[1],[2,2],[8]", "hydra.sweeper.trials=8",
                  "hydra.sweeper.metrics=[validation/loss,parameters]", "hydra.sweeper.directions=[minimize,minimize]",
                  "hydra.sweeper.sampler=nsgaii", PLACE)  # fmt: skip
    trials = study().trials
    assert {trial.values[1] for trial in trials} <= {5.0, 15.0, 33.0}
    assert "best trial" in done.stdout


def test_a_lock_of_a_killed_process_holds_nothing_up(tmp_path, monkeypatch):
    """Optuna's own lock of the journal; a search has the sweep's directory for itself."""
    usual = {"trials": 1, "batch": 1, "sampler": "tpe", "sampler_seed": 0, "pruner": "none", "study": None}
    options = SearchOptions(**usual, metrics=(), directions=("minimize",), storage=None)
    one = Search(None, None, None, options, {})
    space = SimpleNamespace(distributions={})
    assert one._study(tmp_path, "name", space).study_name == "name"
    (tmp_path / "optuna.log.lock").symlink_to(tmp_path / "optuna.log")

    def waits(seconds):
        raise AssertionError("it waits for the lock")

    monkeypatch.setattr(optuna.storages.journal._file.time, "sleep", waits)
    assert one._study(tmp_path, "name", space).study_name == "name"


@pytest.mark.rare
def test_a_killed_search_is_resumed_to_the_same_trials(tmp_path):
    arguments = [RATE, "seed=range(2)", "hydra.sweeper.trials=12", "hydra.sweeper.batch=4", "training.epochs=60", PLACE]
    (tmp_path / "whole").mkdir()
    search(*arguments, folder=tmp_path / "whole")
    process = subprocess.Popen([*COMMAND, *SEARCH, *arguments], stdout=subprocess.DEVNULL, start_new_session=True)
    while (before := len(list(Path("found").glob("*/manifest.json")))) < 8:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert before < 24
    done = command("resume", "found")
    assert "24 runs, 12 settings, 2 seeds" in done.stdout
    sweep, whole = read_sweep(Path("found")), read_sweep(tmp_path / "whole" / "found")
    assert sweep.manifest["jobs"] == whole.manifest["jobs"]
    for number in range(24):
        first, other = sweep.place(number), whole.place(number)
        assert (first / "weights.npz").read_bytes() == (other / "weights.npz").read_bytes()
    finished = [trial for trial in study().trials if trial.state.name == "COMPLETE"]
    expected = study(tmp_path / "whole" / "found" / "optuna.log").trials
    assert [(t.params, t.value) for t in finished] == [(t.params, t.value) for t in expected]


@pytest.mark.parametrize(
    ("varied", "said"),
    [
        ("loss=huber,log_cosh", "Losses with huber and log_cosh measure different things, so that the smallest is not"),
        ("target=sine,xor", "the final loss of runs on sine and xor cannot be compared, because they learn different"),
    ],
)
def test_losses_that_measure_different_things_are_not_searched(varied, said):
    (sentence,) = search(RATE, varied, code=1).stderr.splitlines()
    assert said in sentence
    if varied.startswith("loss"):
        chosen = [word for word in sentence.split() if word.startswith("hydra.sweeper.")]
        search(RATE, varied, *chosen, "hydra.sweeper.trials=2", "training.epochs=1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    one_in(
        3,
        [
            ([RATE, "hydra.sweeper.sampler=tp"], ["hydra.sweeper.sampler=tp", "did you mean 'tpe'"]),
            ([RATE, "hydra.sweeper.pruner=medain"], ["did you mean 'median'"]),
            ([RATE, "hydra.sweeper.metrics=[validation/loss,epochs]"], ["directions must have 2 entries"]),
            (["optimizer.lr=interval(-1,1)"], ["optimizer.lr must be a number >= 0, not -1", "Nothing was trained"]),
            (["optimizer.lr=0.1"], ["there is nothing to search"]),
            (["optimizer.lr=interval(2,1)"], ["optimizer.lr=interval(2,1) cannot be searched"]),
            ([RATE, "hydra/launcher=basic"], ["needs hydra/launcher=stacked"]),
            (["optimizer.lr=tag(lgo,interval(0.1,1))"], ["did you mean 'log'"]),
            ([RATE, "seed=interval(0,5)"], ["seed must have a list of values or a range"]),
            ([RATE, "data.folds=3", "data.fold=range(3)"], ["data.fold cannot be searched: give it one value"]),
            ([RATE, "hydra.sweeper.metrics=[validation/loos]"], ["did you mean 'validation/loss'", "job 0"]),
            ([RATE, "hydra.sweeper.storage=nosuch://x"], ["hydra.sweeper.storage=nosuch://x cannot be used"]),
        ],
    ),
)
def test_what_cannot_be_searched_gets_one_sentence(tmp_path, arguments, words):
    (sentence,) = search(*arguments, code=1).stderr.splitlines()
    for word in words:
        assert word in sentence
    assert not list(tmp_path.rglob("*.json"))
