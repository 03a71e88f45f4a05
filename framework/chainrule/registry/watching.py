"""Watchers of runs, such as progress bars, pictures and trackers, and what they are told."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import doc

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.components.contracts import Component
from chainrule.components.parameters import parameters
from chainrule.engine.curves import Curves
from chainrule.errors import ChainruleError, RecordError, is_of_disk, sentence
from chainrule.records.faults import Fault
from chainrule.records.result import Result
from chainrule.records.run import Record
from chainrule.records.sweep import Sweep
from chainrule.records.tracked import TrackedRuns

log = logging.getLogger(__name__)

AUTO, EVERY = "auto", "all"  # of pictures: those that fit the run, and all that can be drawn of it


@dataclass(frozen=True)
class Pictured:
    """``pictures``, the key that says what is drawn of a single run. It changes no number of the run."""

    pictures: Annotated[
        tuple[str, ...], doc("pictures of a single run: auto for those that fit it, all, names, or [] for none")
    ] = (AUTO,)


@dataclass(frozen=True)
class Session:
    """The circumstances in which runs are watched.

    Attributes:
        interactive: whether a person sees a terminal (as opposed to a file or a pipe).
        quiet: whether nothing is to be printed, as in a notebook.
        of_sweep: whether the runs belong to a sweep, whose own session reports to the person.
        notebook: whether the person sees a notebook, where what is displayed can be replaced.
        pictures: names of the pictures that the person wants of a run; what the key ``pictures`` says.
    """

    interactive: bool
    quiet: bool = False
    of_sweep: bool = False
    notebook: bool = False
    pictures: tuple[str, ...] = (AUTO,)


@dataclass(frozen=True)
class Start:
    """A stack is about to train.

    Attributes:
        titles: one line per run that says what it is.
        epochs: how many epochs it trains at most.
        notes: what the person should know before training, e.g. that a target cannot be reached.
    """

    titles: tuple[str, ...]
    epochs: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Begun:
    """A run that is trained alone, now.

    Attributes:
        directory: of its record, which is not there yet.
        title: one line that says what it is.
        started: when its training began, at first.
        epochs: how many epochs it trains at most.
        curves: returns its curves so far; may be called in any thread.
    """

    directory: Path
    title: str
    started: datetime
    epochs: int
    curves: Callable[[], Curves]


@dataclass(frozen=True)
class Progress:
    """A stack has recorded one more point of its curves.

    Attributes:
        epoch: epochs trained so far; 0 before the first.
        loss: training loss of every run of the stack, the last known for those that stopped; may be infinite or NaN.
        running: how many runs are still training.
    """

    epoch: int
    loss: tuple[float, ...]
    running: int


@dataclass(frozen=True)
class SweepProgress:
    """How far a sweep has come.

    Attributes:
        runs: how many there are in all.
        done: how many have ended, the failed ones included.
        running: how many are being trained now.
        failed: how many have raised an error.
        earlier: how many had ended before the sweep was resumed; 0 if it was not.
        best: the smallest final loss so far, or None.
        fraction: estimated part of the training that is done, from 0 to 1.
        checked: while a resumed sweep reads what is there, how many runs it has looked for; else 0.
    """

    runs: int
    done: int
    running: int
    failed: int
    earlier: int
    best: float | None
    fraction: float
    checked: int = 0


class Watcher:
    """Base class of watchers; each method may be left out. An error in a watcher never stops a run.

    Attributes:
        draws: names of the pictures that it can draw, of which ``session.pictures`` chooses.
        snapshots: how many points it wants of the trajectory of each run, ``result.trajectory``; 0 for none.
    """

    draws: tuple[str, ...] = ()
    snapshots: int = 0

    def stack_started(self, start: Start) -> None:
        """Training is about to begin."""

    def run_started(self, run: Begun) -> None:
        """A run that is trained alone has begun, or goes on. Not called for the runs of a stack."""

    def run_interrupted(self, run: Begun) -> None:
        """It breaks off, and the process is about to end: there is no time to lose."""

    def epochs_recorded(self, progress: Progress) -> None:
        """One more point of the curves is known."""

    def run_trained(self, result: Result, directory: Path) -> None:
        """A run has ended; images written to ``directory/pictures`` now become part of its record.

        They are ``NAME.png`` and ``NAME.gif``, or ``NAME-EPOCH.png`` if there is one for each of several epochs.
        """

    def runs_recorded(self, records: Sequence[Record]) -> None:
        """Records of some runs are complete on disk. A watcher may add to their ``links`` what to open next."""

    def finished(self, record: Record) -> None:
        """The only run of the session is recorded, and every watcher was told. Not called for runs of a sweep."""

    def sweep_started(self, sweep: Sweep, notes: Sequence[str]) -> None:
        """A sweep, or a further part of it, is about to begin; all of its jobs were checked."""

    def sweep_progressed(self, progress: SweepProgress) -> None:
        """Runs of a sweep have ended or advanced."""

    def sweep_trained(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        """All runs of a sweep have ended; its report is written now. What takes long can be begun here.

        A tracker is told so in one more thread, because it may just be told of the last records.
        """

    def sweep_finished(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        """All runs of a sweep have ended, and its report is there; a watcher may add what to open to ``sweep.links``.

        ``outcomes`` is a sequence of :class:`chainrule.Outcome` with what follows from them: ``ranking``,
        ``effects`` and ``comparison``.
        """

    def sweep_interrupted(self, sweep: Sweep) -> None:
        """A sweep breaks off before its runs have ended, and the process is about to end: there is no time to lose."""


@dataclass(frozen=True)
class Pages:
    """Where a tracker shows its runs in a browser.

    Attributes:
        title: of the program that shows them, for messages.
        address: of the server.
        links: pages by title; the first is the one to open.
        command: starts the server, which then runs until it is ended; empty where one runs already.
        environment: further variables for the command.
    """

    title: str
    address: str
    links: Mapping[str, str]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Tracker(Component, Watcher):
    """A watcher that is a component: it keeps runs where people compare them.

    It is told of events in a thread of its own, and training does not wait for it (see
    :mod:`chainrule.registry.aside`).
    """

    @property
    def named(self) -> str:
        """The server, or the file, that its parameters name; empty where only the person's environment names one.

        What a record of somebody else names is not contacted. Unless a tracker says better, it is named by whatever
        parameter has another value than its default.
        """
        known = parameters(type(self)).items()
        return ", ".join(f"{key}={getattr(self, key)}" for key, p in known if getattr(self, key) != p.default)

    def send(self, record: Record) -> None:
        """Send a record, which may be an old one; sending it again changes nothing.

        Raises:
            RecordError: the record itself is refused; others may be sent.
            ChainruleError: it cannot be sent; the record stays as it is.
        """

    def send_all(self, records: Sequence[Record]) -> list[RecordError | None]:
        """Send records, as :meth:`send` does one; a tracker that sends many faster at once has a method of its own.

        It refuses a record of which a file is missing or was changed.

        Returns:
            For each record, in order, why it is refused; None if it is there.

        Raises:
            ChainruleError: the tracker cannot be reached, so that sending further records is pointless.
        """
        refused: list[RecordError | None] = []
        for record in records:
            try:
                record.require_intact()
                self.send(record)
            except RecordError as error:
                refused.append(error)
            except ChainruleError:
                raise
            except (Exception, SystemExit) as error:  # whatever a tracker raises, the other records are sent
                refused.append(RecordError(sentence(error)))
            else:
                refused.append(None)
        return refused

    def send_sweep(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        """Send the outcomes of a sweep after its records; sending them again changes nothing.

        If the sweep has not finished, it broke off: no process is at work on it.

        Raises:
            ChainruleError: they cannot be sent.
        """

    def links(self, record: Record) -> dict[str, str]:
        """Return where a record that was sent earlier is shown, by title; nothing is sent, and no server is asked."""
        return {}

    def sweep_links(self, sweep: Sweep, outcomes: SweepOutcomes) -> dict[str, str]:
        """Return where a sweep that was sent earlier is shown, likewise."""
        return {}

    def pages(self, shown: Record | Sweep | None, port: int) -> Pages:
        """Return where a browser shows a run, a sweep, or all runs; nothing is started or sent.

        Args:
            shown: what the first page is about; None for all runs.
            port: of a server that is started.

        Raises:
            ChainruleError: there are no pages, or what is to be shown was not sent.
        """
        raise ChainruleError(f"tracking={self.name} has no pages that could be shown.")

    def forget(self, records: Sequence[Record]) -> int:
        """Remove the runs of records, and return how many there were; what is not there is no error.

        Raises:
            ChainruleError: the tracker cannot be reached.
        """
        return 0

    def forget_sweep(self, sweep: Sweep) -> int:
        """Remove what stands for a sweep itself, likewise."""
        return 0

    def faults(self) -> Iterable[Fault]:
        """Yield what is wrong with the place where runs are kept, and how to mend it; nothing is changed.

        Raises:
            ChainruleError: the tracker cannot be reached.
        """
        return ()

    def read(self, experiment: str) -> TrackedRuns:
        """Return the runs that the tracker keeps of an experiment, whoever made them; nothing is changed.

        Args:
            experiment: its name, or what else identifies it there.

        Raises:
            ChainruleError: there is no such experiment, or it cannot be read.
        """
        raise ChainruleError(f"tracking={self.name} keeps no runs that could be read.")


class Watchers:
    """Several watchers that cannot stop or alter a run: one that raises is reported and then left out.

    Args:
        watchers: told in this order.
    """

    def __init__(self, watchers: Iterable[Watcher]) -> None:
        self._watchers = list(watchers)

    @property
    def snapshots(self) -> int:
        """How many points of trajectories the watchers want; 0 for none."""
        wanted = [getattr(watcher, "snapshots", 0) for watcher in self._watchers]
        return max((number for number in wanted if isinstance(number, int)), default=0)

    def tell(self, event: str, *arguments: Any) -> None:
        """Call the method named ``event`` of every watcher."""
        for watcher in list(self._watchers):
            try:
                with np.errstate():  # a watcher may change this state, which training needs
                    getattr(watcher, event)(*arguments)
            except BrokenPipeError:  # the reader of the output has closed it
                self._watchers.remove(watcher)
            except (Exception, SystemExit) as error:
                self._watchers.remove(watcher)
                whose = f"{type(watcher).__module__}.{type(watcher).__qualname__}"
                if is_of_disk(error):
                    log.warning("%s failed in %s and is left out from now on: %s.", whose, event, sentence(error))
                else:
                    log.exception("%s failed in %s and is left out from now on", whose, event)
