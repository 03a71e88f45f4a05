"""The task that Hydra runs for each job, with any launcher."""

import json
import math
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

import chainrule
from chainrule.config import task
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.records.manifest import FAILURE, MANIFEST
from chainrule.records.run import read_record
from chainrule.registry.registry import Registry
from jobs import configuration
from sweeping import PLACE, SHORT, command


def test_a_seed_that_is_no_number_fails_in_a_sentence():
    """Also where a sweeper that is not ours has not checked the jobs."""
    own = ["hydra/sweeper=basic", "hydra/launcher=basic"]
    done = command("-m", *SHORT, PLACE, *own, "seed=abc", code=1)
    assert done.stderr.endswith("chainrule: seed must be a whole number >= 0, not 'abc'.\n")
    assert not Path("sweep").exists()
    command("-m", *SHORT, PLACE, *own, "seed=1,abc", code=1)
    failure = json.loads(Path("sweep/1", FAILURE).read_text())
    assert (failure["error"], failure["seed"]) == ("seed must be a whole number >= 0, not 'abc'.", 0)


def test_a_job_that_goes_on_may_leave_its_record_where_it_is_kept():
    chainrule.sweep("seed=0,1", *SHORT, directory="sweep", quiet=True)
    job = Path("sweep/1").absolute()
    (job / MANIFEST).unlink()
    (job / "checkpoints").mkdir()
    (job / "checkpoints" / "epoch-0000000001").touch()
    hydra = {"mode": RunMode.MULTIRUN, "runtime": {"cwd": str(Path.cwd())}, "sweep": {"dir": "sweep"}}
    task.require_place(job, OmegaConf.create(hydra))
    with pytest.raises(ConfigurationError, match="holds a run that is kept"):
        task.require_place(job, OmegaConf.create(hydra | {"mode": RunMode.RUN}))


WATCHERS = Registry.watchers


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Trains what a configuration says, as Hydra has it done; nobody watches but the tracker."""
    monkeypatch.setattr(Registry, "watchers", lambda self, session: [])

    def _train(*, of_sweep=False, **changes):
        hydra = {
            "runtime": {"cwd": str(tmp_path), "output_dir": str(tmp_path / "run")},
            "mode": RunMode.MULTIRUN if of_sweep else RunMode.RUN,
            "overrides": {"task": ["seed=0"]},
            "sweep": {"dir": "sweep"},
        }
        monkeypatch.setattr(HydraConfig, "get", lambda: OmegaConf.create(hydra))
        return task.train(OmegaConf.create(configuration(**changes)))

    return _train


@pytest.mark.parametrize(("validation", "metric"), [(0.25, "validation/loss"), (0.0, "train/loss")])
def test_the_value_of_a_run_is_its_final_loss(train, validation, metric):
    value = train(data={"validation": validation})
    record = read_record(Path("run"))
    assert value == record.manifest.metrics[metric] > 0
    assert record.manifest.overrides == ["seed=0"]


@pytest.mark.parametrize("batch_size", [1, None], ids=["the loss is NaN", "the loss is infinite"])
def test_the_value_of_a_run_that_diverges_is_nan(train, batch_size):
    steep = {"name": "gradient_descent", "lr": 1e200}
    assert math.isnan(train(optimizer=steep, training={"batch_size": batch_size}))
    assert read_record(Path("run")).manifest.reason == "diverged"


def test_what_is_wrong_with_a_single_run_ends_the_process_with_one_sentence(train):
    with pytest.raises(SystemExit, match=r"^chainrule: seed must be a whole number >= 0, not -1\.$"):
        train(seed=-1)
    assert not Path("run").exists()


def test_pictures_that_nobody_draws_leave_nothing_behind(train, monkeypatch):
    monkeypatch.setattr(Registry, "watchers", WATCHERS)
    Path("run/.hydra").mkdir(parents=True)
    Path("run/.hydra/config.yaml").write_text("pictures: [mine]\n")  # as Hydra has done by then
    with pytest.raises(SystemExit, match=r"^chainrule: pictures: 'mine' is no picture; choose of auto, "):
        train(pictures=["mine"])
    assert not Path("run").exists()


def test_what_is_wrong_with_a_run_of_a_sweep_is_recorded_and_raised(train):
    with pytest.raises(ConfigurationError, match=r"target=table needs target\.path"):
        train(of_sweep=True, seed=4, target={"name": "table"})
    failure = json.loads(Path("run", FAILURE).read_text())
    assert "needs target.path" in failure["error"]
    assert (failure["seed"], failure["details"]) == (4, "")


@pytest.mark.parametrize(
    ("of_sweep", "expected", "sentence"),
    [
        (True, ChainruleError, "^SystemExit: 3$"),
        (False, SystemExit, "^chainrule: a plugin ended the run: SystemExit: 3"),
    ],
)
def test_a_plugin_that_leaves_ends_its_own_run_only(train, monkeypatch, of_sweep, expected, sentence):
    def leave(*_):
        raise SystemExit(3)

    monkeypatch.setattr(task, "prepare", leave)
    with pytest.raises(expected, match=sentence):
        train(of_sweep=of_sweep)
    assert Path("run", FAILURE).exists() is of_sweep


def test_an_unexpected_error_is_raised_as_it_is(train, monkeypatch):
    def fail(*_):
        raise ArithmeticError("mine")

    monkeypatch.setattr(task, "prepare", fail)
    with pytest.raises(ArithmeticError, match="mine"):
        train()


def test_another_application_of_hydra_has_another_task():
    assert task.is_own(task.train)
    assert not task.is_own(lambda config: None)
