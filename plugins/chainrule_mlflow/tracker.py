"""The trackers: MLflow, and none."""

import logging
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Predicate, doc

from chainrule.errors import ChainruleError
from chainrule.kinds import Tracker
from chainrule_mlflow import sending
from chainrule_mlflow.store import Store

if TYPE_CHECKING:
    from chainrule.records import Record

log = logging.getLogger(__name__)

_PAUSE = 60.0  # seconds without a further attempt after a failure: a dead server must not hold up each run of a sweep
_paused_until: dict[tuple[str, str], float] = {}


def _is_experiment_name(name: str) -> bool:
    return 0 < len(name) <= 500


@dataclass(frozen=True)
class MLflow(Tracker, name="mlflow"):
    """Sends each record to MLflow as soon as it is complete; what cannot be sent is kept for later."""

    experiment: Annotated[str, Predicate(_is_experiment_name), doc("MLflow experiment that the runs belong to")] = (
        "chainrule"
    )
    uri: Annotated[
        str | None,
        doc("server or database; null: MLFLOW_TRACKING_URI, else mlflow.db in the project"),
    ] = None

    def runs_recorded(self, records: Sequence["Record"]) -> None:
        """Send the records, or say how to send them later."""
        for record in records:
            self._send_or_keep(record)

    def _send_or_keep(self, record: "Record") -> None:
        store = Store.at(self.uri)
        place = store.uri, self.experiment
        if time.monotonic() >= _paused_until.get(place, 0.0):
            try:
                self.send(record)
                return
            except ChainruleError as error:
                _paused_until[place] = time.monotonic() + _PAUSE
                hint = f"chainrule sync {shlex.quote(str(record.directory))}"
                log.warning("%s Nothing is lost: `%s`, or a directory above it, sends it later.", error, hint)
        record.links["not in MLflow yet"] = f"chainrule sync {shlex.quote(str(record.directory))}"

    def send(self, record: "Record") -> None:
        """Send a record that may have been made long ago; sending one again changes nothing.

        Where the run is in the trash of MLflow, or gone from there, the record is sent as a new run.

        Raises:
            ChainruleError: it cannot be sent; the record stays as it is.
        """
        store = Store.at(self.uri)
        record.links.update(store.links(*sending.send(record, store, self.experiment)))
        record.links.pop("not in MLflow yet", None)


@dataclass(frozen=True)
class NoTracking(Tracker, name="none"):
    """Sends nothing."""
