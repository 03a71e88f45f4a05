"""What trains a stack step by step: its parameters, buffers and state, and what it measures."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Array, Optimizer
from chainrule.components.random import Random
from chainrule.components.stacking import take
from chainrule.engine.backprop import Backprop, Batch, Truth, mean_loss, separate, true_outputs
from chainrule.engine.epoch import Epoch
from chainrule.engine.layers import States, differs_in_training, filling, require_shape, taken
from chainrule.engine.network import Pass, initial_states, placed
from chainrule.engine.problem import Problem
from chainrule.engine.stack import Stack
from chainrule.errors import PluginError


class Rate:
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

    def take(self, stack: Stack, runs: Array) -> "Rate":
        """Return the rates of the chosen runs, which make up ``stack``."""
        return Rate(stack, {name: array[runs] for name, array in self._state.items()})


class Machine:
    """Everything allocated to train a stack: parameters, gradients, optimizer state, buffers of the passes.

    Args:
        stack: the runs, with their parameters as they are now.
        rate: changes learning rates; None if they are constant.
        before: of which the stack is a part that goes on, and which of its runs these are; None at the first step.

    Attributes:
        theta: the parameters that are trained, ``(runs, parameters)``.
        kept: those that are measured and saved; the same array, unless the optimizer recommends others.
        states: what activations keep beside parameters, which is saved, too.
    """

    def __init__(self, stack: Stack, rate: Rate | None, before: tuple["Machine", Array] | None = None) -> None:
        self._stack, self._rate = stack, rate
        self._optimizer = optimizer = rate.optimizer if rate else stack.optimizer
        self.theta = stack.theta.copy()
        random = Random(stack.randoms, self.theta.dtype)
        chosen = list(placed(stack.activation, stack.output, stack.norm, stack.shape.layers))
        differs = stack.dropout is not None or any(differs_in_training(one.activation) for one in chosen)
        self._rng = random if differs else None  # of layers, in training
        self._offered = {"shape": stack.shape, "rng": random}
        if before is None:
            self._step = 0
            self._state: dict[str, Array] = given(optimizer, "init", **self._offered)(self.theta)
            self._further = np.zeros((2, len(self.theta)), int)
            self.states: States = initial_states(chosen, stack.shape, len(self.theta), self.theta.dtype)
        else:
            machine, runs = before
            self._step, self._further = machine._step, machine._further[:, runs]
            self._state = {name: array[runs] for name, array in machine._state.items()}
            self.states = taken(machine.states, runs)
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
        self._epoch = None if full else Epoch(stack, batch_size or samples)
        if self._epoch:
            parts = [self._backprop(part, self.theta, self._rng) for part in self._epoch.parts]
        elif self._keeps or self._rng:
            parts = [self._backprop(everything, self.theta, self._rng)]
        else:
            parts = [(self._whole, [self._whole_batch])]
        self._steps = [(self._update(part, batch), part, batch) for part, batches in parts for batch in batches]
        self._measured: Array | None = None  # gradients of all samples at the current parameters
        self._held_out: tuple[Pass, Any, Truth] | None = None
        if validation.shape[2]:
            x, y = separate(validation, inputs)
            forward = self._pass(x.shape[2], self.kept)
            self._held_out = forward, forward.first(x), Truth.of(y, true_outputs(forward, stack.loss))

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
        self._measured = None if self._keeps or self._rng else grad
        values = {"train/loss": mean_loss(self._whole.forward, self._stack.loss, self._whole_batch.truth)}
        if self._held_out:
            forward, first, truth = self._held_out
            forward.forward(first)
            values["validation/loss"] = mean_loss(forward, self._stack.loss, truth)
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

    def take(self, runs: Array) -> "Machine":
        """Return a machine that continues with the chosen runs."""
        stack = replace(self._stack.take(runs), theta=self.theta[runs])
        return Machine(stack, self._rate.take(stack, runs) if self._rate else None, (self, runs))

    def _update(self, backprop: Backprop, batch: Batch) -> Callable[..., None]:
        """Return ``update`` of the optimizer for one batch, with what it asks for."""
        if "problem" in asked(type(self._optimizer), "update"):
            problem = Problem(backprop, batch, self._further, self._rng, self.states)
            return given(self._optimizer, "update", **self._offered, problem=problem)
        return given(self._optimizer, "update", **self._offered)

    def _pass(self, samples: int, theta: Array, rng: Random | None = None) -> Pass:
        stack = self._stack
        layers: dict[str, Any] = {"norm": stack.norm, "states": self.states, "dropout": stack.dropout}
        return Pass(stack.shape, theta, stack.activation, stack.output, samples, rng, **layers)

    def _backprop(
        self, samples: Sequence[tuple[Array, Array]], theta: Array, rng: Random | None = None
    ) -> tuple[Backprop, list[Batch]]:
        """Return buffers for batches of one size, and the batches: each is ``x`` under a row of ones and ``y``."""
        stack = self._stack
        forward = self._pass(samples[0][0].shape[2], theta, rng)
        backprop = Backprop(forward, stack.loss, stack.rule, stack.rule_state, np.empty_like(theta))
        return backprop, [backprop.batch(x, y) for x, y in samples]


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
