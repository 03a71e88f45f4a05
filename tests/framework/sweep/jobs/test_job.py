"""One job of a sweep as plain data, and the files beside its record."""

import re

import pytest
import yaml

from chainrule.errors import ConfigurationError
from chainrule.sweep.jobs.job import Base, Job, job_name, require_own_places

TASK = {"seed": 0, "optimizer": {"name": "adam", "lr": 0.1}, "network": {"hidden": [2]}}
LOG = "${hydra.runtime.output_dir}/${hydra.job.name}.log"
HYDRA = {
    "overrides": {"hydra": ["hydra.sweep.dir=s"], "task": ["of the base"]},
    "job": {"name": "mine", "override_dirname": "?", "id": "?", "num": 99, "chdir": False},
    "runtime": {"output_dir": "?", "cwd": "/work"},
    "job_logging": {"handlers": {"file": {"filename": LOG}, "console": {"stream": "stdout"}}},
    "output_subdir": ".hydra",
}


def job(*changes, resolved=None, alone="", hydra=HYDRA, directory="/s/3"):
    overrides = ("seed=5", "optimizer.lr=0.2")
    return Job(3, overrides, Base(TASK, hydra), changes, resolved, str(directory), "lr=0.2", alone)


def test_its_configuration_is_that_of_its_base_with_the_changes():
    changed = job((("optimizer", "lr"), 0.2), (("seed",), 5), (("seed",), 6))
    assert changed.task == {"seed": 6, "optimizer": {"name": "adam", "lr": 0.2}, "network": {"hidden": [2]}}
    assert changed.config == changed.task
    assert changed.seed == 6
    assert TASK["optimizer"] == {"name": "adam", "lr": 0.1}, "other jobs share the base"
    assert TASK["seed"] == 0


def test_what_is_resolved_comes_before_what_is_not():
    resolved = {"seed": 8, "optimizer": {"name": "adam", "lr": 8}}
    own = job((("optimizer", "lr"), "${seed}"), resolved=resolved)
    assert own.task["optimizer"]["lr"] == "${seed}"
    assert own.config == resolved
    assert own.seed == 8


def test_only_a_job_that_asks_hydra_for_something_is_not_known():
    asks = (("seed",), "${hydra:job.num}")
    assert job().is_known
    assert job(alone="hydra.job.chdir is set").is_known
    assert not job(asks, alone="its configuration asks for ${hydra:...}").is_known


def test_a_job_is_called_by_its_number_and_its_overrides():
    assert str(job()) == job_name(3, ["seed=5", "optimizer.lr=0.2"]) == "job 3 (seed=5 optimizer.lr=0.2)"
    assert job_name(0, []) == "job 0"


def test_it_leaves_its_configuration_and_an_empty_log(tmp_path):
    own = job((("optimizer", "lr"), 0.2), directory=tmp_path / "s" / "3")
    own.write_files()
    folder = tmp_path / "s" / "3"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"mine.log", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"}
    assert (folder / "mine.log").read_bytes() == b""
    read = {name: yaml.safe_load((folder / ".hydra" / f"{name}.yaml").read_text()) for name in ("config", "overrides")}
    assert read == {"config": own.task, "overrides": ["seed=5", "optimizer.lr=0.2"]}
    assert yaml.safe_load((folder / ".hydra" / "hydra.yaml").read_text())["hydra"] == {
        **HYDRA,
        "overrides": {"hydra": ["hydra.sweep.dir=s"], "task": ["seed=5", "optimizer.lr=0.2"]},
        "job": {"name": "mine", "override_dirname": "lr=0.2", "id": "3", "num": 3, "chdir": False},
        "runtime": {"output_dir": str(folder), "cwd": "/work"},
    }


@pytest.mark.parametrize(
    "logging", [None, {}, {"handlers": None}, {"handlers": {"file": {"filename": "${now:%H}.log"}}}]
)
def test_where_nothing_is_wanted_there_is_only_the_directory(tmp_path, logging):
    own = job(hydra={**HYDRA, "output_subdir": None, "job_logging": logging}, directory=tmp_path / "3")
    own.write_files()
    own.log("heard by nobody")
    assert list(tmp_path.rglob("*")) == [tmp_path / "3"]


def test_what_goes_wrong_is_added_to_its_log(tmp_path):
    own = job(directory=tmp_path)
    own.log("first\nline")
    own.log("ünïcode")
    stamp = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]\[chainrule\]\[ERROR\] - "
    assert re.fullmatch(f"{stamp}first\nline\n{stamp}ünïcode\n", (tmp_path / "mine.log").read_text("utf-8"))


def test_each_job_needs_a_directory_of_its_own():
    require_own_places([])
    require_own_places(["/s/0", "/s/1", "/s/2"])
    with pytest.raises(ConfigurationError) as caught:
        require_own_places(["/s/0", "/s/a", "/s/2", "/s/a", "/s/0"])
    assert str(caught.value) == (
        "jobs 1 and 3 would both leave their record in /s/a: put ${hydra.job.num}, or what varies, into "
        "hydra.sweep.subdir."
    )
