"""Trouble with the tracker: training goes on with the same bits, and each record reaches the tracker exactly once."""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest

import chainrule
import forking
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.cli import sync
from chainrule.engine.curves import Curves
from chainrule.errors import ChainruleError
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from chainrule.registry import aside
from chainrule.registry.watching import Begun
from chainrule_mlflow import apart, live, sending, store, tracker
from chainrule_mlflow.tracker import MLflow
from processes import wait_until
from sizes import one_in
from sweeping import command, started

# SQLAlchemy's, about MLflow's own code.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning")
SMALL = ["data.samples=20", "training.epochs=3", "training.batch_size=null"]
OVERRIDES = [[f"activation={name}", f"seed={seed}"] for name in ("tanh", "relu") for seed in range(4)]
RUNS = len(OVERRIDES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A sweep of eight runs that no tracker has seen."""
    folder = tmp_path_factory.mktemp("trained")
    chainrule.sweep(
        "activation=tanh,relu", "seed=range(4)", "tracking=none", *SMALL, directory=folder / "s", quiet=True
    )
    return folder / "s"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch):
    """Each test begins with trackers that have not failed before, and waits for nobody for long."""
    for name in ("_paused_until", "_pauses", "_unsaid"):
        monkeypatch.setattr(tracker, name, {})
    monkeypatch.setattr(aside, "_lines", {})
    monkeypatch.setattr(store, "_ANSWER", 1.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def sweep(trained, tmp_path):
    """The sweep in a project of its own."""
    (tmp_path / "pyproject.toml").touch()
    shutil.copytree(trained, tmp_path / "s")
    return read_sweep(tmp_path / "s")


class Tracked:
    """A sweep whose events a tracker is told."""

    def __init__(self, sweep, uri=None):
        self.sweep, self.mlflow = sweep, MLflow(uri=uri)

    def begin(self):
        self.mlflow.sweep_started(self.running, ())

    @property
    def running(self):
        return type(self.sweep)(
            self.sweep.directory, type(self.sweep.manifest)({**self.sweep.manifest, "finished": None})
        )

    def records(self, numbers):
        return [
            type(record)(record.directory, record.manifest, member=self.sweep.member(number))
            for number in numbers
            for record in [read_record(self.sweep.place(number))]
        ]

    def record(self, *numbers):
        self.mlflow.runs_recorded(self.records(numbers))

    def finish(self):
        self.mlflow.sweep_finished(self.sweep, SweepOutcomes(self.sweep, self.sweep.outcomes()))

    def all(self):
        self.begin()
        self.record(*range(RUNS))
        self.finish()


def synced(*arguments):
    sync.main(["s", "--tracking", "mlflow", *arguments])


def active(database="mlflow.db"):
    """The rows that are not deleted: the parents, and the others by the number of their job."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        runs = dict(connection.execute("SELECT run_uuid, status FROM runs WHERE lifecycle_stage = 'active'").fetchall())
        tags = connection.execute("SELECT run_uuid, key, value FROM tags").fetchall()
    by_run = {run: {key: value for id_, key, value in tags if id_ == run} for run in runs}
    parents = {run: status for run, status in runs.items() if "chainrule.runs" in by_run[run]}
    children = [(run, by_run[run], runs[run]) for run in runs if run not in parents]
    return parents, children


def assert_whole(status="FINISHED", jobs=range(RUNS), database="mlflow.db"):
    """Each run has one row, with its files, beneath the one row of its sweep."""
    parents, children = active(database)
    assert list(parents.values()) == [status]
    assert Counter(int(tags["chainrule.job"]) for _, tags, _ in children) == dict.fromkeys(jobs, 1)
    for run, tags, state in children:
        assert (tags["mlflow.parentRunId"], state) == (next(iter(parents)), "FINISHED")
        folder = Path(database).absolute().parent / "mlartifacts" / run / "artifacts"
        record = read_record(Path(tags["chainrule.record"]))
        assert tags["chainrule.key"] == tracker.contents.key(record.manifest)
        for path in record.files():
            assert (folder / path.relative_to(record.directory)).read_bytes() == path.read_bytes()


def backup(database="mlflow.db"):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM INTO 'backup.db'")


def remove():
    for path in Path().glob("mlflow.db*"):
        if path.suffix != ".lock":
            path.unlink()


def remove_all():
    remove()
    shutil.rmtree("mlartifacts")


def remove_the_database_alone():
    """Its journal stays, as after a kill: SQLite would write it into the next database."""
    with contextlib.closing(sqlite3.connect("mlflow.db")) as connection:
        connection.execute("UPDATE experiments SET name = 'of the journal' WHERE name = 'chainrule'")
        connection.commit()
        journal = Path("mlflow.db-wal").read_bytes()
    remove()
    Path("mlflow.db-wal").write_bytes(journal)


def restore():
    remove()
    shutil.copy("backup.db", "mlflow.db")


def empty():
    remove()
    Path("mlflow.db").touch()


LOSSES = {
    "removed": remove,
    "removed with the files": remove_all,
    "removed without its journal": remove_the_database_alone,
    "restored": restore,
    "emptied": empty,
}


@pytest.mark.parametrize("name", one_in(5, LOSSES))
def test_a_database_that_is_replaced_in_mid_sweep_ends_whole(sweep, database, name, monkeypatch):
    """Making a database takes seconds; a new one is a copy here."""
    prepared = Path(database).read_bytes()
    monkeypatch.setattr(tracker.Store, "_make", lambda self, file: made(self, file, prepared))
    told = Tracked(sweep)
    told.begin()
    told.record(0, 1)
    backup()
    told.record(2, 3)
    LOSSES[name]()
    told.record(4, 5, 6, 7)
    told.finish()
    synced()
    assert_whole()
    before = active()
    synced()
    assert active() == before


def made(store, file, prepared):
    """What ``Store._make`` does, with a copy."""
    for rest in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + rest).unlink(missing_ok=True)
    file.write_bytes(prepared)


