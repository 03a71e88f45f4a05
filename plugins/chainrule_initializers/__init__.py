"""Built-in initializers; ``fan_in`` and ``fan_out`` count the inputs and the units of a layer."""

import enum
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, doc

from chainrule.components.contracts import Array, Initializer
from chainrule.errors import ConfigurationError
from chainrule.registry.hookspecs import hookimpl
from chainrule_initializers.lsuv import LSUV
from chainrule_initializers.orthogonal import Orthogonal
from chainrule_initializers.siren import Siren


class Fan(enum.StrEnum):
    """Which units the variance of He's initializers is divided by."""

    FAN_IN = "fan_in"  # keeps the variance of activations
    FAN_OUT = "fan_out"  # keeps the variance of deltas


@dataclass(frozen=True)
class Normal(Initializer):
    """Weights and biases from ``N(mean, std^2)``: the article's random start."""

    mean: Annotated[float, doc("mean of weights and biases")] = 0.0
    std: Annotated[float, Ge(0), doc("standard deviation of weights and biases")] = 1.0

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        return rng.normal(self.mean, self.std, size=(fan_out, fan_in))

    def biases(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out,)`` biases."""
        return rng.normal(self.mean, self.std, size=fan_out)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``std^2``."""
        return self.std**2


@dataclass(frozen=True)
class Uniform(Initializer):
    """Weights and biases from the uniform distribution on ``[a, b)``."""

    a: Annotated[float, doc("lower end")] = 0.0
    b: Annotated[float, doc("upper end, above a")] = 1.0

    def __post_init__(self) -> None:
        if not self.a < self.b:
            raise ConfigurationError(f"initializer.b must be a number > initializer.a = {self.a:g}, not {self.b!r}.")

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        return rng.uniform(self.a, self.b, size=(fan_out, fan_in))

    def biases(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out,)`` biases."""
        return rng.uniform(self.a, self.b, size=fan_out)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``(b - a)^2 / 12``."""
        return (self.b - self.a) ** 2 / 12


@dataclass(frozen=True)
class XavierNormal(Initializer):
    """Weights from ``N(0, gain^2 2 / (fan_in + fan_out))``, biases 0 (Glorot & Bengio 2010)."""

    gain: Annotated[float, Gt(0), doc("factor on the standard deviation")] = 1.0

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        return _normal(rng, self.gain * math.sqrt(2 / (fan_in + fan_out)), fan_in, fan_out)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``gain^2 2 / (fan_in + fan_out)``."""
        return self.gain**2 * 2 / (fan_in + fan_out)


@dataclass(frozen=True)
class XavierUniform(Initializer):
    """Weights uniform on ``[-c, c)``, ``c = gain sqrt(6 / (fan_in + fan_out))``, biases 0 (Glorot & Bengio 2010)."""

    gain: Annotated[float, Gt(0), doc("factor on the standard deviation")] = 1.0

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        return _uniform(rng, self.gain * math.sqrt(2 / (fan_in + fan_out)), fan_in, fan_out)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``gain^2 2 / (fan_in + fan_out)``."""
        return self.gain**2 * 2 / (fan_in + fan_out)


@dataclass(frozen=True)
class HeNormal(Initializer):
    """Weights from ``N(0, 2 / ((1 + a^2) fan))``, biases 0 (He et al. 2015); PyTorch's ``kaiming_normal_``."""

    a: Annotated[float, doc("negative slope of the leaky_relu that follows; 0 for relu")] = 0.0
    mode: Annotated[Fan, doc("fan_in keeps the variance of activations, fan_out that of deltas")] = Fan.FAN_IN

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        return _normal(rng, _he_deviation(self.a, self.mode, fan_in, fan_out), fan_in, fan_out)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``2 / ((1 + a^2) fan)``."""
        return 2 / ((1 + self.a**2) * (fan_in if self.mode is Fan.FAN_IN else fan_out))


@dataclass(frozen=True)
class HeUniform(Initializer):
    """Weights uniform on ``[-c, c)``, ``c = sqrt(6 / ((1 + a^2) fan))``, biases 0 (He et al. 2015).

    PyTorch's ``kaiming_uniform_``.
    """

    a: Annotated[float, doc("negative slope of the leaky_relu that follows; 0 for relu")] = 0.0
    mode: Annotated[Fan, doc("fan_in keeps the variance of activations, fan_out that of deltas")] = Fan.FAN_IN

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Draw ``(fan_out, fan_in)`` weights."""
        return _uniform(rng, _he_deviation(self.a, self.mode, fan_in, fan_out), fan_in, fan_out)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``2 / ((1 + a^2) fan)``."""
        return 2 / ((1 + self.a**2) * (fan_in if self.mode is Fan.FAN_IN else fan_out))


@dataclass(frozen=True)
class Zeros(Initializer):
    """Weights and biases 0: the units of a layer then stay equal to each other."""

    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Return ``(fan_out, fan_in)`` zeros."""
        return np.zeros((fan_out, fan_in))

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return 0."""
        return 0.0


def _he_deviation(a: float, mode: Fan, fan_in: int, fan_out: int) -> float:
    return math.sqrt(2 / ((1 + a**2) * (fan_in if mode is Fan.FAN_IN else fan_out)))


def _normal(rng: np.random.Generator, std: float, fan_in: int, fan_out: int) -> Array:
    return rng.normal(0.0, std, size=(fan_out, fan_in))


def _uniform(rng: np.random.Generator, std: float, fan_in: int, fan_out: int) -> Array:
    bound = math.sqrt(3) * std
    return rng.uniform(-bound, bound, size=(fan_out, fan_in))


@hookimpl
def chainrule_initializers() -> list[type[Initializer]]:
    """Return the initializers of this package."""
    return [Normal, Uniform, XavierNormal, XavierUniform, HeNormal, HeUniform, Zeros, Orthogonal, LSUV, Siren]
