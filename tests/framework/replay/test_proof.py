"""Proofs of runs whose cure is known by construction."""

import numpy as np
import pytest

import chainrule
from chainrule.registry.loaded import installed
from chainrule.replay.changes import CHANGES, CONTROL
from chainrule.replay.instrumented import of_settings
from chainrule.replay.proof import _Bench, prove
from chainrule.replay.replays import Replay

PLANE = [
    "network.hidden=[]",
    "training.batch_size=null",
    "training.epochs=300",
    "training.measure_every=100",
    "tracking=none",
]


def replay(*words):
    return of_settings(chainrule.settings(*PLANE, *words))


def test_descent_beyond_2_by_lambda_max_is_cured_by_a_smaller_rate_and_by_nothing_about_the_epochs():
    proof = prove(replay("optimizer.lr=2.1"), 0, 0.9, installed(), runs=60, chosen=["rate/10", "epochs*5", "l2"])
    assert [trial.change for trial in proof.cures] == ["rate/10"]
    (cure,) = proof.cures
    assert cure.start.count == cure.start.of >= 20
    assert (cure.own, cure.is_fresh, cure.onset) == (True, True, None)
    assert proof.control.start.count == 0
    assert proof.runs == pytest.approx(60, abs=6)
    others = {trial.change: (trial.start.count, trial.is_fresh) for trial in proof.trials[1:]}
    assert others == {"epochs*5": (0, False), "l2": (0, False)}


def test_a_layer_that_is_silent_at_the_onset_stays_so_whatever_the_rate_but_not_with_another_activation():
    words = ["activation=relu", "seed=3", "training.epochs=30", "optimizer.lr=0.05", "tracking=none"]
    proof = prove(
        of_settings(chainrule.settings(*words)), 5, 0.9, installed(), runs=40, chosen=["activation", "rate/10"]
    )
    assert proof.onset == 5
    onsets = {trial.change: trial.onset for trial in (proof.control, *proof.trials)}
    assert onsets[CONTROL].count == onsets["rate/10"].count == 0
    assert onsets["activation"].count == onsets["activation"].of > 0


def test_branches_begin_with_the_parameters_of_the_onset_and_the_data_of_the_run():
    original = replay("optimizer.lr=0.01", "seed=5")
    bench = _Bench(original, 40, 0.9)
    starts, branches = bench.plan("rate/10", CHANGES["rate/10"].make(original.settings, installed()), 0, 3, 2)
    after = Replay(chainrule.settings(*PLANE, "optimizer.lr=0.01", "seed=5", "training.epochs=40")).train().result
    assert [run.theta.tobytes() for run in branches] == [after.theta.tobytes()]  # one: the order does not matter
    assert branches[0].settings.training.epochs == 260
    assert [run.settings.seed for run in starts] == [5, 6, 7]
    assert len({run.theta.tobytes() for run in starts}) == 3
    assert {run.samples.train.tobytes() for run in (*starts, *branches)} == {original.prepare().samples.train.tobytes()}


def test_the_control_has_other_seeds_than_the_run_and_other_orders():
    original = of_settings(chainrule.settings("training.epochs=4", "training.batch_size=32", "tracking=none"))
    bench = _Bench(original, 2, 0.9)
    starts, branches = bench.plan(CONTROL, original.settings, 0, 3, 3)
    assert [run.settings.seed for run in starts] == [1, 2, 3]
    assert len({run.theta.tobytes() for run in branches}) == 1
    assert len({run.shuffle.bit_generator.state["state"]["state"] for run in branches}) == 3


def test_standardized_inputs_have_mean_0_and_deviation_1_and_the_scores_are_those_of_the_units():
    original = replay("optimizer.lr=0.01")
    bench = _Bench(original, 0, 0.9)
    ((run,), _) = bench.plan("standardized", original.settings, 0, 1, 1)
    x = run.samples.train[1:3]
    assert np.allclose([x.mean(axis=1), x.std(axis=1)], [[0, 0], [1, 1]])
    assert np.allclose(run.samples.raw(run.samples.validation)[0], original.prepare().samples.validation[1:3])
