"""The tracker that sends records to MLflow."""

import logging
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from annotated_types import Len, doc

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import ChainruleError, RecordError
from chainrule.records.faults import Fault
from chainrule.records.run import Record
from chainrule.records.sweep import Sweep, read_sweep
from chainrule.records.tracked import TrackedRuns
from chainrule.registry.watching import Begun, Pages, Start, Tracker
from chainrule_mlflow import best, care, connections, contents, live, logged, pages, parents, reading, sending
from chainrule_mlflow.receipts import home, receipt
from chainrule_mlflow.store import Store

log = logging.getLogger(__name__)

_LATER = "not in MLflow yet"
_PAUSE = 60.0  # seconds without a further attempt after a failure, at first
_paused_until: dict[tuple[str, str], float] = {}
_pauses: dict[tuple[str, str], float] = {}  # the last pause: the next one is twice as long
_unsaid: dict[tuple[str, str], str] = {}  # what failed before there was anything to be sent later
_live: dict[Path, live.Live] = {}  # runs that are shown while they are trained


def _command(shown: Record | Sweep, place: str) -> str:
    """Return what opens the page of a run or a sweep in a database that has to be named, if there is a ``place``."""
    return shlex.join(["chainrule", "ui", str(shown.directory), *(["--allow", place] if place else [])])


def _points(runs: int) -> int:
    """Return how many points of a curve to send: the database of a large sweep would grow by gigabytes."""
    return contents.POINTS if runs <= 100 else 128 if runs <= 2000 else 32


@lru_cache(maxsize=1)
def _sweep_of(directory: Path, key: str, runs: int) -> Sweep:
    """Return the record of a sweep that has so many jobs by now; of thousands, reading takes a second."""
    return read_sweep(directory)


