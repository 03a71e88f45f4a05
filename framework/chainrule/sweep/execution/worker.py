"""What a process does with one unit of a sweep: train a stack, leave a directory and a record for each job."""

import logging
import os
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from chainrule.config.settings import settings_from_config, tracker_from_config
from chainrule.errors import RecordError, text_of
from chainrule.records.manifest import MANIFEST
from chainrule.records.result import Result
from chainrule.records.run import Failure, Record, read_record
from chainrule.records.settings import Settings
from chainrule.registry.blame import blamed
from chainrule.registry.loaded import installed
from chainrule.registry.registry import Registry
from chainrule.registry.watching import Progress, Session, Start, Watcher, Watchers
from chainrule.runs.checkpoints import found
from chainrule.runs.contained import contained
from chainrule.runs.execute import Task, execute
from chainrule.runs.prepare import prepare, run_structure
from chainrule.sweep.execution.control import compare_alone
from chainrule.sweep.execution.plan import Unit
from chainrule.sweep.jobs.job import Job

End = tuple[int, Record | Failure]  # a job's number and what became of it


class Ends(list[End]):
    """What became of jobs, in order.

    Attributes:
        notes: what the person should know of how they were trained.
    """

    def __init__(self, ends: Iterable[End] = (), notes: Iterable[str] = ()) -> None:
        super().__init__(ends)
        self.notes = tuple(dict.fromkeys(notes))


log = logging.getLogger(__name__)

_FAILURES = (Exception, SystemExit)  # of a plugin: it has no right to end the sweep


def train(unit: Unit, *watchers: Watcher) -> Ends:
    """Train the jobs of a unit; an error, such as that of a plugin, is the failure of the jobs that raise it only.

    Args:
        unit: its jobs are trained as one stack where their structure allows it.
        watchers: told besides those of plugins.
    """
    with contained():
        return _contained(unit, watchers)


def _contained(unit: Unit, watchers: Sequence[Watcher]) -> Ends:
    registry = installed()
    told = Watchers([*watchers, *registry.watchers(Session(interactive=False, quiet=True, of_sweep=True))])
    ends: dict[int, Record | Failure] = {}
    tasks: dict[tuple[Any, ...], list[tuple[Job, Task]]] = {}
    for job in unit.jobs:
        try:
            beside = job.write_files()
            prepared = prepare(settings_from_config(job.config, registry))
            tracker = tracker_from_config(job.config, registry)
        except _FAILURES as error:
            ends[job.number] = failed(job, error)
        else:
            task = Task(prepared, Path(job.directory), tracker, job.overrides, beside=beside)
            tasks.setdefault(run_structure(prepared), []).append((job, task))
    notes: list[str] = []
    for stack in tasks.values():
        ends.update(_train(stack, told, registry, unit, notes))
    return Ends(((job.number, ends[job.number]) for job in unit.jobs), notes)


def train_elsewhere(unit: Unit, progress: Path) -> Ends:
    """Train a unit in a process of its own, and write into a file of the folder ``progress`` how far it is."""
    with marked(unit, progress) as heartbeat:
        return train(unit, heartbeat)


@contextmanager
def marked(unit: Unit, progress: Path) -> Iterator["Heartbeat"]:
    """Let a file tell that a unit is trained in the block; what ends the process leaves it there."""
    heartbeat = Heartbeat(heartbeat_of(unit, progress), [job.number for job in unit.jobs])
    heartbeat.write(0, 0)
    try:
        yield heartbeat
    finally:
        heartbeat.path.unlink(missing_ok=True)


def heartbeat_of(unit: Unit, progress: Path) -> Path:
    """Return the file that tells how far a unit is."""
    return progress / str(unit.jobs[0].number)


