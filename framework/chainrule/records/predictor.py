"""Predictions of a trained network: from arrays, or from the columns of a table, with the names of classes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, overload

import numpy as np
from numpy.typing import ArrayLike

from chainrule.components.arguments import given
from chainrule.components.contracts import Array, Loss
from chainrule.components.schema import Feature, Place, Read, Schema, numbers
from chainrule.components.stacking import stack
from chainrule.engine.data import Scaling, filled
from chainrule.engine.layers import States
from chainrule.engine.network import Shape, initial_states, key_of, placed, predict
from chainrule.engine.weights import classes_of
from chainrule.errors import ConfigurationError
from chainrule.records.settings import Settings

PREDICTION = "prediction"


def _no_numbers(x: Any, error: Exception) -> str:
    """Say why something is no array of numbers."""
    try:
        cells = np.asarray(x, object)
    except ValueError:  # rows of different length
        return str(error)
    text = next((cell for cell in cells.flat if isinstance(cell, str)), None)
    return str(error) if text is None else f"it has text ({text!r}), which becomes inputs only in a data frame"


class Frame(Protocol):
    """A pandas data frame."""

    columns: Any
    index: Any

    def __getitem__(self, key: Any) -> Any:
        """Return a column."""


@dataclass(frozen=True)
class Predictor:
    """All that predictions need of a run.

    Attributes:
        settings: the settings of the run.
        shape: widths of the network.
        theta: flat parameters, ``(parameters,)``.
        states: what activations keep beside parameters, by layer and group: arrays ``(1, units, 1)``.
        x_scaling: the map from raw to scaled inputs.
        y_scaling: likewise, of outputs.
        x_fill: what stands for a missing input, raw, ``(inputs, 1)``; None where none may be missing.
        schema: what inputs, outputs and classes are called.
    """

    settings: Settings
    shape: Shape
    theta: Array
    states: States
    x_scaling: Scaling
    y_scaling: Scaling
    x_fill: Array | None
    schema: Schema

    @classmethod
    def of_weights(
        cls, settings: Settings, schema: Schema, widths: tuple[int, ...], arrays: Mapping[str, Array]
    ) -> Self:
        """Return the predictor of a recorded run.

        Args:
            settings: the settings of the run.
            schema: what inputs, outputs and classes are called.
            widths: of the network.
            arrays: its file of weights.
        """
        hidden, output, norm = settings.activation, settings.output, settings.norm
        shape = Shape.of(widths, hidden, output, norm)
        weights, biases = ([arrays[f"{name}{layer}"] for layer in range(1, shape.layers + 1)] for name in "Wb")
        fields = [arrays[field.key] for field in shape.trained]
        states = initial_states(placed(hidden, output, norm, shape.layers), shape, 1, settings.training.dtype.value)
        kept = {
            place: {name: arrays[key_of(*place, name)][None, :, None] for name in own} for place, own in states.items()
        }
        return cls(
            settings=settings,
            shape=shape,
            theta=np.concatenate([shape.flatten(weights, biases), *fields]).astype(settings.training.dtype.value),
            states=kept,
            x_scaling=Scaling(arrays["x_shift"], arrays["x_scale"]),
            y_scaling=Scaling(arrays["y_shift"], arrays["y_scale"]),
            x_fill=arrays.get("x_fill"),
            schema=schema,
        )

    @overload
    def __call__(self, x: Frame, *, samples_first: bool = ...) -> Frame: ...

    @overload
    def __call__(self, x: ArrayLike, *, samples_first: bool = ...) -> Array: ...

    def __call__(self, x: Any, *, samples_first: bool = False) -> Any:
        """Return predictions, see :meth:`chainrule.records.result.Result.predict`."""
        if hasattr(x, "columns") and hasattr(x, "index"):
            return self._framed(x)
        try:
            points = np.asarray(x, float)
        except (TypeError, ValueError) as error:  # text, rows of different length
            raise ConfigurationError(
                f"x must be an array of numbers, or a data frame: {_no_numbers(x, error)}."
            ) from None
        inputs = self.shape.widths[0]
        columns = points[:, None] if points.ndim == 1 else points.T if samples_first else points
        if columns.ndim != 2 or len(columns) != inputs:
            wanted = f"(samples, {inputs})" if samples_first else f"({inputs}, samples)"
            other = points.ndim == 2 and points.shape[not samples_first] == inputs
            hint = f"; write samples_first={not samples_first} if a row is a{'n input' if samples_first else ' sample'}"
            raise ConfigurationError(
                f"x must have the shape {wanted} or ({inputs},), not {points.shape}{hint if other else ''}."
            )
        self._require_values(columns)
        y = self.outputs(columns)
        return y[:, 0] if points.ndim == 1 else y.T if samples_first else y

    def _require_values(self, x: Array) -> None:
        """Refuse what is refused of the columns of a table: inputs ``(inputs, samples)`` that are infinite or lack."""
        wrong = ~np.isfinite(x)
        if not wrong.any():
            return
        filling = [self._fills(feature) for feature in self.schema.features for _ in feature.inputs]
        wrong &= np.isinf(x) | ~np.array(filling)[:, None]
        if wrong.any():
            at, row = (int(places[0]) for places in np.nonzero(wrong))
            where = f"input {self.schema.inputs[at]!r} in sample {row + 1}"
            if np.isinf(x[at, row]):
                raise ConfigurationError(f"x has {x[at, row]} for {where}, no finite number.")
            raise ConfigurationError(f"x has no value for {where}, and the run has learned nothing that stands for it.")

    def outputs(self, x: Array) -> Array:
        """Return predictions ``(outputs, samples)`` for inputs ``(inputs, samples)``, both in the target's units."""
        chosen, dtype = self.settings, self.theta.dtype
        hidden, output = stack([chosen.activation], dtype), stack([chosen.output], dtype)
        norm = stack([chosen.norm], dtype)
        with np.errstate(all="ignore"):  # a diverged run predicts infinity or NaN
            scaled = self.x_scaling.apply(filled(x, self.x_fill)).astype(dtype)
            y = predict(self.shape, self.theta, hidden, output, scaled, norm=norm, states=self.states)
            return self.in_units(y)

    def in_units(self, y: Array) -> Array:
        """Return what the network predicts in the target's units, of what it gives: ``(outputs, samples)`` both."""
        loss = self.settings.loss
        with np.errstate(all="ignore"):
            if type(loss).point is not Loss.point:
                y = stack([loss], y.dtype).point(y[None])[0]
            return np.asarray(self.y_scaling.undo(y.astype(float)))

    def inputs(self, columns: Mapping[str, Any], place: Place, read: Read = numbers) -> Array:
        """Return the inputs ``(inputs, samples)`` that the columns of a table make, as in training.

        Args:
            columns: all columns by name, each ``(samples,)``.
            place: says where a row is, for messages.
            read: reads the numbers in cells of text.

        Raises:
            ConfigurationError: a column is missing, has values of another kind than in training, or lacks some that
                nothing stands for.
        """
        chosen = self.schema.chosen(list(columns))
        encoded, lacking = [], []
        for feature in self.schema.features:
            x, missing = feature.encoded(columns[chosen[feature.name]], place, read)
            encoded.append(x)
            if missing.any() and not self._fills(feature):
                first, *others = np.flatnonzero(missing)
                more = f" and {len(others)} more" if others else ""
                lacking.append(f"column {chosen[feature.name]!r} has no value in {place(int(first))}{more}")
        if lacking:
            raise ConfigurationError(f"{', '.join(lacking)}, and the run has learned nothing that stands for it")
        return np.hstack(encoded).T

    def _fills(self, feature: Feature) -> bool:
        """Say whether something stands for a missing value of a column: where the data of the run lacked some."""
        incomplete = self.schema.incomplete
        return self.x_fill is not None and (incomplete is None or feature.name in incomplete)

    def columns(self, y: Array) -> dict[str, Array]:
        """Return predictions ``(outputs, samples)`` as the columns of a table, by name.

        In a regression these are the values, ``prediction``, or ``prediction_NAME`` of several. In a classification
        ``prediction`` is the name of the class, None where outputs are not numbers, and there is a column for each
        class: ``probability_NAME`` where the outputs are probabilities, otherwise ``output_NAME``.
        """
        classes = self.schema.classes
        if not classes:
            own = [f"{PREDICTION}_{name}" for name in self.schema.outputs] if len(y) > 1 else [PREDICTION]
            return dict(zip(own, y, strict=True))
        names = np.array([*classes, None], object)
        finite = np.isfinite(y).all(axis=0)
        found = {PREDICTION: names[np.where(finite, classes_of(y.T), len(classes))]}
        if not self._are_probabilities:
            return found | {f"output_{name}": row for name, row in zip(self.schema.outputs, y, strict=True)}
        rows = y if len(y) > 1 else np.concatenate([1 - y, y])
        return found | {f"probability_{name}": row for name, row in zip(classes, rows, strict=True)}

    @property
    def _are_probabilities(self) -> bool:
        """Whether outputs are probabilities: of one class if there is one output, else of all and their sum is 1."""
        output, loss = self.settings.output, self.settings.loss
        if output.range[0] < 0 or output.range[1] > 1 or type(loss).point is not Loss.point:
            return False
        units, layer = self.shape.widths[-1], self.shape.layers
        if units == 1:
            return True
        offered: dict[str, Any] = {"layer": layer, "training": False, "state": self.states.get((layer, "output"))}
        forward = given(stack([output], float), "forward", rng=None, **offered)
        z = np.linspace(-1, 1, units * output.pieces).reshape(1, -1, 1)
        return bool(np.isclose(forward(z).sum(), 1))

    def _framed(self, frame: Frame) -> Frame:
        import pandas as pd  # here, because it is slow to import

        names = [str(name) for name in frame.columns]
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise ConfigurationError(f"The data frame has several columns called {twice!r}; rename one of them.")
        columns = {name: frame[own] for name, own in zip(names, frame.columns, strict=True)}
        try:
            x = self.inputs(columns, lambda row: f"row {frame.index[row]}")
        except ConfigurationError as error:
            raise ConfigurationError(f"The data frame cannot be predicted for: {error}.") from None
        predicted: Frame = pd.DataFrame(self.columns(self.outputs(x)), index=frame.index)
        return predicted