@dataclass(frozen=True)
class MLflow(Tracker, name="mlflow"):
    """Sends each record to MLflow as soon as it is complete; what cannot be sent is kept for later."""

    experiment: Annotated[str, Len(1, 500), doc("MLflow experiment that the runs belong to")] = "chainrule"
    uri: Annotated[
        str | None,
        doc("server or database; null: MLFLOW_TRACKING_URI, else mlflow.db in the project"),
    ] = None

    @property
    def named(self) -> str:
        """The server or the database, without a password, unless the environment names it, too."""
        own = Store.at(self.uri)
        return "" if own.uri == Store.at(None).uri else own.label

    def stack_started(self, start: Start) -> None:
        """Look for the store while the run trains: what is wrong with it is known when the run ends."""
        store = Store.at(self.uri)
        self._attempt(lambda: store.do(sending.look, store, self.experiment), None)

    def run_started(self, run: Begun) -> None:
        """Show its curves, if it takes longer than some seconds."""
        _live[run.directory] = live.Live(run, Store.at(self.uri), self.experiment)

    def run_interrupted(self, run: Begun) -> None:
        """Say that it was killed."""
        if run.directory in _live:
            _live.pop(run.directory).end(killed=True)

    def runs_recorded(self, records: Sequence[Record]) -> None:
        """Send the records, or say how to send them later."""
        for record in records:
            if record.directory in _live:
                _live.pop(record.directory).end()

        store = Store.at(self.uri)
        plain = [replace(each, directory=each.directory.absolute(), written=None, links={}) for each in records]

        def send() -> None:
            refused, links = store.do(self._sent, records if store.file else plain)
            for record, its in zip(records, links, strict=True):
                record.links.update(its)
            for error in filter(None, refused):
                log.warning("%s", error)

        if not self._attempt(send, records[0].directory):
            for record in records:
                record.links[_LATER] = f"chainrule sync {shlex.quote(str(record.directory))}"

    def sweep_started(self, sweep: Sweep, notes: Sequence[str]) -> None:
        """Make the run of the sweep, beneath which its runs are shown."""
        store = Store.at(self.uri)
        begin = parents.go_on, replace(sweep, links={}), store, home(sweep, store, self.experiment)
        self._attempt(lambda: store.do(*begin), sweep.directory)

    def sweep_interrupted(self, sweep: Sweep) -> None:
        """Say that the sweep does not run any more."""
        store = Store.at(self.uri)
        break_off = parents.break_off, replace(sweep, links={}), store, home(sweep, store, self.experiment)
        self._attempt(lambda: store.do(*break_off), sweep.directory)

    def sweep_trained(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        """Draw the best run while the report is written, if it is drawn in this process and not in that of a server."""
        if Store.at(self.uri).file:
            best.draw_early(outcomes)

    def sweep_finished(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        """Write the ranking of the sweep into its run, and say where to see it."""

        def send() -> None:
            sweep.links.update(Store.at(self.uri).do(self._sent_sweep, replace(sweep, links={}), outcomes))

        if not self._attempt(send, sweep.directory):
            sweep.links[_LATER] = f"chainrule sync {shlex.quote(str(sweep.directory))}"
        best.forget(sweep.directory)

    def _sent(self, records: Sequence[Record]) -> tuple[list[RecordError | None], list[dict[str, str]]]:
        """Send records; return why some cannot be sent, and the links of each."""
        return self.send_all(records), [record.links for record in records]

    def _sent_sweep(self, sweep: Sweep, outcomes: SweepOutcomes) -> dict[str, str]:
        """Send the outcomes of a sweep, and return its links."""
        self.send_sweep(sweep, outcomes)
        return sweep.links

    def send_sweep(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        """Write the ranking of a sweep into its run; the links to it are left in ``sweep.links``.

        A sweep that broke off is killed: without a ranking, because it may go on.

        Raises:
            ChainruleError: it cannot be sent.
        """
        store = Store.at(self.uri)
        experiment = home(sweep, store, self.experiment)
        if sweep.manifest.finished:
            there = parents.finish(sweep, outcomes, store, experiment)
            sweep.links.update(store.sweep_links(*there, _command(sweep, self.named)))
        else:
            sweep.links.update(store.links(*parents.break_off(sweep, store, experiment), _command(sweep, self.named)))

    def links(self, record: Record) -> dict[str, str]:
        """Return where MLflow shows a record, from the receipt beside it."""
        store = Store.at(self.uri)
        there = receipt(record, store)
        return store.links(*there, _command(record, self.named)) if there else {}

    def sweep_links(self, sweep: Sweep, outcomes: SweepOutcomes) -> dict[str, str]:
        """Return where MLflow shows a sweep, if its store is a SQLite file; a server is not asked."""
        store = Store.at(self.uri)
        there = parents.found(sweep, outcomes, store)
        return store.sweep_links(*there, _command(sweep, self.named)) if there else {}

    def pages(self, shown: Record | Sweep | None, port: int) -> Pages:
        """Return the pages of MLflow, with the command that starts its server for a database.

        Raises:
            ChainruleError: what is to be shown was not sent, or the store has no pages.
        """
        return pages.of(Store.at(self.uri), self.experiment, shown, port)

    def forget(self, records: Sequence[Record]) -> int:
        """Delete the runs of records in MLflow, which keeps what is deleted until ``mlflow gc``.

        Raises:
            ChainruleError: the store failed.
        """
        return care.forget(Store.at(self.uri), self.experiment, [contents.key(record.manifest) for record in records])

    def forget_sweep(self, sweep: Sweep) -> int:
        """Delete the run of a sweep, likewise."""
        return care.forget(Store.at(self.uri), self.experiment, [sweep.manifest.key])

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong with runs of chainrule in the store.

        Raises:
            ChainruleError: the store failed.
        """
        return care.faults(Store.at(self.uri))

    def read(self, experiment: str) -> TrackedRuns:
        """Return the runs of an experiment that are not deleted, whoever made them.

        Raises:
            ChainruleError: there is no such experiment, or the store failed.
        """
        return reading.read(Store.at(self.uri), experiment)

    def _attempt(self, send: Callable[[], None], directory: Path | None) -> bool:
        """Send something, or warn that it cannot be, once in a while; return whether it was sent.

        Args:
            send: sends it.
            directory: of the records that can be sent later; None if there are none yet.
        """
        place = Store.at(self.uri).uri, self.experiment
        if time.monotonic() >= _paused_until.get(place, 0.0):
            try:
                send()
            except ChainruleError as error:
                _pauses[place] = 2 * _pauses.get(place, _PAUSE / 2)
                _paused_until[place] = time.monotonic() + _pauses[place]
                _unsaid[place] = str(error)
            else:
                _pauses.pop(place, None)
                _unsaid.pop(place, None)
                return True
        if directory and place in _unsaid:
            hint = f"chainrule sync {shlex.quote(str(directory))}"
            message = "%s Nothing is lost: `%s`, or one with a directory above it, sends it later."
            log.warning(message, _unsaid.pop(place), hint)
        return False

    def send(self, record: Record) -> None:
        """Send a record that may have been made long ago; sending one again changes nothing.

        If its run was deleted in MLflow, the record is sent as a new run.

        Raises:
            RecordError: a file of it is missing or damaged, or MLflow refuses it.
            ChainruleError: it cannot be sent; the record stays as it is.
        """
        for error in self.send_all([record]):
            if error:
                raise error

    def send_all(self, records: Sequence[Record]) -> list[RecordError | None]:
        """Send records, those of a sweep beneath its run; return why some cannot be sent.

        Raises:
            ChainruleError: the store failed.
        """
        store = Store.at(self.uri)
        with connections.held(store.file) if store.file else nullcontext():
            return self._send_all(records, store)

    def _send_all(self, records: Sequence[Record], store: Store) -> list[RecordError | None]:
        refused: dict[Path, RecordError] = {}
        place = self.named
        live.adopt(records, store)
        by_sweep: dict[str, list[Record]] = {}
        for record in records:
            by_sweep.setdefault(record.member.key if record.member else "", []).append(record)
        for part in by_sweep.values():
            member, experiment, parent = part[0].member, self.experiment, None
            if member:
                sweep = _sweep_of(member.directory, member.key, member.runs)
                experiment = home(sweep, store, experiment)
                parent = parents.begin(sweep, store, experiment)[1]
            points = _points(member.runs) if member else contents.POINTS
            sent = sending.send_many(part, store, experiment, parent, points)
            for record, there in zip(part, sent, strict=True):
                if isinstance(there, RecordError):
                    refused[record.directory] = there
                else:
                    if member is None:
                        logged.ensure(record, store, experiment, there[1])
                    record.links.update(store.links(*there, _command(record, place)))
                    record.links.pop(_LATER, None)
        return [refused.get(record.directory) for record in records]
