"""Runs of one structure, as one computation: what the engine trains."""

from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

import numpy as np

from chainrule.components.contracts import (
    Activation,
    Array,
    Component,
    Loss,
    Optimizer,
    Rule,
    Sampling,
    Schedule,
    Transform,
)
from chainrule.components.stacking import take
from chainrule.engine.choice import Engine
from chainrule.engine.data import Fresh
from chainrule.engine.layers import States, taken
from chainrule.engine.network import Hidden, Shape

MOST = 256  # runs of a stack; larger ones are not faster
MOST_COMPILED = 64  # above, machine code gains nothing, and the samples of all runs leave the second-level cache


@dataclass(frozen=True)
class Stack:
    """Runs of one structure, trained as one computation. All arrays and float fields of components have a run axis.

    Attributes:
        shape: widths of the network.
        epochs: largest number of epochs.
        batch_size: samples per step; None, or at least the number of training samples, for full batches.
        measure_every: epochs between two points of the curves; stopping is decided at these points. None for an
            interval that follows from counted multiply-adds.
        gradient_norms: whether curves have those of the gradients; None to have them where they cost no further pass.
        norm, activation, output, loss, optimizer, transforms, schedule, rule: stacked components, named like their
            groups; the first two may be tuples of one for each hidden layer, and ``transforms`` is a list.
        dropout: probability with which a hidden unit is left out in a step, ``(runs,)``; None for runs without.
        rule_state: the rule's own arrays before training, ``(runs, ...)``.
        theta: parameters before training, ``(runs, parameters)``, in the dtype of the stack.
        states: what activations keep beside parameters, before training, ``(runs, units, 1)``, by layer and group.
        train, validation, test: samples, ``(1 + inputs + outputs, runs, samples)``: ones, ``x`` and ``y``.
        samplings: that of each run, of one class.
        fresh: draws new samples of each run's target.
        shuffles: one generator per run, for its sampling.
        randoms: one generator per run, for components that are random in training.
        tolerance: training loss at which a run has converged, ``(runs,)``.
        patience: epochs without improvement after which a run has reached a plateau, ``(runs,)``; may be infinite.
        task: ``regression`` or ``classification``, which says how predictions are scored.
        restore_best: whether a run ends with the parameters of its best measured epoch, ``(runs,)``.
        engine: what does the steps.
    """

    shape: Shape
    epochs: int
    batch_size: int | None
    measure_every: int | None
    gradient_norms: bool | None
    norm: Hidden
    activation: Hidden
    output: Activation
    loss: Loss
    optimizer: Optimizer
    transforms: tuple[Transform, ...]
    schedule: Schedule
    rule: Rule
    dropout: Array | None
    rule_state: dict[str, Array]
    theta: Array
    states: States
    train: Array
    validation: Array
    test: Array
    samplings: tuple[Sampling, ...]
    fresh: tuple[Fresh, ...]
    shuffles: tuple[np.random.Generator, ...]
    randoms: tuple[np.random.Generator, ...]
    tolerance: Array
    patience: Array
    task: str
    restore_best: Array
    engine: Engine = Engine.AUTO

    def take(self, runs: Array) -> "Stack":
        """Return the stack of the chosen ``runs`` (indices)."""
        components: dict[str, Any] = {group: take(getattr(self, group), runs) for group in STACKED}
        return replace(
            self,
            **components,
            dropout=None if self.dropout is None else self.dropout[runs],
            rule_state={name: array[runs] for name, array in self.rule_state.items()},
            theta=self.theta[runs],
            states=taken(self.states, runs),
            train=self.train[:, runs],
            validation=self.validation[:, runs],
            test=self.test[:, runs],
            samplings=tuple(self.samplings[run] for run in runs),
            fresh=tuple(self.fresh[run] for run in runs),
            shuffles=tuple(self.shuffles[run] for run in runs),
            randoms=tuple(self.randoms[run] for run in runs),
            tolerance=self.tolerance[runs],
            patience=self.patience[runs],
            restore_best=self.restore_best[runs],
        )


STACKED = tuple(
    name
    for name, hint in get_type_hints(Stack).items()
    if isinstance(cls := next(iter(get_args(hint)), hint), type) and issubclass(cls, Component) and cls.run_shape
)  # the components that the runs of a stack share, and lists of components; not those that each run uses by itself
