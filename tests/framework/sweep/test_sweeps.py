"""Sweeps as people type them: same bytes as Hydra's own launcher, failures, resuming."""

import json
import os
import re
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import distributions
from chainrule.records.run import FAILURE, MANIFEST, Failure, Record, read_end, read_record
from chainrule.records.sweep import read_sweep
from distributions import LION, MOODY
from sweeping import LONG, command, contents, hold, started, wait_for

SHORT = ["training.epochs=4", "training.batch_size=16", "tracking=none"]
PLACE = "hydra.sweep.dir=sweep"


@pytest.fixture
def plugin(tmp_path):
    distributions.install(tmp_path / "site", "chainrule-moody", MOODY, entry_point="moody")
    return tmp_path / "site"


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
    assert {m["reason"] for key, m in both[0].items() if key.endswith(MANIFEST)} == {"epochs", "diverged"}


@pytest.mark.parametrize(
    ("launcher", "epochs"),
    [(["hydra.launcher.workers=2", "hydra.launcher.stack=2"], 220), (["hydra/launcher=basic"], 20)],
)
def test_other_ways_to_run_a_sweep_give_the_same_bytes(tmp_path, launcher, epochs):
    """In processes of their own, for which they are long enough, or by another launcher."""
    arguments = ["-m", f"training.epochs={epochs}", "training.batch_size=1", "tracking=none", PLACE, "seed=range(6)"]
    for name, own in {"here": ["hydra.launcher.workers=1"], "there": launcher}.items():
        (tmp_path / name).mkdir()
        command(*arguments, *own, folder=tmp_path / name)
    here, there = (contents(tmp_path / name / "sweep") for name in ("here", "there"))
    for name, content in here.items():
        if "/" in name and not name.endswith("hydra.yaml"):
            assert there[name] == content, name
    assert read_sweep(tmp_path / "there" / "sweep").manifest["finished"]


def test_diverging_and_failing_runs_leave_the_others_alone(tmp_path, plugin):
    """One plugin raises, some runs diverge: those that do neither have the bytes that they have without them."""
    arguments = ["-m", *SHORT, "activation=moody", "seed=range(6)"]
    whole = command(*arguments, "optimizer.lr=0.01,1e200", "activation.raises=0,1", PLACE, code=1, path=plugin)
    command(*arguments, "optimizer.lr=0.01", "activation.raises=0", "hydra.sweep.dir=good", path=plugin)
    ends = [read_end(read_sweep(Path("sweep")).place(number)) for number in range(24)]
    failed = [end for end in ends if isinstance(end, Failure)]
    assert len(failed) == 12
    assert failed[0].sentence == "ArithmeticError: not in the mood"
    assert 'raise ArithmeticError("not in the mood")' in failed[0].details
    assert "not in the mood" in (failed[0].directory / "chainrule.log").read_text()
    reasons = [end.manifest["reason"] for end in ends if isinstance(end, Record)]
    assert reasons.count("diverged") == 6
    good = [end for end in ends if isinstance(end, Record) and end.manifest["reason"] == "epochs"]
    for number, record in enumerate(good):
        alone = Path("good") / str(number)
        for name in ("curves.npz", "weights.npz", "configuration.yaml"):
            assert (record.directory / name).read_bytes() == (alone / name).read_bytes()
    assert whole.stderr == (
        f"chainrule: 12 of 24 runs failed; `chainrule resume {Path('sweep').absolute()}` tries them again.\n"
    )
    assert "ArithmeticError: not in the mood" in whole.stdout


@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=basic"]])
def test_a_run_that_fails_keeps_its_seed_where_the_seed_does_not_vary(tmp_path, launcher):
    grumpy = LION.replace("Lion", "Grumpy").replace("theta -= self.lr * grad", "raise ArithmeticError('no')")
    distributions.install(tmp_path / "site", "chainrule-grumpy", grumpy)
    command("-m", *SHORT, PLACE, "seed=5", "optimizer=adam,grumpy", *launcher, code=1, path=tmp_path / "site")
    sweep = read_sweep(Path("sweep"))
    found = [(outcome.settings, outcome.seed, outcome.reason) for outcome in sweep.outcomes()]
    assert found == [({"optimizer": "adam"}, 5, "epochs"), ({"optimizer": "grumpy"}, 5, "failed")]
    assert json.loads((sweep.place(1) / FAILURE).read_text())["seed"] == 5


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


