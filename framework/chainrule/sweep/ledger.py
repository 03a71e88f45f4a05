"""The ledger of a sweep in progress: its record, its watchers, and the outcomes of its runs so far."""

import gc
import json
import logging
import math
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from chainrule import interrupts
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.config.settings import TRACKING
from chainrule.config.task import is_overwriting, overwriting
from chainrule.engine.reason import Reason
from chainrule.errors import ChainruleError, ConfigurationError, agreeing, counted
from chainrule.files.locks import exclusive
from chainrule.files.reading import require_unlinked, require_without_links
from chainrule.files.words import resuming
from chainrule.records.deleting import LOCK, PROGRESS, delete_sweep
from chainrule.records.kept import remove_checkpoints
from chainrule.records.manifest import FAILURE, MANIFEST
from chainrule.records.outcome import Measured, Outcome
from chainrule.records.result import objective
from chainrule.records.run import Failure, Record, require_free
from chainrule.records.settings import component_config
from chainrule.records.sweep import SWEEP, JobEntry, Sweep, now, read_sweep
from chainrule.registry.aside import Aside
from chainrule.registry.watching import Progress, Start, SweepProgress, Tracker, Watcher, Watchers
from chainrule.sweep.execution.plan import Unit
from chainrule.sweep.execution.worker import End, recorded
from chainrule.sweep.jobs.job import Job, require_own_places

_PAUSE = 0.5  # seconds between two reports of progress


log = logging.getLogger(__name__)


@contextmanager
def left_alone(directory: Path) -> Iterator[bool]:
    """Yield whether no process is at work on the sweep in a directory, and keep others out meanwhile."""
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(directory / LOCK, wait=1))
        except BlockingIOError:
            yield False
            return
        except sqlite3.Error:  # a directory in which nothing can be written
            pass
        yield True


def how_to_go_on(sweep: Sweep, expected: int = 0) -> str:
    """Say how many runs of a sweep are recorded, and how it goes on.

    Args:
        sweep: its record.
        expected: how many runs there will be in the end, if that is known.
    """
    # What is on disk is more than is known to the process that leads: others tell by stacks.
    ended = sum(_is_there(sweep.place(number)) for number in range(sweep.runs))
    if sweep.manifest.finished:
        return f"{agreeing(ended, 'The run is', f'All {ended} runs are')} recorded in {sweep.directory}."
    planned = max(sweep.runs, expected)
    told = f"{ended} of {counted(planned, 'run')} {agreeing(planned, 'is', 'are')} recorded"
    return f"{told}; `{resuming(sweep.directory)}` goes on."


def _is_there(place: Path) -> bool:
    """Say whether a job has left its record there, or its failure."""
    return (place / MANIFEST).is_file() or (place / FAILURE).is_file()


