"""Targets with fixed rows: well-known data sets that scikit-learn ships, and the base of all data sets."""

import functools
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import doc

from chainrule.components.contracts import Array, Target
from chainrule.errors import ConfigurationError, counted


class DataSet(Target):
    """A target with a fixed list of rows."""

    samples: ClassVar[int | None] = None

    @abstractmethod
    def rows(self) -> tuple[Array, Array]:
        """Return all rows, ``x (samples, inputs)`` and ``y (samples, outputs)``, in float64.

        The arrays may be shared, so callers must not change them.
        """

    def data(self, rng: np.random.Generator, samples: int | None) -> tuple[Array, Array]:
        """Return copies of all rows in their order, or of fewer rows drawn without replacement.

        Raises:
            ConfigurationError: there are fewer rows than ``samples``.
        """
        x, y = self.rows()
        count = len(x)
        if samples is None or samples == count:
            return x.copy(), y.copy()
        if samples > count:
            raise ConfigurationError(
                f"data.samples={samples} is more than the {counted(count, 'row')} that target={self.name} has."
            )
        chosen = rng.choice(count, samples, replace=False)
        return x[chosen], y[chosen]


@dataclass(frozen=True)
class _Shipped(DataSet):
    standardize: Annotated[bool, doc("shift and scale by mean and deviation of the training rows")] = True

    @property
    def standardized(self) -> bool:
        """As the parameter ``standardize`` says."""
        return self.standardize

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of scikit-learn."""
        return _names(self.name)[0]

    @property
    def output_names(self) -> tuple[str, ...]:
        """The classes by the names of scikit-learn; of two classes the second, as the output is high for it."""
        return _names(self.name)[1][-self.outputs :]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of scikit-learn."""
        return _names(self.name)[1] if self.task == "classification" else ()

    def rows(self) -> tuple[Array, Array]:
        """Return the rows as scikit-learn has them."""
        classes = self.outputs if self.task == "classification" and self.outputs > 1 else None
        return _load(self.name, classes)


@dataclass(frozen=True)
class Diabetes(_Shipped):
    """Progression of diabetes within a year (25 to 346) from 10 measurements of 442 patients, in their own units.

    Reference: Efron, Hastie, Johnstone and Tibshirani, Least angle regression, The Annals of Statistics 32, 2004;
    ``sklearn.datasets.load_diabetes(scaled=False)``.
    """

    inputs: ClassVar[int] = 10
    outputs: ClassVar[int] = 1


@dataclass(frozen=True)
class BreastCancer(_Shipped):
    """Malignant (0) or benign (1) from 30 measurements of cell nuclei, 569 patients of Wisconsin.

    Reference: Street, Wolberg and Mangasarian, Nuclear feature extraction for breast tumor diagnosis, 1993;
    ``sklearn.datasets.load_breast_cancer``.
    """

    inputs: ClassVar[int] = 30
    outputs: ClassVar[int] = 1
    task: ClassVar[str] = "classification"


@dataclass(frozen=True)
class Wine(_Shipped):
    """Which of three cultivars, one-hot, from 13 chemical measurements of 178 wines.

    Reference: Forina et al., PARVUS, 1988, in the UCI repository; ``sklearn.datasets.load_wine``.
    """

    inputs: ClassVar[int] = 13
    outputs: ClassVar[int] = 3
    task: ClassVar[str] = "classification"


@dataclass(frozen=True)
class Digits(_Shipped):
    """Which digit from 0 to 9, one-hot, from 1797 handwritten images of 8 by 8 pixels with values from 0 to 16.

    Reference: Alpaydin and Kaynak, Optical recognition of handwritten digits, 1998, in the UCI repository;
    ``sklearn.datasets.load_digits``.
    """

    inputs: ClassVar[int] = 64
    outputs: ClassVar[int] = 10
    task: ClassVar[str] = "classification"


@functools.cache
def _names(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of inputs and of classes; the single output of a regression is called ``target``."""
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    classes = found.get("target_names", ["target"])
    return tuple(map(str, found.feature_names)), tuple(map(str, classes))


@functools.cache
def _load(name: str, classes: int | None) -> tuple[Array, Array]:
    from sklearn import datasets  # here, because it is slow to import

    # Raw units, because the scaled diabetes data are scaled by all rows, validation rows included.
    options = {"scaled": False} if name == "diabetes" else {}
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True, **options)
    return frozen(x, np.eye(classes)[y] if classes else y[:, np.newaxis])


def frozen(x: Array, y: Array) -> tuple[Array, Array]:
    """Return both arrays in float64 and read-only, fit for a cache."""
    x, y = np.array(x, float), np.array(y, float)
    x.flags.writeable = y.flags.writeable = False
    return x, y
