"""Sweeps as people type them: same bytes as Hydra's own launcher, failures, resuming."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import chainrule
import distributions
from chainrule.records.manifest import FAILURE, MANIFEST
from chainrule.records.run import Failure, Record, read_end, read_record
from chainrule.records.sweep import read_sweep
from distributions import LYNX, MOODY
from sweeping import PLACE, SHORT, command, contents, without_beside

MOODY_RAISED = "plugin chainrule-moody 1.0 (entry point 'moody') raised"


@pytest.mark.slow
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
        found = without_beside(contents(tmp_path / name / "sweep"))
        both.append({key: value for key, value in found.items() if "/" in key and not key.endswith("hydra.yaml")})
    assert len(both[0]) == 8 * 7
    assert both[0] == both[1]
    assert {m["reason"] for key, m in both[0].items() if key.endswith(MANIFEST)} == {"epochs", "diverged"}


@pytest.mark.parametrize(
    ("launcher", "epochs"),
    [
        pytest.param(["hydra.launcher.workers=2", "hydra.launcher.stack=2"], 220, marks=pytest.mark.slow),
        (["hydra/launcher=basic"], 20),
    ],
)
def test_other_ways_to_run_a_sweep_give_the_same_bytes(tmp_path, launcher, epochs):
    """In processes of their own, for which they are long enough, or by another launcher."""
    arguments = ["-m", f"training.epochs={epochs}", "training.batch_size=1", "tracking=none", PLACE, "seed=range(6)"]
    for name, own in {"here": ["hydra.launcher.workers=1"], "there": launcher}.items():
        (tmp_path / name).mkdir()
        command(*arguments, *own, folder=tmp_path / name)
    here, there = (without_beside(contents(tmp_path / name / "sweep")) for name in ("here", "there"))
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
    assert failed[0].sentence.startswith(f"{MOODY_RAISED} ArithmeticError: not in the mood (forward in ")
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
        f"chainrule: 12 of 24 runs failed; `chainrule resume {Path('sweep').absolute()}` tries them again, or "
        f"`chainrule resume {Path('sweep').absolute()} --accept plugin` once a plugin is mended.\n"
    )
    assert "ArithmeticError: not in the mood" in whole.stdout


@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=basic"]])
def test_a_run_that_fails_keeps_its_seed_where_the_seed_does_not_vary(tmp_path, launcher):
    grumpy = LYNX.replace("Lynx", "Grumpy").replace("theta -= self.lr * grad", "raise ArithmeticError('no')")
    distributions.install(tmp_path / "site", "chainrule-grumpy", grumpy)
    command("-m", *SHORT, PLACE, "seed=5", "optimizer=adam,grumpy", *launcher, code=1, path=tmp_path / "site")
    sweep = read_sweep(Path("sweep"))
    found = [(outcome.settings, outcome.seed, outcome.reason) for outcome in sweep.outcomes()]
    assert found == [({"optimizer": "adam"}, 5, "epochs"), ({"optimizer": "grumpy"}, 5, "failed")]
    assert json.loads((sweep.place(1) / FAILURE).read_text())["seed"] == 5


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
    assert outcomes[1].error.startswith(f"{MOODY_RAISED} SystemExit: 3 (forward in ")
    assert "Moody.forward returned an array of shape (1, 1, " in outcomes[2].error
    assert outcomes[3].error.startswith(f"{MOODY_RAISED} ValueError: {75 * 'long'} ... (forward in ")
    assert "and more" not in done.stdout
    assert re.search(r"activation.raises=1 +1 +failed", done.stdout)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_runs_of_a_sweep_start_from_recorded_runs_here_and_elsewhere(tmp_path):
    """In this process, in others, by another launcher, and resumed; unless the run to start from has changed."""
    for seed in (0, 1):
        command("training.epochs=2", f"seed={seed}", "tracking=none", f"hydra.run.dir=first/{seed}")
    sweep = ["-m", "training.start=first/0,first/1", "seed=5,6", *SHORT]
    ways = {
        "here": ["hydra.launcher.workers=1"],
        "there": ["hydra.launcher.workers=2", "hydra.launcher.stack=1"],
        "basic": ["hydra/launcher=basic", "hydra.job.chdir=true"],
    }
    for name, own in ways.items():
        command(*sweep, f"hydra.sweep.dir={name}", *own)
    manifests = {name: [read_record(tmp_path / name / str(n)).manifest for n in range(4)] for name in ways}
    for name in ways:
        assert [m["start"]["directory"] for m in manifests[name]] == [str(tmp_path / "first" / n) for n in "0011"]
        for one, other in zip(manifests[name], manifests["here"], strict=True):
            assert one.files["weights.npz"] == other.files["weights.npz"]
    assert len({m.identity for m in manifests["here"]}) == 4
    before = (tmp_path / "here" / "2" / MANIFEST).read_bytes()
    (tmp_path / "here" / "2" / MANIFEST).unlink()
    command("resume", "../here", folder=tmp_path / "first")
    assert json.loads(before)["identity"] == read_record(tmp_path / "here" / "2").manifest.identity
    (tmp_path / "here" / "2" / MANIFEST).unlink()
    command("training.epochs=3", "seed=1", "tracking=none", "hydra.run.dir=first/1", "--overwrite")
    assert "the data of training.start=first/1: was " in command("resume", "here", code=1).stderr


@pytest.mark.slow
def test_samplings_have_the_same_bytes_in_processes_of_their_own_and_when_they_are_resumed(tmp_path):
    samplings = "sampling=shuffled,fixed,replacement,balanced,curriculum,noise,label_noise,mixup,stream"
    sweep = ["-m", samplings, "seed=0,1,2", *SHORT, "target=two_moons", "output=sigmoid", "data.test=0.1"]
    sweep += ["loss=binary_cross_entropy", "training.restore_best=true", "training.measure_every=1"]
    command(*sweep, "hydra.launcher.workers=1", "hydra.sweep.dir=here")
    command(*sweep, "hydra.launcher.workers=2", "hydra.launcher.stack=2", "hydra.sweep.dir=there")
    for name in ("there/0", "there/8", "there/26"):
        (tmp_path / name / MANIFEST).unlink()
    command("resume", "there")
    here, there = ([read_record(tmp_path / name / str(n)).manifest for n in range(27)] for name in ("here", "there"))
    assert [m.files["weights.npz"] for m in here] == [m.files["weights.npz"] for m in there]
    assert [m.metrics for m in here] == [m.metrics for m in there]
    assert len({m.files["weights.npz"].sha256 for m in here}) == 27


LISTS = ["transforms=[clip,noise],[noise,clip],[lookahead,ema],[]", "seed=0,1"]


@pytest.mark.slow
def test_lists_are_swept_and_the_rest_of_them_is_resumed_with_the_same_bytes():
    command("-m", *SHORT, PLACE, *LISTS, "optimizer.lr=0.01,0.02")
    before = contents("sweep")
    sweep = read_sweep(Path("sweep"))
    settings = {outcome.settings["transforms"] for outcome in sweep.outcomes()}
    assert settings == {"[clip,noise]", "[noise,clip]", "[lookahead,ema]", "[]"}
    for number in ("0", "3", "9"):
        (Path("sweep") / number / MANIFEST).unlink()
    command("resume", "sweep")
    assert contents("sweep") == before
    for number in ("0", "5", "9", "14"):
        record = read_record(Path("sweep") / number)
        alone = chainrule.run(*record.manifest["overrides"])
        assert record.weights()["W1"].tobytes() == alone.weights[0].tobytes()


@pytest.mark.slow
def test_joblib_trains_lists_to_the_same_bytes():
    command("-m", *SHORT, PLACE, *LISTS)
    command("-m", *SHORT, "hydra.sweep.dir=other", *LISTS, "hydra.launcher.workers=2", "hydra.launcher.stack=3")
    one, other = contents("sweep"), contents("other")
    weights = [name for name in one if name.endswith(("weights.npz", "curves.npz"))]
    assert len(weights) == 16
    assert all(one[name] == other[name] for name in weights)
