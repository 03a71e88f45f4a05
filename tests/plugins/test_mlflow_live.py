"""A run that takes long is seen in MLflow while it is trained, and is one run there whatever becomes of it."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest

import chainrule
from broken_off import Breaks
from chainrule.engine.curves import Curves
from chainrule.notebook import running
from chainrule.records.run import read_record
from chainrule.registry import aside
from chainrule.registry.watching import Begun, Watcher, Watchers
from chainrule_mlflow import bulk, live
from chainrule_mlflow.store import Store
from chainrule_mlflow.tracker import MLflow
from processes import wait_until

SMALL = ["training.epochs=6", "training.measure_every=1", "data.samples=40", "training.batch_size=8"]


def rows(database):
    """Status, and number of points and of steps, of each run that is not deleted."""
    query = (
        "SELECT status, (SELECT count(*) FROM metrics m WHERE m.run_uuid = r.run_uuid AND key = 'train/loss'),"
        " (SELECT count(DISTINCT step) FROM metrics m WHERE m.run_uuid = r.run_uuid AND key = 'train/loss')"
        " FROM runs r WHERE lifecycle_stage = 'active'"
    )
    with closing(sqlite3.connect(database)) as opened:
        return opened.execute(query).fetchall()


class Waits(Watcher):
    """Lets a run wait at an epoch until something is so."""

    def __init__(self, epoch, condition):
        self._epoch, self._condition = epoch, condition

    def epochs_recorded(self, progress):
        if progress.epoch == self._epoch:
            wait_until(self._condition)


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(live, "_AFTER", 0.0)
    monkeypatch.setattr(live, "_EVERY", 0.1)


def trained(monkeypatch, *watchers):
    with monkeypatch.context() as patch:
        for name in ("_QUICK", "_LEAST"):
            patch.setattr(aside, name, 120.0)  # whatever else this machine does
        patch.setattr(running, "Watchers", lambda own: Watchers([*own, *watchers]))
        return chainrule.run(*SMALL, directory="run")


@pytest.mark.usefixtures("soon")
def test_its_curves_are_seen_while_it_is_trained_and_each_point_is_there_once(monkeypatch, database):
    seen = []

    def is_there():
        seen[:] = rows(database)
        return bool(seen) and seen[0][1] >= 3

    trained(monkeypatch, Waits(3, is_there))
    assert [status for status, *_ in seen] == ["RUNNING"]
    assert rows(database) == [("FINISHED", 7, 7)]
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("SELECT count(*) FROM tags WHERE key = 'chainrule.live'").fetchone() == (0,)
    assert not (read_record(chainrule.load("run").record.directory).directory / live.NOTE).exists()


@pytest.mark.usefixtures("soon")
def test_a_run_that_is_interrupted_is_killed_and_the_same_when_it_has_gone_on(monkeypatch, database):
    with pytest.raises(KeyboardInterrupt):
        trained(monkeypatch, Waits(3, lambda: rows(database)), Breaks(4))
    wait_until(lambda: rows(database)[0][0] != "RUNNING")  # on a machine that is busy
    assert [status for status, *_ in rows(database)] == ["KILLED"]
    chainrule.run(*SMALL, directory="run")
    assert rows(database) == [("FINISHED", 7, 7)]


def test_a_short_run_is_not_shown_before_it_has_ended(monkeypatch, database):
    seen = []
    trained(monkeypatch, Waits(6, lambda: seen.append(rows(database)) or True))
    assert seen == [[]]
    assert [status for status, *_ in rows(database)] == ["FINISHED"]


@pytest.mark.usefixtures("soon")
def test_no_more_points_are_sent_than_are_drawn(tmp_path, database):
    values = {"train/loss": np.linspace(1, 0, 10_001)}
    values["train/loss"][5] = np.nan
    curves = Curves(np.arange(10_001), values)
    shown = live.Live(Begun(tmp_path, "long", datetime.now(UTC), 10_000, lambda: curves), Store.at(None), "chainrule")
    wait_until(lambda: rows(database) and rows(database)[0][1] > 300)
    shown.end()
    ((status, points, steps),) = rows(database)
    assert (status, points) == ("RUNNING", steps)
    assert 300 < steps <= 322


@pytest.mark.usefixtures("soon")
def test_a_store_that_fails_is_no_trouble(tmp_path):
    begun = Begun(tmp_path, "run", datetime.now(UTC), 10, lambda: Curves(np.arange(1), {}))
    tracker = MLflow(uri="http://127.0.0.1:9")
    tracker.run_started(begun)
    began = time.monotonic()
    tracker.run_interrupted(begun)
    assert time.monotonic() - began < 5
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("soon")
def test_a_run_that_a_kill_has_left_before_it_was_there_is_shown_as_another(tmp_path, database):
    """The file that names it is written first, so that nothing is in MLflow of which nobody knows whose it is."""
    curves = Curves(np.arange(3), {"train/loss": np.ones(3)})
    note = {"tracking_uri": Store.at(None).label, "run_id": "0" * 32, "epoch": -1}
    (tmp_path / live.NOTE).write_text(json.dumps(note))
    shown = live.Live(Begun(tmp_path, "run", datetime.now(UTC), 3, lambda: curves), Store.at(None), "chainrule")
    wait_until(lambda: rows(database) == [("RUNNING", 3, 3)])
    shown.end(killed=True)
    wait_until(lambda: rows(database) == [("KILLED", 3, 3)])
    assert json.loads((tmp_path / live.NOTE).read_text())["run_id"] != "0" * 32


@pytest.mark.usefixtures("soon")
def test_a_database_needs_no_client(monkeypatch, database):
    def refuse(self):
        raise AssertionError("the client was used")

    monkeypatch.setattr(Store, "opened", refuse)
    trained(monkeypatch, Waits(3, lambda: rows(database)))
    assert rows(database) == [("FINISHED", 7, 7)]


@pytest.mark.usefixtures("soon")
def test_a_database_of_another_version_is_told_by_the_client(monkeypatch, database):
    monkeypatch.setattr(bulk, "REVISIONS", frozenset())
    trained(monkeypatch, Waits(3, lambda: bool(rows(database)) and rows(database)[0][1] >= 3))
    assert rows(database) == [("FINISHED", 7, 7)]
