"""The training loop, for a stack of runs: measure, stop, step. It does no input or output, but calls an observer."""

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from chainrule.components.contracts import Array
from chainrule.engine.choice import Engine
from chainrule.engine.curves import Curves, History, due_epochs, one_nan
from chainrule.engine.layers import States, taken
from chainrule.engine.machine import Checkpoint, looked_at, machine_of
from chainrule.engine.onlooker import Onlooker
from chainrule.engine.reason import Reason
from chainrule.engine.stack import Stack
from chainrule.engine.stopping import Best, Stopping
from chainrule.engine.trajectory import Snapshot, Snapshots, Trajectory

Observer = Callable[[int, Array, int], None]
Pruner = Callable[[int, Array, Array], Array]

_SPAN = 0.25  # seconds between two moments at which training can be left, about, unless an epoch takes longer


@dataclass(frozen=True)
class Trained:
    """One run after training.

    Attributes:
        theta: parameters when it stopped, or at its best epoch, as its optimizer recommends them, ``(parameters,)``.
        states: what activations keep beside parameters, by layer and group: arrays ``(1, units, 1)``.
        curves: what was measured.
        reason: why it stopped.
        epochs: how many epochs it trained.
        evaluations: how often its training evaluated the gradient of a batch, and the loss of a batch without one.
        best_epoch: the epoch whose parameters these are, if the run ends with those of its best; else None.
        test_loss: the mean loss of the test samples, or None if there are none.
        outputs: what the network gives at these parameters for the samples of each part, ``(outputs, samples)``.
        checkpoint: from where its training can go on, if that was asked for; else None.
        trajectory: its parameters at some epochs, if that was asked for; else None.
        engine: what has done its steps.
        fallback: why NumPy has done them although machine code was to; "" if there is nothing to say.
    """

    theta: Array
    states: States
    curves: Curves
    reason: Reason
    epochs: int
    evaluations: tuple[int, int]
    best_epoch: int | None = None
    test_loss: float | None = None
    outputs: dict[str, Array] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    trajectory: Trajectory | None = None
    engine: Engine = Engine.NUMPY
    fallback: str = ""


@dataclass(frozen=True)
class Course:
    """What has become of a training so far, besides the checkpoint of the runs that are still trained.

    Its arrays are its own. With both, and the same stack, a training that broke off goes on to the same bits.

    Attributes:
        active: indices of the runs that are still trained, in the order of the checkpoint.
        losses: training loss of each run of the stack at its last point.
        points: how many points the curves of each run have.
        curves: values of each curve, ``(points, runs)``.
        stopping: by name, what decides when the active runs stop.
        best: likewise, their best losses, epochs and parameters.
        best_states: what activations kept with these parameters.
        shuffles, randoms: states of the generators of each run.
        ended: the runs that have ended, by their index.
        spread, snapshots: the points of their trajectories, and how they are spread.
    """

    active: Array
    losses: Array
    points: Array
    curves: Mapping[str, Array]
    stopping: Mapping[str, Array]
    best: Mapping[str, Array]
    best_states: States
    shuffles: list[dict[str, Any]]
    randoms: list[dict[str, Any]]
    ended: Mapping[int, Trained] = field(default_factory=dict)
    spread: tuple[int, int] = (1, 0)
    snapshots: tuple[Snapshot, ...] = ()


Moment = Callable[[Callable[[], tuple[Checkpoint, Course]]], object]


def train(
    stack: Stack,
    observe: Observer | None = None,
    prune: Pruner | None = None,
    *,
    since: Checkpoint | None = None,
    resumable: bool = False,
    course: Course | None = None,
    moment: Moment | None = None,
    onlooker: Onlooker | None = None,
    snapshots: int = 0,
    reveal: Callable[[Callable[[int], Curves]], object] | None = None,
) -> list[Trained]:
    """Train every run of a stack; the bits of a run do not depend on the other runs.

    Args:
        stack: the runs; its arrays are not changed.
        observe: called at each point of the curves with the epoch, the training losses of all runs and the number of
            runs still training.
        prune: called at each point of the curves but the last, with the epoch, the indices of the runs still training,
            and their validation losses (training losses if there is no validation); returns an array of bool, True for
            each run to stop.
        since: from where the stack goes on, up to its ``epochs``; it is used up. What was measured before then does not
            count, unless there is a ``course``. None to begin.
        resumable: whether the results are to have checkpoints.
        course: what else was so when ``since`` was taken, in a training that broke off; None to measure anew. The
            generators of the stack are set to what they were then.
        moment: called several times a second, unless an epoch takes longer, with a function that returns from where
            this training can go on, at a cost that grows with the parameters.
        onlooker: sees single steps, and the passes behind each point of the curves; the bits are the same without.
        snapshots: how many points of its trajectory each run is to have beside the last one, at most; 0 for no
            trajectory. That of a training that goes on without a ``course`` begins where it goes on.
        reveal: called once before training, with a function that returns the curves of a run so far, in any thread.

    Returns:
        One entry per run, in the order of the stack.
    """
    with one_thread(), np.errstate(all="ignore"):
        training = _Training(stack, since, course, onlooker, snapshots)
        if reveal:
            reveal(training.curves)
        return training.run(observe, prune, resumable, moment)


