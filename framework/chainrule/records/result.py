"""The result of a run: parameters, curves, scores, predictions."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.components.contracts import Array
from chainrule.components.stacking import stack
from chainrule.engine.curves import Curves
from chainrule.engine.data import Samples, accuracy, filled, r2
from chainrule.engine.layers import States
from chainrule.engine.network import Shape, key_of, predict
from chainrule.engine.reason import Reason
from chainrule.errors import ConfigurationError
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
        curves: losses and gradient norms; ``curves.epochs`` and ``curves.values[name]`` are arrays ``(points,)``.
        reason: why it stopped.
        epochs: how many epochs it trained.
        evaluations: how often its training evaluated the gradient of a batch, and the loss of a batch without one.
        samples: the data, scaled for the network.
        started: when training began.
        seconds: training time, of the whole stack if runs were stacked.
        notes: the notes shown before training.
        best_epoch: the epoch whose parameters these are, if the run ends with those of its best measured epoch; else
            None.
        origin: the run whose parameters were the initial ones, or None.
        test_loss: the mean loss of the test samples, or None if there are none.
        states: what activations keep beside parameters, by layer and group: arrays ``(1, units, 1)``.
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
    states: States = field(default_factory=dict)
    metrics: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", self._metrics())
        samples, curves = self.samples, self.curves
        parts = (samples.train, samples.validation, samples.test)
        states = [array for arrays in self.states.values() for array in arrays.values()]
        for array in (self.theta, *states, *parts, curves.epochs, *curves.values.values()):
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

    def predict(self, x: ArrayLike) -> Array:
        """Return predictions in the target's units: of what the network gives, what its loss calls its ``point``.

        Args:
            x: inputs in the target's units, shape ``(inputs, samples)``, or ``(inputs,)`` for one sample. NaN is a
                missing value where the target fills them in.

        Returns:
            An array ``(outputs, samples)``, or ``(outputs,)`` for one sample.

        Raises:
            ConfigurationError: ``x`` has another number of inputs.
        """
        points = np.asarray(x, float)
        columns = points[:, None] if points.ndim == 1 else points
        inputs = self.shape.widths[0]
        if columns.ndim != 2 or len(columns) != inputs:
            raise ConfigurationError(
                f"x must have the shape ({inputs}, samples) or ({inputs},), one row per input, not {points.shape}."
            )
        chosen, dtype = self.settings, self.theta.dtype
        hidden, output, loss = (
            stack([chosen.activation], dtype),
            stack([chosen.output], dtype),
            stack([chosen.loss], dtype),
        )
        with np.errstate(all="ignore"):  # a diverged run predicts infinity or NaN
            scaled = self.samples.x_scaling.apply(filled(columns, self.samples.x_fill)).astype(self.theta.dtype)
            norm = stack([chosen.norm], dtype)
            given = predict(self.shape, self.theta, hidden, output, scaled, norm=norm, states=self.states)
            y = self.samples.y_scaling.undo(loss.point(given[None])[0].astype(float))
        return y[:, 0] if points.ndim == 1 else y

    def _metrics(self) -> dict[str, float]:
        curves, best = self.curves, self.best_epoch
        at = -1 if best is None else int(np.searchsorted(curves.epochs, best))
        metrics: dict[str, float] = {name: float(v[at]) for name, v in curves.values.items() if name.endswith("loss")}
        if self.test_loss is not None:
            metrics["test/loss"] = self.test_loss
        score: Any = r2 if self.settings.target.resolved_task == "regression" else accuracy
        for name, part in self.samples.parts.items():
            x, y = self.samples.raw(part)
            metrics[f"{name}/{score.__name__}"] = score(self.predict(x), y)
        gradients, losses = self.evaluations
        metrics["gradient_evaluations"] = float(gradients)
        if losses:
            metrics["loss_evaluations"] = float(losses)
        place = curves.best
        if place is not None:
            metrics["best_loss"] = float(curves.values[objective(metrics)[0]][place])
            metrics["best_epoch"] = float(curves.epochs[place])
        return metrics
