"""Sweeps as people type them: same bytes as Hydra's own launcher, failures, resuming."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from chainrule import records, sweeps
from sweeping import COMMAND, PLUGIN, command, contents, install_plugin

SHORT = ["training.epochs=4", "training.batch_size=16", "tracking=none"]
PLACE = "hydra.sweep.dir=sweep"


@pytest.fixture
def plugin(tmp_path):
    return install_plugin(tmp_path / "site")


def test_the_stacked_launcher_leaves_what_hydra_s_own_leaves(tmp_path):
    """Same files with the same bytes; only what names the launcher differs, because the launcher differs."""
    arguments = [
        "-m",
        *SHORT,
        PLACE,
        "seed=0,1",
        "optimizer=adam,rprop",
        "optimizer.lr=0.01,1e30",
        "activation=tanh,relu",
    ]
    arguments = [a for a in arguments if a != "optimizer=adam,rprop"]
    for name, own in {"stacked": [], "basic": ["hydra/launcher=basic", "hydra/sweeper=basic"]}.items():
        (tmp_path / name).mkdir()
        command(*arguments, *own, folder=tmp_path / name)
    both = []
    for name in ("stacked", "basic"):
        found = contents(tmp_path / name / "sweep")
        both.append({key: value for key, value in found.items() if "/" in key and not key.endswith("hydra.yaml")})
    assert len(both[0]) == 8 * 7
    assert both[0] == both[1]
    assert {m["reason"] for key, m in both[0].items() if key.endswith(records.MANIFEST)} == {"epochs", "diverged"}


@pytest.mark.parametrize("launcher", [["hydra.launcher.workers=2", "hydra.launcher.stack=2"], ["hydra/launcher=basic"]])
def test_other_ways_to_run_a_sweep_give_the_same_bytes(tmp_path, launcher):
    """In processes of their own, or by another launcher."""
    arguments = ["-m", "training.epochs=300", "training.batch_size=1", "tracking=none", PLACE, "seed=range(6)"]
    for name, own in {"here": ["hydra.launcher.workers=1"], "there": launcher}.items():
        (tmp_path / name).mkdir()
        command(*arguments, *own, folder=tmp_path / name)
    here, there = (contents(tmp_path / name / "sweep") for name in ("here", "there"))
    for name, content in here.items():
        if "/" in name and not name.endswith("hydra.yaml"):
            assert there[name] == content, name
    assert sweeps.read(tmp_path / "there" / "sweep").manifest["finished"]


def test_diverging_and_failing_runs_leave_the_others_alone(tmp_path, plugin):
    """One plugin raises, some runs diverge: those that do neither have the bytes that they have without them."""
    arguments = ["-m", *SHORT, "activation=moody", "seed=range(6)"]
    whole = command(*arguments, "optimizer.lr=0.01,1e200", "activation.raises=0,1", PLACE, code=1, path=plugin)
    command(*arguments, "optimizer.lr=0.01", "activation.raises=0", "hydra.sweep.dir=good", path=plugin)
    ends = [records.read_end(sweeps.read(Path("sweep")).place(number)) for number in range(24)]
    failed = [end for end in ends if isinstance(end, records.Failure)]
    assert len(failed) == 12
    assert failed[0].sentence == "ArithmeticError: not in the mood"
    assert 'raise ArithmeticError("not in the mood")' in failed[0].details
    assert "not in the mood" in (failed[0].directory / "chainrule.log").read_text()
    reasons = [end.manifest["reason"] for end in ends if isinstance(end, records.Record)]
    assert reasons.count("diverged") == 6
    good = [end for end in ends if isinstance(end, records.Record) and end.manifest["reason"] == "epochs"]
    for number, record in enumerate(good):
        alone = Path("good") / str(number)
        for name in ("curves.npz", "weights.npz", "configuration.yaml"):
            assert (record.directory / name).read_bytes() == (alone / name).read_bytes()
    assert whole.stderr == (
        f"chainrule: 12 of 24 runs failed; `chainrule resume {Path('sweep').absolute()}` tries them again.\n"
    )
    assert "ArithmeticError: not in the mood" in whole.stdout


def test_every_job_is_checked_before_the_first_is_trained(tmp_path):
    done = command("-m", *SHORT, "seed=0,1", "optimizer.lr=0.1,-1", PLACE, code=1)
    assert done.stderr.startswith("chainrule: job 1 (training.epochs=4")
    assert done.stderr.endswith("not -1. 1 other job is wrong as well. Nothing was trained.\n")
    done = command("-m", *SHORT, "optimizer.lrr=1,2", PLACE, code=1)
    assert "optimizer.lrr is not a key" in done.stderr
    done = command("-m", *SHORT, "output=identity,softmax", PLACE, code=1)
    assert "output=softmax" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_dry_run_lists_jobs_and_stacks_and_writes_nothing(tmp_path):
    done = command("-m", *SHORT, "seed=range(40)", "activation=tanh,relu", "hydra.sweeper.dry_run=true")
    assert "80 runs\n" in done.stdout
    assert "  79  training.epochs=4 training.batch_size=16 tracking=none seed=39 activation=relu\n" in done.stdout
    assert "linear, 2-2 tanh, gradient_descent" in done.stdout
    assert "nothing was trained" in done.stdout
    assert not list(tmp_path.iterdir())


def test_paired_values_and_random_draws():
    command("-m", *SHORT, PLACE, "seed=0,1", "optimizer.lr=0.1,0.2,0.3", "data.noise=1,2,3",
            "hydra.sweeper.zip=[[optimizer.lr,data.noise]]")  # fmt: skip
    found = [o.settings for o in sweeps.read(Path("sweep")).outcomes()]
    assert found == 2 * [{"optimizer.lr": rate, "data.noise": noise} for rate, noise in ((0.1, 1), (0.2, 2), (0.3, 3))]
    command("-m", *SHORT, "hydra.sweep.dir=drawn", "seed=0,1", "optimizer.lr=tag(log,interval(1e-4,1))",
            "hydra.sweeper.random=5")  # fmt: skip
    outcomes = list(sweeps.read(Path("drawn")).outcomes())
    assert len(outcomes) == 10
    assert len({o.settings["optimizer.lr"] for o in outcomes}) == 5
    assert [o.seed for o in outcomes] == 5 * [0, 1]


def test_a_directory_holds_one_sweep():
    command("-m", *SHORT, "seed=0,1", PLACE)
    before = contents("sweep")
    done = command("-m", *SHORT, "seed=0,1", PLACE, code=1)
    assert "holds a sweep already" in done.stderr
    assert contents("sweep") == before


def test_a_sweep_with_configuration_of_its_own_for_each_job(tmp_path):
    """Interpolations, a job in its own directory, and one that asks Hydra for something."""
    command("-m", *SHORT, PLACE, "seed=1,2", "data.samples=${training.epochs}", "hydra.sweep.subdir=s${seed}")
    record = records.read(tmp_path / "sweep" / "s2")
    assert record.manifest["configuration"]["data"]["samples"] == 4
    command("-m", *SHORT, "hydra.sweep.dir=moved", "seed=1,2", "hydra.job.chdir=true")
    assert (tmp_path / "moved" / "0" / "manifest.json").is_file()
    command("-m", *SHORT, "hydra.sweep.dir=asked", "seed=1,2", "training.epochs=${hydra:job.num}")
    assert records.read(tmp_path / "asked" / "1").manifest["epochs"] == 1


SWEEP = ["-m", "training.epochs=40", "tracking=none", PLACE, "seed=range(40)", "activation=tanh,relu"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A sweep in a folder of its own, under a name that an interrupted one can take."""
    folder = tmp_path_factory.mktemp("whole")
    begin = time.monotonic()
    command(*SWEEP, folder=folder)
    return contents(folder / "sweep"), folder, time.monotonic() - begin


