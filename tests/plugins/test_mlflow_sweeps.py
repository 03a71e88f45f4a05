"""Sweeps in MLflow: one run with the others beneath it."""

import json
import math
import re
import shlex
import sqlite3
import zlib
from base64 import b64decode
from collections import Counter
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

import chainrule
import forking
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import ChainruleError
from chainrule.records.run import read_record
from chainrule.records.sweep import Sweep, SweepManifest, new_sweep, read_sweep
from chainrule_mlflow import best, bulk, client, overview, parents
from chainrule_mlflow.store import Store
from sizes import one_in
from sweeping import command

# SQLAlchemy's, about MLflow's own code.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning")
TABLES = ("runs", "params", "metrics", "latest_metrics", "tags", "inputs", "experiments", "experiment_tags")
SWEEP = [
    "-m",
    "training.epochs=6",
    "training.batch_size=16",
    "seed=range(6)",
    "activation=tanh,relu",
    "hydra.sweep.dir=s",
]


@pytest.fixture(autouse=True)
def _database(database):
    """All but what is taken away again begins with a database, because making one takes seconds."""


def client_of(database):
    from mlflow import MlflowClient  # takes seconds, so not where tests are only collected

    return MlflowClient(f"sqlite:///{Path(database).absolute()}")


def the_runs(database="mlflow.db"):
    """The run of the sweep, and those beneath it."""
    mlflow = client_of(database)
    runs = mlflow.search_runs(["1"], max_results=1000)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == len(runs) - 1
    return mlflow, parent, children


@pytest.mark.parametrize(
    "launcher", one_in(3, [([],), (["hydra.launcher.stack=3"],), (["hydra/launcher=basic"],)], ci=2)
)
def test_a_sweep_is_a_run_with_its_runs_beneath(launcher):
    done = command(*SWEEP, "optimizer.lr=0.01,1e30", *launcher)
    client, parent, children = the_runs()
    assert parent.info.run_name == "sweep: 2 activation x 2 optimizer.lr x 6 seeds"
    assert parent.info.status == "FINISHED"
    assert len(children) == 24
    assert {run.info.run_name for run in children} >= {"activation=tanh, optimizer.lr=0.01, seed=5"}
    assert {run.info.status for run in children} == {"FINISHED", "FAILED"}
    sweep = read_sweep(Path("s"))
    ranked = SweepOutcomes(sweep, sweep.outcomes()).ranking
    metrics = parent.data.metrics
    assert metrics["best/median"] == ranked[0].median
    assert ranked[0].interval is None, "six seeds are too few for the best of four"
    assert "best/interval low" not in metrics
    lows = client.get_metric_history(parent.info.run_id, "by rank/interval low")
    assert {low.step: low.value for low in lows}[-1] == ranked[1].interval[0]
    assert metrics["by rank/median"] == ranked[0].median, "pages show the last step"
    assert metrics["best/log10_median"] == math.log10(ranked[0].median)
    assert (metrics["best/quartile 1"], metrics["best/quartile 3"]) == ranked[0].quartiles
    assert (metrics["runs"], metrics["diverged"], metrics["failed"]) == (24, 12, 0)
    assert parent.data.tags["chainrule.best"] == ranked[0].title
    assert ranked[0].title in parent.data.tags["mlflow.note.content"]
    names = {entry.path for entry in client.list_artifacts(parent.info.run_id)}
    assert names == {"ranking.json", "report.html", "runs.csv", "sweep.json", "multirun.yaml", "best"}
    outcome = SweepOutcomes(sweep, sweep.outcomes()).best_by_target[""]
    assert_is_shown(client, parent, sweep, outcome, "best")
    table = json.loads(Path(client.download_artifacts(parent.info.run_id, "ranking.json")).read_text())
    assert table["data"][0][:3] == [1, *ranked[0].settings.values()]
    assert done.stdout.splitlines()[-1].split() == ["MLflow", "chainrule", "ui", str(Path("s").absolute())]
    (tag,) = [
        tag for name, tag in client.get_experiment("1").tags.items() if name.startswith("mlflow.sharedViewState.")
    ]
    state = json.loads(zlib.decompress(b64decode(json.loads(tag)["state"].removeprefix("deflate;"))))
    shown = client.search_runs(["1"], state["searchFilter"])
    assert {run.info.run_id for run in shown} == {run.info.run_id for run in children if run.info.status == "FINISHED"}
    assert len(shown) == 12
    assert "params.`activation`" in state["selectedColumns"]
    assert state["orderByKey"] == "metrics.`validation/log10_loss`"
    assert [key["groupByData"] for key in state["groupBy"]["groupByKeys"]] == ["activation", "optimizer.lr"]


