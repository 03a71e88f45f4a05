"""The tracker ``mlflow``: a record becomes one run, whatever happens on the way."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

import chainrule
import chainrule_mlflow
from chainrule.components.parameters import build, parameters
from chainrule.engine.curves import Curves
from chainrule.errors import ChainruleError, ConfigurationError, RecordError
from chainrule.records import run
from chainrule.records.entries import sealed
from chainrule.records.manifest import RunManifest
from chainrule.records.run import Membership, Record, read_record
from chainrule.records.sweep import new_sweep
from chainrule_mlflow import bulk, contents, tracker
from chainrule_mlflow.store import Store
from chainrule_mlflow.tracker import MLflow
from chainrule_untracked import NoTracking
from sealing import identified

# SQLAlchemy's, about MLflow's own code.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning")
CONFIGURATION = {
    "seed": 7,
    "network": {"hidden": [4, 2]},
    "data": {"samples": None, "validation": 0.2, "noise": 0.0},
    "training": {"epochs": 2000, "dtype": "float64"},
    "optimizer": {"name": "adam", "lr": 0.001, "beta1": 0.9},
    "target": {"name": "xor", "width": 0.5},
    "tracking": {"name": "mlflow", "experiment": "study", "uri": None},
}
MANIFEST = {
    "format": run.FORMAT,
    "title": "xor, 4-2 sigmoid, adam, seed 7",
    "identity": "1d" * 32,
    "overrides": ["target=xor", "optimizer=adam", "optimizer.lr=0.001", "seed=7", "+experiment=it's"],
    "configuration": CONFIGURATION,
    "network": {"widths": [2, 4, 2, 1], "parameters": 25},
    "reason": "epochs",
    "epochs": 2000,
    "metrics": {"train/loss": 0.125, "validation/loss": 0.25, "train/r2": 0.75, "validation/r2": 0.5},
    "notes": ["the target leaves the range of the output"],
    "started": "2026-11-23T10:00:00.250000+00:00",
    "seconds": 4.0,
    "data": {"target": "xor", "task": "regression", "inputs": 2, "outputs": 1, "training": 205, "validation": 51}
    | {"digest": "ab" * 32},
    "environment": {"user": "ada", "python": "3.11.7", "platform": "Linux", "chainrule": "0.1.0", "numpy": "2.4.6"}
    | {"git_commit": "c0ffee" * 6 + "c0ff-dirty"},
    "plugins": {
        "chainrule:losses": {"version": "0.1.0", "sha256": "a1" * 32},
        "chainrule:rules": {"version": "0.1.0", "sha256": "b2" * 32},
        "chainrule-lynx:lynx": {"version": "2.0", "sha256": "c3" * 32},
        "plugins/mine.py:mine": {"version": "", "sha256": "d4" * 32},
    },
}
FILE = {"sha256": "e5" * 32, "bytes": 4000}
STARTED = 1795428000250  # of the manifest, in milliseconds
FINITE = {"train/loss": 0.125, "validation/loss": 0.25}


def curves(points=2001):
    """Return jagged curves whose extremes lie at odd places and whose ends are the manifest's metrics."""
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(0.5, 1.0, points) for name in (*FINITE, "gradient_norm/layer_1")}
    for name, end in FINITE.items():
        values[name][-1] = end
        values[name][[points // 3, points // 7]] = 0.0625, 8.0
    return Curves(np.arange(points), values)


def make(directory, measured=None, **changes):
    """Write a record as the framework does and read it."""
    measured = measured or curves()
    (directory / "pictures").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(CONFIGURATION), directory / run.CONFIGURATION)
    np.savez(directory / run.CURVES, epochs=measured.epochs, **measured.values)
    np.savez(directory / run.WEIGHTS, W1=np.eye(2), b1=np.zeros(2))
    (directory / "pictures/loss.png").write_bytes(b"picture")
    names = [run.CONFIGURATION, run.CURVES, run.WEIGHTS, "pictures/loss.png"]
    content = {name: (directory / name).read_bytes() for name in names}
    files = {name: {"sha256": hashlib.sha256(c).hexdigest(), "bytes": len(c)} for name, c in content.items()}
    (directory / run.MANIFEST).write_bytes(sealed(identified({**MANIFEST, "files": files, **changes})))
    return read_record(directory)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch):
    """Put back what the tracker changes in the process. Here the client sends, in test_mlflow_bulk mostly not."""
    for name in ("_paused_until", "_pauses", "_unsaid"):
        monkeypatch.setattr(tracker, name, {})
    monkeypatch.setattr(bulk, "supports", lambda file: False)
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture
def database(prepared, tmp_path):
    """The database of the project, which is ``tmp_path``."""
    (tmp_path / "pyproject.toml").touch()
    return Path(shutil.copy(prepared, tmp_path))


