"""Many records at once: the database must hold what the client would have left there, whatever happens."""

import contextlib
import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import chainrule
from chainrule.errors import ChainruleError, RecordError
from chainrule.records.entries import sealed
from chainrule.records.manifest import MANIFEST, RunManifest
from chainrule.records.run import read_record
from chainrule_mlflow import bulk, client, connections, contents, sending
from chainrule_mlflow.store import Store
from processes import saying
from sealing import identified

PARENT = "ab" * 16


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Records of runs: one of many points, one without a validation set, one whose curves end in NaN."""
    folder = tmp_path_factory.mktemp("trained")
    small = ["data.samples=10", "training.batch_size=null", "tracking=none"]
    chainrule.run("training.epochs=700", "training.measure_every=1", *small, directory=folder / "0 finished")
    chainrule.run("training.epochs=9", "seed=1", "data.validation=0", *small, directory=folder / "1 alone")
    chainrule.run("training.epochs=9", "seed=2", "optimizer.lr=1e200", *small, directory=folder / "2 diverged")
    return folder


@pytest.fixture(autouse=True)
def _own_environment():
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture
def sweep(trained, tmp_path):
    """The records, and two more made of them: names beyond ASCII with the same data, and values that are too long."""
    shutil.copytree(trained, tmp_path / "sweep")
    found = [read_record(path) for path in sorted((tmp_path / "sweep").iterdir())]
    odd = {
        "title": "Größe → ∞, 数",
        "started": "2026-11-23T10:00:00.250000+00:00",
        "notes": ["été | “quoted”"],
        "overrides": ["+a='é'"],
    }
    long = {"title": "x" * 300, "identity": "1e" * 32, "notes": ["y" * 9000], "environment": {"user": "ada"}}
    long["environment"] |= {"chainrule": "0.1.0", "git_commit": "c0ffee-dirty", "platform": "z" * 9000}
    long["configuration"] = {**found[1].manifest["configuration"], "odd key! é": {"name": "v" * 7000}}
    long["metrics"] = {**found[1].manifest["metrics"], "train/odd(metric)": 1.0, "train/odd[metric]": 1.0}
    return [*found, *(changed(found[1], f"{i} more", **more) for i, more in enumerate((odd, long), 3))]


@pytest.fixture
def study(prepared, tmp_path):
    """A database with an experiment ``study``."""
    store = Store.at(f"sqlite:///{shutil.copy(prepared, tmp_path)}")
    with store.opened() as client:
        client.create_experiment("study", artifact_location=store.artifacts)
    return store


@pytest.fixture
def no_client(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("the client was used")

    monkeypatch.setattr(client, "send", refuse)


def changed(record, name, **changes):
    """Return another record with a changed manifest."""
    directory = record.directory.with_name(name)
    shutil.copytree(record.directory, directory)
    (directory / MANIFEST).write_bytes(sealed(identified({**record.manifest, **changes})))
    return read_record(directory)


def siblings(record, number):
    """Return records that differ in their identity and in the time when they were started."""
    changes = [{"identity": f"{i}", "started": f"2026-11-23T10:00:00.{i:06d}+00:00"} for i in range(number)]
    return [dataclasses.replace(record, manifest=RunManifest(record.manifest | change)) for change in changes]


def client_of(store):
    from mlflow import MlflowClient

    return MlflowClient(store.uri)


def copied(store, folder):
    """Return a copy of a database with what is in its journal."""
    folder.mkdir()
    with contextlib.closing(sqlite3.connect(store.file)) as database:
        database.execute("VACUUM INTO ?", [str(folder / "mlflow.db")])
    return Store.at(f"sqlite:///{folder}/mlflow.db")


def tables(store):
    """Return all rows of all tables as text."""
    with contextlib.closing(sqlite3.connect(store.file)) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(map(repr, database.execute(f'SELECT * FROM "{name}"'))) for name in names}


def comparable(store):
    """Return all rows of all tables, with ids that are drawn at random replaced by what they stand for."""
    with contextlib.closing(sqlite3.connect(store.file)) as database:
        keys = "SELECT run_uuid, 'run ' || value FROM tags WHERE key = 'chainrule.key'"
        names = dict(database.execute(keys).fetchall())
        names |= database.execute("SELECT dataset_uuid, 'data ' || name || digest FROM datasets").fetchall()
        inputs = database.execute("SELECT input_uuid, destination_id FROM inputs").fetchall()
        names |= {input_id: f"input of {names[run_id]}" for input_id, run_id in inputs}

    def renamed(row):
        for random, name in names.items():
            row = row.replace(random, name)
        return row

    return {table: sorted(map(renamed, rows)) for table, rows in tables(store).items()}


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_done_together_has_one_connection_and_nothing_is_left_open(study, sweep, monkeypatch):
    opened = []

    def connect(*arguments, **more):
        opened.append(sqlite3_connect(*arguments, **more))
        return opened[-1]

    sqlite3_connect = sqlite3.connect
    monkeypatch.setattr(connections.sqlite3, "connect", connect)
    place = bulk.experiment(study.file, "study", study.artifacts)
    opened.clear()
    with connections.held(study.file), connections.held(study.file):
        assert bulk.supports(study.file)
        with connections.opened(study.file) as database:
            database.execute("BEGIN")
            database.execute("DELETE FROM experiments")  # and not committed
        assert bulk.experiment(study.file, "study", study.artifacts) == place
    (connection,) = opened
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


@pytest.mark.slow
def test_every_row_of_every_table_is_what_the_client_leaves(study, sweep, tmp_path, monkeypatch):
    other = copied(study, tmp_path / "other")
    by_client = client.send(sweep, other, "study", PARENT, 50)
    for record in sweep:
        (record.directory / "mlflow.json").unlink()
    monkeypatch.setattr(client, "send", None)
    by_bulk = sending.send_many(sweep, study, "study", PARENT, 50)
    stored = comparable(study)
    assert stored == comparable(other)
    assert [len(stored[name]) for name in ("runs", "datasets", "inputs", "input_tags")] == [5, 3, 5, 5]
    assert max(len(row) for row in stored["params"]) > 6000
    for (_, one), (_, another) in zip(by_client, by_bulk, strict=True):
        assert files(tmp_path / "mlartifacts" / one) == files(tmp_path / "mlartifacts" / another) != {}


def test_a_new_experiment_is_the_one_that_the_client_makes(prepared, tmp_path):
    def made(name, make):
        (tmp_path / name).mkdir()
        store = Store.at(f"sqlite:///{shutil.copy(prepared, tmp_path / name)}")
        with store.opened() as client:
            make(store, client)
            found = client.get_experiment_by_name("study")
        with contextlib.closing(sqlite3.connect(store.file)) as database:
            row = dict(zip(*_table(database, "SELECT * FROM experiments WHERE name = 'study'"), strict=True))
        assert row.pop("creation_time") == row.pop("last_update_time") > 1_790_000_000_000
        return store, found, {key: str(value).replace(f"/{name}/", "/") for key, value in row.items()}

    _, _, by_client = made("a", lambda store, client: client.create_experiment("study", store.artifacts))
    store, found, by_bulk = made("b", lambda store, client: bulk.experiment(store.file, "study", store.artifacts))
    assert by_client == by_bulk
    again = bulk.experiment(store.file, "study", "file:///elsewhere")
    assert (again.id, again.location) == (found.experiment_id, found.artifact_location)
    assert bulk.experiment(store.file, "other", f"file:///{'x' * 500}") is None


def _table(database, query):
    """Return the names of the columns and the only row."""
    cursor = database.execute(query)
    (row,) = cursor.fetchall()
    return [column[0] for column in cursor.description], row


@pytest.mark.slow
def test_the_client_reads_the_same(study, sweep, tmp_path, monkeypatch):
    other = copied(study, tmp_path / "other")
    by_client = [run for _, run in client.send(sweep, other, "study")]
    with monkeypatch.context() as patch:
        patch.setattr(client, "send", None)
        by_bulk = [run for _, run in sending.send_many(sweep, copied(study, tmp_path / "third"), "study")]

    def seen(store, run_id):
        client = client_of(store)
        run = client.get_run(run_id)
        assert json.dumps(run.to_dictionary()) in [json.dumps(r.to_dictionary()) for r in client.search_runs(["1"])]
        histories = {name: list(map(dict, client.get_metric_history(run_id, name))) for name in run.data.metrics}
        artifacts = sorted(file.path for file in client.list_artifacts(run_id))
        return json.dumps([run.to_dictionary(), histories, artifacts], sort_keys=True).replace(run_id, "ID")

    for one, another in zip(by_client, by_bulk, strict=True):
        assert seen(other, one) == seen(Store.at(f"sqlite:///{tmp_path}/third/mlflow.db"), another)


def test_the_latest_point_is_the_one_that_mlflow_takes(study, sweep, tmp_path, monkeypatch):
    odd = [(1.0, 5, 3), (9.0, 4, 3), (2.0, 5, 3), (7.0, 9, 2), (-1.0, 5, 3), (0.0, 0, -4), (1.5, 5, 3)]
    points = [(name, *point) for name, some in (("a", odd), ("b", odd[::-1]), ("c", odd[5:])) for point in some]
    monkeypatch.setattr(contents, "points", lambda record, limit: points)
    other = copied(study, tmp_path / "other")
    client.send(sweep[:1], other, "study")
    monkeypatch.setattr(client, "send", None)
    sending.send_many(sweep[:1], study, "study")
    assert comparable(study) == comparable(other)
    latest = [row for row in comparable(study)["latest_metrics"] if row.startswith("('a'")]
    assert "('a', 2.0, 5, 3" in latest[0]


def test_the_schema_of_the_installed_mlflow_is_known(prepared):
    assert bulk.supports(prepared), "compare the rows by the tests above, then add the revision"


def test_mlflow_is_not_imported(study, sweep):
    code = """
