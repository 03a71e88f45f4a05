"""A study that is refused before anything is trained leaves nothing behind: no directory, no file, no experiment."""

import os
import sys
from pathlib import Path

import pytest

from chainrule.cli.main import main
from sizes import one_in
from sweeping import contents

RATE = "optimizer.lr=interval(0.1,1)"
PAIR = "activation=tanh,relu"
RUNS = {
    "a number out of range": ["optimizer.lr=-1"],
    "an unknown name": ["optimizer=adan"],
    "an unknown key": ["optimizer.lrate=1"],
    "a value of the wrong type": ["training.epochs=many"],
    "an override that cannot be parsed": ["target.delimiter=;"],
    "a missing file": ["target=table", "target.path=no.csv"],
    "no file": ["target=table"],
    "an unclear file": ["target=table", "target.path=t.csv", "target.label=c"],
    "an unknown label": ["target=table", "target.path=t.csv", "target.label=zz"],
    "a loss that does not fit": ["loss=binary_cross_entropy", "target=table", "target.path=t.csv", "target.label=b"],
    "too many activations": ["network.hidden=[3]", "activation=[tanh,relu]"],
    "no run to start from": ["training.start=nowhere"],
    "a fold too many": ["data.folds=3", "data.fold=7"],
    "an empty test part": ["data.samples=4", "data.test=0.01", "data.validation=0.99"],
    "a tracker without a name": ["tracking.experiment=''"],
    "a value that is missing": ["seed=???"],
    "an interpolation to nowhere": ["seed=${nowhere}"],
    "another value for null": ["optimizer=null"],
}
SWEEPS = {
    "one directory for all": ["hydra.sweep.subdir=x"],
    "no pairs": ["hydra.sweeper.zip=[[a,b]]"],
    "an interval that is not drawn from": [RATE],
    "no draws": ["hydra.sweeper.random=0"],
    "no stack": ["hydra.launcher.stack=0"],
    "no workers": ["hydra.launcher.workers=0"],
    "an unknown backend": ["hydra.launcher.backend=cloud"],
    "an unknown launcher": ["hydra/launcher=cloud"],
    "an unknown sweeper": ["hydra/sweeper=cloud"],
    "no batch": ["hydra.sweeper.max_batch_size=0"],
    "a working directory of its own": ["hydra.job.chdir=true", "target=table", "target.path=no.csv"],
    "another launcher": ["hydra/launcher=basic", "optimizer.lr=-1"],
}
SEARCHES = {
    "nothing to search": ["optimizer.lr=0.1"],
    "an empty interval": ["optimizer.lr=interval(1,0)"],
    "an interval out of range": ["optimizer.lr=interval(-1,1)"],
    "an unknown metric": [RATE, "hydra.sweeper.metrics=[zz]"],
    "a folder that is not there": [RATE, "hydra.sweeper.storage=/no/where/x.log"],
    "a database that cannot be": [RATE, "hydra.sweeper.storage=sqlite:////no/where/x.db"],
    "an unknown storage": [RATE, "hydra.sweeper.storage=foo://x"],
    "an unknown sampler": [RATE, "hydra.sweeper.sampler=zz"],
    "an unknown pruner": [RATE, "hydra.sweeper.pruner=zz"],
    "an unknown direction": [RATE, "hydra.sweeper.directions=[up]"],
    "a missing file": [RATE, "target=table", "target.path=no.csv"],
    "another launcher": [RATE, "hydra/launcher=basic"],
}
COMPARISONS = {
    "one contender": ["activation=tanh"],
    "an unknown contender": ["activation=tanh,relo"],
    "an unknown target": [PAIR, "target=sine,zz"],
    "a target that is a missing file": [PAIR, "target=table", "target.path=no.csv"],
    "a number out of range": [PAIR, "optimizer.lr=-1"],
    "a metric that does not fit": [PAIR, "target=sine", "--metric", "accuracy"],
    "a space that is not there": [PAIR, "target=sine", "--space", "foo.bar=1,2"],
    "a space out of range": [PAIR, "target=sine", "--budget", "2", "--space", "optimizer.lr=interval(-2,-1)"],
    "too many runs": [PAIR, "--until-decided", "--max-runs", "3"],
    "a seed": [PAIR, "seed=1"],
    "a contender without a name": ["--contender", "optimizer=adam", "--contender", "b: optimizer=lion"],
    "no run to start from": [PAIR, "target=sine", "--budget", "1", "training.start=nowhere"],
}
CASES = [
    *(pytest.param(words, id=f"run: {name}") for name, words in RUNS.items()),
    *(pytest.param(["-m", "seed=0,1", *words], id=f"sweep: {name}") for name, words in (RUNS | SWEEPS).items()),
    *(
        pytest.param(["-m", "hydra/sweeper=stacked_optuna", *words], id=f"search: {name}")
        for name, words in SEARCHES.items()
    ),
    *(pytest.param(["compare", *words], id=f"comparison: {name}") for name, words in COMPARISONS.items()),
    pytest.param(["resume", "nowhere"], id="resume: no directory"),
    pytest.param(["resume", "."], id="resume: no sweep"),
    pytest.param(["report", "nowhere"], id="report: no directory"),
]


def typed(words, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["chainrule", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.delenv("HYDRA_FULL_ERROR")


def refused(words, monkeypatch):
    """Type a command that is refused in a sentence, and return the sentence."""
    typed(words, monkeypatch)
    with pytest.raises(SystemExit) as caught:
        main()
    assert str(caught.value).startswith("chainrule: "), caught.value
    return str(caught.value)


@pytest.mark.parametrize("words", one_in(5, CASES, ci=3))
def test_a_refusal_leaves_nothing(words, monkeypatch):
    Path("t.csv").write_text("a,b,c\n1,2,x\n2,3,\n3,5,x\n4,4,y\n")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    refused(words, monkeypatch)
    assert [path.name for path in Path().rglob("*")] == ["t.csv"]


def test_what_was_in_the_directory_before_stays(monkeypatch):
    for folder in ("empty", "mine"):
        Path(folder).mkdir()
    Path("mine/notes.txt").write_text("kept")
    refused(["hydra.run.dir=mine", "optimizer.lr=-1"], monkeypatch)
    assert Path("mine/notes.txt").read_text() == "kept"
    refused(["hydra.run.dir=.", "hydra.job.chdir=true", "optimizer.lr=-1"], monkeypatch)
    assert Path("mine/notes.txt").exists()
    assert Path("empty").is_dir()


def test_a_study_that_searches_something_else_is_not_changed(monkeypatch):
    words = ["-m", "hydra/sweeper=stacked_optuna", "tracking=none", "training.epochs=1", "hydra.sweeper.trials=1"]
    own = ["hydra.sweeper.storage=study.log", "hydra.sweeper.study=mine"]
    typed([*words, *own, RATE, "hydra.sweep.dir=found"], monkeypatch)
    main()
    before = {**contents("."), "there": sorted(os.listdir())}
    other = ["optimizer.lr=tag(int,interval(1,2))"]
    assert "was begun with" in refused([*words, *own, *other], monkeypatch)
    assert {**contents("."), "there": sorted(os.listdir())} == before
