"""What is wrong with the store of MLflow is found and mended, and runs are deleted there."""

import time
from pathlib import Path

import pytest

import chainrule
from chainrule.files.locks import exclusive
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from chainrule_mlflow import care, contents
from chainrule_mlflow.contents import PARENT
from chainrule_mlflow.store import Store
from chainrule_mlflow.tracker import MLflow

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning")
SHORT = ("training.epochs=0", "data.samples=10")


@pytest.fixture
def store(database):
    """The database of the working directory, with a run and a sweep of two."""
    Path("pyproject.toml").touch()
    chainrule.run(*SHORT, "tracking=none", directory="run")
    chainrule.sweep("seed=0,1", *SHORT, "tracking=none", "hydra.launcher.workers=1", directory="s", quiet=True)
    tracker, sweep = MLflow(), read_sweep(Path("s"))
    tracker.send(read_record(Path("run").absolute()))
    for number in range(2):
        tracker.send(chainrule.load(sweep.place(number)).record)
    tracker.send_sweep(sweep, chainrule.load("s"))
    return Store.at(None)


@pytest.fixture
def client(store):
    from mlflow import MlflowClient

    return MlflowClient(store.uri)


def runs(client):
    found = client.get_experiment_by_name("chainrule")
    return client.search_runs([found.experiment_id])


def of(client, directory):
    return [run for run in runs(client) if run.data.tags.get("chainrule.record") == str(Path(directory).absolute())]


def test_what_is_wrong_is_found_and_mended(store, client):
    assert list(care.faults(store)) == []
    (sweep,), (run,), (child,) = of(client, "s"), of(client, "run"), of(client, "s/0")
    # Shown as running, though nothing is at work; a run that began just now may be at work.
    client.update_run(sweep.info.run_id, "RUNNING")
    experiment = run.info.experiment_id
    tags = {contents.KEY: "k1", "chainrule.record": str(Path("gone").absolute())}
    old = client.create_run(experiment, start_time=int(1000 * time.time()) - 2 * care._DAY, tags=tags)
    client.create_run(experiment, tags={contents.KEY: "k2", "chainrule.record": str(Path("fresh").absolute())})
    # Beneath what is not there: with a run of its sweep, and without one.
    client.set_tag(child.info.run_id, PARENT, "0" * 32)
    client.set_tag(run.info.run_id, PARENT, "0" * 32)
    # Twice: trained before into the same directory.
    twice = client.create_run(experiment, tags={contents.KEY: "k3", "chainrule.record": str(Path("run").absolute())})
    client.set_terminated(twice.info.run_id)
    with exclusive(Path("s/.sweep.lock"), wait=0):
        assert len([fault for fault in care.faults(store) if "as running" in fault.sentence]) == 1, "one is at work"
    found = list(care.faults(store))
    assert sorted(fault.sentence.split()[0] for fault in found) == ["has", "has", "shows", "shows", "shows"]
    for fault in found:
        fault.mend()
    assert list(care.faults(store)) == []
    assert client.get_run(sweep.info.run_id).info.status == client.get_run(old.info.run_id).info.status == "KILLED"
    assert client.get_run(child.info.run_id).data.tags[PARENT] == sweep.info.run_id
    assert PARENT not in client.get_run(run.info.run_id).data.tags
    assert [one.info.run_id for one in of(client, "run")] == [run.info.run_id]


@pytest.mark.slow
def test_what_is_deleted_is_no_longer_shown(store, client):
    tracker = MLflow()
    assert tracker.forget([read_record(Path("run"))]) == 1
    assert tracker.forget([read_record(Path("run"))]) == 0
    assert tracker.forget([read_record(Path("s/0")), read_record(Path("s/1"))]) == 2
    assert tracker.forget_sweep(read_sweep(Path("s"))) == 1
    assert runs(client) == []
    experiment = client.get_experiment_by_name("chainrule").experiment_id
    assert list(client.search_logged_models([experiment])) == [], "models go with their runs"


def test_without_a_database_nothing_is_wrong_and_none_is_made(tmp_path):
    store = Store.at(f"sqlite:///{tmp_path}/none.db")
    assert list(care.faults(store)) == []
    assert care.forget(store, "chainrule", ["k"]) == 0
    assert not (tmp_path / "none.db").exists()


def test_only_what_a_record_alone_names_is_named(monkeypatch):
    assert MLflow().named == MLflow(experiment="fraud").named == ""
    assert MLflow(uri="http://me:secret@example.org").named == "http://me:***@example.org"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@example.org")
    assert MLflow(uri="http://me:secret@example.org").named == ""
