"""Instruments: what they are shown of a run that is trained again, and the findings that they state."""

import functools
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from chainrule.components.arguments import offers
from chainrule.components.contracts import Activation, Array, Component, Loss
from chainrule.engine.curves import Curves
from chainrule.engine.network import Shape, placed
from chainrule.engine.reason import Reason
from chainrule.errors import counted
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
        ends: the smallest and the largest output of each unit, by hidden layer, ``(units, 2)``.
        predicted: what is predicted of ``y``, likewise.
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

    @cached_property
    def ends(self) -> Mapping[int, Array]:
        """The smallest and the largest output of each unit over all samples, by hidden layer, ``(units, 2)``."""
        found = {}
        for layer in self.hidden:
            own = self.a[layer]
            found[layer] = ends = np.empty((len(own), 2), own.dtype)
            np.minimum.reduce(own, axis=-1, out=ends[:, 0])
            np.maximum.reduce(own, axis=-1, out=ends[:, 1])
        return found

    @cached_property
    def predicted(self) -> Array:
        """What is predicted of the true values, ``(outputs, samples)``; see :meth:`chainrule.Loss.point`."""
        found: Array = self.settings.loss.point(self.a[-1][None])[0]
        return found

    @property
    def hidden(self) -> range:
        """The numbers of the hidden layers."""
        return range(1, self.shape.layers)

    def blocks(self, flat: Array) -> list[Array]:
        """Return each layer's part of ``flat (parameters,)``: biases, then weights, ``(rows, 1 + units before)``."""
        return [block[0] for block in self.shape.blocks(flat[None])]


@dataclass(frozen=True)
class Backward:
    """The backward pass of a point, by the rule of the run; it is done when one of these is asked for.

    Attributes:
        delta: eq. 4 and 5 for each sample's loss, by layer from 1, ``(units, samples)``.
        grad: the gradient over all training samples, ``(parameters,)``.
        norms: norm of each layer's gradient by its weights, ``(layers,)``.
    """

    _shape: Shape
    _passes: Callable[[], tuple[Sequence[Array], Array]] = field(repr=False)

    @cached_property
    def _both(self) -> tuple[Sequence[Array], Array]:
        return self._passes()

    @property
    def delta(self) -> Sequence[Array]:
        """Eq. 4 and 5, likewise."""
        return self._both[0]

    @property
    def grad(self) -> Array:
        """The gradient, likewise."""
        return self._both[1]

    @cached_property
    def norms(self) -> Array:
        """Norms of gradients, likewise."""
        places, starts = _weights(self._shape)
        found: Array = np.sqrt(np.add.reduceat(np.square(self.grad[places]), starts))
        return found


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

    def norms(self, flat: Array) -> Array:
        """Return the norm of each layer's part of ``flat (parameters,)``: biases and weights, ``(layers,)``."""
        starts, end = _layers(self.shape)
        found: Array = np.sqrt(np.add.reduceat(np.square(flat[:end]), starts))
        return found


@functools.lru_cache(maxsize=8)
def _layers(shape: Shape) -> tuple[Array, int]:
    """Return where each layer's biases and weights begin among the parameters, and where the last ones end."""
    _, *places = shape.slices()
    return np.array([place.start for place in places]), places[-1].stop


@functools.lru_cache(maxsize=8)
def _weights(shape: Shape) -> tuple[Array, Array]:
    """Return where weights lie among the parameters, layer by layer, and where each layer begins among these."""
    _, *layers = shape.weights(np.arange(shape.size)[None])
    sizes = [layer.size for layer in layers]
    return np.concatenate([layer.ravel() for layer in layers]), np.cumsum([0, *sizes[:-1]])


@dataclass(frozen=True)
class Curvature:
    """The curvature of the mean loss over training samples, at some parameters.

    Attributes:
        largest, smallest: the extreme eigenvalues of the Hessian.
        gradient: norm of the exact gradient there.
        is_exact: whether they are those of the whole Hessian. Else they are those of its products with a few
            directions, and lie between the true ones.
        samples: how many training samples it was taken over; 0 for all.
    """

    largest: float
    smallest: float
    gradient: float
    is_exact: bool
    samples: int = 0

    @property
    def how(self) -> str:
        """How it was found, in words."""
        way = "of the exact Hessian" if self.is_exact else "by Lanczos iteration"
        return f"{way} over {counted(self.samples, 'sample')}" if self.samples else way


@dataclass(frozen=True)
class Course:
    """What an instrument has measured of a run, from its start to its end.

    Attributes:
        settings: of the run.
        shape: of its network.
        epochs: of the points that the instrument has seen, ``(points,)``.
        theta: the parameters at these points, ``(points, parameters)``.
        seen: what ``measured`` returned, by name, ``(points, ...)``.
        step_epochs: of the points whose next step was seen, ``(steps,)``.
        stepped: what ``stepped`` returned, by name, ``(steps, ...)``.
        curves: all points of its curves.
        reason: why it stopped.
        x, y: the training samples, ``(inputs, samples)`` and ``(outputs, samples)``, scaled for the network.
        curvature: returns the curvature of the loss at one of the points, by its place in ``epochs``. It is dear.
        skill: what the run came to: R2, or accuracy above that of the largest class, of validation samples if there
            are some; 1 is perfect, and 0 no better than a constant.
        goal: the skill at which a run has learned.
    """

    settings: Settings
    shape: Shape
    epochs: Array
    theta: Array
    seen: Mapping[str, Array]
    step_epochs: Array
    stepped: Mapping[str, Array]
    curves: Curves
    reason: Reason
    x: Array
    y: Array
    curvature: Callable[[int], Curvature]
    skill: float
    goal: float

    @property
    def has_learned(self) -> bool:
        """Whether the run came to the goal."""
        return self.skill >= self.goal

    @cached_property
    def constant_loss(self) -> float:
        """The loss of predicting the mean of the true values; of a loss that knows no such prediction, that at first.

        What a loss changes by is large or small beside this.
        """
        loss, y = self.settings.loss, self.y.astype(float)
        if loss.outputs_per_target == 1 and type(loss).point is Loss.point:
            mean = np.broadcast_to(y.mean(axis=1, keepdims=True), y.shape)
            found = float(loss.value(mean[None], y[None]).mean())
            if np.isfinite(found) and found > 0:
                return found
        return float(abs(self.loss[0])) or 1.0

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
    curves, the first and the last among them; each step is the first one after such a point. There are so few that
    they cost little beside training. As in training, NumPy warns of no overflow or division while they do.

    Optional arguments:

    - ``backward`` (:class:`Backward`): deltas and gradients of the point. Who names it sees fewer points, because a
      backward pass over all training samples is dear.

    Attributes:
        source: where its thresholds are published, or that they are its own.
        cures: names of the changes that are to help, see ``chainrule.replay.changes``.
        follows: names of instruments whose findings, if they begin no later, may be why it states something: those are
            told first.
    """

    source: ClassVar[str] = ""
    cures: ClassVar[tuple[str, ...]] = ()
    follows: ClassVar[tuple[str, ...]] = ()

    @offers("backward")
    def measured(self, seen: Seen, *args: Any, **optional: Any) -> Measured:
        """Return numbers or arrays of a point, by name; the same names and shapes at each point of a run.

        It may name ``backward``.
        """
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
