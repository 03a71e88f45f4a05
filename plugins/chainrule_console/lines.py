"""Progress as plain lines, for files and pipes."""

import sys
import time
from collections.abc import Callable

from chainrule.errors import counted
from chainrule.registry.watching import Progress, Start, SweepProgress
from chainrule_console import sweep, words

_PARTS = 10
_EVERY = 10.0  # seconds between two lines while records are read


class Lines:
    """Prints a line when a stack starts, after every tenth of its epochs, and when its last run stops."""

    def __init__(self, start: Start) -> None:
        self._epochs, self._stacked = start.epochs, len(start.titles) > 1
        self._part = 0  # the next tenth to report
        say(f"{words.title(start.titles)}: up to {counted(start.epochs, 'epoch')}")

    def show(self, progress: Progress) -> None:
        """Print a line if it is time for one."""
        if progress.epoch * _PARTS < self._part * self._epochs and progress.running:
            return
        self._part = progress.epoch * _PARTS // self._epochs + 1 if self._epochs else 1
        line = f"epoch {progress.epoch:>{len(str(self._epochs))}}/{self._epochs}  "
        if self._stacked:
            line += f"{progress.running} of {counted(len(progress.loss), 'run')} training  median "
        say(f"{line}loss {words.number(words.median(progress.loss))}")

    def close(self) -> None:
        """Do nothing: the lines stay."""


class SweepLines:
    """Prints a line after every tenth of a sweep, and at its end; while records are read, now and then."""

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._begin = clock, clock()
        self._part, self._due, self._told = 1, self._begin + _EVERY, 0
        say(title)

    def show(self, progress: SweepProgress) -> None:
        """Print a line if it is time for one."""
        if progress.checked:
            if self._clock() >= self._due:
                self._due = self._clock() + _EVERY
                say(sweep.status(progress, self._clock() - self._begin))
            return
        has_ended = progress.done == progress.runs != self._told  # all of it may be trained before all is recorded
        if progress.fraction * _PARTS >= self._part or has_ended:
            self._part, self._told = int(progress.fraction * _PARTS) + 1, progress.done
            say(sweep.status(progress, self._clock() - self._begin))

    def close(self) -> None:
        """Do nothing: the lines stay."""


def say(text: str) -> None:
    """Print a line at once, with escapes for characters that the standard output lacks."""
    print(words.printable(text, sys.stdout.encoding), flush=True)
