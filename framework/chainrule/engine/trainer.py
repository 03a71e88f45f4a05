"""The training loop, for a stack of runs: measure, stop, step. It does no input or output, but calls an observer."""

import functools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import ThreadpoolController

from chainrule.components.contracts import Array
from chainrule.engine.curves import Curves, History, due_epochs, one_nan
from chainrule.engine.layers import States
from chainrule.engine.machine import Checkpoint, looked_at, machine_of
from chainrule.engine.reason import Reason
from chainrule.engine.stack import Stack
from chainrule.engine.stopping import Best, Stopping

Observer = Callable[[int, Array, int], None]
Pruner = Callable[[int, Array, Array], Array]


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


def train(
    stack: Stack,
    observe: Observer | None = None,
    prune: Pruner | None = None,
    *,
    since: Checkpoint | None = None,
    resumable: bool = False,
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
            count. None to begin.
        resumable: whether the results are to have checkpoints.

    Returns:
        One entry per run, in the order of the stack.
    """
    with one_thread(), np.errstate(all="ignore"):
        return _train(stack, observe, prune, since, resumable)


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


def _train(
    stack: Stack, observe: Observer | None, prune: Pruner | None, since: Checkpoint | None, resumable: bool
) -> list[Trained]:
    runs, first = len(stack.theta), since.epoch if since else 0
    active = np.arange(runs)
    machine = machine_of(stack, since)
    due = [epoch for epoch in due_epochs(stack.epochs, machine.measure_every) if not since or epoch > first]
    history = History(runs, due, machine.curve_names)
    stopping, best = Stopping(stack), Best(stack)
    losses = np.full(runs, np.nan)
    trained: dict[int, Trained] = {}
    for previous, epoch in zip([first, *due], due, strict=False):
        machine.train(previous, epoch)
        values = machine.measure()
        watched = values.get("validation/loss", values["train/loss"])
        history.add(active, values | machine.set_rate(epoch, watched))
        losses[active] = values["train/loss"]
        best.measured(epoch, watched, machine.kept, machine.states)
        reasons = stopping.reasons(epoch, values, watched)
        if epoch == stack.epochs:
            reasons = [reason or Reason.EPOCHS for reason in reasons]
        elif prune:
            going = np.array([row for row, reason in enumerate(reasons) if not reason], int)
            for row in going[prune(epoch, active[going], watched[going])]:
                reasons[row] = Reason.PRUNED
        for row, reason in enumerate(reasons):
            if reason:
                run = int(active[row])
                kept, states, best_epoch = best.end(row, machine.kept, machine.states)
                evaluations, curves = machine.evaluations(row), history.curves(run)
                given = {} if best_epoch not in (None, epoch) else machine.outputs(row)
                tested = _complete(given, stack, run, kept, states)
                checkpoint = machine.checkpoint(np.array([row])) if resumable else None
                trained[run] = Trained(
                    one_nan(kept), states, curves, reason, epoch, evaluations, best_epoch, tested, given, checkpoint
                )
        stay = np.array([row for row, reason in enumerate(reasons) if not reason], int)
        if observe:
            observe(epoch, losses, len(stay))
            _pin()
        if not len(stay):
            break
        if len(stay) < len(active):
            machine, stopping, best, active = machine.take(stay), stopping.take(stay), best.take(stay), active[stay]
    return [trained[run] for run in range(runs)]


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