import sys
from pathlib import Path
from chainrule.records.run import read_record
from chainrule_mlflow.sending import send_many
from chainrule_mlflow.store import Store
found = [read_record(path) for path in sorted(Path("sweep").absolute().iterdir())]
send_many(found, Store.at(sys.argv[1]), "study")
sys.exit("mlflow" in sys.modules or "sqlalchemy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, study.uri], timeout=100, check=False)
    assert done.returncode == 0
    assert len(tables(study)["runs"]) == 5


@pytest.mark.parametrize("revision", [["0123456789ab"], [], [*bulk.REVISIONS, "0123456789ab"]])
def test_another_revision_is_declined(study, sweep, revision):
    with contextlib.closing(sqlite3.connect(study.file)) as database, database:
        database.execute("DELETE FROM alembic_version")
        database.executemany("INSERT INTO alembic_version VALUES (?)", [[name] for name in revision])
    place = bulk.experiment(study.file, "study", study.artifacts)
    assert not bulk.supports(study.file)
    assert not bulk.write(study.file, place, {"0" * 32: contents.describe(sweep[0])})
    assert tables(study)["runs"] == []


def test_what_is_no_database_of_mlflow_is_declined(tmp_path, study, monkeypatch):
    (tmp_path / "text").write_text("something else")
    (tmp_path / "empty").touch()
    assert not any(bulk.supports(tmp_path / name) for name in ("text", "empty", "absent", "."))
    assert not (tmp_path / "absent").exists()
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    assert not bulk.supports(study.file)
    monkeypatch.delenv("MLFLOW_ENABLE_WORKSPACES")
    with contextlib.closing(sqlite3.connect(study.file)) as database, database:
        database.execute("INSERT INTO experiments (name, workspace) VALUES ('study', 'elsewhere')")
    assert not bulk.supports(study.file)


def test_with_an_unknown_schema_the_client_sends(study, sweep, tmp_path, monkeypatch):
    other = copied(study, tmp_path / "other")
    sent = sending.send_many(sweep, study, "study", PARENT)
    monkeypatch.setattr(bulk, "REVISIONS", frozenset())
    for record in sweep:
        (record.directory / "mlflow.json").unlink()
    assert len(sending.send_many(sweep, other, "study", PARENT)) == len(sent) == 5
    assert comparable(study) == comparable(other)


def test_a_new_database_and_its_experiment_are_made_without_the_client(sweep, tmp_path, no_client, made_anew):
    store = Store.at(f"sqlite:///{tmp_path}/new/mlflow.db")
    assert len({run for _, run in sending.send_many(sweep, store, "new")}) == 5
    assert all((tmp_path / "new/mlartifacts").glob("*/artifacts/manifest.json"))
    assert len(tables(store)["runs"]) == 5


def test_where_files_go_elsewhere_the_client_sends(study, sweep, monkeypatch):
    monkeypatch.setattr(
        client, "send", lambda records, *arguments: [("client", each.directory.name) for each in records]
    )
    for place in (
        "s3://bucket/x",
        "mlflow-artifacts:/1",
        "file://server/x",
        "file:///x?y",
        "file:relative",
        "relative",
    ):
        with contextlib.closing(sqlite3.connect(study.file)) as database, database:
            database.execute("UPDATE experiments SET artifact_location = ? WHERE name = 'study'", [place])
        assert sending.send_many(sweep[:1], study, "study") == [("client", sweep[0].directory.name)]
    assert sending.send_many(sweep[:1], Store.at("http://127.0.0.1:9"), "study")


@pytest.mark.parametrize("place", ["{}/a b é", "file://{}/a%20b", "file://{}/c/"])
def test_files_lie_where_mlflow_looks_for_them(study, sweep, tmp_path, place, no_client):
    with contextlib.closing(sqlite3.connect(study.file)) as database, database:
        location = place.format(tmp_path)
        database.execute("UPDATE experiments SET artifact_location = ? WHERE name = 'study'", [location])
    mlflow = client_of(study)
    for record, (_, run) in zip(sweep, sending.send_many(sweep, study, "study"), strict=True):
        copy = Path(mlflow.download_artifacts(run, "curves.npz", str(tmp_path)))
        assert copy.read_bytes() == (record.directory / "curves.npz").read_bytes()
        assert mlflow.get_run(run).info.artifact_uri == location.rstrip("/") + f"/{run}/artifacts"


@pytest.mark.parametrize("receipts", [True, False])
@pytest.mark.parametrize("first", ["client", "bulk"])
def test_sending_again_adds_nothing(study, sweep, tmp_path, first, receipts, monkeypatch):
    sent = sending.send_many(sweep, study, "study") if first == "bulk" else None
    sent = sent or client.send(sweep, study, "study")
    before, copies = tables(study), files(tmp_path / "mlartifacts")
    notes = [(record.directory / "mlflow.json").read_bytes() for record in sweep]
    for record in sweep[: 0 if receipts else 3]:
        (record.directory / "mlflow.json").unlink()
    assert client.send(sweep[:1], study, "study") == sent[:1]
    monkeypatch.setattr(client, "send", None)
    assert sending.send_many([*sweep, *sweep[:2]], study, "study") == [*sent, *sent[:2]]
    assert tables(study) == before
    assert files(tmp_path / "mlartifacts") == copies
    assert [(record.directory / "mlflow.json").read_bytes() for record in sweep] == notes


def test_a_receipt_of_another_experiment_holds(study, sweep):
    sent = sending.send_many(sweep, study, "study")
    with study.opened() as client:
        client.create_experiment("later", artifact_location=study.artifacts)
    assert sending.send_many(sweep, study, "later") == sent


def test_copies_of_one_record_are_one_run(study, sweep, no_client):
    copy = changed(sweep[0], "copy")
    first, second = sending.send_many([sweep[0], copy], study, "study")
    assert first == second
    assert len(tables(study)["runs"]) == 1
    assert (copy.directory / "mlflow.json").is_file()


def test_a_deleted_run_is_sent_anew(study, sweep):
    sent = sending.send_many(sweep, study, "study")
    client_of(study).delete_run(sent[2][1])
    again = sending.send_many(sweep, study, "study")
    assert [one == another for one, another in zip(sent, again, strict=True)] == [True, True, False, True, True]


@pytest.mark.parametrize("where", ["create_run", "log_batch", "log_inputs", "log_artifact", "set_terminated"])
def test_what_the_client_left_unfinished_the_client_completes(study, sweep, tmp_path, monkeypatch, where):
    from mlflow import MlflowClient

    other = copied(study, tmp_path / "other")
    whole = getattr(MlflowClient, where)

    def breaks(self, *arguments, **keywords):
        whole(self, *arguments, **keywords)
        raise OSError(5, "power cut")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, where, breaks)
        with pytest.raises(ChainruleError, match="power cut"):
            client.send(sweep[1:2], study, "study", PARENT)
    sending.send_many(sweep, study, "study", PARENT)
    for record in sweep:
        (record.directory / "mlflow.json").unlink()
    sending.send_many(sweep, other, "study", PARENT)
    assert comparable(study) == comparable(other)


