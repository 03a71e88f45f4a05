"""Runs that other programs have logged to MLflow, read and ranked."""

import math
import re
import shutil
import time

import numpy as np
import pandas
import pytest

import chainrule
import forking
from chainrule.analysis.tracked import Choices, tracked_outcomes
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.records.tracked import Status
from chainrule_mlflow import bulk, client, contents, reading
from chainrule_mlflow.store import Store
from pages import parsed
from sweeping import command

# SQLAlchemy's, about MLflow's own code.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning")

# A program that knows nothing of chainrule: a parent with nested runs, three that go wrong, one that still runs.
FOREIGN = """
import random, sys
import mlflow

mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
mlflow.set_experiment(experiment_id=client.create_experiment("Mine & yours", artifact_location=sys.argv[2]))
rng = random.Random(0)
with mlflow.start_run(run_name="study"):
    mlflow.log_param("n_trials", 24)
    for model in ("tree", "forest"):
        for depth in (2, 4):
            for seed in range(6):
                with mlflow.start_run(nested=True, run_name=f"{model} {depth} {seed}") as run:
                    own = {"model": model, "depth": depth if seed else f"{depth}.0", "random_state": seed, "folds": 5}
                    own |= {"out": f"/tmp/{model}/{depth}/{seed}", "split": seed + 100}
                    mlflow.log_params(own | ({"trees": 10} if model == "forest" else {}))
                    value = rng.gauss(0.8 + 0.1 * (model == "forest") - 0.01 * depth, 0.02)
                    mlflow.log_metric("seconds", seed)
                    if (model, depth) != ("tree", 2) or seed > 2:
                        for step in range(3):
                            mlflow.log_metric("val_acc", value * step / 2, step=step)
                    elif seed == 0:
                        mlflow.log_metric("val_acc", float("nan"))
                    elif seed == 1:
                        mlflow.log_metric("val_acc", float("inf"))
                    else:
                        mlflow.end_run("FAILED")
with mlflow.start_run(run_name="data"):
    mlflow.log_param("rows", 100)
with mlflow.start_run(run_name="deleted") as deleted:
    mlflow.log_metric("val_acc", 1.0)
client.delete_run(deleted.info.run_id)
client.create_run(client.get_experiment_by_name("Mine & yours").experiment_id)
client.delete_experiment(client.create_experiment("gone"))
client.create_experiment("empty")
"""


@pytest.fixture(scope="module")
def foreign(prepared, tmp_path_factory):
    """A folder with a database of MLflow that another program has filled."""
    folder = tmp_path_factory.mktemp("foreign")
    shutil.copy(prepared, folder / "mlflow.db")
    uri, files = f"sqlite:///{folder / 'mlflow.db'}", (folder / "files").as_uri()
    done = forking.python("-c", FOREIGN, uri, files, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def here(foreign, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{foreign / 'mlflow.db'}")
    return foreign


def frame(folder, experiment="Mine & yours"):
    """The runs as MLflow itself gives them."""
    import mlflow

    with Store.at(f"sqlite:///{folder / 'mlflow.db'}").opened() as client:
        own = client.get_experiment_by_name(experiment).experiment_id
        mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
        return mlflow.search_runs([own])


def test_runs_are_read_as_they_were_logged(here):
    found = reading.read(Store.at(None), "Mine & yours")
    assert (found.experiment, found.place) == ("Mine & yours", Store.at(None).label)
    expected = frame(here).set_index("run_id")
    assert {run.key for run in found.runs} == set(expected.index)
    for run in found.runs:
        row = expected.loc[run.key]
        assert run.status == Status(row["status"].lower())
        logged = {name[7:]: value for name, value in row.items() if name.startswith("params.")}
        assert run.parameters == {name: value for name, value in logged.items() if isinstance(value, str)}
        parent = row["tags.mlflow.parentRunId"]
        assert run.parent == (parent if isinstance(parent, str) else None)
    assert [run.status for run in found.runs][-1] == Status.RUNNING  # in the order of their start


def test_the_ranking_is_that_of_pandas(here):
    found = chainrule.outcomes_of("mlflow:Mine & yours", metric="val_acc")
    assert found.maximize
    assert found.parameters.settings == ("model", "depth", "trees")
    assert found.parameters.constants == {"folds": 5}
    runs = frame(here).dropna(subset=["params.model"])
    lost = ~np.isfinite(runs["metrics.val_acc"]) | (runs["metrics.val_acc"] > 1e308) | (runs["status"] == "FAILED")
    runs["value"] = runs["metrics.val_acc"].where(~lost, -math.inf)
    runs["depth"] = runs["params.depth"].astype(float)
    expected = runs.groupby(["params.model", "depth"])["value"].median().sort_values(ascending=False)
    got = found.table("ranking").frame()
    assert list(zip(got["model"], got["depth"], strict=True)) == expected.index.tolist()
    assert got["median"].tolist() == expected.tolist()
    assert got["runs"].tolist() == [6] * 4
    assert got["trees"].tolist() == [10, 10, "not set", "not set"]
    worst = found.ranking[-1]
    assert worst.values[:3] == (-math.inf,) * 3
    assert found.notes == (
        "Ranked by val_acc: larger values are better, assumed from its name.",
        "Seed: random_state, assumed from the name.",
        "No setting, because it follows from the seed: split.",
        "No setting, because it differs from run to run: out.",
        "Left out: parents without val_acc (1), finished without val_acc (1), still running (1).",
        "Counted as the worst: val_acc not finite (2), failed (1).",
    )


def test_the_command_writes_a_page_and_a_table(here):
    done = command("report", "mlflow:Mine & yours", "--metric", "val_acc")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("The largest median val_acc is 0.8")
    assert "model=forest, depth=2, trees=10" in lines[0]
    page, table = (line.strip() for line in lines[-2:])
    assert re.search(r"/report-Mine_yours.html$", page)
    with open(page) as file:
        text = parsed(file.read())
    assert lines[0] in text
    assert all(line.strip() in text for line in lines[1:-2])
    assert "the same in all runs folds=5" in text
    runs = pandas.read_csv(table)
    assert len(runs) == 24
    assert set(runs["record"]) < set(frame(here)["run_id"])
    assert runs.groupby("model")["seconds"].median().to_dict() == {"forest": 2.5, "tree": 2.5}


def test_what_is_said_is_done(here):
    options = ["--metric=val_acc", "--minimize", "--seed=none", "--settings=model", "--output=some.htm"]
    done = command("report", "mlflow:Mine & yours", *options)
    assert "with model=tree." in done.stdout
    assert "  Runs have no seed: those with equal settings are repetitions." in done.stdout.splitlines()
    with open("some.csv") as file:
        assert file.readline() == "run,model,seed,reason,record,seconds,val_acc\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("mlflow:mine & your", "has no experiment 'mine & your' (did you mean 'Mine & yours'?). There are "),
        ("mlflow:gone", "The MLflow experiment 'gone' at "),
        ("mlflow:424242", "has no experiment '424242'. There are "),
        ("mlflow:", "has no experiment ''. There are "),
        ("mlflow:empty", "The experiment 'empty' at "),
        ("mlfow:empty", "tracking=mlfow is unknown (did you mean 'mlflow'?)"),
        ("none:empty", "tracking=none keeps no runs that could be read."),
    ],
)
def test_what_is_not_there_is_said(here, source, message):
    with pytest.raises(ChainruleError, match=re.escape(message)):
        chainrule.outcomes_of(source)


