"""Runs of one structure, as one computation: what the engine trains."""

from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

import numpy as np

from chainrule.components.contracts import Activation, Array, Component, Loss, Optimizer, Rule, Schedule
from chainrule.components.stacking import take
from chainrule.engine.network import Hidden, Shape


@dataclass(frozen=True)
class Stack:
    """Runs of one structure, trained as one computation. All arrays and float fields of components have a run axis.

    Attributes:
        shape: widths of the network.
        epochs: largest number of epochs.
        batch_size: samples per step; None, or at least the number of training samples, for full batches.
        measure_every: epochs between two points of the curves; stopping is decided at these points.
        norm, activation, output, loss, optimizer, schedule, rule: stacked components, named like their groups; the
            first two may be tuples of one for each hidden layer.
        dropout: probability with which a hidden unit is left out in a step, ``(runs,)``; None for runs without.
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
    norm: Hidden
    activation: Hidden
    output: Activation
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    rule: Rule
    dropout: Array | None
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
            dropout=None if self.dropout is None else self.dropout[runs],
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
    name
    for name, hint in get_type_hints(Stack).items()
    for cls in get_args(hint)[:1] or (hint,)
    if isinstance(cls, type) and issubclass(cls, Component)
)  # the components that the runs of a stack share