def test_a_deleted_experiment_is_explained(study, sweep):
    client_of(study).delete_experiment("1")
    with pytest.raises(ChainruleError, match=r"'study' .* is deleted: .*tracking.experiment.*--experiment-id 1"):
        sending.send_many(sweep, study, "study")


def test_an_experiment_deleted_at_the_last_moment_is_explained(study, sweep, tmp_path, monkeypatch):
    whole = bulk.write

    def late(*arguments):
        client_of(study).delete_experiment("1")
        return whole(*arguments)

    monkeypatch.setattr(bulk, "write", late)
    with pytest.raises(ChainruleError, match="is deleted"):
        sending.send_many(sweep, study, "study")
    assert tables(study)["runs"] == []
    assert files(tmp_path / "mlartifacts") == {}


def test_a_damaged_record_does_not_hold_up_the_others(study, sweep, no_client):
    (sweep[0].directory / "curves.npz").write_bytes(b"")
    (sweep[3].directory / "weights.npz").unlink()
    outcomes = sending.send_many(sweep, study, "study")
    assert [isinstance(outcome, RecordError) for outcome in outcomes] == [True, False, False, True, False]
    assert "weights.npz is missing" in str(outcomes[3])
    assert len(tables(study)["runs"]) == 3
    assert not (sweep[0].directory / "mlflow.json").exists()