class Stopwatch:
    """Trains a stack for some epochs at a time, at most its own, and says what that costs.

    No loss is measured, and no run stops. Each call goes on with the parameters of the last. Seconds are those of CPU:
    by the clock, other processes would count; what waits for something else than a CPU is not counted.
    """

    def __init__(self, stack: Stack) -> None:
        with np.errstate(all="ignore"):
            self._machine = machine_of(stack)
        self._epochs = 0

    def __call__(self, epochs: int) -> float:
        """Train for so many epochs, and return the seconds of their updates."""
        with one_thread(), np.errstate(all="ignore"):
            begin = time.process_time()
            self._machine.train(0, epochs)
            self._epochs += epochs
            return time.process_time() - begin

    @property
    def gradients(self) -> float:
        """How many gradients a run has evaluated in an epoch, on average."""
        rows = range(len(self._machine.theta))
        return sum(self._machine.evaluations(row)[0] for row in rows) / len(rows) / self._epochs


class _Training:
    """The training of a stack, which can be left between two epochs, and gone on with.

    Args:
        stack: the runs.
        since, course: from where it goes on; see :func:`train`.
        onlooker: sees steps; likewise.
        snapshots: how many points of trajectories are kept; likewise.
    """

    def __init__(
        self,
        stack: Stack,
        since: Checkpoint | None,
        course: Course | None,
        onlooker: Onlooker | None,
        snapshots: int,
    ) -> None:
        self._stack, runs = stack, len(stack.theta)
        self._active = np.arange(runs) if course is None else course.active
        going = stack if course is None else stack.take(self._active)
        self._epoch = since.epoch if since else 0
        self._machine = machine_of(going, since, (onlooker, self._active) if onlooker else None)
        every = due_epochs(stack.epochs, self._machine.measure_every)
        self._due = [epoch for epoch in every if not since or epoch > self._epoch]
        self._history = History(runs, every if course else self._due, self._machine.curve_names)
        self._stopping, self._best = Stopping(going), Best(going)
        self._path = Snapshots(snapshots, stack.shape.size, stack.theta.itemsize) if snapshots else None
        self._losses = np.full(runs, np.nan)
        self._trained: dict[int, Trained] = {}
        self._span = 1
        if course:
            self._return_to(course)

    def run(
        self, observe: Observer | None, prune: Pruner | None, resumable: bool, moment: Moment | None
    ) -> list[Trained]:
        """Train to the end; see :func:`train`."""
        for epoch in self._due:
            for _ in self._advance(epoch, whole=moment is None):
                if moment:
                    moment(self.course)
            reasons = self._measure(epoch, prune)
            stay = self._part(epoch, reasons, resumable)
            if observe:
                observe(epoch, self._losses, len(stay))
                _pin()
            if not len(stay):
                break
            if len(stay) < len(self._active):
                self._machine, self._active = self._machine.take(stay), self._active[stay]
                self._stopping, self._best = self._stopping.take(stay), self._best.take(stay)
            if moment:
                moment(self.course)
        return [self._trained[run] for run in range(len(self._stack.theta))]

    def curves(self, run: int) -> Curves:
        """Return the curves of a run so far."""
        return self._history.curves(run)

    def course(self) -> tuple[Checkpoint, Course]:
        """Return from where the training can go on."""
        (stopping, best, best_states), stack = (self._stopping.state(), *self._best.state()), self._stack
        points, curves = self._history.state()
        spread, snapshots = self._path.state() if self._path else ((1, 0), ())
        course = Course(
            active=self._active.copy(),
            losses=self._losses.copy(),
            points=points,
            curves=curves,
            stopping=stopping,
            best=best,
            best_states=best_states,
            shuffles=[dict(rng.bit_generator.state) for rng in stack.shuffles],
            randoms=[dict(rng.bit_generator.state) for rng in stack.randoms],
            ended=dict(self._trained),
            spread=spread,
            snapshots=snapshots,
        )
        return self._machine.checkpoint(np.arange(len(self._active))), course

    def _return_to(self, course: Course) -> None:
        self._losses[:] = course.losses
        self._history.restore(course.points, course.curves)
        self._stopping.restore(course.stopping)
        self._best.restore(course.best, course.best_states)
        self._trained.update(course.ended)
        if self._path:
            self._path.restore(course.spread, course.snapshots)
        for generators, states in ((self._stack.shuffles, course.shuffles), (self._stack.randoms, course.randoms)):
            for rng, state in zip(generators, states, strict=True):
                rng.bit_generator.state = state

    def _advance(self, epoch: int, whole: bool) -> Iterator[None]:
        """Train to an epoch; yield before it whenever a span has passed, unless it is to be done as a whole."""
        while self._epoch < epoch:
            end = epoch if whole else min(epoch, self._epoch + self._span)
            began = time.perf_counter()
            self._machine.train(self._epoch, end)
            seconds = max((time.perf_counter() - began) / (end - self._epoch), 1e-9)
            self._span = max(1, min(8 * self._span, int(_SPAN / seconds)))
            self._epoch = end
            if end < epoch:
                yield

    def _measure(self, epoch: int, prune: Pruner | None) -> list[Reason | None]:
        """Measure the active runs; return why each of them stops, and None for those that do not."""
        machine, active = self._machine, self._active
        values = machine.measure()
        watched = values.get("validation/loss", values["train/loss"])
        self._history.add(active, values | machine.scores() | machine.set_rate(epoch, watched))
        self._losses[active] = values["train/loss"]
        self._best.measured(epoch, watched, machine.kept, machine.states)
        if self._path:
            self._path.measured(epoch, active, machine.kept, machine.states)
        reasons = self._stopping.reasons(epoch, values, watched)
        if epoch == self._stack.epochs:
            return [reason or Reason.EPOCHS for reason in reasons]
        if prune:
            going = np.array([row for row, reason in enumerate(reasons) if not reason], int)
            for row in going[prune(epoch, active[going], watched[going])]:
                reasons[row] = Reason.PRUNED
        return reasons

    def _part(self, epoch: int, reasons: list[Reason | None], resumable: bool) -> Array:
        """Keep what came of the runs that stop; return the rows of the others."""
        if not any(reasons):
            return np.arange(len(reasons))
        machine, stack = self._machine, self._stack
        for row, reason in enumerate(reasons):
            if reason:
                run = int(self._active[row])
                kept, states, best_epoch = self._best.end(row, machine.kept, machine.states)
                evaluations, curves = machine.evaluations(row), self._history.curves(run)
                given = {} if best_epoch not in (None, epoch) else machine.outputs(row)
                tested = _complete(given, stack, run, kept, states)
                checkpoint = machine.checkpoint(np.array([row])) if resumable else None
                path = None
                if self._path:
                    path = self._path.trajectory(run, epoch, machine.kept[row], taken(machine.states, np.array([row])))
                ended = one_nan(kept), states, curves, reason, epoch, evaluations, best_epoch, tested, given
                self._trained[run] = Trained(*ended, checkpoint, path, machine.engine, machine.fallback)
        return np.array([row for row, reason in enumerate(reasons) if not reason], int)


