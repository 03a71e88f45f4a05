"""The training loop, for a stack of runs: measure, stop, step. It does no input or output, but calls an observer."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

import numpy as np
from threadpoolctl import ThreadpoolController

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Activation, Array, Component, Loss, Optimizer, Rule, Schedule
from chainrule.components.random import Random
from chainrule.components.stacking import take
from chainrule.engine.backprop import Backprop, Batch, mean_loss, separate
from chainrule.engine.curves import Curves, History, due_epochs, one_nan
from chainrule.engine.network import Pass, Shape, filling, require_shape
from chainrule.engine.problem import Problem
from chainrule.engine.reason import Reason
from chainrule.errors import PluginError

Observer = Callable[[int, Array, int], None]
Pruner = Callable[[int, Array, Array], Array]


@dataclass(frozen=True)
class Stack:
    """Runs of one structure, trained as one computation. All arrays and float fields of components have a run axis.

    Attributes:
        shape: widths of the network.
        epochs: largest number of epochs.
        batch_size: samples per step; None, or at least the number of training samples, for full batches.
        measure_every: epochs between two points of the curves; stopping is decided at these points.
        activation, output, loss, optimizer, schedule, rule: stacked components, named like their groups.
        rule_state: the rule's fixed arrays, ``(runs, ...)``.
        theta: parameters before training, ``(runs, parameters)``, in the dtype of the stack.
        train, validation: samples, ``(1 + inputs + outputs, runs, samples)``: ones, ``x`` and ``y``.
        shuffles: one generator per run, for the order of its samples.
        randoms: one generator per run, for components that are random in training.
        tolerance: training loss at which a run has converged, ``(runs,)``.
        patience: epochs without improvement after which a run has reached a plateau, ``(runs,)``; may be infinite.
    """

    shape: Shape
    epochs: int
    batch_size: int | None
    measure_every: int
    activation: Activation
    output: Activation
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    rule: Rule
    rule_state: dict[str, Array]
    theta: Array
    train: Array
    validation: Array
    shuffles: tuple[np.random.Generator, ...]
    randoms: tuple[np.random.Generator, ...]
    tolerance: Array
    patience: Array

    def take(self, runs: Array) -> "Stack":
        """Return the stack of the chosen ``runs`` (indices)."""
        components: dict[str, Any] = {group: take(getattr(self, group), runs) for group in STACKED}
        return replace(
            self,
            **components,
            rule_state={name: array[runs] for name, array in self.rule_state.items()},
            theta=self.theta[runs],
            train=self.train[:, runs],
            validation=self.validation[:, runs],
            shuffles=tuple(self.shuffles[run] for run in runs),
            randoms=tuple(self.randoms[run] for run in runs),
            tolerance=self.tolerance[runs],
            patience=self.patience[runs],
        )


STACKED = tuple(
    name for name, cls in get_type_hints(Stack).items() if isinstance(cls, type) and issubclass(cls, Component)
)  # the components that the runs of a stack share


@dataclass(frozen=True)
class Trained:
    """One run after training.

    Attributes:
        theta: parameters when it stopped, as its optimizer recommends them, shape ``(parameters,)``.
        curves: what was measured.
        reason: why it stopped.
        epochs: how many epochs it trained.
        evaluations: how often its training evaluated the gradient of a batch, and the loss of a batch without one.
    """

    theta: Array
    curves: Curves
    reason: Reason
    epochs: int
    evaluations: tuple[int, int]


def train(stack: Stack, observe: Observer | None = None, prune: Pruner | None = None) -> list[Trained]:
    """Train every run of a stack; the bits of a run do not depend on the other runs.

    Args:
        stack: the runs; its arrays are not changed.
        observe: called at each point of the curves with the epoch, the training losses of all runs and the number of
            runs still training.
        prune: called at each point of the curves but the last, with the epoch, the indices of the runs still training,
            and their validation losses (training losses if there is no validation); returns an array of bool, True for
            each run to stop.

    Returns:
        One entry per run, in the order of the stack.
    """
    with _blas().limit(limits=1), np.errstate(all="ignore"):
        return _train(stack, observe, prune)


class Stopwatch:
    """Trains a stack for some epochs at a time, at most its own, and says what that costs.

    No loss is measured, and no run stops. Each call goes on with the parameters of the last. Seconds are those of CPU:
    by the clock, other processes would count; what waits for something else than a CPU is not counted.
    """

    def __init__(self, stack: Stack) -> None:
        with np.errstate(all="ignore"):
            self._machine = _Machine(stack, None if stack.schedule.is_constant else _Rate(stack))
        self._epochs = 0

    def __call__(self, epochs: int) -> float:
        """Train for so many epochs, and return the seconds of their updates."""
        with _blas().limit(limits=1), np.errstate(all="ignore"):
            begin = time.process_time()
            self._machine.train(0, epochs)
            self._epochs += epochs
            return time.process_time() - begin

    @property
    def gradients(self) -> float:
        """How many gradients a run has evaluated in an epoch, on average."""
        rows = range(len(self._machine.theta))
        return sum(self._machine.evaluations(row)[0] for row in rows) / len(rows) / self._epochs


def _train(stack: Stack, observe: Observer | None, prune: Pruner | None) -> list[Trained]:
    runs = len(stack.theta)
    due = due_epochs(stack.epochs, stack.measure_every)
    active = np.arange(runs)
    rate = None if stack.schedule.is_constant else _Rate(stack)
    machine = _Machine(stack, rate)
    history = History(runs, due, machine.curve_names)
    stopping = _Stopping(stack)
    losses = np.full(runs, np.nan)
    trained: dict[int, Trained] = {}
    for previous, epoch in zip([0, *due], due, strict=False):
        machine.train(previous, epoch)
        values = machine.measure()
        watched = values.get("validation/loss", values["train/loss"])
        history.add(active, values | machine.set_rate(epoch, watched))
        losses[active] = values["train/loss"]
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
                kept, evaluations = one_nan(machine.kept[row]), machine.evaluations(row)
                trained[run] = Trained(kept, history.curves(run), reason, epoch, evaluations)
        stay = np.array([row for row, reason in enumerate(reasons) if not reason], int)
        if observe:
            observe(epoch, losses, len(stay))
            _pin()
        if not len(stay):
            break
        if len(stay) < len(active):
            machine, stopping, active = machine.take(stay), stopping.take(stay), active[stay]
    return [trained[run] for run in range(runs)]


class _Rate:
    """The learning rates of a stack, changed from epoch to epoch by a schedule.

    Attributes:
        optimizer: a copy of the stack's optimizer; its learning rates are changed in place.
    """

    def __init__(self, stack: Stack, state: dict[str, Array] | None = None) -> None:
        field = str(stack.optimizer.rate)
        self._stack, self._lr = stack, getattr(stack.optimizer, field)
        self.optimizer = take(stack.optimizer, np.arange(len(self._lr)))
        self._used = getattr(self.optimizer, field)
        self._state = stack.schedule.init(self._lr) if state is None else state
        _require_run_axis(f"schedule={stack.schedule.name}", self._state, len(self._lr))
        self._fill = filling(stack.schedule.rate)

    def set(self, epoch: int) -> Array:
        """Set the rates of the epoch that follows ``epoch`` trained ones, and return them, ``(runs,)``."""
        self._fill(self._lr, epoch, max(self._stack.epochs, 1), self._state, out=self._used)
        rates: Array = self._used[:, 0]
        return rates

    def measured(self, loss: Array, epoch: int) -> None:
        """Pass the measured losses, ``(runs,)``, to the schedule."""
        self._stack.schedule.measured(loss[:, None], epoch, self._state)

    def take(self, stack: Stack, runs: Array) -> "_Rate":
        """Return the rates of the chosen runs, which make up ``stack``."""
        return _Rate(stack, {name: array[runs] for name, array in self._state.items()})


class _Machine:
    """Everything allocated to train a stack: parameters, gradients, optimizer state, buffers of the passes.

    Args:
        stack: the runs, with their parameters as they are now.
        rate: changes learning rates; None if they are constant.
        before: of which the stack is a part that goes on, and which of its runs these are; None at the first step.

    Attributes:
        theta: the parameters that are trained, ``(runs, parameters)``.
        kept: those that are measured and saved; the same array, unless the optimizer recommends others.
    """

    def __init__(self, stack: Stack, rate: _Rate | None, before: tuple["_Machine", Array] | None = None) -> None:
        self._stack, self._rate = stack, rate
        self._optimizer = optimizer = rate.optimizer if rate else stack.optimizer
        self.theta = stack.theta.copy()
        random = Random(stack.randoms, self.theta.dtype)
        self._offered = {"shape": stack.shape, "rng": random}
        if before is None:
            self._step = 0
            self._state: dict[str, Array] = given(optimizer, "init", **self._offered)(self.theta)
            self._further = np.zeros((2, len(self.theta)), int)
        else:
            machine, runs = before
            self._step, self._further = machine._step, machine._further[:, runs]
            self._state = {name: array[runs] for name, array in machine._state.items()}
        _require_run_axis(f"optimizer={optimizer.name}", self._state, len(self.theta))
        self._keeps = type(optimizer).kept is not Optimizer.kept
        self.kept = np.empty_like(self.theta) if self._keeps else self.theta
        samples, batch_size = stack.train.shape[2], stack.batch_size
        full = batch_size is None or batch_size >= samples
        # Bits may depend on the order of axes in memory, which arrays made by indexing do not promise.
        train, validation = np.ascontiguousarray(stack.train), np.ascontiguousarray(stack.validation)
        inputs = stack.shape.widths[0]
        everything = [separate(train, inputs)]
        self._whole, (self._whole_batch,) = self._backprop(everything, self.kept)
        self._epoch = None if full else _Epoch(stack, batch_size or samples)
        if self._epoch:
            parts = [self._backprop(part, self.theta) for part in self._epoch.parts]
        elif self._keeps:
            parts = [self._backprop(everything, self.theta)]
        else:
            parts = [(self._whole, [self._whole_batch])]
        self._steps = [(self._update(part, batch), part, batch) for part, batches in parts for batch in batches]
        self._measured: Array | None = None  # gradients of all samples at the current parameters
        self._held_out: tuple[Pass, Any, Array] | None = None
        if validation.shape[2]:
            x, y = separate(validation, inputs)
            forward = self._pass(x.shape[2], self.kept)
            self._held_out = forward, forward.first(x), y

    @property
    def curve_names(self) -> list[str]:
        """Names of what ``measure`` and ``set_rate`` return."""
        norms = [f"gradient_norm/layer_{layer}" for layer in range(1, self._stack.shape.layers + 1)]
        losses = ["train/loss", *(["validation/loss"] if self._held_out else [])]
        return [*losses, *norms, *(["learning_rate"] if self._rate else [])]

    def evaluations(self, row: int) -> tuple[int, int]:
        """Return how often a run's training has evaluated gradients, and losses alone."""
        gradients, losses = self._further[:, row].tolist()
        return self._step + gradients, losses

    def train(self, start: int, end: int) -> None:
        """Train every run from epoch ``start`` to epoch ``end``."""
        theta, state, step, rate = self.theta, self._state, self._step, self._rate
        if start < end and self._measured is not None and not self._epoch:  # the first step's gradients are known
            start, step = start + 1, step + 1
            ((update, _, _),) = self._steps
            update(theta, self._measured, state, step)  # with the rate that was set when they were measured
        self._measured = None
        for epoch in range(start, end):
            if rate:
                rate.set(epoch)
            if self._epoch:
                self._epoch.shuffle()
            for update, backprop, batch in self._steps:
                step += 1
                update(theta, backprop(batch), state, step)
        self._step = step

    def measure(self) -> dict[str, Array]:
        """Return losses and gradient norms over all samples at the current parameters, each ``(runs,)``."""
        if self._keeps:
            recommended = self._optimizer.kept(self.theta, self._state)
            require_shape(self._optimizer.kept, recommended, self.theta.shape)
            np.copyto(self.kept, recommended)
        grad = self._whole(self._whole_batch)
        self._measured = None if self._keeps else grad
        values = {"train/loss": mean_loss(self._whole.forward, self._stack.loss, self._whole_batch.y)}
        if self._held_out:
            forward, first, y = self._held_out
            forward.forward(first)
            values["validation/loss"] = mean_loss(forward, self._stack.loss, y)
        for layer, place in enumerate(self._stack.shape.slices()[1:], 1):
            values[f"gradient_norm/layer_{layer}"] = np.sqrt(np.square(grad[:, place]).sum(axis=1))
        return values

    def set_rate(self, epoch: int, loss: Array) -> dict[str, Array]:
        """Set and return the learning rates of the coming epoch, ``(runs,)``; return nothing if they are constant.

        Args:
            epoch: how many epochs have been trained.
            loss: the loss measured after these epochs, ``(runs,)``.
        """
        if not self._rate:
            return {}
        self._rate.measured(loss, epoch)
        return {"learning_rate": self._rate.set(epoch)}

    def take(self, runs: Array) -> "_Machine":
        """Return a machine that continues with the chosen runs."""
        stack = replace(self._stack.take(runs), theta=self.theta[runs])
        return _Machine(stack, self._rate.take(stack, runs) if self._rate else None, (self, runs))

    def _update(self, backprop: Backprop, batch: Batch) -> Callable[..., None]:
        """Return ``update`` of the optimizer for one batch, with what it asks for."""
        if "problem" in asked(type(self._optimizer), "update"):
            problem = Problem(backprop, batch, self._further)
            return given(self._optimizer, "update", **self._offered, problem=problem)
        return given(self._optimizer, "update", **self._offered)

    def _pass(self, samples: int, theta: Array) -> Pass:
        return Pass(self._stack.shape, theta, self._stack.activation, self._stack.output, samples)

    def _backprop(self, samples: Sequence[tuple[Array, Array]], theta: Array) -> tuple[Backprop, list[Batch]]:
        """Return buffers for batches of one size, and the batches: each is ``x`` under a row of ones and ``y``."""
        stack = self._stack
        forward = self._pass(samples[0][0].shape[2], theta)
        backprop = Backprop(forward, stack.loss, stack.rule, stack.rule_state, np.empty_like(theta))
        return backprop, [backprop.batch(x, y) for x, y in samples]