@pytest.mark.parametrize("damage", [b"\0" * 4096, b"garbage" * 500])
def test_a_corrupt_database_is_said_once_and_what_follows_is_sent_to_the_next(sweep, database, damage, caplog):
    prepared = Path(database).read_bytes()
    told = Tracked(sweep)
    told.begin()
    told.record(0, 1)
    remove()
    Path("mlflow.db").write_bytes(damage + prepared[len(damage) :])
    told.record(2, 3)
    told.record(4, 5, 6, 7)
    told.finish()
    assert len(caplog.messages) == 1
    assert "Nothing is lost" in caplog.text
    with pytest.raises(ChainruleError, match=f"^{RUNS} records were not sent"):
        synced()
    remove()
    Path("mlflow.db").write_bytes(prepared)
    synced()
    assert_whole()


@pytest.mark.slow
def test_a_run_that_is_trained_again_takes_the_place_of_its_former_row(sweep, database):
    Tracked(sweep).all()
    for number, keeps_receipt in ((2, False), (5, True)):
        place = sweep.place(number)
        receipt = (place / "mlflow.json").read_bytes()
        shutil.rmtree(place)
        chainrule.run(*OVERRIDES[number], "tracking=none", *SMALL, directory=place)
        if keeps_receipt:
            (place / "mlflow.json").write_bytes(receipt)
    told = Tracked(sweep)
    told.begin()
    told.record(2, 5)
    told.finish()
    assert_whole()
    with contextlib.closing(sqlite3.connect("mlflow.db")) as connection:
        deleted = "SELECT COUNT(*) FROM runs WHERE lifecycle_stage = 'deleted' AND deleted_time > 0"
        assert connection.execute(deleted).fetchone() == (2,)


@pytest.mark.slow
def test_rows_of_versions_that_did_not_tell_the_number_are_replaced_too(sweep, database):
    Tracked(sweep).all()
    with contextlib.closing(sqlite3.connect("mlflow.db")) as connection, connection:
        connection.execute("DELETE FROM tags WHERE key = 'chainrule.job'")
    shutil.rmtree(sweep.place(3))
    chainrule.run(*OVERRIDES[3], "tracking=none", *SMALL, directory=sweep.place(3))
    synced()
    parents, children = active()
    assert (list(parents.values()), len(children)) == (["FINISHED"], RUNS)


def test_doubles_and_orphans_are_mended(sweep, database):
    """Two databases that were merged, or two machines that sent at once, may leave them."""
    Tracked(sweep).all()
    with contextlib.closing(sqlite3.connect("mlflow.db")) as connection, connection:
        ((parent,),) = connection.execute("SELECT run_uuid FROM tags WHERE key = 'chainrule.runs'").fetchall()
        kept = connection.execute("SELECT run_uuid FROM tags WHERE value = ?", [parent]).fetchmany(3)
        for number, run in enumerate((kept[0][0], parent)):
            for table in ("runs", "tags"):
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                values = ", ".join(f"'{number:032d}'" if name == "run_uuid" else name for name in columns)
                connection.execute(f"INSERT INTO {table} SELECT {values} FROM {table} WHERE run_uuid = ?", [run])
        connection.execute("UPDATE tags SET value = 'nobody' WHERE value = ? AND run_uuid = ?", [parent, kept[2][0]])
    synced()
    assert_whole()


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["*", "*/artifacts/weights.npz", "*/artifacts/MLmodel", "*/artifacts/manifest.json"])
def test_artifacts_that_are_lost_are_sent_again(sweep, database, lost):
    Tracked(sweep).all()
    for path in Path("mlartifacts").glob(lost):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    synced()
    assert_whole()


