"""The run in MLflow of a record that is not there yet: curves while it is trained, killed where it breaks off.

A thread of its own sends a batch every few seconds, so that training never waits. What it cannot send is in the record
later. A file beside the run says which run in MLflow is its own, so that the record becomes that run, whoever sends it.
"""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.files.atomic import write_whole
from chainrule.files.reading import read_within
from chainrule.records.environment import environment
from chainrule.records.run import Record
from chainrule.registry.watching import Begun
from chainrule_mlflow import bulk, client, contents, sending
from chainrule_mlflow.store import KIND, Store

NOTE = ".mlflow-live.json"
_AFTER = 10.0  # seconds of training before a run is made: shorter ones are there at once when they end
_EVERY = 5.0  # seconds between two batches
_BRIEF = 0.5  # seconds to wait for the thread where the process is about to end
_LONG = 20.0  # and where the record is sent next
_MOST = 4096  # bytes of the note


@dataclass(frozen=True)
class _Shown:
    """One run that is shown.

    Attributes:
        directory: of its record.
        title: its name.
        start: milliseconds since 1970 when its training began.
        store: where it is shown.
        experiment: name of the experiment there.
    """

    directory: Path
    title: str
    start: int
    store: Store
    experiment: str

    @property
    def note(self) -> dict[str, Any]:
        """What the file beside it says; empty if there is none."""
        return _note(self.directory, self.store)

    @property
    def tags(self) -> dict[str, str]:
        """Those that it has before there is a record."""
        own = {contents.LIVE: "true", KIND: "run", contents.PLACE: str(self.directory)}
        return {**own, "mlflow.user": environment()["user"]}

    def remember(self, run_id: str, epoch: int) -> None:
        """Write down which run it is, and up to which epoch its curves were sent."""
        note = {"tracking_uri": self.store.label, "run_id": run_id, "epoch": epoch}
        write_whole(self.directory / NOTE, json.dumps(note).encode(), synced=False)


class _InDatabase:
    """Shows a run in a SQLite file, without MLflow's client.

    Args:
        shown: the run.
        file: the database.
        place: the experiment in it.
    """

    def __init__(self, shown: _Shown, file: Path, place: bulk.Experiment) -> None:
        self._shown, self._file, self._place = shown, file, place

    def begin(self) -> tuple[str, int]:
        """Return the run and the last epoch that was sent: that of an earlier part, or a new one."""
        shown, note = self._shown, self._shown.note
        with shown.store.explained():
            if note and bulk.with_ids(self._file, [note["run_id"]]):
                bulk.set_status(self._file, note["run_id"], "RUNNING", None)
                return note["run_id"], int(note["epoch"])
            run_id = uuid4().hex
            shown.remember(run_id, -1)  # first, so that no run is there of which nobody knows whose it is
            run = contents.Run(shown.title, shown.start, None, "RUNNING", shown.tags, {}, [], {}, {})
            if not bulk.write(self._file, self._place, {run_id: run}):
                raise ChainruleError(f"{self._file} has changed.")
        return run_id, -1

    def add(self, run_id: str, points: Sequence[contents.Point]) -> None:
        with self._shown.store.explained():
            if not bulk.add(self._file, run_id, points):
                raise ChainruleError(f"{run_id} is not there any more.")

    def end(self, run_id: str, status: str) -> None:
        with self._shown.store.explained():
            bulk.set_status(self._file, run_id, status, int(1000 * time.time()))


@dataclass(frozen=True)
class _ByClient:
    """Shows a run by MLflow's client, in the process that has it.

    Attributes:
        shown: the run.
    """

    shown: _Shown

    def begin(self) -> tuple[str, int]:
        """Return what that of a database returns."""
        found: tuple[str, int] = self.shown.store.do(self.begin_here)
        return found

    def add(self, run_id: str, points: Sequence[contents.Point]) -> None:
        self.shown.store.do(self.add_here, run_id, points)

    def end(self, run_id: str, status: str) -> None:
        self.shown.store.do(self.end_here, run_id, status)

    def begin_here(self) -> tuple[str, int]:
        shown, note = self.shown, self.shown.note
        with shown.store.opened() as mlflow:
            if note:
                mlflow.update_run(note["run_id"], status="RUNNING")
                return note["run_id"], int(note["epoch"])
            experiment_id = client.experiment_of(mlflow, shown.store, shown.experiment)
            run = mlflow.create_run(experiment_id, start_time=shown.start, tags=shown.tags, run_name=shown.title)
            shown.remember(str(run.info.run_id), -1)
            return str(run.info.run_id), -1

    def add_here(self, run_id: str, points: Sequence[contents.Point]) -> None:
        with self.shown.store.opened() as mlflow:
            client.log_points(mlflow, run_id, points)

    def end_here(self, run_id: str, status: str) -> None:
        with self.shown.store.opened() as mlflow:
            mlflow.set_terminated(run_id, status)


