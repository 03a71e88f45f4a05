"""The watcher that speaks to the person."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.watchers import Progress, Start, Watcher
from chainrule_console import lines, summary

if TYPE_CHECKING:
    from rich.console import Console as Terminal

    from chainrule.records import Record
    from chainrule_console.bar import Bar


class Console(Watcher):
    """Shows notes, progress and a summary on the standard output.

    Args:
        interactive: whether a person sees a terminal; else plain lines are printed.
        terminal: a rich console to use instead of the standard output, where ``interactive``.
    """

    def __init__(self, interactive: bool, terminal: Terminal | None = None) -> None:
        self._interactive = interactive and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
        self._terminal = terminal
        self._shown: Bar | lines.Lines | None = None
        self._notes: set[str] = set()

    def stack_started(self, start: Start) -> None:
        """Print notes that are new in this session, then begin to show progress."""
        self._close()
        for note in dict.fromkeys(start.notes):
            if note not in self._notes:
                self._say(f"note: {note}")
        self._notes.update(start.notes)
        if self._interactive:
            from chainrule_console.bar import Bar

            self._shown = Bar(start, self._rich())
        else:
            self._shown = lines.Lines(start)

    def epochs_recorded(self, progress: Progress) -> None:
        """Show progress, if it is time to."""
        if self._shown:
            self._shown.show(progress)

    def finished(self, records: Sequence[Record]) -> None:
        """Print what became of the runs and where to look."""
        self._close()
        for line in summary.lines(records):
            self._say(line)

    def _close(self) -> None:
        if self._shown:
            self._shown.close()
        self._shown = None

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