@pytest.fixture
def record(tmp_path):
    return make(tmp_path / "run")


@pytest.fixture
def client(database):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{database}")


def runs(client, experiment="chainrule"):
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id]) if found else []


def only(client):
    (run,) = runs(client)
    return run


def rows(database):
    """Return everything in the database."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: sorted(map(repr, connection.execute(f'SELECT * FROM "{table}"'))) for table in tables}


def snapshot(record):
    return {path: path.read_bytes() for path in record.files()}


def python(code, *arguments):
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_it_is_registered_and_described():
    assert [cls.name for cls in chainrule_mlflow.chainrule_trackers()] == ["mlflow"]
    assert all(parameter.description for parameter in parameters(MLflow).values())
    assert build(MLflow, {}, "tracking") == MLflow(experiment="chainrule", uri=None)


@pytest.mark.parametrize("name", ["", "x" * 501])
def test_an_impossible_experiment_is_refused_before_training(name):
    with pytest.raises(ConfigurationError, match=r"^tracking\.experiment must be text"):
        build(MLflow, {"experiment": name}, "tracking")


def test_mlflow_is_not_imported_before_it_is_needed():
    code = "import sys, chainrule_mlflow; chainrule_mlflow.chainrule_trackers(); sys.exit('mlflow' in sys.modules)"
    assert python(code).returncode == 0


def test_none_sends_nothing(record, tmp_path):
    NoTracking().runs_recorded([record])
    NoTracking().send(record)
    assert record.links == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_settings_become_params_as_they_are_typed(client, record):
    MLflow().send(record)
    assert only(client).data.params == {
        "seed": "7",
        "network.hidden": "[4, 2]",
        "data.samples": "null",
        "data.validation": "0.2",
        "data.noise": "0.0",
        "training.epochs": "2000",
        "training.dtype": "float64",
        "optimizer": "adam",
        "optimizer.lr": "0.001",
        "optimizer.beta1": "0.9",
        "target": "xor",
        "target.width": "0.5",
    }


def test_curves_are_thinned_and_keep_their_ends_and_extremes(client, record):
    MLflow().send(record)
    run = only(client)
    for name, values in curves().values.items():
        history = client.get_metric_history(run.info.run_id, name)
        assert 300 < len(history) <= 320
        sent = {point.step: point.value for point in history}
        assert len(sent) == len(history)
        assert all(values[step] == value for step, value in sent.items())
        assert {0, 2000, values.argmin(), values.argmax()} <= sent.keys()
        times = [point.timestamp for point in sorted(history, key=lambda point: point.step)]
        assert times == sorted(times)
        assert (times[0], times[-1]) == (STARTED, STARTED + 4000)


def test_single_values_are_there_once(client, record):
    MLflow().send(record)
    run = only(client)
    single = {"train/r2": 0.75, "validation/r2": 0.5, "epochs": 2000, "seconds": 4}
    single |= {"train/log10_loss": math.log10(0.125), "validation/log10_loss": math.log10(0.25)}
    assert run.data.metrics.keys() == {*curves().values, *single}
    for name, value in single.items():
        (point,) = client.get_metric_history(run.info.run_id, name)
        assert (point.value, point.step) == (value, 0)
    for name, value in FINITE.items():
        assert run.data.metrics[name] == value


def test_a_run_has_its_name_times_and_tags(client, record):
    MLflow().send(record)
    run = only(client)
    assert run.info.run_name == MANIFEST["title"]
    assert (run.info.start_time, run.info.end_time, run.info.status) == (STARTED, STARTED + 4000, "FINISHED")
    assert run.info.user_id == "ada"
    tags = run.data.tags
    expected = {
        "mlflow.user": "ada",
        "mlflow.source.name": "chainrule",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": "c0ffee" * 6 + "c0ff",
        "mlflow.source.git.dirty": "true",
        "chainrule.record": str(record.directory),
        "chainrule.identity": record.manifest.identity,
        "chainrule.reason": "epochs",
        "chainrule.version": "0.1.0",
        "chainrule.environment.python": "3.11.7",
        "chainrule.environment.numpy": "2.4.6",
        "chainrule.plugin.chainrule": "0.1.0",
        "chainrule.plugin.chainrule-lynx": "2.0",
        "chainrule.plugin.plugins/mine.py": "SHA-256 d4d4d4d4d4d4",
    }
    assert tags.items() >= expected.items()


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"training": 5, "validation": 0}, "5 training"),
        ({"training": 5, "validation": 2}, "5 training and 2 validation"),
        ({"training": 5, "validation": 2, "test": 3}, "5 training, 2 validation and 3 test"),
    ],
)
def test_the_description_counts_the_samples_of_the_parts_that_there_are(sizes, words):
    assert contents._counts(sizes) == words


def test_the_description_says_what_came_out_and_how_to_repeat_it(client, record):
    MLflow().send(record)
    text = only(client).data.tags["mlflow.note.content"]
    assert "**xor, 4-2 sigmoid, adam, seed 7**" in text
    assert "2-4-2-1 units, 25 parameters; 205 training and 51 validation samples" in text
    assert "Stopped after 2000 epochs; trained for all epochs." in text
    assert "| validation/r2&emsp; | 0.5&emsp; |" in text
    assert "the target leaves the range of the output" in text
    quoted = """'+experiment=it'"'"'s'"""
    lines = ["chainrule target=xor optimizer=adam", "  optimizer.lr=0.001 seed=7", f"  {quoted}"]
    assert "```\n" + " \\\n".join(lines) + "\n```" in text


def test_the_dataset_says_how_to_draw_it_again(client, record):
    import mlflow.data

    MLflow().send(record)
    (found,) = only(client).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("xor", "ab" * 18)
    assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "training")]
    assert json.loads(found.dataset.profile)["num_rows"] == 256
    source = mlflow.data.get_source(found).to_dict()["tags"]
    assert source.items() >= {"seed": "7", "target.width": "0.5", "data.noise": "0.0", "digest": "ab" * 32}.items()


def test_every_file_of_the_record_is_an_artifact_beside_the_database(client, record, tmp_path):
    MLflow().send(record)
    run = only(client)
    assert run.info.artifact_uri == (tmp_path / "mlartifacts" / run.info.run_id / "artifacts").as_uri()
    folder = tmp_path / "mlartifacts" / run.info.run_id / "artifacts"
    assert {folder / path.relative_to(record.directory): content for path, content in snapshot(record).items()} == {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "MLmodel"
    }


def test_a_run_that_diverged_has_no_loss_and_is_sorted_behind_all_others(client, tmp_path):
    measured = curves(50)
    measured.values["train/loss"][40:] = math.inf
    measured.values["validation/loss"][40:] = math.nan
    measured.values["gradient_norm/layer_1"][:] = math.nan
    metrics = {"train/loss": None, "validation/loss": None, "train/r2": None}
    MLflow().send(make(tmp_path / "run", measured, reason="diverged", epochs=49, metrics=metrics))
    run = only(client)
    assert run.info.status == "FAILED"
    assert run.data.tags["chainrule.reason"] == "diverged"
    assert "| train/r2&emsp; | not finite&emsp; |" in run.data.tags["mlflow.note.content"]
    names = {*FINITE, *map(contents.logarithm, FINITE)}
    assert run.data.metrics.keys() == {*names, "epochs", "seconds"}
    assert all(math.isnan(run.data.metrics[name]) for name in names)
    assert len(client.get_metric_history(run.info.run_id, "train/loss")) == 41
    MLflow().send(make(tmp_path / "other", curves(50), configuration={**CONFIGURATION, "seed": 99}))
    for ascending in ("ASC", "DESC"):
        found = client.search_runs([run.info.experiment_id], order_by=[f"metrics.`train/log10_loss` {ascending}"])
        assert [one.info.status for one in found] == ["FINISHED", "FAILED"]


@given(st.lists(st.floats() | st.sampled_from([math.nan, math.inf]), min_size=1, max_size=700), st.integers(1, 9))
def test_whatever_a_curve_holds_its_finite_ends_and_extremes_are_sent(values, every):
    class Fake:
        manifest = RunManifest.checked({**MANIFEST, "files": dict.fromkeys((run.CURVES, run.WEIGHTS), FILE)})

        def curves(self):
            return Curves(np.arange(len(values)) * every, {"train/loss": np.array(values)})

    points = [(step, value) for name, value, _, step in contents.points(Fake()) if name == "train/loss"]
    finite = [(i * every, value) for i, value in enumerate(values) if math.isfinite(value)]
    assert len(points) <= 320
    assert set(points) <= set(finite)
    if finite:
        assert {finite[0], finite[-1]} <= set(points)
        levels = [value for _, value in finite]
        assert {min(levels), max(levels)} <= {value for _, value in points}


@pytest.mark.parametrize(
    ("settings", "name"), [({"optimizer.lr": 0.1, "seed": 3}, "optimizer.lr=0.1, seed=3"), ({}, MANIFEST["title"])]
)
def test_in_a_sweep_a_run_is_called_by_what_sets_it_apart(record, tmp_path, settings, name):
    member = Membership(tmp_path, key="a key", runs=2, number=1, settings=settings)
    assert contents.title(dataclasses.replace(record, member=member)) == name


def test_a_record_in_the_folder_of_a_sweep_that_did_not_train_it_stands_alone(client, tmp_path):
    """It is told whose it is; the folders above it say nothing."""
    new_sweep(tmp_path, ["-m", "seed=0,1"], tmp_path, {}, {}).write()
    MLflow().send(make(tmp_path / "0"))
    assert "mlflow.parentRunId" not in only(client).data.tags


def test_long_and_odd_texts_fit(client, tmp_path):
    configuration = {**CONFIGURATION, **{f"odd key! {i}": {"name": "x" * 7000, "é=": i} for i in range(70)}}
    overrides = [f"optimizer.lr={i}" for i in range(2000)]
    metrics = {**FINITE, "train/odd(metric)": 1.0}
    changes = {"title": 300 * "x", "configuration": configuration, "overrides": overrides, "metrics": metrics}
    MLflow().send(make(tmp_path / "run", **changes))
    run = only(client)
    assert len(run.data.params) == 12 + 140
    assert len(run.data.params["odd key_ 69"]) == 6000
    assert run.data.params["odd key_ 69.é_"] == "69"
    assert run.data.metrics["train/odd_metric_"] == 1.0
    assert len(run.info.run_name) == 250
    assert len(run.data.tags["mlflow.note.content"]) == 8000


@pytest.mark.parametrize("receipt", [True, False])
def test_sending_again_changes_nothing(client, database, record, receipt):
    MLflow().send(record)
    before, links = rows(database), dict(record.links)
    if not receipt:
        (record.directory / "mlflow.json").unlink()
    record.links.clear()
    MLflow().send(record)
    assert rows(database) == before
    assert record.links == links
    assert json.loads((record.directory / "mlflow.json").read_bytes()).items() >= {
        ("tracking_uri", f"sqlite:///{database}"),
        ("experiment_id", only(client).info.experiment_id),
        ("run_id", only(client).info.run_id),
    }
    assert read_record(record.directory).manifest == record.manifest


@pytest.mark.parametrize("where", ["create_run", "log_batch", "log_inputs", "log_artifact", "set_terminated"])
@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_send_that_broke_off_is_completed(client, database, record, monkeypatch, where, after):
    from mlflow import MlflowClient

    whole = getattr(MlflowClient, where)

    def breaks(self, *arguments, **keywords):
        if after:
            whole(self, *arguments, **keywords)
        raise OSError(5, "power cut")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, where, breaks)
        with pytest.raises(ChainruleError, match="power cut"):
            MLflow().send(record)
    assert not (record.directory / "mlflow.json").exists()
    MLflow().send(record)
    run = only(client)
    assert run.info.status == "FINISHED"
    assert len(run.data.params) == 12
    assert len(client.get_metric_history(run.info.run_id, "train/loss")) == len(
        set(curves().thinned("train/loss", 320))
    )
    assert len(run.inputs.dataset_inputs) == 1
    assert len(client.list_artifacts(run.info.run_id)) == 6
    before = rows(database)
    MLflow().send(record)
    assert rows(database) == before


def test_a_run_deleted_in_mlflow_is_sent_anew(client, record):
    MLflow().send(record)
    first = only(client).info.run_id
    client.delete_run(first)
    MLflow().send(record)
    assert only(client).info.run_id != first


@pytest.mark.parametrize("changes", [{"started": "2026-11-24T10:00:00+00:00"}, {"identity": "2e" * 32}])
def test_a_run_trained_again_into_the_same_directory_takes_the_place_of_the_former(client, record, changes):
    """So does one that went on, with more epochs, which keeps the time when it was started."""
    MLflow().send(record)
    former = only(client).info.run_id
    MLflow().send(Record(record.directory, RunManifest({**record.manifest, **changes})))
    assert only(client).info.run_id != former
    assert client.get_run(former).info.lifecycle_stage == "deleted"


def test_a_run_with_other_settings_in_the_same_directory_is_another_run(client, record):
    MLflow().send(record)
    changes = {"started": "2026-11-24T10:00:00+00:00", "identity": "2e" * 32}
    MLflow().send(Record(record.directory, RunManifest({**record.manifest, **changes})))
    assert len(runs(client)) == 2


@pytest.mark.parametrize("receipt", [b"", b"[]", b"{}", b"\xff"])
def test_a_damaged_receipt_does_no_harm(client, record, receipt):
    MLflow().send(record)
    (record.directory / "mlflow.json").write_bytes(receipt)
    MLflow().send(record)
    assert len(runs(client)) == 1


def test_a_receipt_of_another_store_does_not_hold(client, record, prepared, tmp_path):
    (tmp_path / "other").mkdir()
    other = shutil.copy(prepared, tmp_path / "other")
    MLflow(uri=f"sqlite:///{other}").send(record)
    MLflow().send(record)
    assert len(runs(client)) == 1
    MLflow(uri=f"sqlite:///{other}").send(record)
    assert rows(other)["runs"] != rows(Path("mlflow.db"))["runs"]
    assert len(rows(other)["runs"]) == 1


def test_a_deleted_experiment_is_explained(client, record):
    experiment = client.create_experiment("study")
    client.delete_experiment(experiment)
    with pytest.raises(
        ChainruleError, match=rf"'study' .* is deleted: .*tracking.experiment.*--experiment-id {experiment}"
    ):
        MLflow("study").send(record)


def test_a_record_that_lacks_a_file_is_refused(client, record):
    (record.directory / "pictures/loss.png").unlink()
    with pytest.raises(RecordError, match=r"loss\.png is missing"):
        MLflow().send(record)
    assert runs(client) == []


def test_a_server_that_is_down_costs_seconds_and_no_data(record, caplog):
    before = snapshot(record)
    down = MLflow(uri="http://user:secret@127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(
        ChainruleError, match=r"^MLflow at http://user:\*\*\*@127.0.0.1:9 failed: Connection refused\.$"
    ):
        down.send(record)
    with caplog.at_level(logging.WARNING):
        down.runs_recorded([record])
    assert time.monotonic() - began < 60  # minutes if it was tried again
    (message,) = caplog.messages
    assert f"`chainrule sync {record.directory}`" in message
    assert "\n" not in message
    assert "secret" not in message
    assert record.links == {"not in MLflow yet": f"chainrule sync {record.directory}"}
    assert snapshot(record) == before


def test_after_a_failure_further_runs_do_not_wait(record, monkeypatch, caplog):
    attempts = []

    def fail(*arguments):
        attempts.append(arguments)
        raise ChainruleError("It is down.")

    monkeypatch.setattr("chainrule_mlflow.sending.send_many", fail)
    for _ in range(5):
        further = Record(record.directory, record.manifest)
        MLflow().runs_recorded([further])
        assert "not in MLflow yet" in further.links
    assert (len(attempts), len(caplog.messages)) == (1, 1)
    MLflow("another").runs_recorded([record])
    assert len(attempts) == 2


def test_what_could_not_be_sent_is_sent_later(client, record):
    MLflow(uri=f"sqlite:///{record.directory}/manifest.json/mlflow.db").runs_recorded([record])
    assert list(record.links) == ["not in MLflow yet"]
    MLflow().send(record)
    assert list(record.links) == ["MLflow"]
    assert only(client).info.status == "FINISHED"


def test_a_file_that_is_no_database_is_refused_at_once(record, tmp_path):
    (tmp_path / "mlflow.db").write_text("something else")
    began = time.monotonic()
    with pytest.raises(ChainruleError, match=r"mlflow\.db failed: file is not a database\.$"):
        MLflow().send(record)
    assert time.monotonic() - began < 60  # minutes if it was tried again


@pytest.mark.parametrize("folder", ["what?", "50%25"])
def test_a_path_that_mlflow_cannot_open_is_refused_at_once(record, tmp_path, monkeypatch, folder):
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    with pytest.raises(ChainruleError, match="choose a path without"):
        MLflow().send(record)


def test_the_uri_comes_from_the_parameter_then_the_environment_then_the_project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert Store.at(None).uri == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere:5000")
    assert Store.at(None).uri == "http://elsewhere:5000"
    relative = Store.at("sqlite:///mine.db")
    assert relative.uri == f"sqlite:///{tmp_path}/deep/mine.db"
    assert relative.artifacts == (tmp_path / "deep/mlartifacts").as_uri()
    assert Store.at("https://elsewhere").artifacts is None


def test_links_lead_to_the_run(tmp_path):
    local = Store.at(f"sqlite:///{tmp_path}/a b.db")
    assert local.links("3", "f00", "chainrule ui run") == {"MLflow": "chainrule ui run"}
    assert local.sweep_links("3", "f00", "v", "chainrule ui sweep") == {"MLflow": "chainrule ui sweep"}
    server, page = Store.at("https://ada:secret@there/mlflow/"), "https://there/mlflow/#/experiments/3/runs"
    assert server.links("3", "f00", "chainrule ui run") == {
        "MLflow run": f"{page}/f00?workflowType=machine_learning",
        "all MLflow runs": f"{page}?workflowType=machine_learning&searchFilter="
        "tags.%60chainrule.kind%60%20%21%3D%20%27%27",
    }
    assert server.sweep_links("3", "f00", "v", "chainrule ui sweep") == {
        "MLflow sweep": f"{page}/f00?workflowType=machine_learning",
        "its runs": f"{page}?workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey=v",
    }
    assert Store.at("databricks").links("3", "f00", "") == {"MLflow run": "f00 at databricks"}
    assert Store.at("databricks").sweep_links("3", "f00", "v", "") == {"MLflow sweep": "f00 at databricks"}


def test_the_command_that_shows_a_run_names_a_place_that_the_record_alone_knows(record, tmp_path):
    own = f"sqlite:///{tmp_path}/own.db"
    for uri, more in ((None, ""), (own, f" --allow {own}")):
        kept = MLflow(uri=uri)
        kept.send(record)
        assert kept.links(record) == {"MLflow": f"chainrule ui {record.directory}{more}"}
        assert record.links == kept.links(record)


def test_settings_of_the_person_are_respected(monkeypatch, client, record):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
    monkeypatch.setenv("DO_NOT_TRACK", "true")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    MLflow().send(record)
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "5"
    assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ
    monkeypatch.delenv("DO_NOT_TRACK")
    monkeypatch.setattr(bulk, "supports", lambda file: False)
    MLflow().send(record)
    assert os.environ.pop("MLFLOW_DISABLE_TELEMETRY") == "true"


def test_a_real_run_arrives_quietly(client, tmp_path, capfd):
    result = chainrule.run("training.epochs=3", "tracking.experiment=study", directory=tmp_path / "run")
    (run,) = runs(client, "study")
    assert run.data.params["training.epochs"] == "3"
    assert {name: run.data.metrics[name] for name in result.metrics} == result.metrics
    assert capfd.readouterr() == ("", "")


def test_copies_of_one_record_are_one_run(client, record, tmp_path):
    MLflow().send(record)
    shutil.copytree(record.directory, tmp_path / "copy", ignore=shutil.ignore_patterns("mlflow.json"))
    copy = dataclasses.replace(record, directory=tmp_path / "copy", links={})
    MLflow().send(copy)
    assert len(runs(client)) == 1
    assert copy.links == {"MLflow": f"chainrule ui {copy.directory}"}


CROWD = """
import os, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")  # MLflow's own, at import
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow  # once for all processes, which so start on the database together
from chainrule.records.run import read_record
from chainrule_mlflow.tracker import MLflow