def _complete(outputs: dict[str, Array], stack: Stack, run: int, theta: Array, states: States) -> float | None:
    """Add what the network of a run gives for parts that are not there yet; return its loss on the test samples.

    Args:
        outputs: ``(outputs, samples)``, by part.
        stack: all runs.
        run: which.
        theta: the parameters that it ends with, ``(parameters,)``.
        states: what its activations keep.
    """
    parts = {"train": stack.train, "validation": stack.validation, "test": stack.test}
    loss, own = None, np.array([run])
    missing = {part: samples for part, samples in parts.items() if samples.shape[2] and part not in outputs}
    one = stack.take(own) if missing else stack
    for part, samples in missing.items():
        outputs[part], loss = looked_at(one, samples[:, own], theta, states)
    return loss if "test" in missing else None


def one_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS has one thread: the number of threads changes the last bits."""
    limited: AbstractContextManager[object] = blas().limit(limits=1)
    return limited


@functools.cache
def blas() -> ThreadpoolController:
    """Find the BLAS libraries once, to limit their threads."""
    return ThreadpoolController().select(user_api="blas")


def _pin() -> None:
    """Set BLAS back to one thread, in case a library that an observer uses has set more."""
    for library in blas().lib_controllers:
        if library.num_threads != 1:
            library.set_num_threads(1)