def the_views(client):
    tags = client.get_experiment("1").tags.items()
    found = [tag for name, tag in tags if name.startswith("mlflow.sharedViewState.")]
    return [json.loads(zlib.decompress(b64decode(json.loads(tag)["state"].removeprefix("deflate;")))) for tag in found]


def test_a_sweep_over_losses_is_sorted_by_the_score():
    command(*SWEEP[:3], "seed=range(2)", "loss=half_squared_error,huber", "hydra.sweep.dir=s")
    client, parent, _ = the_runs()
    note, sweep = parent.data.tags["mlflow.note.content"], read_sweep(Path("s"))
    outcomes = SweepOutcomes(sweep, sweep.outcomes())
    assert outcomes.caution in note
    assert f"**The best run**: [{'loss=' + outcomes.best_by_target[''].settings['loss']}" in note
    assert parent.data.metrics["best/median"] == outcomes.ranking[0].median
    assert not [name for name in parent.data.metrics if "log10" in name]
    (state,) = the_views(client)
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`validation/r2`", False)


def test_a_sweep_over_targets_has_a_best_run_and_a_view_for_each():
    command(*SWEEP[:3], "target=sine,xor", "hydra.sweep.dir=s")
    client, parent, _ = the_runs()
    note = parent.data.tags["mlflow.note.content"]
    assert "Runs on sine and xor learn different things" in note
    assert "**The best run on sine**" in note
    assert "**The best run on xor**" in note
    assert "chainrule.best" not in parent.data.tags
    assert not [name for name in parent.data.metrics if name.startswith(("best/", "by rank/"))]
    shown = [client.search_runs(["1"], state["searchFilter"]) for state in the_views(client)]
    assert sorted(run.data.params["target"] for runs in shown for run in runs) == ["sine", "xor"]
    assert {entry.path for entry in client.list_artifacts(parent.info.run_id, "best")} == {"best/sine", "best/xor"}


def test_a_sweep_over_noise_is_sorted_by_it_and_by_no_loss():
    command(*SWEEP[:3], "data.noise=0,1", "hydra.sweep.dir=s")
    client, parent, _ = the_runs()
    assert "**The best run on data.noise=1**" in parent.data.tags["mlflow.note.content"]
    (state,) = the_views(client)
    assert (state["orderByKey"], state["orderByAsc"]) == ("params.`data.noise`", True)


def assert_is_shown(client, parent, sweep, outcome, folder):
    """The best run is linked in the description, which has its command and pictures; its own row has them, too."""
    note = parent.data.tags["mlflow.note.content"]
    record = read_record(sweep.directory / outcome.directory)
    (row,) = client.search_runs(["1"], f"tags.`chainrule.record` = '{record.directory}'")
    assert f"](#/experiments/1/runs/{row.info.run_id}?workflowType=machine_learning)" in note
    command = shlex.join(["chainrule", *record.manifest.overrides])
    assert f"\n{command}\n" in note.replace(" \\\n ", ""), "in lines that a shell takes as one"
    pictures = {entry.path for entry in client.list_artifacts(row.info.run_id, "pictures")}
    assert "pictures/loss.png" in pictures
    of_sweep = {entry.path for entry in client.list_artifacts(parent.info.run_id, folder)}
    assert {path.replace("pictures", folder) for path in pictures} <= of_sweep
    assert f"](get-artifact?path={folder}/loss.png&run_uuid={parent.info.run_id})" in note


