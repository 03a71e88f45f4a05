"""The curvature of the mean loss over training samples: extreme eigenvalues of its Hessian, in float64.

Products with the Hessian are differences of the exact gradient. Of a small network they give the whole Hessian, of a
large one its extreme eigenvalues by Lanczos iteration (Lanczos 1950, Journal of Research of the National Bureau of
Standards 45; Golub and Van Loan, Matrix Computations, section 10.1), which is power iteration (LeCun, Simard and
Pearlmutter 1993, NeurIPS) whose every product is used. What it finds lies between the true extremes, so that neither a
rate above ``2 / largest`` nor a negative ``smallest`` is stated where there is none.
"""

from collections.abc import Callable

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.stacking import stack
from chainrule.engine.backprop import Backprop, Batch
from chainrule.engine.layers import States, taken
from chainrule.engine.network import Pass, Shape
from chainrule.records.settings import Settings
from chainrule.registry.instruments import Curvature
from chainrule.replay.derivatives import ChainRule, spread
from chainrule.replay.work import PRODUCTS, Work

_PRECISION = 1e-3  # relative change of the largest eigenvalue, below which iteration ends
_STEP = float(np.finfo(float).eps) ** (1 / 2)  # of one-sided differences, whose relative error is then of this size
_BYTES = 512 << 10  # that the passes of networks evaluated at once take: larger ones leave the cache


class Gradients:
    """The exact gradient of the mean loss over training samples of a run, wherever its parameters are.

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
        self._planned: dict[int, tuple[Array, Backprop, Batch]] = {}

    def __call__(self, thetas: Array) -> Array:
        """Return the gradients at several parameters, ``(points, parameters)`` likewise."""
        numbers = self._x.shape[1] * (3 * sum(self._shape.rows) + len(self._x)) + 3 * self._shape.size
        parts = -(-len(thetas) // max(1, _BYTES // (8 * numbers)))
        each = -(-len(thetas) // parts)  # the last part is filled up, so that all are planned once
        filled = np.concatenate([thetas, *[thetas[-1:]] * (parts * each - len(thetas))])
        found = [self._at(filled[first : first + each]) for first in range(0, len(filled), each)]
        return np.concatenate(found)[: len(thetas)]

    def _at(self, thetas: Array) -> Array:
        if len(thetas) not in self._planned:
            self._planned[len(thetas)] = self._plan(len(thetas))
        place, backprop, batch = self._planned[len(thetas)]
        place[:] = thetas
        with np.errstate(all="ignore"):
            return backprop(batch).copy()

    def _plan(self, copies: int) -> tuple[Array, Backprop, Batch]:
        """Return where parameters of so many networks are put, what evaluates their gradients, and at which samples."""
        chosen, thetas = self._settings, np.zeros((copies, self._shape.size))
        hidden, output = stack([chosen.activation] * copies, float), stack([chosen.output] * copies, float)
        norm, loss = stack([chosen.norm] * copies, float), stack([chosen.loss] * copies, float)
        states = {
            place: {name: array.astype(float) for name, array in arrays.items()}
            for place, arrays in taken(self._states, np.zeros(copies, int)).items()
        }
        forward = Pass(self._shape, thetas, hidden, output, self._x.shape[1], None, norm=norm, states=states)
        backprop = Backprop(forward, loss, ChainRule(), {}, np.empty_like(thetas))
        x, y = (np.ascontiguousarray(np.broadcast_to(each, (copies, *each.shape))) for each in (self._x, self._y))
        return thetas, backprop, backprop.batch(x, y)


def curvature(
    settings: Settings, shape: Shape, train: Array, inputs: int, states: States, theta: Array, work: Work
) -> Curvature:
    """Return the curvature of a run at some parameters, with as much work as it may take.

    Args:
        settings: of the run.
        shape: of its network.
        train: its training samples, as for :class:`Gradients`.
        inputs: how many rows of these are ``x``.
        states: what activations keep, likewise.
        theta: the parameters, ``(parameters,)``; NaN is returned where they, or the gradients, are not finite.
        work: of the run, which says whether the whole Hessian is taken, and over how many samples.
    """
    is_whole, samples = work.curvature
    part = train if samples == train.shape[1] else train[:, spread(train.shape[1], samples)]
    gradients, theta = Gradients(settings, shape, part, inputs, states), theta.astype(float)
    gradient, matrix = hessian(gradients, theta) if is_whole else (gradients(theta[None])[0], None)
    norm, over = float(np.linalg.norm(gradient)), 0 if part is train else part.shape[1]
    if not np.isfinite(norm):
        return Curvature(np.nan, np.nan, norm, is_exact=is_whole, samples=over)
    if matrix is not None:
        values = np.linalg.eigvalsh(matrix)
        return Curvature(float(values[-1]), float(values[0]), norm, is_exact=True, samples=over)
    step = _STEP * max(1.0, float(np.linalg.norm(theta)))
    smallest, largest = lanczos(
        lambda direction: (gradients((theta + step * direction)[None])[0] - gradient) / step, len(theta), PRODUCTS
    )
    return Curvature(largest, smallest, norm, is_exact=False, samples=over)


def hessian(gradients: Callable[[Array], Array], theta: Array) -> tuple[Array, Array]:
    """Return the gradient, and the Hessian, ``(parameters, parameters)``, symmetric; zeros where it is not finite.

    All gradients that this takes are evaluated at once.
    """
    steps, size = _STEP * np.maximum(1.0, np.abs(theta)), len(theta)
    thetas = np.empty((1 + size, size))
    thetas[:] = theta
    np.fill_diagonal(thetas[1:], theta + steps)
    found = gradients(thetas)
    at = found[0]
    rows = (found[1:] - at) / steps[:, None]
    symmetric: Array = (rows + rows.T) / 2
    return at, np.where(np.isfinite(symmetric), symmetric, 0.0)


def lanczos(product: Callable[[Array], Array], size: int, most: int) -> tuple[float, float]:
    """Return the smallest and the largest eigenvalue of a symmetric matrix, as products with a few directions give it.

    Args:
        product: returns the product of the matrix with a direction, ``(size,)``.
        size: of the matrix.
        most: how many products there are, at most; fewer where the largest eigenvalue does not change any more.
    """
    direction = np.random.default_rng(0).normal(size=size)
    known = [direction / np.linalg.norm(direction)]
    projected = np.zeros((most, most))
    values = np.full(1, np.nan)
    for count in range(min(most, size)):
        image = product(known[-1])
        if not np.isfinite(image).all():
            break
        basis = np.stack(known)
        projected[: count + 1, count] = projected[count, : count + 1] = basis @ image
        before, values = values[-1], np.linalg.eigvalsh(projected[: count + 1, : count + 1])
        for _ in range(2):  # twice is enough to keep directions orthogonal
            image = image - basis.T @ (basis @ image)
        length = float(np.linalg.norm(image))
        is_done = 2 * count > most and abs(values[-1] - before) <= _PRECISION * abs(values[-1])
        if is_done or length <= 1e-10 * float(np.abs(values).max()):
            break
        known.append(image / length)
    return float(values[0]), float(values[-1])
