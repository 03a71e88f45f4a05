"""Progress as one line that changes, for notebooks; only there is IPython imported."""

import time
from collections.abc import Callable
from typing import Any

from chainrule.registry.watching import Progress, Start, SweepProgress
from chainrule_console import sweep, words

_LONG, _INTERVAL = 1.0, 0.2  # seconds after which a run has a line, and between two updates


class Line:
    """A line of text in the output of a cell."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Display the line, or replace it."""
        content = {"text/plain": text}
        if self._handle:
            self._handle.update(content, raw=True)
        else:
            from IPython.display import display

            self._handle = display(content, raw=True, display_id=True)


class StackLine:
    """Shows how far a stack is, if it takes a while; at its end the line says so and stays.

    Args:
        start: the stack.
        clock: seconds, from any start.
    """

    def __init__(self, start: Start, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._epochs = words.title(start.titles), start.epochs
        self._line, self._clock, self._due = Line(), clock, clock() + _LONG
        self._is_shown = False

    def show(self, progress: Progress) -> None:
        """Replace the line if it is time to; otherwise this takes less than a microsecond."""
        now = self._clock()
        if now < self._due and (progress.running or not self._is_shown):
            return
        self._due, self._is_shown = now + _INTERVAL, True
        which = "median loss" if len(progress.loss) > 1 else "loss"
        if len(progress.loss) > 1 and progress.running:
            which = f"{progress.running} still training, {which}"
        loss = words.number(words.median(progress.loss))
        self._line.show(f"{self._title}: epoch {progress.epoch}/{self._epochs}, {which} {loss}")

    def close(self) -> None:
        """Do nothing: the line stays."""


class SweepLine:
    """Shows how far a sweep is.

    Args:
        title: of the sweep.
    """

    def __init__(self, title: str) -> None:
        self._title, self._begin = title, time.monotonic()
        self._line = Line()

    def show(self, progress: SweepProgress) -> None:
        """Replace the line."""
        self._line.show(f"{self._title}; {sweep.status(progress, time.monotonic() - self._begin)}")

    def close(self) -> None:
        """Do nothing: the line stays."""
