"""The score of predictions that come some at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.schema import Read, Schema, number, numbers
from chainrule.records.predictor import PREDICTION


class Scoring:
    """Counts how good predictions are: accuracy in a classification, R2 in a regression, the mean over outputs.

    Rows whose true value is missing do not count. A class that the run does not know is never right.

    Args:
        schema: that of the run.
        columns: names of the columns that there are.
    """

    def __init__(self, schema: Schema, columns: Mapping[str, Any]) -> None:
        self.labels = tuple(name for name in schema.labels if name in columns)
        self.is_complete = bool(self.labels) and self.labels == schema.labels
        self.count = self.right = 0
        self._classes = set(schema.classes)
        self._shift: Array | None = None
        self._sums = np.zeros((3, len(self.labels)))  # of residuals squared, of values, and of values squared

    def add(self, columns: Mapping[str, Array], y: Array, predicted: Mapping[str, Array], read: Read = numbers) -> None:
        """Count some rows.

        Args:
            columns: those of the file, by name, each ``(rows,)``.
            y: predictions, ``(outputs, rows)``.
            predicted: predictions by name, each ``(rows,)``.
            read: reads the numbers in cells of text.
        """
        truth = [columns[name] for name in self.labels]
        if self._classes:
            names = [self._class_of(cell) for cell in truth[0].tolist()]
            known = [(own, name) for own, name in zip(predicted[PREDICTION], names, strict=True) if name is not None]
            self.count += len(known)
            self.right += sum(own == name for own, name in known)
            return
        values = np.array([_numbers(cells, read) for cells in truth])
        there = np.isfinite(values).all(axis=0)
        if there.any():
            self._add_values(values[:, there], y[:, there])

    def _add_values(self, values: Array, y: Array) -> None:
        if self._shift is None:
            self._shift = values.mean(axis=1, keepdims=True)  # so that squares lose no digits
        shifted = values - self._shift
        self.count += values.shape[1]
        self._sums += [np.square(values - y).sum(axis=1), shifted.sum(axis=1), np.square(shifted).sum(axis=1)]

    @property
    def name(self) -> str:
        """``accuracy`` or ``R2``."""
        return "accuracy" if self._classes else "R2"

    @property
    def score(self) -> float:
        """The score so far; NaN where it is not defined."""
        if self._classes:
            return self.right / self.count if self.count else float("nan")
        if self.count < 2:
            return float("nan")
        residual, total, squares = self._sums
        spread = squares - total**2 / self.count
        with np.errstate(all="ignore"):
            scores = np.where(spread <= 0, np.where(residual == 0, 1.0, 0.0), 1 - residual / spread)
        return float(scores.mean())

    def _class_of(self, cell: Any) -> str | None:
        """Return the class that a cell names, None for a missing one; the class 2 may be written 2.0."""
        if cell is None or cell != cell:
            return None
        text = f"{cell:.15g}" if isinstance(cell, float) else str(cell).strip()
        value = None if text in self._classes else number(text)
        return text if value is None else f"{value:.15g}"


def _numbers(cells: Array, read: Read) -> Array:
    """Return numbers, NaN for text that is none."""
    if cells.dtype.kind == "f":
        return cells
    found = read(["" if cell is None else str(cell) for cell in cells.tolist()])
    return np.array([np.nan if value is None else value for value in found])
