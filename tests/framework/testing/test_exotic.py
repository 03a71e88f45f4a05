"""Correct components of unusual kinds, which pass every check."""

import math
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Interval, doc

from chainrule.components.contracts import Activation, Initializer, Loss, Optimizer, Rule, Target
from chainrule.components.stacking import sum_units
from chainrule.engine.network import product
from chainrule.errors import ConfigurationError
from mutating import Gallery, require

GALLERY = Gallery()
ROWS = np.random.default_rng(0).normal(size=(30, 3))


@GALLERY.sound
class Sine(Activation):
    """``sin(w z)`` (Sitzmann et al. 2020)."""

    w: Annotated[float, Gt(0), doc("frequency")] = 30.0

    range: ClassVar = (-1.0, 1.0)

    def forward(self, z):
        return np.sin(self.w * z)

    def slope(self, z, a):
        return self.w * np.cos(self.w * z)


@GALLERY.sound
class Snake(Activation):
    """``z + sin(c z)^2 / c`` (Ziyin et al. 2020)."""

    c: Annotated[float, Gt(0), doc("frequency")] = 1.0

    def forward(self, z):
        return z + np.square(np.sin(self.c * z)) / self.c

    def slope(self, z, a):
        return 1 + np.sin(2 * self.c * z)


@GALLERY.sound
class LayerNorm(Activation):
    """Normalizes the units of a layer (Ba et al. 2016)."""

    eps: Annotated[float, Gt(0), doc("added to the variance")] = 1e-5

    min_units: ClassVar = 2

    def _deviation(self, z):
        units = z.shape[-2]
        centred = z - sum_units(z, keepdims=True) / units
        return centred, np.sqrt(sum_units(centred * centred, keepdims=True) / units + self.eps)

    def forward(self, z):
        centred, deviation = self._deviation(z)
        return centred / deviation

    def backward(self, grad_a, z, a):
        units = z.shape[-2]
        _, deviation = self._deviation(z)
        mean = sum_units(grad_a, keepdims=True) / units
        return (grad_a - mean - a * (sum_units(grad_a * a, keepdims=True) / units)) / deviation


@GALLERY.sound
class PairedMaxout(Activation):
    """Each pair of neighbours has the larger of the two (after Goodfellow et al. 2013)."""

    min_units: ClassVar = 2

    def forward(self, z):
        a = z.copy()
        pairs = z.shape[1] // 2 * 2
        larger = np.maximum(z[:, :pairs:2], z[:, 1:pairs:2])
        a[:, :pairs:2] = a[:, 1:pairs:2] = larger
        return a

    def backward(self, grad_a, z, a):
        grad = grad_a.copy()
        pairs = z.shape[1] // 2 * 2
        first = z[:, :pairs:2] >= z[:, 1:pairs:2]
        total = grad_a[:, :pairs:2] + grad_a[:, 1:pairs:2]
        grad[:, :pairs:2] = total * first
        grad[:, 1:pairs:2] = total * ~first
        return grad


@GALLERY.sound
class GroupSort(Activation):
    """Sorts pairs of neighbours (Anil et al. 2019)."""

    min_units: ClassVar = 2

    def forward(self, z):
        a = z.copy()
        pairs = z.shape[1] // 2 * 2
        a[:, :pairs:2] = np.minimum(z[:, :pairs:2], z[:, 1:pairs:2])
        a[:, 1:pairs:2] = np.maximum(z[:, :pairs:2], z[:, 1:pairs:2])
        return a

    def backward(self, grad_a, z, a):
        grad = grad_a.copy()
        pairs = z.shape[1] // 2 * 2
        swapped = z[:, :pairs:2] > z[:, 1:pairs:2]
        grad[:, :pairs:2] = np.where(swapped, grad_a[:, 1:pairs:2], grad_a[:, :pairs:2])
        grad[:, 1:pairs:2] = np.where(swapped, grad_a[:, :pairs:2], grad_a[:, 1:pairs:2])
        return grad


