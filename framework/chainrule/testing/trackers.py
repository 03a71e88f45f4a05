"""Checks of trackers."""

import contextlib
import dataclasses
import tempfile
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.config.compose import compose_settings
from chainrule.errors import ChainruleError
from chainrule.records.run import Record
from chainrule.records.sweep import JobEntry, Sweep, new_sweep, now
from chainrule.registry.loaded import installed
from chainrule.registry.watching import Begun, SweepProgress, Tracker, Watchers
from chainrule.runs.execute import Task, execute
from chainrule.runs.prepare import prepare
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import Subject
from chainrule.testing.table import Check

_NOWHERE = "an experiment that nobody has made"
_PORT = 5000  # at which nothing is started


def told(subject: Subject) -> None:
    """A tracker that is told of a run and a sweep, and gets records twice, raises nothing and alters no record."""
    for tracker in subject.combinations:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            watchers = _Strict(subject, tracker)
            (record,) = _run(watchers, tracker, Path(folder) / "run", seeds=(0,))
            watchers.tell("finished", record)
            begun = Begun(Path(folder) / "interrupted", "a run", datetime.now(UTC), 2, record.curves)
            watchers.tell("run_started", begun)
            watchers.tell("run_interrupted", begun)
            for _ in range(2):
                watchers.tell("send", record)
            watchers.tell("links", record)
            place = Path(folder) / "sweep"
            place.mkdir()
            jobs = [JobEntry(overrides=[f"seed={seed}"], directory=str(seed)) for seed in (0, 1)]
            sweep = new_sweep(place, ["seed=0,1"], Path(folder), {}, {}).write(jobs=jobs)
            watchers.tell("sweep_started", sweep, ())
            recorded = _run(watchers, tracker, place, seeds=(0, 1), sweep=sweep)
            watchers.tell("sweep_progressed", SweepProgress(2, 2, 0, 0, 0, 1.0, 1.0))
            watchers.tell("sweep_interrupted", sweep)
            watchers.tell("sweep_started", sweep, ())
            watchers.tell("send_all", recorded)
            sweep = sweep.write(finished=now())
            outcomes = SweepOutcomes(sweep, sweep.outcomes())
            watchers.tell("sweep_trained", sweep, outcomes)
            watchers.tell("sweep_finished", sweep, outcomes)
            for _ in range(2):
                watchers.tell("send_sweep", sweep, outcomes)
            watchers.tell("sweep_links", sweep, outcomes)
            for shown in (None, record, sweep):
                watchers.ask("pages", shown, _PORT)
            watchers.tell("named")
            watchers.tell("faults")
            watchers.tell("forget", [record, *recorded])
            watchers.tell("forget_sweep", sweep)
            if not all(kept.is_intact() for kept in (record, *recorded)):
                raise FindingError(f"{subject.cls.__qualname__} alters files of a record; write elsewhere.")


def read(subject: Subject) -> None:
    """A tracker that is asked for an experiment that it does not have says so in a ChainruleError."""
    for tracker in subject.combinations:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            try:
                found = tracker.read(_NOWHERE)
            except ChainruleError:
                continue
            except Exception as error:
                what = f"raises {type(error).__name__}: {error}"
            else:
                what = f"returns {found!r}"
            raise FindingError(
                f"{subject.where('read')} {what} for an experiment that is not there ({tracker}); raise a "
                "ChainruleError that says what is missing."
            )


class _Strict(Watchers):
    """Tells one tracker, and turns its errors into findings."""

    def __init__(self, subject: Subject, tracker: Any) -> None:
        super().__init__([tracker])
        self._subject, self._tracker = subject, tracker

    def ask(self, question: str, *arguments: Any) -> None:
        """Call a method that may say in a ChainruleError that it has no answer."""
        with contextlib.suppress(ChainruleError):
            self._call(question, *arguments)

    def tell(self, event: str, *arguments: Any) -> None:
        """Call the tracker's method that is named like the event."""
        try:
            self._call(event, *arguments)
        except ChainruleError as error:
            raise self._finding(event, error) from error

    def _call(self, event: str, *arguments: Any) -> None:
        try:
            value = getattr(self._tracker, event)
            found = value(*arguments) if callable(value) else value
            if isinstance(found, Iterator):
                deque(found, maxlen=0)
        except ChainruleError:
            raise
        except Exception as error:
            raise self._finding(event, error) from error

    def _finding(self, event: str, error: Exception) -> FindingError:
        return FindingError(
            f"{self._subject.where(event)} raises {type(error).__name__}: {error} ({self._tracker}); a tracker reports "
            "what it cannot do with logging, and only send, send_sweep and pages may raise ChainruleError."
        )


def _run(
    watchers: Watchers, tracker: Tracker, directory: Path, seeds: tuple[int, ...], sweep: Sweep | None = None
) -> list[Record]:
    """Train and record tiny runs; each run of a sweep has a directory below."""
    tasks = []
    for seed in seeds:
        prepared = prepare(compose_settings([f"seed={seed}", "training.epochs=2", "data.samples=10"]))
        place = directory / str(seed) if sweep else directory
        tasks.append(Task(prepared, place, tracker, (f"seed={seed}",)))
    recorded = [record for _, record in execute(tasks, watchers, installed(), synced=False)]
    if sweep:
        recorded = [dataclasses.replace(record, member=sweep.member(n)) for n, record in enumerate(recorded)]
    watchers.tell("runs_recorded", recorded)
    return recorded


CHECKS = (Check(told), Check(read))