def test_a_new_sweep_takes_over_nothing_that_lies_there(tmp_path):
    command("-m", *SHORT, "hydra.sweep.dir=other", "seed=7,8", "optimizer.lr=0.5")
    for number in ("0", "1"):
        shutil.copytree(tmp_path / "other" / number, tmp_path / "sweep" / number)
    command("-m", *SHORT, PLACE, "seed=0,1")
    assert [read_record(Path("sweep") / n).manifest["configuration"]["seed"] for n in ("0", "1")] == [0, 1]


def test_a_sweep_that_is_interrupted_says_how_to_go_on(plugin):
    """As by Ctrl-C, which reaches every process of the terminal."""
    hold(plugin)
    process = started("-m", *LONG, PLACE, "seed=range(6)", path=plugin)
    wait_for(lambda: len(list(Path("sweep").glob("*/chainrule.log"))) == 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    sentence = f"interrupted. 0 of 6 runs have ended; `chainrule resume {Path('sweep').absolute()}` goes on."
    assert f"chainrule: {sentence}\n" in errors


def test_callbacks_of_hydra_see_each_job(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "noting.py").write_text("""
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback

class Noting(Callback):
    def on_job_start(self, config, **_):
        self.note("start", config.hydra, HydraConfig.get())
    def on_job_end(self, config, job_return, **_):
        self.note("end", config.hydra, job_return.hydra_cfg.hydra)
    def note(self, event, *configs):
        with open("notes", "a") as file:
            print(event, *(f"{c.job.num} {c.runtime.output_dir.rpartition('/')[2]}" for c in configs), file=file)
""")
    command("-m", *SHORT, PLACE, "seed=0,1", "+hydra.callbacks.noting._target_=noting.Noting", path=tmp_path / "site")
    lines = [f"{event} {n} {n} {n} {n}" for n in (0, 1) for event in ("start", "end")]
    assert Path("notes").read_text().splitlines() == lines


def test_a_plugin_cannot_end_the_sweep(plugin):
    """Neither by leaving, nor by a long story; a result of another shape is no result."""
    forward = """
        if np.any(self.raises == 1):
            raise SystemExit(3)
        if np.any(self.raises == 3):
            raise ValueError(1000 * "long" + chr(10) + "and more")
        return np.tanh(z)[:, :1] if np.any(self.raises == 2) else np.tanh(z)
"""
    start, end = MOODY.index("        if np.any"), MOODY.index("    def slope")
    (plugin / "chainrule_moody.py").write_text(MOODY[:start].rstrip() + forward + MOODY[end:])
    done = command("-m", *SHORT, PLACE, "activation=moody", "activation.raises=0,1,2,3", code=1, path=plugin)
    outcomes = list(read_sweep(Path("sweep")).outcomes())
    assert [outcome.reason for outcome in outcomes] == ["epochs", "failed", "failed", "failed"]
    assert outcomes[1].error == "SystemExit: 3"
    assert "Moody.forward returned an array of shape (1, 1, " in outcomes[2].error
    assert outcomes[3].error == f"ValueError: {75 * 'long'} ..."
    assert "and more" not in done.stdout
    assert re.search(r"activation.raises=1 +1 +failed", done.stdout)


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
    found = [o.settings for o in read_sweep(Path("sweep")).outcomes()]
    assert found == 2 * [{"optimizer.lr": rate, "data.noise": noise} for rate, noise in ((0.1, 1), (0.2, 2), (0.3, 3))]
    command("-m", *SHORT, "hydra.sweep.dir=drawn", "seed=0,1", "optimizer.lr=tag(log,interval(1e-4,1))",
            "hydra.sweeper.random=5")  # fmt: skip
    outcomes = list(read_sweep(Path("drawn")).outcomes())
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
    record = read_record(tmp_path / "sweep" / "s2")
    assert record.manifest["configuration"]["data"]["samples"] == 4
    command("-m", *SHORT, "hydra.sweep.dir=moved", "seed=1,2", "hydra.job.chdir=true")
    moved = (tmp_path / "moved" / "0" / "manifest.json").read_bytes()
    command("resume", "moved")
    assert (tmp_path / "moved" / "0" / "manifest.json").read_bytes() == moved
    command("-m", *SHORT, "hydra.sweep.dir=asked", "seed=1,2", "training.epochs=${hydra:job.num}")
    assert read_record(tmp_path / "asked" / "1").manifest["epochs"] == 1


def test_the_runs_of_a_killed_sweep_are_left_to_its_resumption(plugin):
    """Where only the process that was started is killed, those that it has started end, too."""
    hold(plugin)
    arguments = ["-m", *LONG, PLACE, "seed=range(4)"]
    process = started(*arguments, path=plugin)
    wait_for(lambda: len(list(Path("sweep").glob("*/.hydra"))) == 2)
    process.kill()
    Path("hold").unlink()
    resumed = started("resume", "sweep", path=plugin)
    process.communicate(timeout=120)  # as long as anybody can write to its output
    assert resumed.communicate()[1] == ""
    found = contents("sweep")
    Path("sweep").rename("resumed")
    command(*arguments, path=plugin)
    assert contents("sweep") == found


def test_where_a_process_that_trains_is_killed_the_sweep_can_be_resumed(plugin):
    hold(plugin, "os.kill(os.getpid(), signal.SIGKILL)")
    arguments = ["-m", *LONG, PLACE, "seed=range(4)"]
    done = command(*arguments, code=1, path=plugin)
    assert done.stderr == (
        "chainrule: A process that trained runs was killed, perhaps because memory ran out (hydra.launcher.workers=1 "
        f"needs the least). `chainrule resume {Path('sweep').absolute()}` goes on.\n"
    )
    Path("hold").unlink()
    command("resume", "sweep", path=plugin)
    assert len(list(read_sweep(Path("sweep")).outcomes())) == 4


def test_what_a_kill_has_left_of_a_sweep_that_had_not_begun_is_replaced(tmp_path):
    command("-m", *SHORT, "seed=0,1", PLACE)
    whole = (tmp_path / "sweep" / "multirun.yaml").read_bytes()
    shutil.rmtree("sweep")
    Path("sweep").mkdir()
    (tmp_path / "sweep" / "multirun.yaml").write_bytes(whole[:100])
    command("-m", *SHORT, "seed=0,1", PLACE)
    assert (tmp_path / "sweep" / "multirun.yaml").read_bytes() == whole


def test_what_has_changed_is_named_and_nothing_is_resumed(tmp_path, plugin):
    Path("mine.csv").write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    Path("conf/optimizer").mkdir(parents=True)
    Path("conf/optimizer/hasty.yaml").write_text("defaults: [adam]\nlr: 0.5\n")
    command("-m", *SHORT, PLACE, "seed=0,1", "target=table", "target.path=mine.csv", "target.label=y",
            "optimizer=hasty", "activation=moody", path=plugin)  # fmt: skip
    (tmp_path / "sweep" / "1" / MANIFEST).unlink()
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
    (plugin / "chainrule_moody.py").write_text(MOODY.replace("1 - a * a", "1.0 - a * a"))
    refused("plugin chainrule-moody:moody: was 1.0 ", ", is 1.0 ")
    (plugin / "chainrule_moody.py").write_text(MOODY)
    command("resume", "sweep", path=plugin)
    assert read_record(tmp_path / "sweep" / "1")


def test_of_two_resumes_at_once_one_is_refused(plugin):
    hold(plugin)
    process = started("-m", *LONG, PLACE, "seed=0,1", path=plugin)
    wait_for(lambda: list(Path("sweep").glob("*/.hydra")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    both = [started("resume", "sweep", path=plugin) for _ in range(2)]
    wait_for(lambda: any(resumed.poll() is not None for resumed in both))
    Path("hold").unlink()  # which the other has been waiting for
    ends = {resumed.communicate()[1]: resumed.returncode for resumed in both}
    sentence = f"chainrule: {Path('sweep').absolute()} is being worked on by another process.\n"
    assert ends == {sentence: 1, "": 0}
    sweep = read_sweep(Path("sweep"))
    assert sweep.manifest["finished"]
    assert [outcome.reason for outcome in sweep.outcomes()] == ["epochs", "epochs"]


def test_a_seed_that_is_no_number_fails_in_a_sentence():
    """Also where a sweeper that is not ours has not checked the jobs."""
    own = ["hydra/sweeper=basic", "hydra/launcher=basic"]
    done = command("-m", *SHORT, PLACE, *own, "seed=abc", code=1)
    assert done.stderr.endswith("chainrule: seed must be a whole number >= 0, not 'abc'.\n")
    failure = json.loads(Path("sweep/0", FAILURE).read_text())
    assert (failure["error"], failure["seed"]) == ("seed must be a whole number >= 0, not 'abc'.", 0)


def test_resuming_what_is_no_sweep(tmp_path):
    (tmp_path / "empty").mkdir()
    assert command("resume", "empty", code=1).stderr == "chainrule: empty holds no sweep: there is no sweep.json.\n"


def test_jobs_that_run_alone_are_finished_like_the_others(tmp_path, database):
    """Each in a working directory of its own, named after the time; MLflow stays that of the project."""
    subdirectory = "hydra.sweep.subdir=${hydra.job.num}_${now:%S%f}_${activation.name}"
    options = ["training.epochs=2", "seed=0,1", "hydra.job.chdir=true", subdirectory]
    command("-m", *options, PLACE)
    assert sorted(path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("mlflow.db")) == ["mlflow.db"]
    before = contents("sweep")
    done = command("resume", "sweep")
    assert contents("sweep") == before
    assert "jobs run one by one" not in done.stdout
    with closing(sqlite3.connect("mlflow.db")) as stored:
        runs = stored.execute("SELECT name, status FROM runs ORDER BY name").fetchall()
    assert runs == [("seed=0", "FINISHED"), ("seed=1", "FINISHED"), ("sweep: 2 seeds", "FINISHED")]
    wrong = command("-m", *options, "optimizer.lr=0.1,-1", "hydra.sweep.dir=wrong", code=1)
    assert "Nothing was trained" in wrong.stderr
    assert not Path("wrong").exists()


def test_failed_runs_are_tried_again(plugin):
    command("-m", *SHORT, PLACE, "activation=moody", "activation.raises=0,1", code=1, path=plugin)
    command("resume", "sweep", code=1, path=plugin)
    sweep = read_sweep(Path("sweep"))
    assert [outcome.reason for outcome in sweep.outcomes()] == ["epochs", "failed"]


def test_a_stack_of_runs_that_stop_at_different_times_keeps_their_bits():
    command(
        "-m",
        "training.epochs=100",
        "training.batch_size=8",
        "training.tolerance=0.1",
        "tracking=none",
        PLACE,
        "seed=range(8)",
        "optimizer.lr=0.002,0.1",
    )
    sweep = read_sweep(Path("sweep"))
    reasons = [outcome.reason for outcome in sweep.outcomes()]
    assert {"converged", "epochs"} <= set(reasons)
    for number in (0, 5, 15):
        overrides = sweep.manifest["jobs"][number]["overrides"]
        command(*overrides, f"hydra.run.dir=alone{number}")
        alone, stacked = read_record(Path(f"alone{number}")), read_record(sweep.place(number))
        for name, values in alone.weights().items():
            np.testing.assert_array_equal(stacked.weights()[name], values)
        assert (alone.directory / "curves.npz").read_bytes() == (stacked.directory / "curves.npz").read_bytes()
