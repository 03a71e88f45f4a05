"""Telling a tracker from the side: training never waits for it, whatever it does or fails to do.

A tracker is told in a thread of its own, in order. At the end of a run or a sweep one that is quick has some seconds to
catch up, and one that is slow a hundredth of the time; what it has not taken by then is in the records, and
``chainrule sync`` sends it later.
"""

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.files.words import syncing
from chainrule.records.result import Result
from chainrule.records.run import Record
from chainrule.records.settings import component_config
from chainrule.records.sweep import Sweep
from chainrule.registry.watching import Begun, Progress, Start, SweepProgress, Tracker, Watcher, Watchers

LATER = "not sent yet"  # title of the command that sends a record
_SHARE = 0.01  # of the time until the end, which any tracker has to catch up
_QUICK, _LEAST = 1.0, 3.0  # seconds that one which is quick needs for a thing at most, and has to catch up at least
_LONGEST = 120.0  # seconds for what a tracker does by itself, such as making a database
_BRIEF = 0.5  # seconds, where a person has interrupted a sweep
_TOGETHER = 128  # records that are told at once, at most: one that is quick has them within ``_QUICK``
_MANY = 500  # events that may wait: further progress is not told, and further curves are read from disk again


class _Line:
    """What is to be done in one thread, one thing after the other."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._busy_since: float | None = None  # by ``clock``
        self._thread: threading.Thread | None = None
        self._at_work = 0.0  # seconds that were spent in ``at_work``
        self._at_work_since: float | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, act: Callable[[], None]) -> None:
        """Add something to be done, in the context of the caller, which knows where the command was started."""
        context = copy_context()
        context.run(_at_work.set, self.at_work)
        with self._changed:
            self._waiting.append(lambda: context.run(act))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="chainrule tracker", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    @property
    def lasts(self) -> float:
        """For how many seconds one thing has been done by now, without those spent in ``at_work``."""
        since = self._busy_since
        return 0.0 if since is None else self.clock() - since

    def clock(self) -> float:
        """Return a time in seconds, without those spent in ``at_work``."""
        now, since = time.monotonic(), self._at_work_since
        return now - self._at_work - (0.0 if since is None else now - since)

    def is_done_within(self, seconds: float) -> bool:
        """Wait until all is done, and say whether it is; what is spent in ``at_work`` does not count."""
        began, own = time.monotonic(), self.clock()
        with self._changed:
            while self._waiting or self._busy_since is not None:
                if self.clock() - own >= seconds or time.monotonic() - began >= _LONGEST:
                    return False
                self._changed.wait(0.05)
            return True

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let the time that the block takes not count."""
        if self._at_work_since is not None:  # within another block
            yield
            return
        self._at_work_since = time.monotonic()
        try:
            yield
        finally:
            self._at_work += time.monotonic() - self._at_work_since
            self._at_work_since = None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy_since = None
                self._changed.notify_all()
                while not self._waiting:
                    self._changed.wait()
                act, self._busy_since = self._waiting.popleft(), self.clock()
            act()


_at_work: ContextVar[Callable[[], AbstractContextManager[None]] | None] = ContextVar("at_work", default=None)
_lines: dict[str, _Line] = {}  # by tracker: runs that follow one another share a thread
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _lines.clear())  # where no thread is left


@contextmanager
def at_work() -> Iterator[None]:
    """Say in a tracker that it does something that ends, such as making a database: it may take longer at the end."""
    told = _at_work.get()
    with told() if told else nullcontext():
        yield


