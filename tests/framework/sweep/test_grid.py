"""Sweeps over combinations, pairs and random draws: what was typed for all of them is checked first."""

from pathlib import Path

import pytest

from chainrule.records.sweep import read_sweep
from sweeping import PLACE, SHORT, command


def test_every_job_is_checked_before_the_first_is_trained(tmp_path):
    done = command("-m", *SHORT, "seed=0,1", "optimizer.lr=0.1,-1", PLACE, code=1)
    assert done.stderr.startswith("chainrule: job 1 (training.epochs=4")
    assert done.stderr.endswith("not -1. 1 other job is wrong as well. Nothing was trained.\n")
    done = command("-m", *SHORT, "optimizer.lrr=1,2", PLACE, code=1)
    assert "optimizer.lrr is not a key" in done.stderr
    done = command("-m", *SHORT, "output=identity,softmax", PLACE, code=1)
    assert "output=softmax" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["seed=0,1", "hydra.sweep.subdir=same"],
            ["jobs 0 and 1 would both leave their record in", "${hydra.job.num}"],
        ),
        (["activation=glob(zz*)"], ["activation=glob(zz*) has no values"]),
        (["seed=0,1", "hydra.sweeper.max_batch_size=0"], ["max_batch_size must be 1 or more, not 0"]),
        (["seed=0,1", "hydra.launcher.stack=-5"], ["hydra.launcher.stack must be 1 or more, not -5"]),
        (
            ["optimizer.lr=tag(lgo,interval(0.1,1))", "hydra.sweeper.random=2"],
            ["tag lgo, which is unknown", "did you mean 'log'"],
        ),
    ],
)
def test_what_makes_no_sweep_gets_one_sentence(tmp_path, arguments, words):
    (sentence,) = command("-m", *SHORT, PLACE, *arguments, code=1).stderr.splitlines()
    for word in words:
        assert word in sentence
    assert not list(tmp_path.rglob("*.json"))


def test_paired_values_and_random_draws():
    command("-m", *SHORT, PLACE, "seed=0,1", "optimizer.lr=0.1,0.2,0.3", "data.noise=1,2,3",
            "hydra.sweeper.zip=[[optimizer.lr,data.noise]]")  # fmt: skip
    found = [o.settings for o in read_sweep(Path("sweep")).outcomes()]
    assert found == 2 * [{"optimizer.lr": rate, "data.noise": noise} for rate, noise in ((0.1, 1), (0.2, 2), (0.3, 3))]
    command("-m", *SHORT, "hydra.sweep.dir=drawn", "seed=0,1", "optimizer.lr=tag(log,interval(1e-4,1))",
            "hydra.sweeper.random=5")  # fmt: skip
    outcomes = list(read_sweep(Path("drawn")).outcomes())
    assert len(outcomes) == 10
    assert len({o.settings["optimizer.lr"] for o in outcomes}) == 5
    assert [o.seed for o in outcomes] == 5 * [0, 1]