class _Epoch:
    """The training samples of an epoch, shuffled for each run and cut into batches; each epoch refills the buffers.

    Attributes:
        parts: a list of the full batches, and a list of the partial batch if there is one. A batch is a pair: ``x``
            under a row of ones and ``y``, each ``(runs, units, samples)``.
    """

    def __init__(self, stack: Stack, batch_size: int) -> None:
        self._shuffles = stack.shuffles
        x, y = separate(stack.train, stack.shape.widths[0])
        # Shuffling moves whole samples, so each one is contiguous; BLAS reads the transposed views without a copy.
        self._x, self._y = (np.ascontiguousarray(part.mT) for part in (x, y))
        runs, samples, _ = self._x.shape
        self._orders = np.empty((runs, samples), np.intp)
        self._first = np.arange(runs)[:, None] * samples  # index of each run's first sample among all runs' samples
        count, rest = divmod(samples, batch_size)
        self._buffers = [
            tuple(np.empty((number, runs, size, part.shape[2]), part.dtype) for part in (self._x, self._y))
            for number, size in ((count, batch_size), (1, rest))
            if size
        ]
        self.parts = [list(zip(x.mT, y.mT, strict=True)) for x, y in self._buffers]

    def shuffle(self) -> None:
        """Put the samples of every run into a new random order, drawn from its own generator."""
        runs, samples = self._orders.shape
        for order, rng in zip(self._orders, self._shuffles, strict=True):
            order[:] = rng.permutation(samples)
        self._orders += self._first
        start = 0
        for buffers in self._buffers:
            count, _, size, _ = buffers[0].shape
            end = start + count * size
            chosen = self._orders[:, start:end].reshape(runs, count, size).swapaxes(0, 1)
            for part, buffer in zip((self._x, self._y), buffers, strict=True):
                # "clip" fills the buffer without a copy in between; no index is out of range.
                part.reshape(runs * samples, -1).take(chosen, axis=0, out=buffer, mode="clip")
            start = end