class Ledger:
    """Keeps the record of a sweep and tells its watchers.

    Args:
        sweep: its record so far.
        watchers: told besides the trackers of the runs.
        resumed: whether the sweep was resumed, so that runs that are recorded already belong to it.
        accepted: versions with which it goes on, though they may have changed; None if nothing has.
        replaced: the sweep in its directory that it replaces, or None.

    Attributes:
        sweep: its record.
        resumed: as given.
        suspects: numbers of jobs that were being trained when the process ended that worked on the sweep before: one
            of them may have ended it.
    """

    def __init__(
        self,
        sweep: Sweep,
        watchers: Iterable[Watcher],
        resumed: bool,
        accepted: Mapping[str, str] | None = None,
        replaced: Sweep | None = None,
    ) -> None:
        self.sweep, self._replaced = sweep, replaced
        self.resumed, self._accepted, self._is_overwriting = resumed, accepted, is_overwriting()
        self._watchers = Watchers(watchers)
        self._trackers: dict[str, Watchers] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._expected = self._failed = self._earlier = self._checked = 0
        self._has_news = False  # whether a job has ended in this session
        self._best: float | None = None
        self._measured: set[Measured | None] = set()  # what the losses are about, of which the best is one
        self._local: tuple[int, float] = (0, 0.0)  # runs training in this process, and their progress, counted in runs
        self._telling = threading.Lock()
        self.suspects: frozenset[int] = frozenset()

    @property
    def outcomes(self) -> list[Outcome]:
        """What has become of the jobs that have ended, in order."""
        return [self._outcomes[number] for number in sorted(self._outcomes)]

    @property
    def progress(self) -> Path:
        """Folder in which other processes write how far they are."""
        return self.sweep.directory / PROGRESS

    @contextmanager
    def working(self) -> Iterator[None]:
        """Keep other processes out of the sweep, and report its progress to watchers, until the block ends.

        Raises:
            ChainruleError: another process is at work on it.
        """
        self.sweep.directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                # With a wait, because two processes that try at once may both be refused. The file stays: if it were
                # removed, a third process could lock a new file of this name while a second holds the old one.
                stack.enter_context(exclusive(self.sweep.directory / LOCK, wait=1))
                self._catch_up()
            except BlockingIOError:
                raise ChainruleError(f"{self.sweep.directory} is being worked on by another process.") from None
            require_unlinked(self.progress, self.sweep.directory)
            self.suspects = _numbers(self.progress)
            shutil.rmtree(self.progress, ignore_errors=True)
            self.progress.mkdir()
            stack.enter_context(overwriting(True))  # what lies in the places of jobs is looked at here
            if not gc.get_freeze_count():  # nobody else has frozen anything
                stack.callback(gc.unfreeze)
            gc.freeze()  # thousands of jobs stay until the end, and are not to be looked through again and again
            stop = threading.Event()
            thread = threading.Thread(target=self._keep_telling, args=(stop,), daemon=True)
            thread.start()
            # It takes half a second, which training hides. Nobody waits for it when the sweep breaks off.
            threading.Thread(target=import_module, args=("chainrule.reports.sweep",), daemon=True).start()
            interrupts.advise(self._how_to_go_on, of_sweep=True)
            try:
                yield
            except BaseException:
                if (self.sweep.directory / SWEEP).exists() and not self.sweep.manifest.finished:
                    self._tell_all("sweep_interrupted", self.sweep)
                raise
            finally:
                stop.set()
                thread.join()
                shutil.rmtree(self.progress, ignore_errors=True)

    def add(
        self, jobs: Sequence[Job], trackers: Iterable[Tracker], notes: Sequence[str], expected: int | None = None
    ) -> None:
        """Put jobs into the record before the first of them begins.

        Args:
            jobs: of consecutive numbers.
            trackers: those that keep their runs.
            notes: what the person should know before training.
            expected: how many jobs there will be in the end; None if these are the last.

        Raises:
            ConfigurationError: two jobs have the same directory, one lies outside of the sweep's, or one holds a
                record that is to stay.
            OSError: the record cannot be written, or the way to a directory leads through a link.
        """
        for tracker in trackers:
            self._trackers.setdefault(_key(component_config(tracker)), Watchers([Aside(tracker)]))
        directories = [job.directory for job in jobs]
        entries = [
            JobEntry(overrides=list(job.overrides), directory=_relative(job.directory, self.sweep.directory))
            for job in jobs
        ]
        self._expected = expected or 0
        earlier = self.sweep.manifest.jobs[: jobs[0].number]
        require_own_places([*(str(self.sweep.directory / entry.directory) for entry in earlier), *directories])
        for job in jobs:
            self._require_place(Path(job.directory), job)
        sweep = self.sweep if self.resumed or earlier else self.sweep.with_beside()
        self.sweep = sweep.write(jobs=[*earlier, *entries])
        self._tell_all("sweep_started", self.sweep, notes)

    def recorded(self, jobs: Iterable[Job]) -> dict[int, Record]:
        """Return the intact records that jobs left before the sweep was resumed, by number, and say which are damaged.

        Raises:
            OSError: a job is to be trained again, and a link in its directory leads elsewhere.
        """
        found: dict[int, Record] = {}
        damaged: list[str] = []
        for job in jobs if self.resumed else ():
            self._checked += 1
            record = recorded(job, damaged)
            if record:
                found[job.number] = record
                remove_checkpoints(record.directory)  # of its stack, which a kill has left
            else:
                require_without_links(Path(job.directory), self.sweep.directory)
        self._checked = 0
        if damaged:
            more = f" {len(damaged) - 1} more are damaged, too." if len(damaged) > 1 else ""
            log.warning("%s%s What is damaged is trained again.", damaged[0], more)
        return found

    def _require_place(self, directory: Path, job: Job) -> None:
        """Check that a job leaves its record in the sweep, and replaces no other."""
        if directory.parent == self.sweep.directory and directory.name != ".." and not os.path.lexists(directory):
            return  # as for thousands of jobs of a new sweep
        if not directory.is_relative_to(self.sweep.directory):
            raise ConfigurationError(
                f"{job} would leave its record in {directory}, outside of the sweep: hydra.sweep.subdir must be a "
                "folder in hydra.sweep.dir."
            )
        require_unlinked(directory, self.sweep.directory)
        if not self.resumed:
            require_without_links(directory, self.sweep.directory)
            if not self._is_overwriting:
                require_free(directory)

    def end(self, ends: Sequence[End], tracked: bool = False, earlier: bool = False) -> None:
        """Note what became of some jobs, and tell watchers.

        Args:
            ends: number of each job and its record or failure.
            tracked: whether their trackers know already.
            earlier: whether they had ended before the sweep was resumed.
        """
        self._has_news |= not earlier
        self._earlier += len(ends) if earlier else 0
        records: dict[str, list[Record]] = {}
        for number, end in ends:
            self._outcomes[number] = outcome = self.sweep.outcome(number, end)
            if isinstance(end, Failure):
                self._failed += 1
                continue
            loss = outcome.value(objective(outcome.metrics)[0])
            self._measured.add(outcome.measured)
            if math.isfinite(loss):
                self._best = loss if self._best is None else min(self._best, loss)
            record = replace(end, member=self.sweep.member(number))
            records.setdefault(_key(record.manifest.configuration[TRACKING]), []).append(record)
        self._local = (0, 0.0)
        self._tell_progress()
        if not tracked:
            for key in records.keys() & self._trackers.keys():  # a job that ran alone may have another tracker
                self._trackers[key].tell("runs_recorded", records[key])
        everything = [record for found in records.values() for record in found]
        if everything:
            with self._telling:
                self._watchers.tell("runs_recorded", everything)

    def finish(self) -> None:
        """Note in the record that all jobs have ended, write the report, and tell all watchers.

        A finished sweep that was resumed without training anything keeps the time at which it ended.

        Raises:
            OSError: the record cannot be written.
        """
        from chainrule.reports.sweep import write_report

        # Those of earlier batches, if another sweeper launches jobs in batches.
        for outcome in self.sweep.outcomes(known=self._outcomes):
            self._outcomes[outcome.number] = outcome
        trained = [outcome.number for outcome in self.outcomes if outcome.reason != Reason.FAILED]
        vanished = [number for number in trained if not _is_there(self.sweep.place(number))]
        if vanished:
            raise ChainruleError(
                f"{len(vanished)} of {counted(len(trained), 'record')} {agreeing(len(trained), 'is', 'are')} no "
                f"longer in {self.sweep.directory} (that of job {vanished[0]} is the first); "
                f"`{resuming(self.sweep.directory)}` trains {agreeing(len(vanished), 'this run', 'these runs')} again."
            )
        if self._has_news or not self.sweep.manifest.finished:
            self.sweep = self.sweep.write(finished=now())
        outcomes = SweepOutcomes(self.sweep, self.outcomes)
        self._tell_all("sweep_trained", self.sweep, outcomes)
        self.sweep.links["report"] = str(write_report(self.sweep, outcomes))
        self._tell_all("sweep_finished", self.sweep, outcomes)

    def watch(self, unit: Unit) -> Watcher:
        """Return a watcher of a unit that is trained in this process."""
        return _LocalProgress(self, len(unit.jobs))

    def outcome(self, number: int) -> Outcome:
        """Return what has become of a job that has ended."""
        return self._outcomes[number]

    def raise_failures(self, hint: str = "") -> None:
        """Raise an error if runs have failed.

        Args:
            hint: what can be done about them.

        Raises:
            ChainruleError: says how many.
        """
        failed = sum(outcome.reason == Reason.FAILED for outcome in self.outcomes)
        if failed:
            raise ChainruleError(f"{failed} of {counted(len(self.outcomes), 'run')} failed{hint}.")

    def _catch_up(self) -> None:
        """Read the record again, because another process may have added to it.

        Raises:
            BlockingIOError: the directory now holds another sweep.
        """
        if (self.sweep.directory / SWEEP).exists():
            there = read_sweep(self.sweep.directory)
            if self._replaced and there.manifest.key == self._replaced.manifest.key:
                delete_sweep(there)
                return
            if there.manifest.key != self.sweep.manifest.key:
                raise BlockingIOError
            self.sweep = there if self._accepted is None else there.accepting(self._accepted)

    def _tell_all(self, event: str, *arguments: Any) -> None:
        for watchers in self._trackers.values():
            watchers.tell(event, *arguments)
        with self._telling:
            self._watchers.tell(event, *arguments)

    def _how_to_go_on(self) -> str:
        recorded = (self.sweep.directory / SWEEP).exists()
        return how_to_go_on(self.sweep, self._expected) if recorded else "Nothing was recorded."

    def _keep_telling(self, stop: threading.Event) -> None:
        while not stop.wait(_PAUSE):
            self._tell_progress()

    def _tell_progress(self) -> None:
        running, advanced = self._local
        for path in self.progress.glob("*"):
            with suppress(OSError, ValueError):
                epoch, epochs, active = map(int, path.read_text().partition("\n")[0].split())
                running += active
                advanced += active * epoch / max(epochs, 1)
        runs, done = max(self.sweep.runs, self._expected), len(self._outcomes)
        fraction = min(1.0, (done + advanced) / max(runs, 1))
        best = self._best if len(self._measured) == 1 else None
        progress = SweepProgress(runs, done, running, self._failed, self._earlier, best, fraction, self._checked)
        with self._telling:
            self._watchers.tell("sweep_progressed", progress)


class _LocalProgress(Watcher):
    """Tells the ledger how far a unit is that is trained in this process."""

    def __init__(self, ledger: Ledger, runs: int) -> None:
        self._ledger, self._runs, self._epochs = ledger, runs, 1

    def stack_started(self, start: Start) -> None:
        self._epochs = max(start.epochs, 1)

    def epochs_recorded(self, progress: Progress) -> None:
        self._ledger._local = (progress.running, self._runs * progress.epoch / self._epochs)


def _numbers(progress: Path) -> frozenset[int]:
    """Return the numbers of jobs whose training has left a file: that of the first job of a unit, with all of them."""
    found: set[int] = set()
    for path in progress.glob("*"):
        with suppress(ValueError):
            found.add(int(path.name.partition("-")[0]))
            with suppress(OSError):
                found.update(map(int, path.read_text().split("\n")[1:]))
    return frozenset(found)


def _key(tracking: Mapping[str, Any]) -> str:
    return json.dumps(tracking, sort_keys=True)


def _relative(directory: str, above: Path) -> str:
    """Return a job's directory relative to the sweep's, with slashes; absolute if it lies elsewhere."""
    path = Path(directory)
    return (path.relative_to(above) if path.is_relative_to(above) else path).as_posix()
