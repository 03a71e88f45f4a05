"""Instruments: what they are shown of a run that is trained again, and the findings that they state."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from chainrule.components.contracts import Activation, Array, Component
from chainrule.engine.curves import Curves
from chainrule.engine.network import Shape, placed
from chainrule.engine.reason import Reason
from chainrule.records.settings import Settings

Measured = Mapping[str, Any]  # numbers, or arrays of the same shape at every point


@dataclass(frozen=True)
class Finding:
    """Something that may have kept a run from learning, with its numbers.

    Attributes:
        symptom: what it is, in a phrase, such as ``gradients vanish``.
        sentence: what was measured, and the threshold that it passes.
        onset: how many epochs had been trained when it began; 0 is before the first step.
        numbers: the numbers of the sentence, by name; there is at least one.
        layer: on which layer, from 1; None if it is not about a single layer.
        units: on which units of the layer, from 1; empty if it is not about single units.
        instrument: name of the instrument that states it; whoever asks the instruments fills it in.
    """

    symptom: str
    sentence: str
    onset: int
    numbers: Mapping[str, float]
    layer: int | None = None
    units: tuple[int, ...] = ()
    instrument: str = ""

    @property
    def is_from_the_start(self) -> bool:
        """Whether it was so before the first step."""
        return self.onset == 0


@dataclass(frozen=True)
class Seen:
    """One run at a point of its curves: the pass over all training samples. Arrays are only to be read.

    Lists by layer count from 1; index 0 is empty.

    Attributes:
        settings: of the run.
        shape: of its network.
        epoch: how many epochs have been trained.
        theta: the parameters that are measured, ``(parameters,)``.
        z, a: eq. 1 and 2, ``(units, samples)``.
        x, y: the training samples, ``(inputs, samples)`` and ``(outputs, samples)``, scaled for the network.
        losses: the losses, by the names of their curves.
    """

    settings: Settings
    shape: Shape
    epoch: int
    theta: Array
    z: Sequence[Array]
    a: Sequence[Array]
    x: Array
    y: Array
    losses: Mapping[str, float]
    _passes: Callable[[], tuple[Sequence[Array], Array]] = field(repr=False)

    @cached_property
    def _backward(self) -> tuple[Sequence[Array], Array]:
        return self._passes()

    @property
    def delta(self) -> Sequence[Array]:
        """Eq. 4 and 5 for each sample's loss, by the rule of the run, ``(units, samples)``; costs a backward pass."""
        return self._backward[0]

    @property
    def grad(self) -> Array:
        """The gradient over all training samples, by the rule of the run, ``(parameters,)``; costs a backward pass."""
        return self._backward[1]

    @property
    def hidden(self) -> range:
        """The numbers of the hidden layers."""
        return range(1, self.shape.layers)

    def blocks(self, flat: Array) -> list[Array]:
        """Return each layer's part of ``flat (parameters,)``: biases, then weights, ``(rows, 1 + units before)``."""
        return [block[0] for block in self.shape.blocks(flat[None])]


@dataclass(frozen=True)
class Stepped:
    """One step of one run, the first one after a point of its curves. Arrays are only to be read.

    Attributes:
        settings: of the run.
        shape: of its network.
        epoch: how many epochs had been trained.
        before, after: the parameters, ``(parameters,)``.
        grad: the gradient by the rule, likewise.
        rate: the learning rate; None if the optimizer has none.
    """

    settings: Settings
    shape: Shape
    epoch: int
    before: Array
    after: Array
    grad: Array
    rate: float | None

    def blocks(self, flat: Array) -> list[Array]:
        """Return each layer's part of ``flat (parameters,)``, ``(rows, 1 + units before)``; index 0 is empty."""
        return [block[0] for block in self.shape.blocks(flat[None])]


@dataclass(frozen=True)
class Curvature:
    """The curvature of the mean loss over all training samples, at some parameters.

    Attributes:
        largest, smallest: the extreme eigenvalues of the Hessian.
        gradient: norm of the exact gradient there.
        is_exact: whether they are those of the whole Hessian; else of power iterations.
    """

    largest: float
    smallest: float
    gradient: float
    is_exact: bool


@dataclass(frozen=True)
class Course:
    """What an instrument has measured of a run, from its start to its end.

    Attributes:
        settings: of the run.
        shape: of its network.
        epochs: of the points that were seen, ``(points,)``.
        seen: what ``measured`` returned, by name, ``(points, ...)``.
        step_epochs: of the points whose next step was seen, ``(steps,)``.
        stepped: what ``stepped`` returned, by name, ``(steps, ...)``.
        curves: all points of its curves.
        reason: why it stopped.
        x, y: the training samples, ``(inputs, samples)`` and ``(outputs, samples)``, scaled for the network.
        curvature: returns the curvature of the loss at one of the points, by its place in ``epochs``.
    """

    settings: Settings
    shape: Shape
    epochs: Array
    seen: Mapping[str, Array]
    step_epochs: Array
    stepped: Mapping[str, Array]
    curves: Curves
    reason: Reason
    x: Array
    y: Array
    curvature: Callable[[int], Curvature]

    @property
    def loss(self) -> Array:
        """The training loss at each point of the curves."""
        return self.curves.values["train/loss"]

    def activation(self, layer: int) -> Activation:
        """Return the activation of a layer."""
        chosen = placed(self.settings.activation, self.settings.output, self.settings.norm, self.shape.layers)
        return next(one.activation for one in chosen if one.layer == layer and one.group != "norm")

    @staticmethod
    def since(holds: Array) -> int | None:
        """Return the place from which a condition holds at every point to the end; None if it does not at the end."""
        if not len(holds) or not holds[-1]:
            return None
        broken = np.flatnonzero(~holds)
        return int(broken[-1]) + 1 if len(broken) else 0


class Instrument(Component):
    """Measures a run while it is trained again, and states what may have kept it from learning.

    Nothing of it is in the settings of a run: every instrument is put on a run that is over. It has no state: what
    ``measured`` and ``stepped`` return is collected, and ``findings`` judges it. Points are some of those of the
    curves, the first and the last among them; each step is the first one after such a point. What is not asked for,
    such as the backward pass of a point, costs nothing.

    Attributes:
        source: where its thresholds are published, or that they are its own.
        cures: names of the changes that are to help, see ``chainrule.replay.changes``.
    """

    source: ClassVar[str] = ""
    cures: ClassVar[tuple[str, ...]] = ()

    def measured(self, seen: Seen) -> Measured:
        """Return numbers or arrays of a point, by name; the same names and shapes at each point of a run."""
        return {}

    def stepped(self, step: Stepped) -> Measured:
        """Return numbers or arrays of a step, likewise."""
        return {}

    @abstractmethod
    def findings(self, course: Course) -> Iterable[Finding]:
        """Return what is found; nothing if the run is well in this respect. No finding has no number."""


def stated(instrument: Instrument, course: Course) -> Iterator[Finding]:
    """Yield the findings of an instrument, with its name."""
    for finding in instrument.findings(course):
        yield replace(finding, instrument=instrument.name)