def test_a_file_that_was_cut_off_is_sent_again(sweep, database):
    Tracked(sweep).all()
    for path in Path("mlartifacts").glob("*/artifacts/curves.npz"):
        path.write_bytes(path.read_bytes()[:100])
    synced()
    assert_whole()


def test_a_sweep_that_is_interrupted_is_killed_and_runs_again_when_it_goes_on(sweep, database):
    told = Tracked(sweep)
    told.begin()
    told.record(0, 1)
    told.mlflow.sweep_interrupted(told.running)
    assert_whole("KILLED", range(2))
    told.begin()
    assert_whole("RUNNING", range(2))
    told.record(*range(2, RUNS))
    told.finish()
    assert_whole()


def test_a_sweep_that_was_killed_is_marked_by_sync_and_no_other(sweep, database):
    sweep.write(finished=None)
    told = Tracked(sweep)
    told.begin()
    told.record(0, 1)
    with chainrule.files.locks.exclusive(sweep.directory / ".sweep.lock", wait=0):
        synced()
        assert_whole("RUNNING")
    synced()
    assert_whole("KILLED")
    before = rows()
    synced()
    assert rows() == before


def rows(database="mlflow.db"):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return {t: sorted(map(repr, connection.execute(f"SELECT * FROM {t}"))) for t in ("runs", "tags", "metrics")}


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_locked_database_delays_records_only(sweep, database, mode, monkeypatch, caplog):
    monkeypatch.setattr(store, "BUSY", 0.1)
    with contextlib.closing(sqlite3.connect("mlflow.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("BEGIN EXCLUSIVE")
        Tracked(sweep).all()
        began = time.monotonic()
        with pytest.raises(ChainruleError, match=f"^{RUNS} records were not sent"):
            synced()
        assert time.monotonic() - began < 60  # some minutes if each record waited
    assert len(caplog.messages) == 1
    assert "locked" in caplog.text
    synced()
    assert_whole()


def test_a_database_that_is_locked_is_known_to_be_when_training_begins(database, monkeypatch):
    """So that the end of a run need not find it out."""
    monkeypatch.setattr(store, "BUSY", 0.1)
    place = store.Store.at(None)
    sending.look(place, "chainrule")
    with contextlib.closing(sqlite3.connect("mlflow.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(ChainruleError, match="locked"):
            sending.look(place, "chainrule")
    sending.look(place, "chainrule")


def test_a_disk_that_is_full_delays_records_only(sweep, database, caplog):
    """A limit of the size of files stands for it: writing fails in the same way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    told = Tracked(sweep)
    told.begin()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        told.record(*range(RUNS))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(caplog.messages) == 1
    synced()
    assert_whole()


@pytest.mark.parametrize("place", ["pipe", "s", "s/sweep.json/mlflow.db"])
def test_a_place_where_no_database_can_be_is_said_in_a_sentence(sweep, database, place, caplog):
    """What is in its place stays there."""
    os.mkfifo("pipe")
    Tracked(sweep, f"sqlite:///{Path(place).absolute()}").all()
    assert len(caplog.messages) == 1
    assert caplog.text.count("\n") == 1
    assert Path("pipe").is_fifo()
    synced()
    assert_whole()


@contextlib.contextmanager
def serving(answer):
    """A server that answers each request in a certain way; yields its address and the requests so far."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.command != "HEAD":  # by which it is found out whether there is a server
                asked.append(f"{self.command} {self.path.partition('?')[0]}")
            answer(self)

        do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815  # named by the library

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def respond(code):
    def answer(handler):
        body = json.dumps({"error_code": "INTERNAL_ERROR", "message": "broken"}).encode()
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def is_healthy(port):
    with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health", timeout=10):
        return True
    return False


def slowly(handler):
    time.sleep(0.4)
    respond(503)(handler)


def never(handler):
    time.sleep(600)


def garbage(handler):
    handler.wfile.write(b"\0garbage\r\n\r\n")


def closing(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)


ANSWERS = {
    "503": respond(503),
    "403": respond(403),
    "404": respond(404),
    "slow": slowly,
    "never": never,
    "garbage": garbage,
    "closing": closing,
}


@contextlib.contextmanager
def refusing():
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}", []


def server(name):
    return refusing() if name == "refusing" else serving(ANSWERS[name])


@pytest.mark.parametrize("name", ["refusing", *ANSWERS])
def test_sync_gives_a_server_up_after_its_first_refusal_and_says_it_once(sweep, name, monkeypatch, capsys):
    with server(name) as (address, asked):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        began = time.monotonic()
        with pytest.raises(ChainruleError, match=rf"^{RUNS} records were not sent\.$"):
            synced()
        assert time.monotonic() - began < 180  # several minutes if each record was tried, or was tried again
    assert len(set(asked)) <= 1
    said = capsys.readouterr().err.splitlines()
    (line,) = (line for line in said if not line.endswith(" records"))  # how far it is, on a slow machine
    assert line.startswith(f"chainrule: MLflow at {address} failed: ")


@pytest.mark.parametrize("name", one_in(4, ["refusing", "503", "slow", "never"]))
def test_training_waits_for_no_server_and_has_the_same_bits(sweep, name, monkeypatch, tmp_path):
    monkeypatch.setattr(aside, "_LEAST", 0.2)
    with server(name) as (address, _):
        began = time.monotonic()
        run = chainrule.run(*OVERRIDES[3], f"tracking.uri={address}", *SMALL, directory="run")
        own = time.monotonic() - began
    assert own < 60  # of which the client's import takes most, on a machine that is busy; minutes if it waited
    assert any(f"chainrule sync {tmp_path / 'run'}" in link for link in run.links.values())
    before = read_record(sweep.place(3))
    for name in ("weights.npz", "curves.npz"):
        assert run.record.manifest.files[name] == before.manifest.files[name]


@pytest.mark.slow  # a process of its own
def test_a_tracker_that_hangs_ends_with_its_process():
    """Neither does the process wait for it at its end."""
    with serving(never) as (address, _):
        environment = {**os.environ, "MLFLOW_HTTP_REQUEST_TIMEOUT": "100"}
        words = [sys.executable, "-m", "chainrule", *SMALL, f"tracking.uri={address}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=90, env=environment, check=False)
        assert done.returncode == 0, done.stderr
    assert "chainrule sync" in done.stdout + done.stderr  # it takes long; or, where training does, it has not answered
    (record,) = Path("outputs").rglob("manifest.json")
    assert read_record(record.parent).is_intact()


class Server:
    """A real server of MLflow on a database of its own."""

    def __init__(self, folder, prepared):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        folder.mkdir()
        self.folder, self.database = folder, folder / "mlflow.db"
        self.address = f"http://127.0.0.1:{self.port}"
        shutil.copy(prepared, self.database)

    def start(self):
        words = ["-m", "mlflow", "server", "--workers=1", "--host=127.0.0.1", f"--port={self.port}"]
        places = [f"--backend-store-uri=sqlite:///{self.database}", f"--artifacts-destination={self.folder / 'files'}"]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # ten processes that nobody needs
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(
            [sys.executable, *words, *places], env=environment, start_new_session=True, **silent
        )
        wait_until(lambda: is_healthy(self.port))

    def signal(self, number):
        """Send a signal to all of its processes."""
        os.killpg(self.process.pid, number)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait()

    def assert_whole(self):
        """It has each record once, with its files, beneath the one row of the sweep."""
        parents, children = active(self.database)
        assert list(parents.values()) == ["FINISHED"]
        assert Counter(int(tags["chainrule.job"]) for _, tags, _ in children) == dict.fromkeys(range(RUNS), 1)
        for run, tags, status in children:
            assert (tags["mlflow.parentRunId"], status) == (next(iter(parents)), "FINISHED")
            (folder,) = self.folder.glob(f"files/*/{run}/artifacts")
            assert len(list(folder.iterdir())) >= 5


@pytest.fixture
def real(database, tmp_path):
    server = Server(tmp_path / "server", database)
    server.start()
    yield server
    server.kill()


def waits(monkeypatch, seconds):
    """Let the tracker wait so long for an answer, and for no server that has not answered."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", str(seconds))
    monkeypatch.setattr(store, "_ANSWER", float(seconds))
    monkeypatch.setattr(tracker, "_paused_until", {})


@pytest.mark.slow  # starts a server
def test_a_real_server_that_is_stopped_and_goes_on_has_each_record_once(sweep, real, monkeypatch):
    waits(monkeypatch, 20)
    told = Tracked(sweep, real.address)
    told.begin()
    told.record(0, 1)
    real.signal(signal.SIGSTOP)
    for number in (2, 3):
        waits(monkeypatch, 1)
        told.record(number)
    real.signal(signal.SIGCONT)
    waits(monkeypatch, 20)
    told.record(4)
    told.mlflow.sweep_interrupted(told.running)
    assert list(active(real.database)[0].values()) == ["KILLED"]
    shutil.rmtree(sweep.place(0))
    chainrule.run(*OVERRIDES[0], "tracking=none", *SMALL, directory=sweep.place(0))
    shutil.rmtree(real.folder / "files" / "1" / active(real.database)[1][0][0], ignore_errors=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", real.address)
    for _ in range(2):
        synced()
        real.assert_whole()


@pytest.mark.slow  # starts a server twice
def test_a_real_server_that_is_killed_while_it_is_told_has_each_record_once(sweep, real, monkeypatch):
    waits(monkeypatch, 20)
    told = Tracked(sweep, real.address)
    told.begin()
    told.record(0)

    def kill():
        wait_until(lambda: len(active(real.database)[1]) >= 2)
        real.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    told.record(*range(1, 6))
    killer.join()
    assert 2 <= len(active(real.database)[1]) < 6, "it was killed in the middle"
    told.record(6, 7)
    told.finish()
    assert list(active(real.database)[0].values()) == ["RUNNING"]
    real.start()
    waits(monkeypatch, 20)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", real.address)
    for _ in range(2):
        synced()
        real.assert_whole()


@pytest.mark.slow  # starts a server
@pytest.mark.usefixtures("apart")
def test_a_real_server_is_told_by_a_process_of_its_own(sweep, real, monkeypatch, tmp_path):
    waits(monkeypatch, 60)
    monkeypatch.setattr(live, "_AFTER", 0.0)
    monkeypatch.setattr(live, "_EVERY", 0.1)
    told, database = Tracked(sweep, real.address), real.database
    told.all()
    told.mlflow.sweep_interrupted(told.running)
    parents, children = active(database)
    assert list(parents.values()) == ["KILLED"]
    assert Counter(int(tags["chainrule.job"]) for _, tags, _ in children) == dict.fromkeys(range(RUNS), 1)
    assert {status for _, _, status in children} == {"FINISHED"}
    curves = Curves(np.arange(5), {"train/loss": np.ones(5)})
    begun = Begun(tmp_path, "long", datetime.now(UTC), 5, lambda: curves)
    told.mlflow.run_started(begun)
    wait_until(lambda: (tmp_path / live.NOTE).exists() and points(database) == 5)
    told.mlflow.run_interrupted(begun)
    wait_until(lambda: [status for _, tags, status in active(database)[1] if "chainrule.live" in tags] == ["KILLED"])
    process = apart._helper._process
    apart.end()
    assert process.returncode == -signal.SIGKILL


def points(database):
    """How many points of curves there are of runs that have no record."""
    live_runs = "SELECT run_uuid FROM tags WHERE key = 'chainrule.live'"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(f"SELECT count(*) FROM metrics WHERE run_uuid IN ({live_runs})").fetchone()[0]


@pytest.mark.slow  # sixteen processes on a few cores
def test_sixteen_processes_share_a_fresh_database(tmp_path, extent):
    (tmp_path / "pyproject.toml").touch()
    number = extent(few=4, ci=6, all=16)
    arguments = ["-m", "chainrule", "-m", "training.epochs=2", "seed=range(3)"]
    for done in forking.at_once([[*arguments, f"hydra.sweep.dir=s{n}"] for n in range(number)]):
        assert done.returncode == 0, done.stdout + done.stderr
    for n in range(number):
        sync.main([f"s{n}"])
    parents, children = active()
    assert list(parents.values()) == ["FINISHED"] * number
    beneath = Counter((tags["mlflow.parentRunId"], tags["chainrule.job"]) for _, tags, _ in children)
    assert beneath == {(parent, str(job)): 1 for parent in parents for job in range(3)}


@pytest.mark.slow  # two sweeps in processes of their own
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_is_ended_by_a_signal_is_killed_in_mlflow(database, how):
    epochs = ["training.epochs=100000", "training.batch_size=16", "hydra.launcher.stack=1", "hydra.launcher.workers=1"]
    process = started("-m", *epochs, "seed=range(4)", "hydra.sweep.dir=s", path=None)
    wait_until(lambda: active()[0])
    os.killpg(process.pid, how)
    process.communicate(timeout=120)
    if how == signal.SIGKILL:
        assert list(active()[0].values()) == ["RUNNING"]
        chainrule.run(*SMALL, directory="s/0")
        command("sync", "s")
    assert list(active()[0].values()) == ["KILLED"]
