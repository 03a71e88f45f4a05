"""Sweeps and comparisons from Python."""

import dataclasses
import hashlib
import inspect
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule
from chainrule.notebook import sweeping
from chainrule.records.manifest import MANIFEST
from hydra_plugins.chainrule_stacked import StackedCompareConf, StackedOptunaConf, StackedSweeperConf
from sweeping import SHORT, command, contents

# A program as people write it: its class can be imported nowhere else.
PROGRAM = """
from dataclasses import dataclass
import numpy as np
import chainrule

def absolute(z):
    return np.abs(z)

@chainrule.plugin
@dataclass(frozen=True)
class Bent(chainrule.Activation):
    bend: float = 1.0
    def forward(self, z):
        return z / (1 + absolute(z) / self.bend)
    def slope(self, z, a):
        return 1 / (1 + absolute(z) / self.bend) ** 2

if __name__ == "__main__":
    quick = ["training.batch_size=16", "tracking=none", "hydra.launcher.workers=2", "hydra.launcher.stack=2"]
    long = ["training.epochs=2000", "network.hidden=[2,2,2,2]"]
    found = chainrule.sweep("activation=bent,tanh", "seed=0,1", *quick, *long, directory="swept")
    assert [outcome.reason for outcome in found] == ["epochs"] * 4
    alone = chainrule.run("activation=bent", "seed=1", *quick[:2], *long)
    recorded = chainrule.load("swept/1")
    assert recorded.theta.tobytes() == alone.theta.tobytes()
    (recorded.record.directory / "manifest.json").unlink()
    (again,) = (one for one in chainrule.resume("swept") if one.directory == "1")
    assert again.metrics == recorded.metrics
    assert chainrule.load("swept/1").record.manifest.plugins == recorded.record.manifest.plugins
    few = {"budget": 2, "tunings": 2, "seeds": 2}
    compared = chainrule.compare("activation=bent,tanh", "training.epochs=2", *quick, **few, targets="sine")
    assert compared.comparison.comparison.contenders == ("bent", "tanh")
    print(recorded.record.manifest.plugins["__main__:Bent"]["sha256"])
"""