@GALLERY.sound
class Sparsemax(Activation):
    """The nearest point of the simplex (Martins and Astudillo 2016)."""

    range: ClassVar = (0.0, 1.0)
    min_units: ClassVar = 2

    def forward(self, z):
        z = z - np.maximum.reduce(z, axis=-2, keepdims=True)
        ordered = -np.sort(-z, axis=-2)
        sums = np.add.accumulate(ordered, axis=-2)
        places = np.arange(1, z.shape[-2] + 1, dtype=z.dtype)[:, None]
        inside = 1 + places * ordered > sums
        number = inside.sum(axis=-2, keepdims=True)
        threshold = (np.take_along_axis(sums, number - 1, axis=-2) - 1) / number.astype(z.dtype)
        return np.maximum(z - threshold, 0)

    def backward(self, grad_a, z, a):
        inside = (a > 0).astype(z.dtype)
        mean = sum_units(grad_a * inside, keepdims=True) / sum_units(inside, keepdims=True)
        return inside * (grad_a - mean)


@GALLERY.sound
class Swish(Activation):
    """Nothing overflows."""

    beta: Annotated[float, Gt(0), doc("sharpness")] = 1.0

    def forward(self, z):
        return z * (0.5 * (1 + np.tanh(0.5 * self.beta * z)))

    def backward(self, grad_a, z, a):
        s = 0.5 * (1 + np.tanh(0.5 * self.beta * z))
        return grad_a * (s + self.beta * (z * (s * (1 - s))))


@GALLERY.sound
class GaussianBump(Activation):
    """``e^(-z^2)``."""

    range: ClassVar = (0.0, 1.0)

    def forward(self, z):
        return np.exp(-z * z)

    def slope(self, z, a):
        return -2 * z * a


@GALLERY.sound
class Step(Activation):
    """The jump is published, and its slope is that of both sides."""

    kinks: ClassVar = (0.0,)
    jumps: ClassVar = (0.0,)
    range: ClassVar = (0.0, 1.0)

    def forward(self, z):
        return (z > 0).astype(z.dtype)

    def slope(self, z, a):
        return np.zeros_like(z)


@GALLERY.sound
class Cauchy(Loss):
    """``log(1 + (e / c)^2)``."""

    c: Annotated[float, Gt(0), doc("scale of errors")] = 1.0

    def value(self, y_pred, y_true):
        return sum_units(np.log1p(np.square((y_pred - y_true) / self.c)))

    def gradient(self, y_pred, y_true):
        error = (y_pred - y_true) / self.c
        return 2 * error / (self.c * (1 + error * error))


@GALLERY.sound
class Gaussian(Loss):
    """``1 - e^(-e^2 / 2)`` (Welsch)."""

    def value(self, y_pred, y_true):
        return sum_units(-np.expm1(-0.5 * np.square(y_pred - y_true)))

    def gradient(self, y_pred, y_true):
        error = y_pred - y_true
        return error * np.exp(-0.5 * error * error)


@GALLERY.sound
class Cosine(Loss):
    """1 less the cosine between prediction and truth."""

    eps: Annotated[float, Interval(gt=0, le=1), doc("added to the squared lengths")] = 1e-6

    min_outputs: ClassVar = 2

    def _cosine(self, y_pred, y_true):
        one, other = (sum_units(y * y, keepdims=True) + self.eps for y in (y_pred, y_true))
        return sum_units(y_pred * y_true, keepdims=True) / (np.sqrt(one) * np.sqrt(other)), one, other

    def value(self, y_pred, y_true):
        return 1 - self._cosine(y_pred, y_true)[0][:, 0]

    def gradient(self, y_pred, y_true):
        cosine, one, other = self._cosine(y_pred, y_true)
        return cosine * y_pred / one - y_true / (np.sqrt(one) * np.sqrt(other))


@GALLERY.sound
class LinearExponential(Loss):
    """``e^(c e) - c e - 1`` (Varian 1975)."""

    c: Annotated[float, Gt(0), doc("asymmetry")] = 1.0

    def value(self, y_pred, y_true):
        error = self.c * (y_pred - y_true)
        return sum_units(np.expm1(error) - error)

    def gradient(self, y_pred, y_true):
        return self.c * np.expm1(self.c * (y_pred - y_true))


