"""The derivatives of one step: exactly, by the chain rule, and by central differences, in float64.

The loss is that of the step: its samples and weights, what activations keep, and the random numbers that the step drew,
so that a network with dropout has the units that were left out. Many shifted copies of the network are evaluated as one
stack.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.components.contracts import Array, Rule
from chainrule.components.random import Random
from chainrule.components.stacking import stack
from chainrule.engine.backprop import Backprop, Truth, is_paired, mean_loss
from chainrule.engine.layers import Anywhere, differs_in_training
from chainrule.engine.network import Pass, Shape, placed
from chainrule.engine.onlooker import Step
from chainrule.records.settings import Settings

_STEP = float(np.finfo(float).eps) ** (1 / 3)  # as in engine.gradcheck
_BYTES = 16 << 20  # that the passes of a stack of copies may take
_MOST = 4000  # parameters that are checked at most; of more, some, evenly spread
_PRODUCTS = 10**10  # of numbers that the check of a step may take, so that it takes seconds at most


class ChainRule(Rule):
    """Eq. 5 and 6 as they are, whatever the rule of the run says."""

    takes_pieces = True


@dataclass(frozen=True)
class Exact:
    """The passes of a step by eq. 1 to 6, in float64. Lists by layer count from 1; index 0 is empty.

    Attributes:
        loss: eq. 3, the mean over the samples of the step.
        losses: the loss of each sample, without weights, ``(samples,)``.
        z, a, delta: ``(units, samples)``.
        factors: what dropout has multiplied each unit by, ``(units, samples)``; None where there is none.
        error: what a layer's ``delta`` follows from, ``dL/da``, ``(units, samples)``.
        grad: eq. 6, of the mean loss, ``(parameters,)``.
    """

    loss: float
    losses: Array
    z: list[Array]
    a: list[Array]
    delta: list[Array]
    factors: list[Array | None]
    error: list[Array]
    grad: Array


class StepLoss:
    """The mean loss of one step of one run, wherever its parameters are moved to.

    Args:
        settings: of the run.
        shape: of its network.
        step: the step, of this run alone.
    """

    def __init__(self, settings: Settings, shape: Shape, step: Step) -> None:
        self.shape, self.theta = shape, step.before[0].astype(float)
        self._settings, self._step = settings, step
        self._x, self._y = step.x[0].astype(float), step.y[0].astype(float)
        self._weights = None if step.weights is None else step.weights[0].astype(float)
        self.samples: int = self._x.shape[1]
        chosen = list(placed(settings.activation, settings.output, settings.norm, shape.layers))
        self.is_random = settings.network.dropout > 0 or any(differs_in_training(one.activation) for one in chosen)
        self.mixes = any(one.activation.min_samples > 1 for one in chosen)

    def exact(self) -> Exact:
        """Return the passes at the parameters before the step, by the chain rule."""
        loss = stack([self._settings.loss], float)
        forward = self._pass(self.theta[None])
        backprop = Backprop(forward, loss, ChainRule(), {}, np.empty((1, self.shape.size)))
        with np.errstate(all="ignore"):
            batch = backprop.batch(*self._rows(1))
            grad = backprop(batch)[0].copy()
            value = float(mean_loss(forward, loss, batch.truth)[0])
            alone = self._losses(forward, loss)
        weights, layers = self.shape.weights(self.theta[None]), range(1, self.shape.layers)
        errors = [weights[layer + 1][0].T @ backprop.delta[layer + 1][0] for layer in layers]
        with np.errstate(all="ignore"):
            of_output = np.array(loss.gradient(forward.a[-1].copy(), self._y[None])[0])
            if self._weights is not None:
                of_output = of_output * self._weights
        return Exact(
            loss=value,
            losses=alone,
            z=[each[0].copy() for each in forward.z],
            a=[each[0].copy() for each in forward.a],
            delta=[each[0].copy() for each in backprop.delta],
            factors=[None, *(_first(each.factors) for each in forward.layers[1:])],
            error=[np.empty((0, self.samples)), *errors, of_output],
            grad=grad,
        )

    def jacobians(self, sample: int) -> list[Array]:
        """Return ``da_j/dz_k`` of a sample by layer, ``(units, rows)``, index 0 empty: what is ``g'`` in eq. 4 and 5.

        A norm, and the units that dropout leaves out, are part of it. Where samples are mixed it is the part of the
        sample's own.
        """
        loss, sample = self._alone(sample)
        found = [np.empty((0, 0))]
        for layer in range(1, self.shape.layers + 1):
            units = self.shape.widths[layer]
            forward = loss._pass(np.broadcast_to(self.theta, (units, len(self.theta))))
            with np.errstate(all="ignore"):
                forward.forward(forward.first(loss._rows(units)[0]))
                unit = np.zeros_like(forward.a[layer])
                unit[range(units), range(units), sample] = 1
                back = Anywhere(forward.layers[layer]).backward(unit, forward.z[layer], forward.a[layer])
            found.append(np.array(back)[:, :, sample])
        return found

    def at(self, thetas: Array) -> Array:
        """Return the mean loss at each of several parameters, ``(points, parameters)`` to ``(points,)``."""
        found = [self._at(part) for part in _parts(thetas, self._most)]
        return np.concatenate([*found, np.empty(0)])

    def differences(self, chosen: Sequence[int] | Array) -> Array:
        """Return the central differences of the mean loss by some of the parameters, ``(chosen,)``."""
        chosen = np.asarray(chosen, int)
        found = np.empty(len(chosen))
        for first in range(0, len(chosen), self._most):
            part = chosen[first : first + self._most]
            steps = _STEP * np.maximum(1.0, np.abs(self.theta[part]))
            ahead, behind = (np.repeat(self.theta[None], len(part), axis=0) for _ in range(2))
            rows = np.arange(len(part))
            ahead[rows, part] += steps
            behind[rows, part] -= steps
            with np.errstate(all="ignore"):
                width = ahead[rows, part] - behind[rows, part]
                found[first : first + len(part)] = (self._at(ahead) - self._at(behind)) / width
        return found

    def delta_differences(self, layer: int, sample: int) -> Array:
        """Return the central differences of a sample's loss by its ``z`` on a layer, ``(rows,)``: what delta is.

        Where samples are mixed, it is the sum of all losses that is differentiated, as in delta.
        """
        loss, sample = self._alone(sample)
        rows = self.shape.rows[layer]
        z = loss._z(layer)[:, sample]
        steps = _STEP * np.maximum(1.0, np.abs(z))
        values = []
        with np.errstate(all="ignore"):
            for sign in (1, -1):
                moved = np.zeros((rows, rows, loss.samples))
                moved[range(rows), range(rows), sample] = sign * steps
                values.append(loss._moved(layer, moved))
            differences: Array = (values[0] - values[1]) / ((z + steps) - (z - steps)) * loss.samples
        return differences

    def _alone(self, sample: int) -> tuple["StepLoss", int]:
        """Return the loss of a sample alone, and its place; of all samples where they are mixed, or drawn together."""
        if self.mixes or self.is_random:
            return self, sample
        alone, place = copy.copy(self), slice(sample, sample + 1)
        alone._x, alone._y, alone.samples = self._x[:, place], self._y[:, place], 1
        alone._weights = None if self._weights is None else self._weights[place]
        return alone, 0

    def _z(self, layer: int) -> Array:
        """Return ``z`` of a layer at the parameters before the step, ``(rows, samples)``."""
        forward = self._pass(self.theta[None])
        with np.errstate(all="ignore"):
            forward.forward(forward.first(self._rows(1)[0]))
        return np.array(forward.z[layer][0])

    @property
    def checked(self) -> Array:
        """The numbers of the parameters that are checked: all, or as many as take seconds, evenly spread."""
        return spread(self.shape.size, min(_MOST, _PRODUCTS // (2 * self.shape.size * self.samples)))

    @property
    def _most(self) -> int:
        numbers: int = self.samples * (3 * sum(self.shape.rows) + self.shape.widths[0] + 1) + 3 * self.shape.size
        return max(1, _BYTES // (8 * numbers))

    def _at(self, thetas: Array) -> Array:
        forward, loss = self._pass(thetas), stack([self._settings.loss] * len(thetas), float)
        x, y = self._rows(len(thetas))
        with np.errstate(all="ignore"):
            forward.forward(forward.first(x))
            return mean_loss(forward, loss, Truth.of(y, len(self._y)))

    def _moved(self, layer: int, moved: Array) -> Array:
        """Return the mean loss of several copies, whose ``z`` on a layer is shifted: ``(copies, rows, samples)``."""
        copies = len(moved)
        forward, loss = (
            self._pass(np.broadcast_to(self.theta, (copies, len(self.theta)))),
            stack([self._settings.loss] * copies, float),
        )
        x, y = self._rows(copies)
        blocks, inputs = self.shape.blocks(forward.theta), [x, x, *forward.inputs[2:]]
        for number in range(1, self.shape.layers + 1):  # as in Pass.forward; bits do not matter here
            np.matmul(blocks[number], inputs[number], out=forward.z[number])
            if number == layer:
                forward.z[number] += moved
            forward.layers[number].forward(forward.z[number], out=forward.a[number])
        return mean_loss(forward, loss, Truth.of(y, len(self._y)))

    def _losses(self, forward: Pass, loss: Any) -> Array:
        """Return the loss of each sample after a forward pass, ``(samples,)``, without weights."""
        found = []
        for sample in range(self.samples):
            kept = [each[-1][:, :, sample : sample + 1] for each in (forward.z, forward.a)]
            y = self._y[None, :, sample : sample + 1]
            paired = is_paired(loss, forward.output)
            found.append(loss.paired_value(kept[0], y) if paired else loss.value(kept[1], y))
        return np.concatenate([np.ravel(each) for each in found])

    def _rows(self, copies: int) -> tuple[Array, Array]:
        """Return the samples for so many copies of the run: ones above ``x``, and ``y`` above weights."""
        ones = np.ones((1, self.samples))
        x = np.ascontiguousarray(
            np.broadcast_to(np.concatenate([ones, self._x]), (copies, len(self._x) + 1, self.samples))
        )
        below = [self._y] if self._weights is None else [self._y, self._weights[None]]
        y = np.concatenate(below)
        return x, np.ascontiguousarray(np.broadcast_to(y, (copies, *y.shape)))

    def _pass(self, thetas: Array) -> Pass:
        """Return the forward pass of copies with these parameters, which draws what the step drew."""
        chosen, copies = self._settings, len(thetas)
        hidden, output = stack([chosen.activation] * copies, float), stack([chosen.output] * copies, float)
        norm, rng = stack([chosen.norm] * copies, float), None
        dropout = np.full(copies, chosen.network.dropout) if chosen.network.dropout else None
        if self.is_random:
            own = self._step.randoms[0]
            generators = [copy.deepcopy(own) for _ in range(copies)]
            rng = Random(generators, np.dtype(chosen.training.dtype.value))
        states = {
            place: {name: np.repeat(array[:1].astype(float), copies, axis=0) for name, array in arrays.items()}
            for place, arrays in self._step.states.items()
        }
        return Pass(self.shape, thetas, hidden, output, self.samples, rng, norm=norm, states=states, dropout=dropout)


def _first(factors: Array | None) -> Array | None:
    return None if factors is None else factors[0].copy()


def _parts(values: Array, most: int) -> Iterator[Array]:
    for first in range(0, len(values), most):
        yield values[first : first + most]


def spread(size: int, most: int) -> Array:
    """Return the numbers from 0 to ``size - 1``: all, or ``most`` of them, but at least two, evenly spread."""
    return np.arange(size) if size <= most else np.linspace(0, size - 1, max(most, 2)).astype(int)


def agrees(value: Array, difference: Array, loss: float, precision: float = 1e-6) -> Array:
    """Say where derivatives are what central differences say, element by element.

    Differences are as exact as rounding of the loss, and the size of their step, let them be. What is not finite agrees
    with nothing.

    Args:
        value: derivatives.
        difference: central differences of the same shape.
        loss: the loss that was differentiated.
        precision: relative error that is allowed.
    """
    with np.errstate(all="ignore"):
        finite = np.abs(difference[np.isfinite(difference)]).max(initial=0.0)
        allowed = precision * np.abs(difference) + 1e-3 * precision * (abs(loss) + finite)
        near: Array = np.abs(value - difference) <= allowed
    return near
