"""The target of an estimator: the arrays that ``fit`` is given."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from chainrule.components.contracts import Array, Target


@dataclass(frozen=True, eq=False)
class Arrays(Target):
    """Samples in memory, without missing values.

    Attributes:
        x: ``(samples, inputs)``.
        y: ``(samples, outputs)``: values, or one-hot classes.
        posed: ``regression`` or ``classification``.
        is_scaled: whether a run standardizes them.
        columns, classes: names of the inputs, and of the outputs.
    """

    samples: ClassVar[int | None] = None

    x: Array = field(init=False)
    y: Array = field(init=False)
    posed: str = field(init=False)
    is_scaled: bool = field(init=False)
    columns: tuple[str, ...] = field(init=False)
    classes: tuple[str, ...] = field(init=False)

    @classmethod
    def of(
        cls, x: Array, y: Array, posed: str, is_scaled: bool, columns: tuple[str, ...], classes: tuple[str, ...]
    ) -> Self:
        """Return the target; its fields are no parameters, because a configuration cannot hold them."""
        target = cls()
        values = {"x": x, "y": y, "posed": posed, "is_scaled": is_scaled, "columns": columns, "classes": classes}
        for name, value in values.items():
            object.__setattr__(target, name, value)
        return target

    def without_rows(self) -> "Arrays":
        """Return what is known of the samples but not the samples."""
        return self.of(self.x[:0], self.y[:0], self.posed, self.is_scaled, self.columns, self.classes)

    @property
    def inputs(self) -> int:
        """Number of features."""
        return int(self.x.shape[1])

    @property
    def outputs(self) -> int:
        """Number of classes, or of values."""
        return int(self.y.shape[1])

    @property
    def resolved_task(self) -> str:
        """As the estimator says."""
        return self.posed

    @property
    def standardized(self) -> bool:
        """As the estimator says."""
        return self.is_scaled

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the columns, if the features have been a data frame."""
        return self.columns

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.classes

    def data(self, rng: np.random.Generator, samples: int | None) -> tuple[Array, Array]:
        """Return all rows in their order; an estimator asks for no fewer."""
        return self.x, self.y
