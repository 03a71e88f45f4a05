"""Checks of trackers."""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule import sweeps
from chainrule.compose import settings_from
from chainrule.plugins import installed
from chainrule.records import Record
from chainrule.runs import Crowd, Task, execute, prepare
from chainrule.testing.drawing import Subject
from chainrule.testing.results import FindingError
from chainrule.testing.table import Check
from chainrule.watchers import SweepProgress


def told(subject: Subject) -> None:
    """Told of a tiny run and of a sweep, and given their records twice, it raises nothing and leaves records alone."""
    for tracker in subject.choices:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            crowd = _Strict(subject, tracker)
            (record,) = _run(crowd, Path(folder) / "run", seeds=(0,))
            crowd.tell("finished", record)
            for _ in range(2):
                crowd.tell("send", record)
            place = Path(folder) / "sweep"
            place.mkdir()
            jobs = [{"overrides": [f"seed={seed}"], "directory": str(seed)} for seed in (0, 1)]
            sweep = sweeps.begin(place, ["seed=0,1"], Path(folder), {}, {}).write(jobs=jobs)
            crowd.tell("sweep_started", sweep, ())
            recorded = _run(crowd, place, seeds=(0, 1))
            crowd.tell("sweep_progressed", SweepProgress(2, 2, 0, 0, 0, 1.0, 1.0))
            sweep = sweep.write(finished=sweeps.now())
            outcomes = list(sweep.outcomes())
            crowd.tell("sweep_finished", sweep, outcomes)
            for _ in range(2):
                crowd.tell("send_sweep", sweep, outcomes)
            if not all(kept.is_intact() for kept in (record, *recorded)):
                raise FindingError(f"{subject.cls.__qualname__} alters files of a record; write elsewhere.")


class _Strict(Crowd):
    """One tracker that is told, and whose errors are findings."""

    def __init__(self, subject: Subject, tracker: Any) -> None:
        super().__init__([tracker])
        self._subject, self._tracker = subject, tracker

    def tell(self, event: str, *arguments: Any) -> None:
        """Call the method of the tracker that is named like the event."""
        call: Callable[..., object] = getattr(self._tracker, event)
        try:
            call(*arguments)
        except Exception as error:
            raise FindingError(
                f"{self._subject.where(event)} raises {type(error).__name__}: {error} ({self._tracker}); a tracker "
                "reports what it cannot do with logging, and only send and send_sweep may raise ChainruleError."
            ) from error


def _run(crowd: Crowd, directory: Path, seeds: tuple[int, ...]) -> list[Record]:
    """Train and record tiny runs; each of several has a directory below."""
    tasks = []
    for seed in seeds:
        prepared = prepare(settings_from([f"seed={seed}", "training.epochs=2", "data.samples=10"]))
        tasks.append(Task(prepared, directory / str(seed) if len(seeds) > 1 else directory, (f"seed={seed}",)))
    recorded = [record for _, record in execute(tasks, crowd, installed(), synced=False)]
    crowd.tell("runs_recorded", recorded)
    return recorded


CHECKS = (Check(told),)
