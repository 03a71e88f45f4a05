"""Activations ``a = g(z)`` and their derivatives; formulas, parameters and defaults are those of PyTorch.

Every step is one ufunc that writes to ``out``: on small networks the number of calls decides the time. ``exp`` may
overflow to infinity on the way to a correct result.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Interval, doc

from chainrule.components.contracts import Activation, Array
from chainrule.components.stacking import sum_units

# NumPy converts a Python number in every call, which doubles the time on a small network; it takes these as they are.
_ONE = {np.dtype(dtype): np.ones((), dtype) for dtype in (np.float16, np.float32, np.float64, np.longdouble)}


@dataclass(frozen=True)
class Identity(Activation):
    """``a = z``: with it on every layer the network is a linear regression."""

    is_identity = True

    def forward(self, z: Array) -> Array:
        """Return ``z`` itself."""
        return z

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:  # type: ignore[override]  # nothing to fill
        """Return ``grad_a`` itself."""
        return grad_a


@dataclass(frozen=True)
class Sigmoid(Activation):
    """``a = 1 / (1 + e^-z)``, the logistic function; ``g' = a (1 - a)``."""

    range = (0.0, 1.0)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``1 / (1 + e^-z)``; 0 where ``e^-z`` overflows."""
        one = _ONE[z.dtype]
        out = np.negative(z, out)
        np.exp(out, out)
        np.add(out, one, out)
        return np.divide(one, out, out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a a (1 - a)``."""
        out = np.subtract(_ONE[a.dtype], a, out)
        np.multiply(out, a, out)
        return np.multiply(out, grad_a, out)


_SIGMOID = Sigmoid()


@dataclass(frozen=True)
class ReLU(Activation, name="relu"):
    """``a = max(0, z)``, the rectifier (Nair & Hinton 2010); ``g' = 1`` for ``z > 0``, else 0."""

    range = (0.0, math.inf)
    kinks = (0.0,)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``max(0, z)``."""
        return np.maximum(z, 0.0, out=out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a`` where ``a > 0``, else 0; ``a`` is never negative, so its sign is the slope."""
        out = np.sign(a, out)
        return np.multiply(out, grad_a, out)


@dataclass(frozen=True)
class Tanh(Activation):
    """``a = tanh(z)``; ``g' = 1 - a^2``."""

    range = (-1.0, 1.0)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``tanh(z)``."""
        return np.tanh(z, out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a (1 - a^2)``."""
        out = np.multiply(a, a, out)
        np.subtract(_ONE[a.dtype], out, out)
        return np.multiply(out, grad_a, out)


@dataclass(frozen=True)
class LeakyReLU(Activation, name="leaky_relu"):
    """``a = max(0, z) + negative_slope min(0, z)`` (Maas, Hannun & Ng 2013)."""

    negative_slope: Annotated[float, doc("slope for z <= 0")] = 0.01

    kinks = (0.0,)

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``max(0, z) + negative_slope min(0, z)``."""
        out = np.minimum(z, 0.0, out=out)
        np.multiply(out, self.negative_slope, out)
        return np.add(out, np.maximum(z, 0.0), out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a`` where ``z > 0``, else ``negative_slope grad_a``."""
        out = np.multiply(grad_a, self.negative_slope, out)
        np.copyto(out, grad_a, where=z > 0)
        return out


@dataclass(frozen=True)
class ELU(Activation, name="elu"):
    """``a = z`` for ``z > 0``, else ``alpha (e^z - 1)``: the exponential linear unit (Clevert et al. 2015)."""

    alpha: Annotated[float, doc("minus the limit for z -> -infinity")] = 1.0

    kinks = (0.0,)

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]  # depends on alpha
        """From ``-alpha``, or 0 if ``alpha`` is negative, to infinity."""
        return min(0.0, -float(np.max(self.alpha))), math.inf

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``max(0, z) + alpha (e^min(0, z) - 1)``."""
        out = np.minimum(z, 0.0, out=out)
        np.expm1(out, out)
        np.multiply(out, self.alpha, out)
        return np.add(out, np.maximum(z, 0.0), out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a`` where ``z > 0``, else ``grad_a alpha e^z``."""
        out = np.minimum(z, 0.0, out=out)
        np.exp(out, out)
        np.multiply(out, self.alpha, out)
        np.multiply(out, grad_a, out)
        np.copyto(out, grad_a, where=z > 0)
        return out


