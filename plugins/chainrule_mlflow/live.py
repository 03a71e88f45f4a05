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
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.files.atomic import write_whole
from chainrule.files.reading import read_within
from chainrule.records.environment import environment
from chainrule.records.run import Record
from chainrule.registry.watching import Begun
from chainrule_mlflow import client, contents
from chainrule_mlflow.store import KIND, Store

NOTE = ".mlflow-live.json"
_AFTER = 10.0  # seconds of training before a run is made: shorter ones are there at once when they end
_EVERY = 5.0  # seconds between two batches
_BRIEF = 0.5  # seconds to wait for the thread where the process is about to end
_MOST = 4096  # bytes of the note


class Live:
    """Shows one run in MLflow while it is trained.

    Args:
        begun: the run.
        store: where it is shown.
        experiment: name of the experiment there.
    """

    def __init__(self, begun: Begun, store: Store, experiment: str) -> None:
        self._begun, self._store, self._experiment = begun, store, experiment
        self._stop, self._status = threading.Event(), ""
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._show,), name="chainrule live curves", daemon=True
        )
        self._thread.start()

    def end(self, killed: bool = False) -> None:
        """End showing it; if it was interrupted, say so, which may take no longer than half a second."""
        self._status = "KILLED" if killed else ""
        self._stop.set()
        self._thread.join(_BRIEF if killed else 4 * _EVERY)

    def _show(self) -> None:
        if self._stop.wait(_AFTER) and not (self._status and self._note()):
            return
        # The record is sent by others, who say what is wrong; and a full disk must not end anything.
        with suppress(ChainruleError, OSError), self._store.opened() as mlflow:
            run_id, last = self._run(mlflow)
            while True:
                last = self._send(mlflow, run_id, last)
                if self._stop.wait(_EVERY):
                    break
            if self._status:
                mlflow.set_terminated(run_id, self._status)

    def _note(self) -> dict[str, Any]:
        return _note(self._begun.directory, self._store)

    def _run(self, mlflow: Any) -> tuple[str, int]:
        """Return the run in MLflow and the last epoch that was sent: that of an earlier part, or a new one."""
        begun, note = self._begun, self._note()
        if note:
            mlflow.update_run(note["run_id"], status="RUNNING")
            return note["run_id"], int(note["epoch"])
        run = mlflow.create_run(
            client.experiment_of(mlflow, self._store, self._experiment),
            start_time=int(1000 * begun.started.timestamp()),
            tags={
                contents.LIVE: "true",
                KIND: "run",
                "chainrule.record": str(begun.directory),
                "mlflow.user": environment()["user"],
            },
            run_name=contents.cut(begun.title, contents.NAME),
        )
        return str(run.info.run_id), -1

    def _send(self, mlflow: Any, run_id: str, last: int) -> int:
        """Send the points that are new, as many as are drawn, and return the last epoch."""
        from mlflow.entities import Metric

        curves, now = self._begun.curves(), int(1000 * time.time())
        gap = max(1.0, self._begun.epochs / contents.POINTS)
        chosen = []
        for place, epoch in enumerate(curves.epochs.tolist()):
            if epoch > last and (last < 0 or epoch // gap != last // gap):
                chosen.append((place, epoch))
                last = epoch
        metrics = [
            Metric(contents.legal(name), float(values[place]), now, epoch)
            for place, epoch in chosen
            for name, values in curves.values.items()
            if np.isfinite(values[place])
        ]
        for first in range(0, len(metrics), client.METRICS):
            mlflow.log_batch(run_id, metrics[first : first + client.METRICS], synchronous=True)
        if chosen:
            note = {"tracking_uri": self._store.label, "run_id": run_id, "epoch": last}
            write_whole(self._begun.directory / NOTE, json.dumps(note).encode(), synced=False)
        return last


def adopt(records: Sequence[Record], store: Store) -> None:
    """Let the runs that were shown while records were made be those of the records, which are sent next.

    Raises:
        ChainruleError: the store failed.
    """
    for record in records:
        note = None if record.member else _note(record.directory, store)
        if not note:
            continue
        with store.opened() as mlflow:
            from mlflow.exceptions import MlflowException

            with suppress(MlflowException):  # somebody has deleted it
                mlflow.set_tag(note["run_id"], contents.KEY, contents.key(record.manifest))
                mlflow.update_run(note["run_id"], status="RUNNING")
        (record.directory / NOTE).unlink(missing_ok=True)


def _note(directory: Path, store: Store) -> dict[str, Any]:
    """Return what the file beside a run says, if it is about this store; else nothing."""
    try:
        note = json.loads(read_within(directory, NOTE, _MOST))
    except (OSError, ValueError, RecursionError):
        return {}
    is_ours = isinstance(note, dict) and note.get("tracking_uri") == store.label
    return note if is_ours and isinstance(note.get("run_id"), str) and isinstance(note.get("epoch"), int) else {}