@pytest.mark.slow
def test_a_class_of_a_program_is_swept_compared_and_resumed_with_the_bytes_of_a_run_alone(tmp_path):
    """In processes of their own, to which it is sent."""
    Path("program.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == hashlib.sha256(PROGRAM.encode()).hexdigest()
    (tmp_path / "swept" / "1" / MANIFEST).unlink()
    assert "the class Bent of __main__, which is not declared here" in command("resume", "swept", code=1).stderr


COMMANDS = {
    "a sweep": (
        lambda: chainrule.sweep("seed=0,1", "optimizer.lr=0.1,0.2", *SHORT, random=3, directory="here", quiet=True),
        ["-m", "hydra.sweeper.random=3", "seed=0,1", "optimizer.lr=0.1,0.2"],
    ),
    "a search": (
        lambda: chainrule.search("optimizer.lr=interval(0.01,1)", *SHORT, budget=3, directory="here", quiet=True),
        ["-m", "hydra/sweeper=stacked_optuna", "optimizer.lr=interval(0.01,1)", "hydra.sweeper.trials=3"],
    ),
    "a comparison": (
        lambda: chainrule.compare(
            *("activation=tanh,relu", *SHORT),
            targets=["sine"],
            budget=2,
            tunings=1,
            seeds=2,
            directory="here",
            quiet=True,
        ),
        ["compare", "activation=tanh,relu", "--targets=sine", "--budget=2", "--tunings=1", "--seeds=2"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("swept", "typed"), COMMANDS.values(), ids=list(COMMANDS))
def test_the_records_are_those_of_the_command(swept, typed, capsys):
    """Byte by byte, but for when, how long and where."""
    if "hydra/sweeper=stacked_optuna" in typed:
        pytest.importorskip("optuna")
    found = swept()
    assert capsys.readouterr().out == ""
    command(*typed, *SHORT, "hydra.sweep.dir=there")
    here, there = (runs_in(folder) for folder in ("here", "there"))
    assert here == there
    assert list(found) == list(chainrule.load("there"))


@pytest.mark.slow
def test_mlflow_has_the_same_runs_and_a_loaded_sweep_the_same_links(database):
    """As after the command, in an experiment of its own."""
    words = ["activation=tanh,relu", "seed=0,1", "training.epochs=3"]
    found = chainrule.sweep(*words, "tracking.experiment=python", directory="here", quiet=True)
    command("-m", *words, "tracking.experiment=command", "hydra.sweep.dir=there")
    here, there = (chainrule.outcomes_of(f"mlflow:{name}", metric="validation/loss") for name in ("python", "command"))
    assert len(here) == 4
    assert rows(here) == rows(there)
    assert chainrule.load("here").links == found.links
    assert found.links["MLflow"] == f"chainrule ui {Path('here').absolute()}"
    assert found.run(0).links["MLflow"] == f"chainrule ui {Path('here/0').absolute()}"


def rows(outcomes):
    """What a tracker has of runs, but how long they took."""
    for outcome in outcomes:
        outcome.metrics.pop("seconds")
    return sorted((outcome.title, outcome.seed, sorted(outcome.metrics.items())) for outcome in outcomes)


def runs_in(folder):
    """What the runs of a sweep have left."""
    found = {name: each for name, each in contents(folder).items() if name[0].isdigit() and ".hydra" not in name}
    for name in [name for name in found if name.endswith(MANIFEST)]:
        found[name] = {key: value for key, value in found[name].items() if key not in ("environment", "beside")}
    return found


def test_a_misspelt_option_gets_the_nearest_name():
    with pytest.raises(
        chainrule.ConfigurationError, match=r"^compare has no option bugdet \(did you mean 'budget'\?\)"
    ):
        chainrule.compare("activation=tanh,relu", bugdet=3)
    with pytest.raises(
        chainrule.ConfigurationError, match=r"^search has no option smapler \(did you mean 'sampler'\?\)"
    ):
        chainrule.search("optimizer.lr=interval(0.01,1)", smapler="tpe")
    with pytest.raises(chainrule.ConfigurationError, match=r"^search has no option trials: in Python it is budget"):
        chainrule.search("optimizer.lr=interval(0.01,1)", trials=5)
    with pytest.raises(chainrule.ConfigurationError, match=r"^sweep has no option quite \(did you mean 'quiet'\?\)"):
        chainrule.sweep("seed=0,1", quite=True)
    with pytest.raises(chainrule.ConfigurationError, match=r"^max_runs needs until_decided=True"):
        chainrule.compare("activation=tanh,relu", max_runs=9)
    with pytest.raises(chainrule.ConfigurationError, match=r"sampler=tpee is unknown \(did you mean 'tpe'\?\)"):
        chainrule.search("optimizer.lr=interval(0.01,1)", sampler="tpee", directory="s")
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("function", "conf", "renamed"),
    [
        (chainrule.sweep, StackedSweeperConf, {}),
        (chainrule.search, StackedOptunaConf, {"budget": "trials"}),
        (chainrule.compare, StackedCompareConf, {}),
    ],
)
def test_options_have_the_names_that_they_have_as_overrides(function, conf, renamed):
    own = set(inspect.signature(function).parameters) - {
        "overrides",
        "data",
        "directory",
        "overwrite",
        "quiet",
        "unknown",
    }
    assert {renamed.get(name, name) for name in own} <= {field.name for field in dataclasses.fields(conf)}


def test_a_text_is_a_list_of_one(monkeypatch):
    """It is not read letter by letter, and Hydra is not given it where it wants a list; what is neither is refused."""
    told, (run,) = [], chainrule.train("training.epochs=1", quiet=True)
    monkeypatch.setattr(sweeping, "_run_command", lambda words, *_: told.append(words[1:-1]))
    chainrule.search(metrics="train/loss", directions="minimize")
    chainrule.search(metrics=["train/loss"], directions=("minimize",))
    chainrule.compare(contenders="a: optimizer=adam", ablate="optimizer=adam")
    chainrule.compare(contenders=["a: optimizer=adam"], ablate=["optimizer=adam"])
    assert told[0] == told[1]
    assert told[2] == told[3]
    with pytest.raises(chainrule.ConfigurationError, match=r"^zip is a list of lists of keys, .*, not \['seed'\]"):
        chainrule.sweep("seed=0,1", zip=["seed"])
    with pytest.raises(chainrule.ConfigurationError, match=r"^space maps keys to values, .* is not 'optimizer.lr=1'"):
        chainrule.compare("optimizer=adam,lion", space="optimizer.lr=1")
    for name, function in {"metrics": chainrule.search, "targets": chainrule.compare, "changes": run.why}.items():
        with pytest.raises(chainrule.ConfigurationError, match=r"^5 is no text, and no list of texts\.$"):
            function(**{name: 5})
    with pytest.raises(chainrule.ConfigurationError, match=r"^'rat' is no change"):
        run.why(changes="rat")
    with pytest.raises(chainrule.ConfigurationError, match=r"^5 is not a kind"):
        chainrule.component(5, "adam")
    with pytest.raises(chainrule.RecordError, match="holds no sweep"):
        chainrule.resume("nothing", allow="tracking.uri=x")


def test_what_is_watched_is_said_unless_it_is_to_be_quiet(capsys):
    chainrule.sweep("seed=0,1", *SHORT, directory="s")
    assert "2 runs, 1 setting, 2 seeds" in capsys.readouterr().out


def test_logging_is_left_as_it_was():
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    chainrule.sweep("seed=0,1", *SHORT, directory="s", quiet=True)
    assert (root.level, root.handlers) == before


def test_a_sweep_that_is_wrong_is_one_sentence(monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with pytest.raises(chainrule.ConfigurationError, match="did you mean 'tanh'"):
        chainrule.sweep("activation=tnah,relu", "tracking=none")
    with pytest.raises(chainrule.ConfigurationError, match="did you mean 'training'"):
        chainrule.sweep("trainin.epochs=1,2")
    assert "HYDRA_FULL_ERROR" not in os.environ
    assert not list(Path().iterdir())