@dataclass(frozen=True)
class Softplus(Activation):
    """``a = log(1 + e^(beta z)) / beta``, and ``a = z`` where ``beta z > threshold`` (Dugas et al. 2001).

    ``g' = 1 / (1 + e^(-beta z))``, and 1 where ``beta z > threshold``. Up to a threshold of 80 ``e^(beta z)`` is finite
    even in float32; from 37 on ``log(1 + e^t)`` rounds to ``t`` in float64, so a higher threshold would change nothing.
    """

    beta: Annotated[float, Gt(0), doc("sharpness; softplus tends to relu as it grows")] = 1.0
    threshold: Annotated[float, Interval(ge=0, le=80), doc("beta z above which a = z")] = 20.0

    range = (0.0, math.inf)

    @property
    def kinks(self) -> tuple[float, ...]:  # type: ignore[override]  # depends on beta and threshold
        """The points where the straight line begins, one per run."""
        return tuple(np.ravel(np.divide(self.threshold, self.beta)).tolist())

    @property
    def jumps(self) -> tuple[float, ...]:  # type: ignore[override]
        """The same points: the line is ``log(1 + e^-threshold) / beta`` below the curve."""
        return self.kinks

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``log(1 + e^(beta z)) / beta``."""
        out = np.multiply(z, self.beta, out)
        straight = out > self.threshold
        np.exp(out, out)
        np.log1p(out, out)
        np.divide(out, self.beta, out)
        np.copyto(out, z, where=straight)
        return out

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a / (1 + e^(-beta z))``."""
        scaled = np.multiply(z, self.beta)
        out = _SIGMOID.forward(scaled, out)
        np.multiply(out, grad_a, out)
        np.copyto(out, grad_a, where=scaled > self.threshold)
        return out


@dataclass(frozen=True)
class GELU(Activation, name="gelu"):
    """``a = z Phi(z)``, where ``Phi`` is the normal distribution function (Hendrycks & Gimpel 2016).

    ``Phi(z) = (1 + erf(z / sqrt 2)) / 2``, the exact form; ``g' = Phi(z) + z phi(z)`` with the normal density ``phi``.
    """

    range = (-0.16997121, math.inf)  # minimum at z = -0.7518

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``z Phi(z)``."""
        out = _normal_distribution()(z, out)
        return np.multiply(out, z, out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a (Phi(z) + z phi(z))``."""
        density = np.square(z)
        np.multiply(density, -0.5, density)
        np.exp(density, density)
        np.multiply(density, 1 / math.sqrt(2 * math.pi), density)
        np.multiply(density, z, density)
        out = _normal_distribution()(z, out)
        np.add(out, density, out)
        return np.multiply(out, grad_a, out)


@dataclass(frozen=True)
class SiLU(Activation, name="silu"):
    """``a = z s`` with ``s = 1 / (1 + e^-z)`` (Elfwing et al. 2017); swish with factor 1 (Ramachandran et al. 2017).

    ``g' = s (1 + z (1 - s))``.
    """

    range = (-0.27846455, math.inf)  # minimum at z = -1.2785

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``z / (1 + e^-z)``."""
        out = _SIGMOID.forward(z, out)
        return np.multiply(out, z, out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``grad_a s (1 + z (1 - s))``."""
        out = _SIGMOID.forward(z, out)
        factor = np.subtract(1.0, out)
        np.multiply(factor, z, factor)
        np.add(factor, 1.0, factor)
        np.multiply(out, factor, out)
        return np.multiply(out, grad_a, out)


@dataclass(frozen=True)
class Softmax(Activation):
    """``a_j = e^(z_j) / sum_k e^(z_k)`` over the units of the layer (Bridle 1990).

    ``da_j/dz_k = a_j (1[j = k] - a_k)``, hence ``dL/dz_j = a_j (dL/da_j - sum_k dL/da_k a_k)``.
    """

    range = (0.0, 1.0)
    min_units = 2

    def forward(self, z: Array, out: Array | None = None) -> Array:
        """Return ``e^(z_j - max z) / sum_k e^(z_k - max z)``; the shift cancels and keeps ``e^z`` finite."""
        out = np.subtract(z, np.maximum.reduce(z, axis=-2, keepdims=True), out)
        np.exp(out, out)
        return np.divide(out, sum_units(out, keepdims=True), out)

    def backward(self, grad_a: Array, z: Array, a: Array, out: Array | None = None) -> Array:
        """Return ``a_j (grad_a_j - sum_k grad_a_k a_k)``."""
        out = np.multiply(grad_a, a, out)
        np.subtract(grad_a, sum_units(out, keepdims=True), out)
        return np.multiply(out, a, out)


@functools.cache
def _normal_distribution() -> Callable[..., Any]:
    from scipy.special import ndtr  # here, because it is slow to import

    return ndtr  # type: ignore[no-any-return]