@GALLERY.sound
class SignOfGradients(Rule):
    """A preconditioner that is not linear: gradients by their signs."""

    def gradient(self, layer, delta, inputs):
        return np.sign(product(delta, inputs.mT)) * np.asarray(0.1, delta.dtype)


@GALLERY.sound
class NormalizedGradients(Rule):
    """Gradients of a layer divided by their length."""

    eps: Annotated[float, Gt(0), doc("added to the length")] = 1e-3

    def gradient(self, layer, delta, inputs):
        gradient = product(delta, inputs.mT)
        rows = np.square(gradient).reshape(len(gradient), -1, 1)
        return gradient / (np.sqrt(sum_units(rows, keepdims=True)) + self.eps)


@GALLERY.sound
class Whitened(Rule):
    """Gradients divided by the mean square of each input: linear in the deltas, and no sum over samples."""

    damping: Annotated[float, Gt(0), doc("added to mean squares")] = 0.5

    def gradient(self, layer, delta, inputs):
        squares = np.add.accumulate(np.square(inputs), axis=-1)[..., -1:] / np.asarray(inputs.shape[-1], inputs.dtype)
        return product(delta, inputs.mT) / (squares.mT + self.damping)


@GALLERY.sound
class RandomLabels(Target):
    """Rows of a data set, whose labels are drawn (Zhang et al. 2017)."""

    task: ClassVar = "classification"
    inputs: ClassVar = 2
    outputs: ClassVar = 1
    samples: ClassVar = None

    def data(self, rng, samples):
        rows = ROWS
        if samples is not None:
            if samples > len(rows):
                raise ConfigurationError("too many rows.")
            rows = rows[rng.choice(len(rows), samples, replace=False)]
        return rows[:, :2].copy(), rng.integers(0, 2, size=(len(rows), 1)).astype(float)


@GALLERY.sound
class TwoRows(Target):
    """The smallest data set of which a part can be drawn."""

    inputs: ClassVar = 2
    outputs: ClassVar = 1
    samples: ClassVar = None

    def data(self, rng, samples):
        rows = ROWS[:2]
        if samples is not None:
            if samples > len(rows):
                raise ConfigurationError("too many rows.")
            rows = rows[rng.choice(len(rows), samples, replace=False)]
        return rows[:, :2].copy(), rows[:, 2:].copy()


@GALLERY.sound
class Grid(Target):
    """A function at points that are not drawn."""

    inputs: ClassVar = 1
    outputs: ClassVar = 1

    def __call__(self, x):
        return x * x

    def data(self, rng, samples):
        x = np.linspace(-1, 1, samples)[:, None]
        return x, self(x)


@GALLERY.sound
class Orthogonal(Initializer):
    """Without a formula of the variance: weights are not independent."""

    gain: Annotated[float, Gt(0), doc("factor")] = 1.0

    def weights(self, rng, fan_in, fan_out):
        q, r = np.linalg.qr(rng.normal(size=(max(fan_in, fan_out), min(fan_in, fan_out))))
        q = self.gain * q * np.sign(np.diag(r))
        return q if fan_out >= fan_in else q.T


@GALLERY.sound
class Sparse(Initializer):
    """Few weights of each unit are not 0 (Martens 2010)."""

    number: Annotated[int, Gt(0), doc("of weights of a unit")] = 15

    def weights(self, rng, fan_in, fan_out):
        weights = rng.normal(size=(fan_out, fan_in))
        for row in weights:
            row[rng.permutation(fan_in)[self.number :]] = 0
        return weights

    def variance(self, fan_in, fan_out):
        return min(1.0, self.number / fan_in)


@GALLERY.sound
class Nesterov(Optimizer):
    """Switched by ``math`` of nothing but its own step."""

    lr: Annotated[float, Gt(0), doc("rate")] = 0.01
    warmup: Annotated[int, Gt(0), doc("steps in which the momentum grows")] = 100

    def init(self, theta):
        return {"velocity": np.zeros_like(theta)}

    def update(self, theta, grad, state, step):
        state["velocity"] *= 0.9 * math.tanh(step / self.warmup)
        state["velocity"] += grad
        theta -= self.lr * state["velocity"]


@GALLERY.every
def test_it_passes(cls, checks, others):
    require(cls, checks, others)
