"""Targets that are functions: inputs are drawn, outputs follow from a formula."""

from dataclasses import dataclass
from math import pi
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, doc

from chainrule.components.contracts import Array, Target
from chainrule.errors import ConfigurationError


@dataclass(frozen=True)
class Linear(Target):
    """``f(x) = intercept + sum_i coefficients_i x_i``; by default the article's ``f(x) = 2 x1 + 3 x2 + 10``.

    Every input is uniform in [-1, 1].
    """

    coefficients: Annotated[tuple[float, ...], doc("one factor for each input")] = (2.0, 3.0)
    intercept: Annotated[float, doc("value at x = 0")] = 10.0

    outputs: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not self.coefficients:
            raise ConfigurationError("target.coefficients is empty; give it one number for each input.")

    @property
    def inputs(self) -> int:
        """Number of coefficients."""
        return len(self.coefficients)

    def __call__(self, x: Array) -> Array:
        """Return ``f(x)``, shape ``(samples, 1)``."""
        terms: Array = x * self.coefficients
        y: Array = terms.sum(axis=1, keepdims=True) + self.intercept
        return y


@dataclass(frozen=True)
class XOR(Target, name="xor"):
    """1 where exactly one of two inputs is 1: the corners of the unit square, which no line separates.

    The corners (0, 0), (0, 1), (1, 0), (1, 1) come in turn. Elsewhere an input counts as 1 above 0.5.

    Reference: Minsky and Papert, Perceptrons, 1969; learned by backpropagation in Rumelhart, Hinton and Williams,
    Learning internal representations by error propagation, 1986.
    """

    inputs: ClassVar[int] = 2
    outputs: ClassVar[int] = 1
    task: ClassVar[str] = "classification"
    low: ClassVar[float] = 0.0

    def __call__(self, x: Array) -> Array:
        """Return 0 or 1, shape ``(samples, 1)``."""
        ones = x > 0.5
        return (ones[:, :1] ^ ones[:, 1:]).astype(float)

    def data(self, rng: np.random.Generator, samples: int | None) -> tuple[Array, Array]:
        """Return the four corners in turn."""
        corner = _in_turn(samples, 4)
        x = np.stack([corner // 2, corner % 2], axis=1).astype(float)
        return x, self(x)


@dataclass(frozen=True)
class Sine(Target):
    """``f(x) = amplitude sin(frequency x + phase)``, x uniform in [-pi, pi]."""

    amplitude: Annotated[float, Gt(0), doc("largest value")] = 1.0
    frequency: Annotated[float, Gt(0), doc("full waves between -pi and pi")] = 1.0
    phase: Annotated[float, doc("angle at x = 0, in radians")] = 0.0

    inputs: ClassVar[int] = 1
    outputs: ClassVar[int] = 1
    low: ClassVar[float] = -pi
    high: ClassVar[float] = pi

    def __call__(self, x: Array) -> Array:
        """Return ``f(x)``, shape ``(samples, 1)``."""
        return self.amplitude * np.sin(self.frequency * x + self.phase)


@dataclass(frozen=True)
class Friedman1(Target):
    """``f(x) = 10 sin(pi x1 x2) + 20 (x3 - 0.5)^2 + 10 x4 + 5 x5``, x uniform in [0, 1].

    The inputs from the sixth on do not matter. The original adds Gaussian noise of deviation 1.

    Reference: Friedman, Multivariate adaptive regression splines, The Annals of Statistics 19, 1991;
    ``sklearn.datasets.make_friedman1``.
    """

    features: Annotated[int, Ge(5), doc("inputs; the first five matter")] = 10

    outputs: ClassVar[int] = 1
    low: ClassVar[float] = 0.0

    @property
    def inputs(self) -> int:
        """Number of features."""
        return self.features

    def __call__(self, x: Array) -> Array:
        """Return ``f(x)``, shape ``(samples, 1)``."""
        x1, x2, x3, x4, x5 = x.T[:5]
        y: Array = 10 * np.sin(pi * x1 * x2) + 20 * (x3 - 0.5) ** 2 + 10 * x4 + 5 * x5
        return y[:, np.newaxis]


@dataclass(frozen=True)
class TwoMoons(Target):
    """Two interleaving half circles of radius 1, labelled 0 and 1.

    Class 0 lies at ``(cos t, sin t)``, class 1 at ``(1 - cos t, 0.5 - sin t)``, t uniform in [0, pi]. The classes come
    in turn. Elsewhere in the plane the nearer half circle decides.

    Reference: ``sklearn.datasets.make_moons``, which spaces t evenly.
    """

    inputs: ClassVar[int] = 2
    outputs: ClassVar[int] = 1
    task: ClassVar[str] = "classification"
    high: ClassVar[float] = 2.0

    def __call__(self, x: Array) -> Array:
        """Return 0 or 1, shape ``(samples, 1)``."""
        to_first = _distance_to_upper_half_circle(x[:, :1], x[:, 1:])
        to_second = _distance_to_upper_half_circle(1 - x[:, :1], 0.5 - x[:, 1:])
        return (to_second < to_first).astype(float)

    def data(self, rng: np.random.Generator, samples: int | None) -> tuple[Array, Array]:
        """Return points of the half circles in turn."""
        label = _in_turn(samples, 2)
        angle = rng.uniform(0, pi, size=len(label))
        first = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        y = label[:, np.newaxis].astype(float)
        return np.where(y == 0, first, [1.0, 0.5] - first), y


@dataclass(frozen=True)
class Spirals(Target):
    """Two interlocking spirals in the unit disc, the second turned by half a circle, labelled 0 and 1.

    Class 0 lies at ``r (sin t, cos t)``, class 1 at ``-r (sin t, cos t)``, with ``r = 1 - 12/13 t / (2 pi turns)`` and
    t uniform in [0, 2 pi turns]: from the rim inwards to r = 1/13. The classes come in turn. Elsewhere the
    class is that of the spiral nearer along the circle around the origin; both spirals continue inwards and outwards.

    Reference: Lang and Witbrock, Learning to tell two spirals apart, Proceedings of the 1988 Connectionist Models
    Summer School, who use 3 turns, radii from 6.5 to 0.5, and 97 evenly spaced angles.
    """

    turns: Annotated[float, Gt(0), doc("revolutions of each spiral; the original has 3")] = 1.5

    inputs: ClassVar[int] = 2
    outputs: ClassVar[int] = 1
    task: ClassVar[str] = "classification"

    def __call__(self, x: Array) -> Array:
        """Return 0 or 1, shape ``(samples, 1)``."""
        radius, direction = np.hypot(x[:, :1], x[:, 1:]), np.arctan2(x[:, :1], x[:, 1:])
        angle = (1 - radius) * self._angle_per_radius
        return (np.cos(angle - direction) < 0).astype(float)

    def data(self, rng: np.random.Generator, samples: int | None) -> tuple[Array, Array]:
        """Return points of the spirals in turn."""
        label = _in_turn(samples, 2)
        angle = rng.uniform(0, 2 * pi * self.turns, size=len(label))
        radius = (1 - angle / self._angle_per_radius) * np.where(label == 0, 1, -1)
        return radius[:, np.newaxis] * np.stack([np.sin(angle), np.cos(angle)], axis=1), label[:, np.newaxis].astype(
            float
        )

    @property
    def _angle_per_radius(self) -> float:
        return 2 * pi * self.turns * 13 / 12


def _in_turn(samples: int | None, labels: int) -> Array:
    """Return 0, 1, ..., labels - 1 over and over, so that their counts differ by one at most."""
    if samples is None:
        raise ValueError("a function has no rows of its own: say how many samples")
    return np.arange(samples) % labels


def _distance_to_upper_half_circle(x: Array, y: Array) -> Array:
    """Return the distance of points to the half of the unit circle where y >= 0; for y < 0 that to its nearer end."""
    distance: Array = np.where(y >= 0, np.abs(np.hypot(x, y) - 1), np.hypot(np.abs(x) - 1, y))
    return distance
