"""The watcher that prints progress and summaries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import counted
from chainrule.records.run import Record
from chainrule.records.sweep import Sweep
from chainrule.registry.watching import Progress, Start, SweepProgress, Watcher
from chainrule_console import lines, summary
from chainrule_console import sweep as sweeps

if TYPE_CHECKING:  # rich is imported only when there is a terminal
    from rich.console import Console as Terminal

    from chainrule_console.bar import Bar, SweepBar
    from chainrule_console.display import StackLine, SweepLine


class Console(Watcher):
    """Shows notes, progress and a summary on the standard output.

    Args:
        interactive: whether a person sees a terminal; else plain lines are printed.
        terminal: a rich console to use instead of the standard output, where ``interactive``.
        notebook: whether a person sees a notebook: then there is no summary, because results show themselves.
    """

    def __init__(self, interactive: bool, terminal: Terminal | None = None, notebook: bool = False) -> None:
        self._interactive = interactive and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
        self._terminal, self._notebook = terminal, notebook
        self._shown: Bar | lines.Lines | StackLine | None = None
        self._sweep: SweepBar | lines.SweepLines | SweepLine | None = None
        self._notes: set[str] = set()

    def stack_started(self, start: Start) -> None:
        """Print notes that are new in this session, then begin to show progress."""
        self._close()
        self._say_new(start.notes)
        if self._notebook:
            from chainrule_console.display import StackLine

            self._shown = StackLine(start)
        elif self._interactive:
            from chainrule_console.bar import Bar

            self._shown = Bar(start, self._rich())
        else:
            self._shown = lines.Lines(start)

    def epochs_recorded(self, progress: Progress) -> None:
        """Show progress, if it is time to."""
        if self._shown:
            self._shown.show(progress)

    def finished(self, record: Record) -> None:
        """Print what became of the run and where to look."""
        self._close()
        if not self._notebook:
            self._say_all(summary.lines(record))

    def sweep_started(self, sweep: Sweep, notes: Sequence[str]) -> None:
        """Print notes that are new in this session, then begin to show progress."""
        self._say_new(notes)
        if self._sweep:  # a further part of the sweep that is shown
            return
        least = "at least " if sweep.comparison and sweep.comparison.until_decided else ""
        title = f"{least}{counted(sweep.planned, 'run')}: {sweep.title}"
        if self._notebook:
            from chainrule_console.display import SweepLine

            self._sweep = SweepLine(title)
        elif self._interactive:
            from chainrule_console.bar import SweepBar

            self._sweep = SweepBar(title, self._rich())
        else:
            self._sweep = lines.SweepLines(title)

    def sweep_progressed(self, progress: SweepProgress) -> None:
        """Show progress."""
        if self._sweep:
            self._sweep.show(progress)

    def sweep_finished(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        """Print the ranking, what failed and where to look."""
        self._close()
        if not self._notebook:
            self._say_all(sweeps.summary(sweep, outcomes))

    def _close(self) -> None:
        for shown in (self._shown, self._sweep):
            if shown:
                shown.close()
        self._shown = self._sweep = None

    def _say_new(self, notes: Iterable[str]) -> None:
        for note in dict.fromkeys(notes):
            if note not in self._notes:
                self._say(f"note: {note}")
                self._notes.add(note)

    def _say_all(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._say(text)

    def _say(self, text: str) -> None:
        if self._interactive:
            from chainrule_console.bar import say

            note, detail = text.startswith("note: "), text.startswith(" ")
            say(self._rich(), text, "" if note or detail else "bold", wrap=note)
        else:
            lines.say(text)

    def _rich(self) -> Terminal:
        if self._terminal is None:
            from rich.console import Console as Terminal

            self._terminal = Terminal()
        return self._terminal