@pytest.mark.slow
def test_a_comparison_is_called_so_and_has_a_view_of_tuned_runs_for_each_target():
    chainrule.compare(
        "activation=tanh,relu",
        "training.epochs=3",
        "data.samples=20",
        targets="sine,xor",
        budget=2,
        tuning_seeds=1,
        tunings=1,
        seeds=2,
        directory="c",
        quiet=True,
    )
    client, parent, children = the_runs()
    assert parent.info.run_name.startswith("comparison: activation tanh, relu on sine, xor")
    assert Counter(run.data.tags["chainrule.phase"] for run in children) == {"tuning": 8, "final": 8}
    sweep = read_sweep(Path("c"))
    best = SweepOutcomes(sweep, sweep.outcomes()).best_by_target
    assert best.keys() == {"sine", "xor"}
    for target, outcome in best.items():
        assert_is_shown(client, parent, sweep, outcome, f"best/{target}")
        found = re.search(rf"\[{target}\]\(#/[^)]*viewStateShareKey=(\w+)\)", parent.data.tags["mlflow.note.content"])
        tag = client.get_experiment("1").tags[f"mlflow.sharedViewState.{found[1]}"]
        state = json.loads(zlib.decompress(b64decode(json.loads(tag)["state"].removeprefix("deflate;"))))
        shown = client.search_runs(["1"], state["searchFilter"])
        assert [run.data.params["target"] for run in shown] == [target] * 4
        assert {run.data.tags["chainrule.phase"] for run in shown} == {"final"}
        assert state["groupBy"]["groupByKeys"] == [{"mode": "param", "groupByData": "activation"}]
    (dataset,) = parent.inputs.dataset_inputs
    assert {column["name"] for column in json.loads(dataset.dataset.schema)["mlflow_colspec"]} >= {"x1", "y1"}


@pytest.mark.slow
def test_by_the_client_and_past_it_the_run_of_a_sweep_is_the_same(prepared, tmp_path, monkeypatch):
    command(*SWEEP, "tracking=none")
    sweep = read_sweep(Path("s"))
    outcomes = SweepOutcomes(sweep, sweep.outcomes())
    seen = []
    for name, supported in (("fast.db", True), ("client.db", False)):
        path = tmp_path / name
        path.write_bytes(prepared.read_bytes())
        client_of(path).create_experiment("chainrule", artifact_location=(tmp_path / name[:-3]).as_uri())
        store = Store.at(f"sqlite:///{path}")
        if not supported:
            monkeypatch.setattr(bulk, "supports", lambda file: False)
        parents.begin(sweep, store, "chainrule")
        parents.finish(sweep, outcomes, store, "chainrule")
        client, parent, _ = the_runs(path)
        points = {
            m: [(p.step, p.value) for p in client.get_metric_history(parent.info.run_id, m)]
            for m in parent.data.metrics
        }
        info = {
            key: value for key, value in dict(parent.info).items() if key not in ("run_id", "run_uuid", "artifact_uri")
        }
        files = sorted(entry.path for entry in client.list_artifacts(parent.info.run_id))
        tags = {key: value.replace(parent.info.run_id, "ID") for key, value in parent.data.tags.items()}
        (dataset,) = parent.inputs.dataset_inputs
        seen.append((info, parent.data.params, tags, parent.data.metrics, points, files, dict(dataset.dataset)))
    assert seen[0] == seen[1]


def test_the_best_run_is_drawn_once_while_the_report_is_written(monkeypatch):
    drawn, draw = [], best._draw

    def seen(directory, place):
        drawn.append(directory.name)
        draw(directory, place)

    monkeypatch.setattr(best, "_draw", seen)
    chainrule.sweep("training.epochs=2", "seed=0,1", "tracking=mlflow", directory="s", quiet=True)
    sweep = read_sweep(Path("s"))
    (best_run,) = SweepOutcomes(sweep, sweep.outcomes()).best_by_target.values()
    assert drawn == [best_run.directory]
    assert not best._early
    _, parent, _ = the_runs()
    names = {entry.path for entry in client_of("mlflow.db").list_artifacts(parent.info.run_id, "best")}
    assert "best/loss.png" in names


def test_what_was_kept_back_is_sent_with_the_sweep():
    command(*SWEEP, "tracking=none")
    done = command("sync", "s", "--tracking", "mlflow")
    _, parent, children = the_runs()
    assert (parent.info.status, len(children)) == ("FINISHED", 12)
    place = Path("s").absolute()
    assert done.stdout == f"{place}: chainrule ui {place}\n12 records sent now, 0 had been sent before\n"
    command("sync", "s", "--tracking", "mlflow")
    assert len(the_runs()[2]) == 12