class _Stopping:
    """Decides from the measured values which runs stop."""

    def __init__(self, stack: Stack) -> None:
        self._tolerance, self._patience = stack.tolerance, stack.patience
        self._best = np.full(len(stack.theta), np.inf)
        self._best_epoch = np.zeros(len(stack.theta))

    def reasons(self, epoch: int, values: dict[str, Array], watched: Array) -> list[Reason | None]:
        """Return the reason for each run that stops now, and None for the others.

        Args:
            epoch: how many epochs have been trained.
            values: losses and gradient norms, each ``(runs,)``.
            watched: the loss that must improve, ``(runs,)``.
        """
        better = watched < self._best
        self._best[better] = watched[better]
        self._best_epoch[better] = epoch
        finite = np.logical_and.reduce([np.isfinite(column) for column in values.values()])
        plateau = epoch - self._best_epoch >= self._patience
        return [
            Reason.DIVERGED if not ok else Reason.CONVERGED if done else Reason.PLATEAU if stuck else None
            for ok, done, stuck in zip(finite, values["train/loss"] <= self._tolerance, plateau, strict=True)
        ]

    def take(self, runs: Array) -> "_Stopping":
        """Return the state of the chosen runs."""
        chosen = object.__new__(_Stopping)
        chosen.__dict__ = {name: array[runs] for name, array in self.__dict__.items()}
        return chosen


def _require_run_axis(owner: str, state: dict[str, Array], runs: int) -> None:
    """Check that each array of a component's state has one row per run.

    Raises:
        PluginError: an array has another first axis.
    """
    for name, array in state.items():
        if array.shape[:1] != (runs,):
            raise PluginError(
                f"{owner} keeps {name!r} of shape {array.shape}; its first axis must be the run axis, of length {runs}."
            )


@functools.cache
def _blas() -> ThreadpoolController:
    """Find the BLAS libraries once, to limit their threads: the number of threads changes the last bits."""
    return ThreadpoolController().select(user_api="blas")


def _pin() -> None:
    """Set BLAS back to one thread, in case a library that an observer uses has set more."""
    for library in _blas().lib_controllers:
        if library.num_threads != 1:
            library.set_num_threads(1)
