"""What those who watch runs are told: progress bars, pictures, trackers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainrule.records import Record
    from chainrule.results import Result


@dataclass(frozen=True)
class Session:
    """The circumstances in which runs are watched.

    Attributes:
        interactive: whether a person sees a terminal (as opposed to a file or a pipe).
        quiet: whether nothing is to be printed, as in a notebook.
    """

    interactive: bool
    quiet: bool = False


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


class Watcher:
    """Base of everything that watches runs; each method may be left out. An error in a watcher never stops a run."""

    def stack_started(self, start: Start) -> None:
        """Training is about to begin."""

    def epochs_recorded(self, progress: Progress) -> None:
        """One more point of the curves is known."""

    def run_trained(self, result: Result, directory: Path) -> None:
        """A run has ended; images written to ``directory/pictures`` now (``*.png``) become part of its record."""

    def run_recorded(self, record: Record) -> None:
        """A run's record is complete on disk; ``record.links`` may be given what the person can open next."""

    def finished(self, records: Sequence[Record]) -> None:
        """All runs of the session are recorded."""
