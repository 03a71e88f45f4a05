"""The curvature of the mean loss over all training samples: eigenvalues of its Hessian, in float64.

Products with the Hessian are central differences of the exact gradient. Of a small network they give the whole
Hessian, of a large one its extreme eigenvalues by power iteration (LeCun, Simard & Pearlmutter 1993, NeurIPS).
"""

from collections.abc import Callable

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.stacking import stack
from chainrule.engine.backprop import Backprop
from chainrule.engine.layers import States, taken
from chainrule.engine.network import Pass, Shape
from chainrule.records.settings import Settings
from chainrule.registry.instruments import Curvature
from chainrule.replay.derivatives import ChainRule

_SMALL = 200  # parameters up to which the whole Hessian is taken
_ITERATIONS = 100
_PRECISION = 1e-3  # relative change of an eigenvalue, below which the power iteration ends
_STEP = float(np.finfo(float).eps) ** (1 / 3)
_BYTES = 16 << 20


class Gradients:
    """The exact gradient of the mean loss over all training samples of a run, wherever its parameters are.

    Args:
        settings: of the run.
        shape: of its network.
        train: a row of ones above ``x`` above ``y``, with weights below if samples have them, ``(rows, samples)``.
        inputs: how many rows are ``x``.
        states: what activations keep, arrays ``(1, units, 1)`` by layer and group.
    """

    def __init__(self, settings: Settings, shape: Shape, train: Array, inputs: int, states: States) -> None:
        self._settings, self._shape, self._states = settings, shape, states
        self._x, self._y = train[: 1 + inputs].astype(float), train[1 + inputs :].astype(float)

    def __call__(self, thetas: Array) -> Array:
        """Return the gradients at several parameters, ``(points, parameters)`` likewise."""
        numbers = self._x.shape[1] * (3 * sum(self._shape.rows) + len(self._x)) + 3 * self._shape.size
        most = max(1, _BYTES // (8 * numbers))
        return np.concatenate([self._at(thetas[first : first + most]) for first in range(0, len(thetas), most)])

    def _at(self, thetas: Array) -> Array:
        chosen, copies = self._settings, len(thetas)
        hidden, output = stack([chosen.activation] * copies, float), stack([chosen.output] * copies, float)
        norm, loss = stack([chosen.norm] * copies, float), stack([chosen.loss] * copies, float)
        states = {
            place: {name: array.astype(float) for name, array in arrays.items()}
            for place, arrays in taken(self._states, np.zeros(copies, int)).items()
        }
        forward = Pass(self._shape, thetas, hidden, output, self._x.shape[1], None, norm=norm, states=states)
        backprop = Backprop(forward, loss, ChainRule(), {}, np.empty_like(thetas))
        x, y = (np.ascontiguousarray(np.broadcast_to(each, (copies, *each.shape))) for each in (self._x, self._y))
        with np.errstate(all="ignore"):
            return backprop(backprop.batch(x, y)).copy()


def curvature(gradients: Callable[[Array], Array], theta: Array) -> Curvature:
    """Return the extreme eigenvalues of the Hessian at some parameters, and the norm of the gradient there.

    Args:
        gradients: evaluates gradients, ``(points, parameters)`` likewise.
        theta: the parameters, ``(parameters,)``; NaN is returned where they, or the gradients, are not finite.
    """
    theta = theta.astype(float)
    norm = float(np.linalg.norm(gradients(theta[None])[0]))
    if not np.isfinite(norm):
        return Curvature(np.nan, np.nan, norm, is_exact=True)
    if len(theta) <= _SMALL:
        values = np.linalg.eigvalsh(hessian(gradients, theta)) if np.isfinite(norm) else np.full(1, np.nan)
        return Curvature(float(values[-1]), float(values[0]), norm, is_exact=True)
    first = _power(gradients, theta, 0.0)
    second = _power(gradients, theta, first) + first
    return Curvature(max(first, second), min(first, second), norm, is_exact=False)


def hessian(gradients: Callable[[Array], Array], theta: Array) -> Array:
    """Return the Hessian, ``(parameters, parameters)``, symmetric; zeros where it is not finite."""
    steps = _STEP * np.maximum(1.0, np.abs(theta))
    moved = np.diag(steps)
    rows = (gradients(theta + moved) - gradients(theta - moved)) / (2 * steps[:, None])
    found: Array = np.nan_to_num((rows + rows.T) / 2, posinf=0.0, neginf=0.0)
    return found


def _power(gradients: Callable[[Array], Array], theta: Array, shift: float) -> float:
    """Return the eigenvalue of ``H - shift`` of the largest size, by power iteration from a fixed direction."""
    direction = np.random.default_rng(0).normal(size=len(theta))
    direction /= np.linalg.norm(direction)
    step, value = _STEP * max(1.0, float(np.linalg.norm(theta))), 0.0
    for _ in range(_ITERATIONS):
        ahead, behind = gradients(np.stack([theta + step * direction, theta - step * direction]))
        product = (ahead - behind) / (2 * step) - shift * direction
        before, value = value, float(direction @ product)
        length = float(np.linalg.norm(product))
        if not np.isfinite(length) or length == 0:
            return value
        direction = product / length
        if abs(value - before) <= _PRECISION * abs(value):
            break
    return value