class Live:
    """Shows one run in MLflow while it is trained.

    Args:
        begun: the run.
        store: where it is shown.
        experiment: name of the experiment there.
    """

    def __init__(self, begun: Begun, store: Store, experiment: str) -> None:
        start = int(1000 * begun.started.timestamp())
        title = contents.cut(begun.title, contents.NAME)
        self._begun = begun
        self._shown = _Shown(begun.directory.absolute(), title, start, store, experiment)
        self._stop, self._status = threading.Event(), ""
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._show,), name="chainrule live curves", daemon=True
        )
        self._thread.start()

    def end(self, killed: bool = False) -> None:
        """End showing it; if it was interrupted, say so, which may take no longer than half a second."""
        self._status = "KILLED" if killed else ""
        self._stop.set()
        self._thread.join(_BRIEF if killed else _LONG)

    def _show(self) -> None:
        if self._stop.wait(_AFTER) and not (self._status and self._shown.note):
            return
        # The record is sent by others, who say what is wrong; and a full disk must not end anything.
        with suppress(ChainruleError, OSError):
            by = self._way()
            run_id, last = by.begin()
            while True:
                points, now = self._new(last)
                if points:
                    by.add(run_id, points)
                    self._shown.remember(run_id, now)
                    last = now
                if self._stop.wait(_EVERY):
                    break
            if self._status:
                by.end(run_id, self._status)

    def _way(self) -> _InDatabase | _ByClient:
        store = self._shown.store
        place = sending.place_of(store, self._shown.experiment)
        return _InDatabase(self._shown, store.file, place) if store.file and place else _ByClient(self._shown)

    def _new(self, last: int) -> tuple[list[contents.Point], int]:
        """Return the points after an epoch, as many as are drawn, and the last epoch of them."""
        curves, now = self._begun.curves(), int(1000 * time.time())
        gap = max(1.0, self._begun.epochs / contents.POINTS)
        chosen = []
        for place, epoch in enumerate(curves.epochs.tolist()):
            if epoch > last and (last < 0 or epoch // gap != last // gap):
                chosen.append((place, epoch))
                last = epoch
        points = [
            (contents.legal(name), float(values[place]), now, epoch)
            for place, epoch in chosen
            for name, values in curves.values.items()
            if np.isfinite(values[place])
        ]
        return points, last


def adopt(records: Sequence[Record], store: Store) -> None:
    """Let the runs that were shown while records were made be those of the records, which are sent next.

    Raises:
        ChainruleError: the store failed.
    """
    for record in records:
        if record.member:
            continue
        with suppress(OSError):  # in a folder that may only be read
            (record.directory / f".{NOTE}.tmp").unlink(missing_ok=True)  # which a kill may have left
        note = _note(record.directory, store)
        if not note:
            continue
        key = contents.key(record.manifest)
        with store.explained():
            known = store.file and bulk.supports(store.file) and bulk.claim(store.file, note["run_id"], key)
        if not known:
            _adopt(note["run_id"], key, store)
        (record.directory / NOTE).unlink(missing_ok=True)


def _adopt(run_id: str, key: str, store: Store) -> None:
    with store.opened() as mlflow:
        from mlflow.exceptions import MlflowException

        with suppress(MlflowException):  # somebody has deleted it
            mlflow.set_tag(run_id, contents.KEY, key)
            mlflow.update_run(run_id, status="RUNNING")


def _note(directory: Path, store: Store) -> dict[str, Any]:
    """Return what the file beside a run says, if it is about this store; else nothing."""
    try:
        note = json.loads(read_within(directory, NOTE, _MOST))
    except (OSError, ValueError, RecursionError):
        return {}
    is_ours = isinstance(note, dict) and note.get("tracking_uri") == store.label
    return note if is_ours and isinstance(note.get("run_id"), str) and isinstance(note.get("epoch"), int) else {}