def test_an_experiment_has_an_id_as_well(here):
    own = frame(here)["experiment_id"][0]
    assert reading.read(Store.at(None), own).experiment == "Mine & yours"


def test_the_metric_must_be_clear(here):
    with pytest.raises(ConfigurationError, match=r"several metrics: .* of seconds, val_acc\."):
        chainrule.outcomes_of("mlflow:Mine & yours")
    with pytest.raises(ConfigurationError, match="'seconds' does not say whether large values"):
        chainrule.outcomes_of("mlflow:Mine & yours", metric="seconds")


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    done = command("report", "mlflow:mine", code=1)
    assert done.stderr.startswith(
        f"chainrule: There is no MLflow database {tmp_path / 'mlflow.db'}: set MLFLOW_TRACKING_URI"
    )
    assert not list(tmp_path.iterdir())


def test_chainrules_own_runs_are_ranked_as_in_their_sweep(database):
    command("-m", "seed=range(3)", "optimizer.lr=0.01,0.1", "training.epochs=3", "hydra.sweep.dir=s")
    sweep, there = chainrule.outcomes_of("s"), chainrule.outcomes_of("mlflow:chainrule")
    assert there.metric == sweep.metric
    assert [(group.settings, group.values) for group in there.ranking] == [
        (group.settings, pytest.approx(group.values)) for group in sweep.ranking
    ]


def run(number):
    """One of many runs: 200 settings with 10 seeds."""
    setting, seed = divmod(number, 10)
    rate, depth, name = setting % 4, setting // 4 % 5, setting // 20
    params = {"rate": f"1e-{rate}", "depth": str(depth), "name": f"n{name}", "seed": str(seed)}
    loss = (rate * 31 + depth * 17 + name * 7 + seed * 5) % 23 / 23 + rate
    return contents.Run(
        name=f"r{number}",
        start=number + 1,
        end=number + 2,
        status="FINISHED",
        tags={"mlflow.user": "me", contents.KEY: str(number)},
        params={**params, **{f"same{n}": str(n) for n in range(15)}},
        points=[("val_loss", loss, 1, 0), *((f"m{n}", float(number), 1, 0) for n in range(9))],
        dataset={},
        dataset_tags={},
    )


@pytest.mark.slow
def test_thousands_of_runs_are_read_page_by_page_and_ranked_as_by_pandas(database, monkeypatch):
    store = Store.at(None)
    place = bulk.experiment(store.file, "many", store.artifacts)
    assert bulk.write(store.file, place, {f"{number:032x}": run(number) for number in range(2000)})
    monkeypatch.setattr(client, "_PAGE", 300)
    began = time.monotonic()
    found = tracked_outcomes(reading.read(store, "many"), Choices("val_loss"))
    assert time.monotonic() - began < 60  # not minutes, on any machine
    assert len(found) == 2000
    assert [outcome.directory for outcome in found] == [f"{number:032x}" for number in range(2000)]
    runs = pandas.DataFrame([{**run(n).params, "loss": run(n).points[0][1]} for n in range(2000)])
    runs["rate"], runs["depth"] = runs["rate"].astype(float), runs["depth"].astype(int)
    expected = runs.groupby(["rate", "depth", "name"])["loss"].median()
    got = found.table("ranking").frame().set_index(["rate", "depth", "name"])["median"]
    assert len(got) == 200
    assert got.is_monotonic_increasing
    pandas.testing.assert_series_equal(got.sort_index(), expected.sort_index(), check_names=False)