@pytest.mark.parametrize("launcher", [[], pytest.param(["hydra/launcher=basic"], marks=pytest.mark.rare)])
def test_a_resumed_sweep_sends_what_was_not_sent(launcher, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    command(*SWEEP, *launcher)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    command("resume", "s")
    _, parent, children = the_runs()
    assert (parent.info.status, len(children)) == ("FINISHED", 12)


def test_resuming_a_finished_sweep_changes_nothing():
    """A kill may come when all is done, but the process has not yet ended."""
    seen = []
    for arguments in (SWEEP, ["resume", "s"]):
        command(*arguments)
        with closing(sqlite3.connect("mlflow.db")) as database:
            tables = {t: database.execute(f"SELECT * FROM {t} ORDER BY 1, 2, 3").fetchall() for t in TABLES}
        seen.append((tables, read_sweep(Path("s")).manifest))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("supported", [True, False])
def test_the_run_of_a_sweep_is_completed_where_its_beginning_broke_off(prepared, tmp_path, monkeypatch, supported):
    command(*SWEEP, "tracking=none")
    sweep, path = read_sweep(Path("s")), tmp_path / "mlflow.db"
    path.write_bytes(prepared.read_bytes())
    known, by_client = bulk.supports, lambda file: False
    monkeypatch.setattr(bulk, "supports", by_client)
    with mock.patch.object(client, "log", side_effect=OSError), pytest.raises(ChainruleError):
        parents.begin(sweep, Store.at(f"sqlite:///{path}"), "chainrule")
    monkeypatch.setattr(bulk, "supports", known if supported else by_client)
    fewer = Sweep(sweep.directory, SweepManifest(sweep.manifest | {"jobs": sweep.manifest.jobs[:3]}))
    for ended in (sweep, fewer):  # parameters that are there already are not changed
        parents.finish(ended, SweepOutcomes(ended, ended.outcomes()), Store.at(f"sqlite:///{path}"), "chainrule")
    _, parent, _ = the_runs(path)
    assert parent.data.params == {"varied/activation": "tanh, relu", "varied/seed": "0, 1, 2, 3, 4, 5"}
    assert parent.info.status == "FINISHED"


@pytest.mark.rare  # eight sweeps on two cores; in CI six share one that have fewer runs
def test_eight_sweeps_at_once_share_a_fresh_database(tmp_path):
    (tmp_path / "mlflow.db").unlink()
    (tmp_path / "pyproject.toml").touch()
    arguments = ["-m", "chainrule", "-m", "training.epochs=2", "seed=range(4)"]
    for done in forking.at_once([[*arguments, f"hydra.sweep.dir=s{n}"] for n in range(8)]):
        output = done.stdout + done.stderr
        assert (done.returncode, "Nothing is lost" in output) == (0, False), output
    done = forking.python("-m", "chainrule", "sync", *(f"s{n}" for n in range(8)))  # what was not waited for
    assert done.returncode == 0, done.stdout + done.stderr
    runs = client_of("mlflow.db").search_runs(["1"])
    assert [run.info.status for run in runs] == ["FINISHED"] * 40
    sizes = Counter(run.data.tags.get("mlflow.parentRunId") for run in runs)
    parents = {run.info.run_id for run in runs if run.info.run_name == "sweep: 4 seeds"}
    assert sizes == {None: 8, **dict.fromkeys(parents, 4)}


def test_a_store_that_is_down_costs_the_sweep_nothing():
    done = command(*SWEEP, "tracking.uri=http://127.0.0.1:9")
    assert done.stdout.count("Nothing is lost") == 1
    assert "chainrule sync" in done.stdout
    assert len(list(Path("s").glob("*/manifest.json"))) == 12


def test_a_view_of_many_parameters_fits_into_its_tag():
    axes = {f"a.rather.long.key.of.a.parameter.number.{n}": ["1", "2"] for n in range(40)}
    sweep = new_sweep(Path("/s"), [], Path("/"), {}, {})
    jobs = [{"overrides": [f"{key}={v[i]}" for key, v in axes.items()], "directory": str(i)} for i in range(2)]
    wide = Sweep(sweep.directory, SweepManifest.checked({**sweep.manifest, "jobs": jobs}))
    view = overview.view(wide, "0" * 32, "validation/loss")
    assert len(view.value) < 5000


LATE = """
import threading, time
from pathlib import Path
from types import SimpleNamespace
from chainrule_mlflow import best

def draw(outcomes, folder):
    begun.set()
    time.sleep(0.5)
    (folder / "best").mkdir()
    print("drawn", flush=True)

begun, best._draw_all = threading.Event(), draw
outcomes = SimpleNamespace(record=SimpleNamespace(directory=Path("sweep")))
best.draw_early(outcomes)
begun.wait()
"""


def test_a_command_that_ends_meanwhile_does_not_remove_what_is_being_drawn():
    """As one does whose report cannot be written."""
    done = forking.python("-c", LATE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "drawn\n", "")
