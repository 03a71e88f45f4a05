"""Train prepared runs as a stack, write their records, and tell the watchers."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import interrupts
from chainrule.components.contracts import Array
from chainrule.components.stacking import stack
from chainrule.engine import machine
from chainrule.engine.curves import Curves
from chainrule.engine.layers import stacked
from chainrule.engine.machine import Checkpoint, machine_of
from chainrule.engine.onlooker import Onlooker
from chainrule.engine.reason import Reason
from chainrule.engine.stack import STACKED, Stack
from chainrule.engine.trainer import Moment, Observer, Pruner, Stopwatch, Trained, one_thread, train
from chainrule.files import paths
from chainrule.records.checkpoint import Saved
from chainrule.records.kept import remove_checkpoints
from chainrule.records.manifest import FileEntry
from chainrule.records.result import Result
from chainrule.records.run import Record, claim_directory, write_record
from chainrule.records.settings import component_config
from chainrule.registry.registry import Registry
from chainrule.registry.watching import AUTO, Begun, Progress, Start, Tracker, Watchers
from chainrule.runs.checkpoints import keeping
from chainrule.runs.prepare import Prepared, gradient_norms, measure_every


def train_stack(
    runs: Sequence[Prepared],
    observe: Observer | None = None,
    prune: Pruner | None = None,
    since: Saved | None = None,
    moment: Moment | None = None,
    started: datetime | None = None,
    onlooker: Onlooker | None = None,
    snapshots: int = 0,
    reveal: Callable[[Callable[[int], Curves]], object] | None = None,
) -> list[Result]:
    """Train runs of one :func:`run_structure` as one stack, and return their results in order.

    Args:
        runs: the runs; their generators move on.
        observe: called at each point of the curves, see :func:`chainrule.engine.trainer.train`.
        prune: stops runs early, likewise.
        since: a checkpoint from which they go on; None to begin.
        moment: called where training can be left, as ``observe``.
        started: when training began, at first; None for now.
        onlooker: sees steps, as ``observe``.
        snapshots: how many points of its trajectory each run keeps, as ``observe``.
        reveal: called with a function that returns the curves of a run so far, likewise.
    """
    started, clock = started or datetime.now(UTC), time.perf_counter()
    earlier = float(since.about["seconds"]) if since else 0.0
    checkpoint, course = (since.checkpoint, since.course) if since else (None, None)
    followed: dict[str, Any] = {"moment": moment, "onlooker": onlooker, "snapshots": snapshots, "reveal": reveal}
    trained = train(_stack(runs), observe, prune, since=checkpoint, course=course, **followed)
    seconds = earlier + time.perf_counter() - clock
    trained_epochs = sum(max(end.epochs, 1) for end in trained)
    shares = [seconds * max(end.epochs, 1) / trained_epochs for end in trained]
    whole = len(runs), seconds
    return [_result(*each, started, whole) for each in zip(runs, trained, shares, strict=True)]


def train_on(
    run: Prepared, before: tuple[Checkpoint, Curves] | None = None, prune: Pruner | None = None
) -> tuple[Result, Checkpoint]:
    """Train one run, and say from where it can go on.

    Training in parts has the bits of training at once, as long as no component asks how many epochs there will be.

    Args:
        run: the run; its generators move on.
        before: from where it goes on, which is used up, and its curves up to there; None to begin.
        prune: stops it early, see :func:`chainrule.engine.trainer.train`.
    """
    since, curves = before or (None, None)
    started, clock = datetime.now(UTC), time.perf_counter()
    (end,) = train(_stack([run]), prune=prune, since=since, resumable=True)
    seconds, checkpoint = time.perf_counter() - clock, end.checkpoint
    assert checkpoint is not None
    whole = replace(end, curves=curves.then(end.curves)) if curves else end
    return _result(run, whole, seconds, started, (1, seconds)), checkpoint


def _result(run: Prepared, end: Trained, seconds: float, started: datetime, stack: tuple[int, float]) -> Result:
    return Result(
        settings=run.settings,
        shape=run.shape,
        theta=end.theta,
        states=end.states,
        curves=end.curves,
        reason=end.reason,
        epochs=end.epochs,
        evaluations=end.evaluations,
        best_epoch=end.best_epoch,
        origin=run.origin,
        test_loss=end.test_loss,
        outputs=end.outputs,
        samples=run.samples,
        started=started,
        seconds=seconds,
        stack_runs=stack[0],
        stack_seconds=stack[1],
        notes=run.notes,
        trajectory=end.trajectory,
        engine=end.engine,
        fallback=end.fallback,
    )


def why_plain(run: Prepared) -> str:
    """Return why NumPy does the steps of a run even if machine code is asked for, a sentence; "" if it does not."""
    return machine.why_plain(_stack([run]))


def stopwatch(runs: Sequence[Prepared]) -> Stopwatch:
    """Return what measures the updates of runs of one :func:`run_structure`."""
    return Stopwatch(_stack(runs))


def measured(run: Prepared) -> tuple[int, bool]:
    """Return how many epochs lie between two points of the curves of a run, and whether norms of gradients are theirs.

    Args:
        run: the run, which cannot be trained any more.
    """
    with one_thread(), np.errstate(all="ignore"):
        machine = machine_of(_stack([run]))
    return machine.measure_every, any(name.startswith("gradient_norm/") for name in machine.curve_names)


@dataclass(frozen=True)
class Task:
    """A run to be trained and recorded.

    Attributes:
        prepared: the run.
        directory: directory of its record, created if missing.
        tracker: the tracker to name in the record; it is told only if it is among the watchers.
        overrides: the overrides as typed, for the record.
        pictures: names of those that are wanted of it, for when it goes on.
        beside: what Hydra leaves beside a record, if it has just been written into the directory; None if it may be
            there.
    """

    prepared: Prepared
    directory: Path
    tracker: Tracker
    overrides: Sequence[str] = ()
    pictures: Sequence[str] = (AUTO,)
    beside: Mapping[str, FileEntry] | None = None


def execute(
    tasks: Sequence[Task],
    watchers: Watchers,
    registry: Registry,
    prune: Pruner | None = None,
    synced: bool = True,
    overwrite: bool = False,
    since: Saved | None = None,
) -> list[tuple[Result, Record]]:
    """Train runs of one :func:`run_structure` as one stack, write their records and tell the watchers.

    Checkpoints are kept meanwhile, unless runs may be pruned: what a pruner has seen is not in them. They are removed
    when the records are written; but a single run that has trained all of its epochs, and for so long that there is a
    checkpoint, keeps it, so that it can be trained for longer.

    Args:
        tasks: the runs.
        watchers: the watchers to tell.
        registry: finds the plugins that the runs used.
        prune: stops runs early, see :func:`chainrule.engine.trainer.train`.
        synced: whether records must survive a power failure, see :func:`chainrule.records.run.write_record`.
        overwrite: whether records that lie there are to be replaced.
        since: a checkpoint of these runs, from which they go on; None to begin.

    Raises:
        ConfigurationError: a directory holds a record that is to stay.
        OSError: a record cannot be written.
    """
    for task in tasks:
        claim_directory(task.directory, overwrite, known=task.beside is not None)
        if since is None:
            remove_checkpoints(task.directory)
    runs, directories = [task.prepared for task in tasks], [task.directory for task in tasks]
    if prune:
        results = train_stack(runs, observer(runs, watchers), prune, snapshots=watchers.snapshots)
        return _record_all(tasks, results, watchers, registry, synced)
    past = since.checkpoint.epoch if since else None
    started = datetime.fromisoformat(str(since.about["started"])) if since else datetime.now(UTC)
    details = {"started": started.isoformat(), **(_details(tasks[0]) if len(tasks) == 1 else {})}
    alone = tasks[0] if len(tasks) == 1 and synced else None
    kept = keeping(runs, directories, details, registry, since, synced)
    with kept as keeper, _shown(alone, started, watchers) as reveal:
        seen: dict[str, Any] = {"observe": observer(runs, watchers, past), "snapshots": watchers.snapshots}
        results = train_stack(runs, since=since, moment=keeper, started=started, reveal=reveal, **seen)
        done = _record_all(tasks, results, watchers, registry, synced)
    if not (synced and len(tasks) == 1 and results[0].reason is Reason.EPOCHS):
        remove_checkpoints(directories[0])
    return done


@contextmanager
def _shown(
    task: Task | None, started: datetime, watchers: Watchers
) -> Iterator[Callable[[Callable[[int], Curves]], None] | None]:
    """Let watchers see the curves of a run that is trained alone, and tell them if it is interrupted.

    Args:
        task: the run; None for several.
        started: when its training began, at first.
        watchers: the watchers.
    """
    if task is None:
        yield None
        return
    told: list[Begun] = []

    def reveal(curves: Callable[[int], Curves]) -> None:
        settings = task.prepared.settings
        begun = Begun(task.directory, settings.title, started, settings.training.epochs, lambda: curves(0))
        told.append(begun)
        watchers.tell("run_started", begun)

    try:
        yield reveal
    except KeyboardInterrupt:
        for begun in told:
            watchers.tell("run_interrupted", begun)
        raise


def _record_all(
    tasks: Sequence[Task], results: Sequence[Result], watchers: Watchers, registry: Registry, synced: bool
) -> list[tuple[Result, Record]]:
    done = []
    for task, result in zip(tasks, results, strict=True):
        watchers.tell("run_trained", result.shown(), task.directory)
        done.append((result, _record(task, result, registry, synced)))
    return done


def _details(task: Task) -> dict[str, Any]:
    """Return what a single run needs to go on, besides what is checked: its configuration, and where it was started."""
    settings = task.prepared.settings
    return {
        "configuration": {**settings.to_config(), "tracking": component_config(task.tracker)},
        "checkpoint_every": settings.training.checkpoint_every,
        "overrides": list(task.overrides),
        "pictures": list(task.pictures),
        "working_directory": str(paths.started()),
    }


def observer(runs: Sequence[Prepared], watchers: Watchers, past: int | None = None) -> Observer:
    """Tell watchers that a stack of these runs begins, and return what tells them of its progress.

    Args:
        runs: the runs.
        watchers: the watchers.
        past: epochs that were trained before, if the runs go on from a checkpoint.
    """
    resumed = [] if past is None else [f"training goes on after epoch {past}, from a checkpoint"]
    notes = tuple(dict.fromkeys([*(note for run in runs for note in run.notes), *resumed]))
    titles = tuple(run.settings.title for run in runs)
    watchers.tell("stack_started", Start(titles, runs[0].settings.training.epochs, notes))

    def observe(epoch: int, losses: Array, running: int) -> None:
        interrupts.keep()
        watchers.tell("epochs_recorded", Progress(epoch, tuple(losses.tolist()), running))

    return observe


def _record(task: Task, result: Result, registry: Registry, synced: bool) -> Record:
    return write_record(
        task.directory,
        result,
        tracking=component_config(task.tracker),
        plugins=registry.plugins_of(result.settings),
        overrides=task.overrides,
        synced=synced,
        beside=task.beside,
    )


def _beside(parts: Sequence[Array]) -> Array:
    """Return samples of several runs, ``(rows, runs, samples)``; those of a single run are not copied."""
    return np.stack(parts, axis=1) if len(parts) > 1 else parts[0][:, None]


def _stack(runs: Sequence[Prepared]) -> Stack:
    settings = [run.settings for run in runs]
    theta = np.stack([run.theta for run in runs])
    dtype = theta.dtype
    patience = [s.training.patience for s in settings]
    components: dict[str, Any] = {group: stack([getattr(s, group) for s in settings], dtype) for group in STACKED}
    return Stack(
        shape=runs[0].shape,
        epochs=settings[0].training.epochs,
        batch_size=settings[0].training.batch_size,
        measure_every=measure_every(settings[0]),
        gradient_norms=gradient_norms(settings[0]),
        **components,
        dropout=np.array([s.network.dropout for s in settings], dtype) if settings[0].network.dropout else None,
        rule_state={
            name: np.stack([run.rule_state[name] for run in runs]).astype(dtype) for name in runs[0].rule_state
        },
        theta=theta,
        states=stacked([run.states for run in runs]),
        train=_beside([run.samples.train for run in runs]),
        validation=_beside([run.samples.validation for run in runs]),
        test=_beside([run.samples.test for run in runs]),
        samplings=tuple(s.sampling for s in settings),
        fresh=tuple(run.samples.fresh for run in runs),
        shuffles=tuple(run.shuffle for run in runs),
        randoms=tuple(run.random for run in runs),
        tolerance=np.array([s.loss.minimum + s.training.tolerance for s in settings]),
        patience=np.array([np.inf if p is None else p for p in patience]),
        task=settings[0].target.resolved_task,
        restore_best=np.array([s.training.restore_best for s in settings]),
        engine=settings[0].training.engine,
    )
