"""Sweeps over combinations, pairs and random draws: all jobs are checked before the first is launched."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from chainrule.errors import ConfigurationError
from chainrule.records.sweep import read_sweep
from chainrule.sweep import grid
from chainrule.sweep.execution.plan import Unit
from chainrule.sweep.execution.worker import train
from chainrule.sweep.grid import GridOptions, GridSweep
from jobs import job
from sweeping import PLACE, SHORT, command


def test_every_job_is_checked_before_the_first_is_trained(tmp_path):
    done = command("-m", *SHORT, "seed=0,1", "optimizer.lr=0.1,-1", PLACE, code=1)
    assert done.stderr.startswith("chainrule: optimizer.lr must be a number >= 0, not -1. That is wrong with job 1 (")
    assert done.stderr.endswith("optimizer.lr=-1). 1 other job is wrong as well. Nothing was trained.\n")
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


def options(**changes):
    usual = {"params": {}, "max_batch_size": None, "zip": [], "random": None, "random_seed": 0, "dry_run": False}
    return GridOptions(**{**usual, **changes})


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_has_at_least_one_job(size):
    with pytest.raises(ConfigurationError, match=rf"^hydra.sweeper.max_batch_size must be 1 or more, not {size}\.$"):
        options(max_batch_size=size)
    assert options(max_batch_size=1).max_batch_size == 1


class Launcher:
    """Notes what it is to launch; ``fails`` is raised by the jobs of the first batch."""

    def __init__(self, fails=None):
        self.launched, self.fails = [], fails

    def launch(self, lists, initial_job_idx):
        self.launched.append((initial_job_idx, [list(each) for each in lists]))
        return [Done(each, self.fails) for each in lists]


class Done:
    """What became of a job."""

    def __init__(self, overrides, error):
        self.overrides, self.error = overrides, error

    @property
    def return_value(self):
        if self.error:
            raise self.error
        return 0.5


def foreign(launcher, wrong=(), **changes):
    """A sweep of another application, of whose overrides Hydra refuses some."""

    def load_sweep_config(master, overrides):
        if overrides in wrong:
            raise ArithmeticError(f"{overrides} is wrong")

    loader = SimpleNamespace(load_sweep_config=load_sweep_config)
    master = OmegaConf.create({"hydra": {"sweep": {"dir": "sweep"}}})
    context = SimpleNamespace(config_loader=loader)
    return GridSweep(context, lambda config: None, master, launcher, None, options(**changes))


def test_another_application_s_jobs_are_launched_batch_by_batch():
    launcher = Launcher()
    returns = foreign(launcher, max_batch_size=2, params={"c": "9"}).sweep(["a=1,2,3", "b=x"])
    assert launcher.launched == [(0, [["c=9", "a=1", "b=x"], ["c=9", "a=2", "b=x"]]), (2, [["c=9", "a=3", "b=x"]])]
    assert [len(batch) for batch in returns] == [2, 1]
    assert Path("sweep/multirun.yaml").is_file()


def test_what_is_typed_comes_before_what_the_configuration_adds():
    launcher = Launcher()
    foreign(launcher, params={"a": "7,8", "b": "1"}).sweep(["a=1"])
    assert launcher.launched == [(0, [["a=1", "b=1"]])]


def test_a_wrong_job_is_found_before_the_first_is_launched():
    launcher = Launcher()
    with pytest.raises(ArithmeticError, match="a=2"):
        foreign(launcher, wrong=[["a=2"]], max_batch_size=1).sweep(["a=1,2"])
    assert launcher.launched == []
    assert not Path("sweep").exists()


def test_after_a_batch_with_an_error_no_other_is_launched():
    launcher = Launcher(ArithmeticError("in the job"))
    with pytest.raises(ArithmeticError, match="in the job"):
        foreign(launcher, max_batch_size=1).sweep(["a=1,2"])
    assert launcher.launched == [(0, [["a=1"]])]


class Ledger:
    """Knows the records of some jobs, and notes which jobs have ended."""

    def __init__(self, records):
        self.records, self.ended = records, []

    def recorded(self, jobs):
        return {own.number: self.records[own.number] for own in jobs if own.number in self.records}

    def end(self, ends, tracked=False, earlier=False):
        self.ended.append(([number for number, _ in ends], "earlier" if earlier else "tracked" if tracked else ""))


def test_another_launcher_is_given_the_jobs_that_are_left_in_runs_of_consecutive_numbers(monkeypatch):
    """Because it is told the number of the first only."""
    ((_, record),) = train(Unit((job(0, directory="earlier"),), "", 0))
    monkeypatch.setattr(grid, "end_of", lambda own, done: (own.number, done))
    jobs = [job(number, f"seed={number}", base=job(0).base) for number in range(10, 17)]
    ledger, launcher = Ledger({11: record, 12: record, 15: record}), Launcher()
    sweep = GridSweep(None, None, None, launcher, None, options())
    returns = sweep._launch(jobs, None, None, ledger)
    assert launcher.launched == [(10, [["seed=10"]]), (13, [["seed=13"], ["seed=14"]]), (16, [["seed=16"]])]
    assert ledger.ended == [([11, 12, 15], "earlier"), ([10], "tracked"), ([13, 14], "tracked"), ([16], "tracked")]
    assert [list(done.overrides) for done in returns] == [[f"seed={number}"] for number in range(10, 17)]