@contextmanager
def told_at_work(tell: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Let what says ``at_work`` in the block enter another context: where a tracker works in a process of its own."""
    token = _at_work.set(tell)
    try:
        yield
    finally:
        _at_work.reset(token)


@dataclass
class _Batch:
    """Records that wait to be told, with what the tracker is given in their place."""

    pairs: list[tuple[Record, Record]]


class Aside(Watcher):
    """A watcher that tells a tracker what it is told itself, from the side; it is the first of all watchers.

    Args:
        tracker: whatever it raises, and however long it takes, nobody else notices.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker, self._told = tracker, Watchers([tracker])
        name = json.dumps([type(tracker).__qualname__, component_config(tracker)], sort_keys=True, default=repr)
        self._line = _lines.setdefault(name, _Line())
        self._began, self._slowest = time.monotonic(), 0.0
        self._last: _Batch | None = None  # the last records, which may still be added to
        self._behind = 0  # records that wait
        self._lock = threading.Lock()

    def stack_started(self, start: Start) -> None:
        """Tell it."""
        self._put("stack_started", start)

    def run_started(self, run: Begun) -> None:
        """Tell it."""
        self._put("run_started", run)

    def run_interrupted(self, run: Begun) -> None:
        """Tell it, and wait briefly, because the process is about to end."""
        self._put("run_interrupted", run)
        self._line.is_done_within(_BRIEF)

    def epochs_recorded(self, progress: Progress) -> None:
        """Tell it, unless the tracker is far behind."""
        if len(self._line) < _MANY:
            self._put("epochs_recorded", progress)

    def run_trained(self, result: Result, directory: Path) -> None:
        """Tell it."""
        self._put("run_trained", result, directory)

    def sweep_started(self, sweep: Sweep, notes: Sequence[str]) -> None:
        """Tell it."""
        self._put("sweep_started", sweep, notes)

    def sweep_progressed(self, progress: SweepProgress) -> None:
        """Tell it, unless the tracker is far behind."""
        if len(self._line) < _MANY:
            self._put("sweep_progressed", progress)

    def runs_recorded(self, records: Sequence[Record]) -> None:
        """Tell it; records that wait are told together, because many are sent faster at once."""
        with self._lock:
            for mine in records:
                kept = mine if self._behind < _MANY else replace(mine, written=None)
                if self._last is None or len(self._last.pairs) == _TOGETHER:
                    self._last = _Batch([])
                    self._line.put(partial(self._tell_of, self._last))
                self._last.pairs.append((mine, replace(kept, links=dict(kept.links))))
                self._behind += 1

    def _tell_of(self, batch: _Batch) -> None:
        with self._lock:
            self._behind -= len(batch.pairs)
            if self._last is batch:
                self._last = None
        self._tell("runs_recorded", [its for _, its in batch.pairs])
        for mine, its in batch.pairs:
            if not mine.member:  # nobody looks at the links of one run of many
                mine.links.update(its.links)

    def finished(self, record: Record) -> None:
        """Tell it, and wait for the tracker, because other watchers show the links that it has added."""
        self._put("finished", record)
        if not self.settle():
            record.links[LATER] = self._later(record.directory)

    def sweep_trained(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        """Tell it in one more thread, so that what it begins is done while it is told of the last records."""
        if self._listens_to("sweep_trained"):
            told = partial(self._told.tell, "sweep_trained", sweep, outcomes)
            thread = threading.Thread(target=copy_context().run, args=(told,), daemon=True)
            thread.start()
            self._line.put(partial(thread.join, _QUICK))  # what follows is told afterwards

    def sweep_finished(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        """Tell it, and wait likewise."""
        its = replace(sweep, links={})
        self._put("sweep_finished", its, outcomes)
        if self.settle():
            sweep.links.update(its.links)
        else:
            sweep.links[LATER] = self._later(sweep.directory)

    def sweep_interrupted(self, sweep: Sweep) -> None:
        """Tell it, and wait for half a second."""
        self._put("sweep_interrupted", sweep)
        self._line.is_done_within(_BRIEF)

    def settle(self) -> bool:
        """Wait until the tracker has taken all, and say whether it has.

        One that is quick is waited for three seconds, and any for a hundredth of the time until now, if that is longer.
        It is quick if nothing that it was told has taken a second so far. What it does by itself, ``at_work``, counts
        nowhere.
        """
        return self._line.is_done_within(self._patience())

    def _patience(self) -> float:
        share = _SHARE * (time.monotonic() - self._began)
        return share if max(self._slowest, self._line.lasts) >= _QUICK else max(share, _LEAST)

    def _later(self, directory: Path) -> str:
        """Return the command that sends what lies in a directory, with the reason why it was not sent as a comment."""
        return f"{syncing(directory)}  # {type(self._tracker).__name__} takes long: training does not wait for it"

    def _listens_to(self, event: str) -> bool:
        return getattr(type(self._tracker), event) is not getattr(Watcher, event)

    def _put(self, event: str, *arguments: object) -> None:
        if self._listens_to(event):
            with self._lock:
                self._last = None  # what follows is told later
            self._line.put(lambda: self._tell(event, *arguments))

    def _tell(self, event: str, *arguments: object) -> None:
        began = self._line.clock()
        self._told.tell(event, *arguments)
        self._slowest = max(self._slowest, self._line.clock() - began)
