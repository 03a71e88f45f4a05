"""The result of a run: parameters, curves, scores, predictions."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from chainrule.components.contracts import Array
from chainrule.engine.choice import Engine
from chainrule.engine.curves import Curves
from chainrule.engine.data import Samples, accuracy, r2
from chainrule.engine.layers import States
from chainrule.engine.network import Shape, key_of
from chainrule.engine.reason import Reason
from chainrule.engine.trajectory import Trajectory
from chainrule.engine.weights import classes_of
from chainrule.errors import ConfigurationError
from chainrule.records.predictor import Frame, Predictor
from chainrule.records.settings import Settings


def objective(metrics: Mapping[str, float | None]) -> tuple[str, float | None]:
    """Return name and value of the final loss by which runs are compared: the validation loss, if there is one."""
    name = "validation/loss" if "validation/loss" in metrics else "train/loss"
    return name, metrics[name]


@dataclass(frozen=True)
class Origin:
    """The run whose parameters were the initial ones of another.

    Attributes:
        directory: directory of its record.
        identity: SHA-256 of its settings, data and plugins.
        weights: SHA-256 of the file with its parameters.
    """

    directory: str
    identity: str
    weights: str


@dataclass(frozen=True)
class Result:
    """One finished run; its arrays are read-only.

    Attributes:
        settings: the settings of the run.
        shape: widths of the network.
        theta: flat parameters at the end, or at the best epoch, shape ``(parameters,)``.
        curves: losses, R2 or accuracy, and gradient norms; ``curves.epochs`` and ``curves.values[name]`` are arrays
            ``(points,)``.
        reason: why it stopped.
        epochs: how many epochs it trained.
        evaluations: how often its training evaluated the gradient of a batch, and the loss of a batch without one.
        samples: the data, scaled for the network.
        started: when training began.
        seconds: training time; of a stack the run's share, by the epochs that it trained.
        notes: the notes shown before training.
        best_epoch: the epoch whose parameters these are, if the run ends with those of its best measured epoch; else
            None.
        origin: the run whose parameters were the initial ones, or None.
        test_loss: the mean loss of the test samples, or None if there are none.
        stack_runs: number of runs in the stack.
        stack_seconds: training time of the whole stack.
        states: what activations keep beside parameters, by layer and group: arrays ``(1, units, 1)``.
        outputs: what the network gave at ``theta`` for the samples of each part, ``(outputs, samples)``, scaled; a part
            that is not there is computed.
        trajectory: parameters at some measured epochs, if a watcher asked for them; else None. It is no part of the
            record.
        engine: what has done its steps, ``numpy`` or ``compiled``; the bits are the same.
        fallback: why NumPy has done them although machine code was to, a sentence; "" if there is nothing to say.
        metrics: losses and scores at ``theta`` by name, e.g. ``validation/r2``; what training cost:
            ``gradient_evaluations``, and ``loss_evaluations`` where an optimizer asked for losses alone; and the
            smallest validation loss that was measured (without validation the training loss) with its epoch,
            ``best_loss`` and ``best_epoch``, unless none was finite.
    """

    settings: Settings
    shape: Shape
    theta: Array
    curves: Curves
    reason: Reason
    epochs: int
    evaluations: tuple[int, int]
    samples: Samples
    started: datetime
    seconds: float
    notes: tuple[str, ...] = ()
    best_epoch: int | None = None
    origin: Origin | None = None
    test_loss: float | None = None
    stack_runs: int = 1
    stack_seconds: float = 0.0
    states: States = field(default_factory=dict)
    outputs: Mapping[str, Array] = field(default_factory=dict, repr=False)
    trajectory: Trajectory | None = None
    engine: Engine = Engine.NUMPY
    fallback: str = ""
    metrics: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", self._metrics())
        samples, curves = self.samples, self.curves
        parts = (samples.train, samples.validation, samples.test)
        states = [array for arrays in self.states.values() for array in arrays.values()]
        path = (self.trajectory.epochs, self.trajectory.theta) if self.trajectory else ()
        measured = curves.epochs, *curves.values.values()
        for array in (self.theta, *states, *parts, *self.outputs.values(), *path, *measured):
            array.setflags(write=False)  # watchers see them before the record is written

    def shown(self) -> "Result":
        """Return a copy for watchers, so that their changes do not reach the record."""
        seen = copy.copy(self)
        object.__setattr__(seen, "metrics", dict(self.metrics))
        object.__setattr__(seen, "curves", Curves(self.curves.epochs, dict(self.curves.values)))
        return seen

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, ``(units, units before)``; a unit has a row for each of its activation's pieces."""
        return self.shape.split(self.theta)[0]

    @property
    def biases(self) -> list[Array]:
        """Biases of each layer, ``(units,)``; a unit has one for each of its activation's pieces."""
        return self.shape.split(self.theta)[1]

    @property
    def trained(self) -> dict[str, Array]:
        """Trained fields of activations, ``(1,)`` or ``(units,)``, by name.

        Names begin with the group and, of a hidden layer, its number: ``activation.1.beta``, ``output.beta``.
        """
        fields = self.shape.named_fields(self.theta[None])
        return {name: values[0, :, 0].copy() for name, values in fields.items()}

    @property
    def named_states(self) -> dict[str, Array]:
        """What activations keep beside parameters, ``(units,)``, by names such as ``norm.1.mean``."""
        return {
            key_of(layer, group, name): array[0, :, 0].copy()
            for (layer, group), arrays in self.states.items()
            for name, array in arrays.items()
        }

    @property
    def predictor(self) -> Predictor:
        """What predictions need of the run."""
        samples = self.samples
        scalings = samples.x_scaling, samples.y_scaling, samples.x_fill
        return Predictor(self.settings, self.shape, self.theta, self.states, *scalings, samples.schema)

    @overload
    def predict(self, x: Frame, *, samples_first: bool = ...) -> Frame: ...

    @overload
    def predict(self, x: ArrayLike, *, samples_first: bool = ...) -> Array: ...

    def predict(self, x: Any, *, samples_first: bool = False) -> Any:
        """Return predictions in the target's units: of what the network gives, what its loss calls its ``point``.

        Args:
            x: inputs in the target's units. An array has the shape ``(inputs, samples)``, or ``(inputs,)`` for one
                sample; NaN is a missing value where the target fills in those of the input. Of a pandas data frame each
                row is a sample: its columns, which may hold text, are found by their names in any order and become
                inputs as in training; further columns do not count. Where inputs have no names, they are called ``x1``,
                ``x2`` and so on, or are all columns in their order.
            samples_first: whether the rows of an array are samples, as in scikit-learn. This is never guessed.

        Returns:
            Of an array, an array ``(outputs, samples)``, or ``(samples, outputs)`` with ``samples_first``, or
            ``(outputs,)`` for one sample. Of a data frame, one with its index and a column ``prediction``, which has
            the name of the class in a classification, beside a column ``probability_NAME`` for each class (or
            ``output_NAME``, if outputs are no probabilities). Of several values it has columns ``prediction_NAME``.

        Raises:
            ConfigurationError: ``x`` is no array of numbers, has another number of inputs, or infinite ones; columns or
                values are missing, or of another kind than in training.
        """
        return self.predictor(x, samples_first=samples_first)

    def confusion(self, part: str = "validation") -> Array:
        """Return how many samples of each true class were given each class, ``(classes, classes)``, a row a true class.

        Samples whose prediction is not finite are left out. The names of the classes are ``samples.schema.classes``.

        Args:
            part: ``train``, ``validation`` or ``test``.

        Raises:
            ConfigurationError: the run is a regression, or has no such part.
        """
        classes, parts = len(self.samples.schema.classes), self.samples.parts
        if not classes:
            raise ConfigurationError(f"target={self.settings.target.name} is a regression; it has no classes.")
        if part not in parts:
            raise ConfigurationError(f"There are no samples for {part!r}; the run has {', '.join(parts)}.")
        y_pred, y_true = self._predicted(part)
        finite = np.isfinite(y_pred).all(axis=0)
        counts = np.zeros((classes, classes), int)
        np.add.at(counts, (classes_of(y_true[:, finite].T), classes_of(y_pred[:, finite].T)), 1)
        return counts

    def _predicted(self, part: str) -> tuple[Array, Array]:
        """Return predictions for the samples of a part and their true values, in the target's units."""
        block, given = self.samples.parts[part], self.outputs.get(part)
        if given is None:
            x, y = self.samples.raw(block)
            return self.predict(x), y
        return self.predictor.in_units(given), self.samples.true(block)

    def _metrics(self) -> dict[str, float]:
        curves, best = self.curves, self.best_epoch
        at = -1 if best is None else int(np.searchsorted(curves.epochs, best))
        metrics: dict[str, float] = {name: float(v[at]) for name, v in curves.values.items() if name.endswith("loss")}
        if self.test_loss is not None:
            metrics["test/loss"] = self.test_loss
        score: Any = r2 if self.settings.target.resolved_task == "regression" else accuracy
        for name in self.samples.parts:
            metrics[f"{name}/{score.__name__}"] = score(*self._predicted(name))
        gradients, losses = self.evaluations
        metrics["gradient_evaluations"] = float(gradients)
        if losses:
            metrics["loss_evaluations"] = float(losses)
        place = curves.best
        if place is not None:
            metrics["best_loss"] = float(curves.values[objective(metrics)[0]][place])
            metrics["best_epoch"] = float(curves.epochs[place])
        return metrics