def test_with_the_client_too_a_damaged_record_does_not_hold_up_the_others(study, sweep, monkeypatch):
    monkeypatch.setattr(bulk, "REVISIONS", frozenset())
    (sweep[1].directory / "weights.npz").unlink()
    outcomes = sending.send_many(sweep[:3], study, "study")
    assert [isinstance(outcome, RecordError) for outcome in outcomes] == [False, True, False]


@pytest.mark.parametrize("table", ["runs", "params", "latest_metrics", "inputs", "input_tags"])
def test_a_failure_leaves_nothing(study, sweep, tmp_path, table):
    before = tables(study)
    with contextlib.closing(sqlite3.connect(study.file)) as database:
        database.execute(f"CREATE TRIGGER full AFTER INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        with pytest.raises(ChainruleError, match=r"^MLflow at sqlite:.* failed: disk is full\.$"):
            sending.send_many(sweep, study, "study")
        assert tables(study) == before
        assert files(tmp_path / "mlartifacts") == {}
        assert not any((record.directory / "mlflow.json").exists() for record in sweep)
        database.execute("DROP TRIGGER full")
    assert len(sending.send_many(sweep, study, "study")) == 5


@pytest.mark.parametrize("function", ["sending._copy", "bulk._insert_runs", "bulk._insert_datasets", "sending.leave"])
def test_a_kill_leaves_no_run_or_whole_runs(study, sweep, tmp_path, function):
    code = f"""
import os, sys
from pathlib import Path
from chainrule.records.run import read_record
from chainrule_mlflow import bulk, sending
from chainrule_mlflow.store import Store
whole = {function}
def killed(*arguments):
    whole(*arguments)
    os._exit(9)
{function} = killed
found = [read_record(path) for path in sorted(Path("sweep").absolute().iterdir())]
sending.send_many(found, Store.at(sys.argv[1]), "study")
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, study.uri], timeout=100, check=False)
    assert done.returncode == 9
    assert len(tables(study)["runs"]) == (5 if function == "sending.leave" else 0)
    other = copied(study, tmp_path / "other")
    assert len(sending.send_many(sweep, study, "study")) == 5
    for record in sweep:
        (record.directory / "mlflow.json").unlink()
    sending.send_many(sweep, other, "study")
    assert comparable(study) == comparable(other)


CROWD = """
import contextlib, dataclasses, os, sys
from pathlib import Path
from chainrule.records.manifest import RunManifest
from chainrule.records.run import read_record
from chainrule_mlflow.sending import send_many
from chainrule_mlflow.store import Store

locked = sys.argv[2] == "True"
if not locked:
    Store.lock = lambda self: contextlib.nullcontext()
record = read_record(Path("sweep/1 alone").absolute())
def runs(worker, number):
    for i in range(number):
        started = f"2026-11-23T{worker:02d}:00:00.{i:06d}+00:00"
        changes = {"started": started, "identity": started}
        yield dataclasses.replace(record, manifest=RunManifest(record.manifest | changes))

children = []
for worker in range(8):
    child = os.fork()
    if not child:
        code = 1
        try:
            for i in range(3):  # the tenth worker's are sent by all
                send_many([*runs(worker, 10 * (i + 1)), *runs(10, 5 * locked)], Store.at(sys.argv[1]), "study")
            code = int("mlflow" in sys.modules)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
        finally:
            os._exit(code)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked, to start together")
@pytest.mark.parametrize(
    "locked", [pytest.param(True, marks=pytest.mark.slow), pytest.param(False, marks=pytest.mark.rare)]
)  # MLflow's own server knows nothing of the lock
def test_eight_processes_at_once_lose_nothing_and_repeat_nothing(study, sweep, tmp_path, locked):
    command = [sys.executable, "-W", "error", "-c", CROWD, study.uri, str(locked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    number = 240 + 5 * locked
    stored = tables(study)
    assert [len(stored[name]) for name in ("runs", "inputs", "datasets")] == [number, number, 1]
    assert len(stored["metrics"]) == number * len(contents.points(sweep[1]))
    assert len(list((tmp_path / "mlartifacts").iterdir())) == number


def test_more_records_than_one_transaction_takes(study, sweep, monkeypatch, no_client):
    monkeypatch.setattr(sending, "_BATCH", 4)
    many = siblings(sweep[1], 11)
    sent = sending.send_many(many, study, "study")
    assert len(set(sent)) == len(tables(study)["runs"]) == 11
    starts = [client_of(study).get_run(run).info.start_time for _, run in sent]
    assert starts == [contents.milliseconds(record.manifest, 0.0) for record in many]
    assert sending.send_many([], study, "study") == []


def test_the_parent_and_the_number_of_points_are_the_callers(study, sweep, no_client):
    ((_, run),) = sending.send_many(sweep[:1], study, "study", PARENT, 20)
    client = client_of(study)
    assert client.get_run(run).data.tags["mlflow.parentRunId"] == PARENT
    assert 18 <= len(client.get_metric_history(run, "train/loss")) <= 20
    assert len(contents.points(sweep[0], 400)) > len(contents.points(sweep[0])) > 900


@pytest.mark.usefixtures("no_client")
def test_who_writes_is_at_work_and_who_waits_for_another_is_not(study, sweep, monkeypatch):
    """A sweep waits at its end for what is being sent, however many runs it has, but not for a locked database."""
    working = []
    monkeypatch.setattr(bulk, "at_work", saying(working))
    monkeypatch.setattr("chainrule_mlflow.store.BUSY", 0.01)
    with contextlib.closing(sqlite3.connect(study.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ChainruleError, match="locked"):
            sending.send_many(sweep, study, "study", None, contents.POINTS)
    assert working == []
    sending.send_many(sweep, study, "study", None, contents.POINTS)
    assert working == ["begins", "ends"]