class Heartbeat(Watcher):
    """Writes epochs trained, epochs in all and runs still training into a file, twice a second at most.

    In the lines below it are the numbers of the jobs.
    """

    def __init__(self, path: Path, numbers: Sequence[int]) -> None:
        self.path = path
        self._numbers = "".join(f"\n{number}" for number in numbers)
        self._epochs, self._due = 0, 0.0

    def stack_started(self, start: Start) -> None:
        """Note how many epochs the stack trains."""
        self._epochs = start.epochs

    def epochs_recorded(self, progress: Progress) -> None:
        """Write, if half a second has passed."""
        if time.monotonic() >= self._due:
            self.write(progress.epoch, progress.running)

    def run_trained(self, result: Result, directory: Path) -> None:
        """Write, if half a second has passed, so that recording many runs does not look like doing nothing."""
        if time.monotonic() >= self._due:
            self.write(self._epochs, 0)

    def write(self, epoch: int, running: int) -> None:
        """Write now."""
        self._due = time.monotonic() + 0.5
        self.path.write_text(f"{epoch} {self._epochs} {running}{self._numbers}")


def _train(
    stack: Sequence[tuple[Job, Task]], watchers: Watchers, registry: Registry, unit: Unit, notes: list[str]
) -> Iterator[End]:
    """Train jobs as one stack, or each alone if one of them raises; the numbers are the same to the last bit."""
    try:
        prune = unit.pruner.for_stack([job.number for job, _ in stack]) if unit.pruner else None
        # Not synced: what a failure of power damages is trained again when the sweep is resumed. The ledger has seen
        # that no record lies there that is to stay.
        tasks = [task for _, task in stack]
        since = None if prune else found([t.prepared for t in tasks], [t.directory for t in tasks], registry)
        done = execute(tasks, watchers, registry, prune, synced=False, overwrite=True, since=since)
    except _FAILURES as error:
        if len(stack) == 1:
            job, task = stack[0]
            yield job.number, failed(job, error, task.prepared.settings)
            return
        ends: list[End] = []
        for job, task in stack:
            try:  # afresh, because the generators of the first attempt have moved on
                again = replace(task, prepared=prepare(task.prepared.settings))
            except _FAILURES as cause:
                ends.append((job.number, failed(job, cause, task.prepared.settings)))
            else:
                ends.extend(_train([(job, again)], watchers, registry, unit, notes))
        if not any(isinstance(end, Failure) for _, end in ends):  # else they say themselves what is wrong
            notes.append(_why_alone(error))
        yield from ends
    else:
        if unit.has_control and len(stack) > 1:
            notes.extend(compare_alone(done[-1][0]))
        for (job, _), (_, record) in zip(stack, done, strict=True):
            yield job.number, record


def recorded(job: Job, damaged: list[str]) -> Record | None:
    """Return the record that a job has left; if it is damaged, None, and a sentence about it is added to the list."""
    directory = Path(job.directory)
    if not os.path.lexists(directory / MANIFEST):
        return None
    try:
        record = read_record(directory)
    except RecordError as error:
        damaged.append(str(error))
        return None
    if record.manifest.overrides != list(job.overrides):
        damaged.append(f"{directory} holds the record of another run than that of job {job.number}.")
        return None
    changed = record.damaged()
    if changed:
        damaged.append(f"{directory / changed[0]} is missing or was changed after it was recorded.")
    return None if changed else record


def _why_alone(error: BaseException) -> str:
    """Say why runs were trained one by one, and what can be done about it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.name} ({frame.filename}, line {frame.lineno})"
    if "truth value of an array" in text_of(error):
        return (
            f"Runs are trained one by one, which takes longer: {where} decides for all runs of a stack at once. There, "
            "a float field is an array with a value for each run, which `if` cannot read; choose with np.where."
        )
    return (
        f"Runs are trained one by one, which takes longer: in a stack {where} raised {type(error).__name__}: "
        f"{text_of(error).rstrip('.')}. Alone it does not."
    )


def failed(job: Job, error: BaseException, settings: Settings | None = None) -> Failure:
    """Write down that a job has failed, in its log and as its failure; a plugin that has caused it is named."""
    said = blamed(error, installed(), settings)
    failure = Failure.of(Path(job.directory), error, job.seed, said)
    try:
        failure.write()  # first, because it makes the directory, if the job has come no further
        job.log(f"{failure.sentence}\n{failure.details}".rstrip())
    except OSError as cause:
        log.error("%s: %s (and this cannot be written there: %s)", job, failure.sentence, cause)
    return failure
