"""What can be seen of a training while it goes on: single steps, and the passes behind each point of the curves.

Who does not look costs nothing: a machine without an onlooker has the calls that it always had.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.components.arguments import asked
from chainrule.components.contracts import Array, Optimizer
from chainrule.engine.backprop import Backprop, Batch
from chainrule.engine.layers import States, taken
from chainrule.engine.network import Pass

Update = Callable[..., object]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Change:
    """What one step of a stack changed. Arrays are copies, with a run axis.

    Attributes:
        runs: which runs these are, as indices of the stack at its start.
        number: number of the step, from 1.
        epoch: how many epochs had been trained before the one that the step belongs to.
        grad: the gradient by the rule, ``(runs, parameters)``.
        before, after: the parameters before and after the step, likewise.
        rate: the learning rate of the step, ``(runs,)``; None if the optimizer has none.
    """

    runs: Array
    number: int
    epoch: int
    grad: Array
    before: Array
    after: Array
    rate: Array | None


@dataclass(frozen=True)
class Step(Change):
    """All of one step: what it changed, its samples, its passes, and states. Arrays are copies, with a run axis.

    Lists by layer count from 1, as in the article; index 0 is empty.

    Attributes:
        x, y: the samples, ``(runs, inputs, samples)`` and ``(runs, outputs, samples)``, scaled for the network.
        weights: how much each sample counts, ``(runs, samples)``; None for all alike.
        z, a: eq. 1 and 2, ``(runs, units, samples)``, of the parameters before the step.
        delta: eq. 4 and 5, for the loss of each single sample, likewise.
        used: the gradient that the transforms made of it; None where the optimizer evaluates gradients by itself.
        optimizer_before, optimizer_after: the state of the optimizer.
        rule_state: that of the rule, before it adapts.
        states: what activations kept before the step, by layer and group.
        randoms: the generators of components that are random in training, as they were before the step; copies.
    """

    x: Array
    y: Array
    weights: Array | None
    z: list[Array]
    a: list[Array]
    delta: list[Array]
    used: Array | None
    optimizer_before: Arrays
    optimizer_after: Arrays
    rule_state: Arrays
    states: States
    randoms: tuple[np.random.Generator, ...]


@dataclass(frozen=True)
class Point:
    """A point of the curves: the pass over all training samples. Arrays are the engine's own, only to be read now.

    Attributes:
        runs: which runs these are, as indices of the stack at its start.
        epoch, step: how many epochs and steps have been trained.
        theta: the parameters that are measured, ``(runs, parameters)``.
        z, a: lists by layer from 1, ``(runs, units, samples)``, as of :class:`Step`.
        x, y: the training samples, ``(runs, inputs, samples)`` and ``(runs, outputs, samples)``.
        values: losses by the names of their curves, and gradient norms if the run measures them, each ``(runs,)``.
        backward: returns delta by layer and the gradient over all training samples, ``(runs, parameters)``, by the rule
            of the run; it costs a backward pass, unless the run has done this itself to measure.
    """

    runs: Array
    epoch: int
    step: int
    theta: Array
    z: Sequence[Array]
    a: Sequence[Array]
    x: Array
    y: Array
    values: Mapping[str, Array]
    backward: Callable[[], tuple[Sequence[Array], Array]]


class Onlooker:
    """Sees a training and changes nothing of it; each method may be left out."""

    def wants(self, step: int) -> bool:
        """Say whether a step is to be seen, by its number from 1; asked before each step."""
        return False

    def next_wanted(self, step: int) -> int:
        """Return the number of the first step from this one on that may be wanted.

        Who wants few steps says which, and machine code may do those between; so that costs what training costs.
        """
        return step

    @property
    def skips(self) -> bool:
        """Whether it says which steps it wants, so that others need not be shown."""
        return type(self).next_wanted is not Onlooker.next_wanted

    def changed(self, change: Change) -> None:
        """A step that was wanted is done, and has changed this."""

    def stepped(self, step: Step) -> None:
        """Be shown all of it, too. Who has no such method saves the time that copying it takes."""

    def wants_point(self, epoch: int) -> bool:
        """Say whether the point of the curves after so many epochs is to be seen."""
        return True

    def measured(self, point: Point) -> None:
        """A point of the curves that was wanted is known. What is wanted of it must be copied."""


class Watch:
    """Shows an onlooker the steps and points of one machine.

    Args:
        onlooker: who sees them.
        runs: which runs these are, as indices of the stack at its start.
        randoms: the generators of these runs.
        optimizer: the machine's own.
        changing: what the machine changes: the states of optimizer and rule, and what activations keep.
        steps: how many steps have been done before the machine's first one.
        samples: all training samples, ``x`` and ``y``.
        backward: does the backward pass over these, and returns where deltas and gradients are then.
    """

    def __init__(
        self,
        onlooker: Onlooker,
        runs: Array,
        randoms: tuple[np.random.Generator, ...],
        *,
        optimizer: Optimizer,
        changing: tuple[Arrays, Arrays, States],
        steps: int,
        samples: tuple[Array, Array],
        backward: Callable[[], Backprop],
    ) -> None:
        self.onlooker, self.runs = onlooker, runs
        self._randoms, self._optimizer = randoms, optimizer
        self._state, self._rule_state, self._states = changing
        self._evaluates = "problem" in asked(type(optimizer), "update")
        self._shows_all = type(onlooker).stepped is not Onlooker.stepped
        self._steps, self._samples, self._backward = steps, samples, backward
        self._begun: dict[str, Any] = {}

    def skipped(self, step: int) -> None:
        """Be told that all steps up to this one are done, some of them unseen."""
        self._steps = step

    def step(self, step: tuple[Update, Backprop, Batch], per_epoch: int) -> Any:
        """Return a step as it is seen: how it updates, what evaluates its gradient, its batch."""
        update, backprop, batch = step
        gradient = self._gradient(backprop) if self._shows_all else backprop
        return self._update(update, backprop, batch, per_epoch), gradient, batch

    def _gradient(self, backprop: Backprop) -> Callable[[Batch], Array]:
        """Return what evaluates a gradient, and keeps what is as it was before, if the step is wanted."""

        def evaluate(batch: Batch) -> Array:
            if self.onlooker.wants(self._steps + 1):
                self._begun = self._before()
            return backprop(batch)

        return evaluate

    def _update(self, update: Update, backprop: Backprop, batch: Batch, per_epoch: int) -> Update:
        """Return the update of a step that the onlooker sees, if it wants to."""

        def watched(theta: Array, grad: Array, state: Arrays, step: int) -> object:
            self._steps = step
            if not self.onlooker.wants(step):
                return update(theta, grad, state, step)
            known = self._all(backprop, batch) if self._shows_all else {}
            known |= {
                "runs": self.runs,
                "number": step,
                "epoch": (step - 1) // per_epoch,
                "grad": grad.copy(),
                "before": theta.copy(),
                "rate": self._rate(),
            }
            returned = update(theta, grad, state, step)
            known["after"] = theta.copy()
            if self._shows_all:
                used = None if self._evaluates else grad.copy()
                shown = Step(used=used, optimizer_after=_named_copies(state), **known)
                self.onlooker.stepped(shown)
                self.onlooker.changed(shown)
            else:
                self.onlooker.changed(Change(**known))
            return returned

        return watched

    def measured(
        self, epoch: int, theta: Array, forward: Pass, grad: Array | None, values: Mapping[str, Array]
    ) -> None:
        """Show a point of the curves; ``grad`` is None where the run has done no backward pass to measure it."""
        if not self.onlooker.wants_point(epoch):
            return

        def backward() -> tuple[Sequence[Array], Array]:
            backprop = self._backward()
            return backprop.delta, backprop.grad if grad is None else grad

        passes = forward.z, forward.a, *self._samples
        self.onlooker.measured(Point(self.runs, epoch, self._steps, theta, *passes, values, backward))

    def _all(self, backprop: Backprop, batch: Batch) -> dict[str, Any]:
        """Return copies of the samples and passes of a step, and of what was before it."""
        known = self._begun or self._before()  # a gradient that was measured changed and drew nothing
        self._begun = {}
        truth, forward = batch.truth, backprop.forward
        return known | {
            "x": batch.inputs[1][:, 1:].copy(),
            "y": truth.y.copy(),
            "weights": None if truth.weights is None else truth.weights.copy(),
            "z": _copies(forward.z),
            "a": _copies(forward.a),
            "delta": _copies(backprop.delta),
        }

    def _before(self) -> dict[str, Any]:
        return {
            "optimizer_before": _named_copies(self._state),
            "rule_state": _named_copies(self._rule_state),
            "states": taken(self._states, np.arange(len(self.runs))),
            "randoms": tuple(copy.deepcopy(self._randoms)),
        }

    def _rate(self) -> Array | None:
        field = getattr(self._optimizer, str(self._optimizer.rate), None)
        return None if field is None else np.array(field)[:, 0]


def _copies(arrays: Sequence[Array]) -> list[Array]:
    return [array.copy() for array in arrays]


def _named_copies(arrays: Arrays) -> Arrays:
    return {name: array.copy() for name, array in arrays.items()}
