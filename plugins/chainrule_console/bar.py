"""Progress as a bar, for terminals. The module imports rich, so it is imported only when there is a terminal."""

import atexit
import math
import time
from collections.abc import Callable, Iterable

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column
from rich.text import Text

from chainrule.registry import watching
from chainrule_console import sweep, words

_INTERVAL = 0.1  # seconds between two updates, at least


class Bar:
    """Draws a bar for a stack, at most ten times a second, and removes it when the last run stops.

    Args:
        start: the stack.
        console: where to draw.
        clock: seconds, from any start.
    """

    def __init__(self, start: watching.Start, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._start, self._clock = start, clock
        self._title = words.printable(words.title(start.titles), console.encoding)
        self._due = -math.inf
        self._screen = _screen(console, clock)
        self._task = self._screen.add_task(self._title, total=start.epochs, status="")
        self._screen.start()
        atexit.register(self.close)  # an interrupted run would leave the cursor hidden

    def show(self, progress: watching.Progress) -> None:
        """Draw the bar if it is time to; otherwise this takes less than a microsecond."""
        now = self._clock()
        if not progress.running:
            self.close()
        elif now >= self._due:
            self._due = now + _INTERVAL
            self._screen.update(self._task, completed=progress.epoch, description=self._description(progress))
            self._screen.update(self._task, status=self._status(progress), refresh=True)

    def close(self) -> None:
        """Remove the bar, if it is still there."""
        atexit.unregister(self.close)
        self._screen.stop()

    def _description(self, progress: watching.Progress) -> str:
        stacked = len(progress.loss) > 1
        return f"{self._title}, {progress.running} still training" if stacked else self._title

    def _status(self, progress: watching.Progress) -> str:
        epochs = self._start.epochs
        which = "median loss" if len(progress.loss) > 1 else "loss"
        loss = words.number(words.median(progress.loss))
        status = f"epoch {progress.epoch:>{len(str(epochs))}}/{epochs}  {which} {loss:<10}"
        speed = self._screen.tasks[0].speed
        if not speed:
            return status
        rate = f"{speed:.3g} epochs/s" if speed < 1000 else f"{speed:.0f} epochs/s"
        if speed < 1:
            rate = f"{1 / speed:.3g} s/epoch"
        return f"{status}  {rate:>14}  {words.clock_face((epochs - progress.epoch) / speed):>5} left"


class SweepBar:
    """Draws a line for a sweep at each report of its progress, and removes it at the end.

    Args:
        title: of the sweep.
        console: where to draw.
    """

    def __init__(self, title: str, console: Console) -> None:
        self._begin = time.monotonic()
        self._screen = _screen(console, time.monotonic)
        self._task = self._screen.add_task(words.printable(title, console.encoding), total=1.0, status="")
        self._screen.start()
        atexit.register(self.close)

    def show(self, progress: watching.SweepProgress) -> None:
        """Draw the line."""
        line = sweep.status(progress, time.monotonic() - self._begin)
        self._screen.update(self._task, completed=progress.fraction, status=line, refresh=True)

    def close(self) -> None:
        """Remove the line, if it is still there."""
        atexit.unregister(self.close)
        self._screen.stop()


class _Screen(Progress):
    """A progress display with the title on a line of its own, so that bar and numbers fit into 80 columns."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from (Text(task.description, "bold", no_wrap=True, overflow="crop") for task in self.tasks)
        yield self.make_tasks_table(self.tasks)


def _screen(console: Console, clock: Callable[[], float]) -> _Screen:
    return _Screen(
        BarColumn(bar_width=None, complete_style="cyan", finished_style="cyan"),
        TextColumn("{task.fields[status]}", markup=False, table_column=Column(no_wrap=True, overflow="crop")),
        console=console,
        auto_refresh=False,
        transient=True,
        expand=True,
        get_time=clock,
        speed_estimate_period=3600,  # an epoch may take minutes; of fast ones the last thousand updates count
    )


def say(console: Console, text: str, style: str = "", *, wrap: bool = False) -> None:
    """Print text: wrapped between words, or as one line however long, so that a link in it can be copied."""
    console.print(Text(words.printable(text, console.encoding), style), soft_wrap=not wrap)