children = []
for directory in sorted(Path().glob("run*")):
    child = os.fork()
    if not child:
        code = 1
        try:
            MLflow().send(read_record(directory.absolute()))
            code = 0
        except BaseException as error:
            print(error, file=sys.stderr)
        finally:
            os._exit(code)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked, because each would import MLflow anew")
@pytest.mark.rare  # all but one wait until that one has made the database
def test_eight_processes_share_a_fresh_database(tmp_path, made_anew):
    (tmp_path / "pyproject.toml").touch()
    for i in range(8):
        make(tmp_path / f"run{i}", curves(5), started=f"2026-11-23T10:00:0{i % 2}+00:00")
    done = python(CROWD)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    stored = rows(tmp_path / "mlflow.db")
    assert len(stored["experiments"]) == 2
    assert len(stored["runs"]) == 2  # the others are copies
    assert all("'FINISHED'" in run for run in stored["runs"])
    assert len(stored["metrics"]) == 2 * (3 * 5 + 6)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert sorted(path.name for path in tmp_path.glob("mlflow.db*")) == ["mlflow.db", "mlflow.db.lock"]


def test_a_test_part_is_counted_and_its_metrics_and_settings_are_there(client):
    chainrule.run("data.test=0.25", "training.restore_best=true", "training.epochs=2", "tracking=none", directory="run")
    MLflow().send(chainrule.load("run").record)
    run = only(client)
    assert "141 training, 51 validation and 64 test samples" in run.data.tags["mlflow.note.content"]
    assert {"test/loss", "test/r2", "best_epoch"} <= run.data.metrics.keys()
    expected = {"data.test": "0.25", "training.restore_best": "true", "sampling": "shuffled", "training.start": "null"}
    assert {key: run.data.params.get(key) for key in expected} == expected