def without_places(found, folder):
    """The files without the name of the folder that they were made in."""
    place = str(folder)

    def cut(content):
        if isinstance(content, bytes):
            return content.replace(place.encode(), b"")
        return json.loads(json.dumps(content).replace(place, ""))

    return {name: cut(content) for name, content in found.items()}


@pytest.mark.parametrize("moment", [0.35, 0.55, 0.8])
def test_a_killed_sweep_is_resumed_to_the_same_bytes(tmp_path, uninterrupted, moment):
    expected, folder, seconds = uninterrupted
    process = subprocess.Popen(
        [*COMMAND, *SWEEP], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(moment * seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if not (tmp_path / "sweep" / sweeps.FILE).exists():  # killed before it began
        command("resume", "sweep", code=1)
        return
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.rglob(records.MANIFEST)}
    command("resume", "sweep")
    resumed, expected = without_places(contents("sweep"), tmp_path), without_places(expected, folder)
    assert list(resumed) == list(expected)
    for name, content in expected.items():
        assert resumed[name] == content, name
    assert all(path.stat().st_mtime_ns == when for path, when in trained.items()), "a run was trained again"
    command("resume", "sweep")  # nothing is left to do


def test_what_has_changed_is_named_and_nothing_is_resumed(tmp_path, plugin):
    Path("mine.csv").write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    Path("conf/optimizer").mkdir(parents=True)
    Path("conf/optimizer/hasty.yaml").write_text("defaults: [adam]\nlr: 0.5\n")
    command("-m", *SHORT, PLACE, "seed=0,1", "target=table", "target.path=mine.csv", "target.label=y",
            "optimizer=hasty", "activation=moody", path=plugin)  # fmt: skip
    (tmp_path / "sweep" / "1" / records.MANIFEST).unlink()
    before = contents("sweep")

    def refused(*phrases):
        done = command("resume", "sweep", code=1, path=plugin)
        for phrase in phrases:
            assert phrase in done.stderr
        assert contents("sweep") == before

    Path("conf/optimizer/hasty.yaml").write_text("defaults: [adam]\nlr: 0.25\n")
    refused("cannot be resumed", "optimizer.lr: was 0.5, is 0.25")
    Path("conf/optimizer/hasty.yaml").write_text("defaults: [adam]\nlr: 0.5\n")
    Path("mine.csv").write_text("x,y\n" + "".join(f"{i},{3 * i}\n" for i in range(20)))
    refused("the data of target=table", "mine.csv", ": was ", ", is ")
    Path("mine.csv").write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    (plugin / "chainrule_moody.py").write_text(PLUGIN.replace("1 - a * a", "1.0 - a * a"))
    refused("plugin chainrule-moody:moody: was 1.0 ", ", is 1.0 ")
    (plugin / "chainrule_moody.py").write_text(PLUGIN)
    command("resume", "sweep", path=plugin)
    assert records.read(tmp_path / "sweep" / "1")


def test_two_resumes_at_once():
    command("-m", *SHORT, "seed=0,1", PLACE)
    (Path("sweep") / "1" / records.MANIFEST).unlink()
    long = [*COMMAND, "-m", "training.epochs=100000", "tracking=none", "seed=0,1", "hydra.sweep.dir=long"]
    process = subprocess.Popen(long, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        while not Path("long/sweep.json").exists():
            time.sleep(0.1)
            assert process.poll() is None
        done = command("resume", "long", code=1)
        assert "is being worked on by another process" in done.stderr
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_resuming_what_is_no_sweep(tmp_path):
    (tmp_path / "empty").mkdir()
    assert command("resume", "empty", code=1).stderr == "chainrule: empty holds no sweep: there is no sweep.json.\n"


def test_failed_runs_are_tried_again(plugin):
    command("-m", *SHORT, PLACE, "activation=moody", "activation.raises=0,1", code=1, path=plugin)
    command("resume", "sweep", code=1, path=plugin)
    sweep = sweeps.read(Path("sweep"))
    assert [outcome.reason for outcome in sweep.outcomes()] == ["epochs", "failed"]


def test_a_stack_of_runs_that_stop_at_different_times_keeps_their_bits():
    command(
        "-m",
        "training.epochs=300",
        "training.tolerance=0.1",
        "tracking=none",
        PLACE,
        "seed=range(8)",
        "optimizer.lr=0.0002,0.03",
    )
    sweep = sweeps.read(Path("sweep"))
    reasons = [outcome.reason for outcome in sweep.outcomes()]
    assert {"converged", "epochs"} <= set(reasons)
    for number in (0, 5, 15):
        overrides = sweep.manifest["jobs"][number]["overrides"]
        command(*overrides, f"hydra.run.dir=alone{number}")
        alone, stacked = records.read(Path(f"alone{number}")), records.read(sweep.place(number))
        for name, values in alone.weights().items():
            np.testing.assert_array_equal(stacked.weights()[name], values)
        assert (alone.directory / "curves.npz").read_bytes() == (stacked.directory / "curves.npz").read_bytes()
