"""Derivatives by differences, of many samples at once, with a bound on their own error."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array

STEP = float(np.finfo(float).eps) ** (1 / 3)  # balances truncation against rounding, as in chainrule.engine.gradcheck
# A formula of a few operations errs by some units in the last place, of its value or of a 1 that it adds. A correct one
# errs by less than 64 of them, which are 2e-9 after division by the step.
_ULPS = 64 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Differences:
    """Difference quotients of ``f`` in one entry of its argument, each ``(samples,)``.

    Attributes:
        central: the derivative, where there is one.
        left, right: the one-sided quotients.
        doubt: bound on the error of ``central``: its change when the step is doubled, which is three times the
            truncation, plus the rounding of ``f``.
    """

    central: Array
    left: Array
    right: Array
    doubt: Array

    def contradicts(self, derivative: Array, may_bend: bool) -> Array:
        """Return where a derivative is wrong; where a kink may be anywhere, it may lie between both sides.

        Nothing is said where the function overflows.
        """
        low, high = self.central, self.central
        if may_bend:
            low, high = np.minimum(self.left, self.right), np.maximum(self.left, self.right)
        wrong: Array = ~((low - self.doubt <= derivative) & (derivative <= high + self.doubt))
        return wrong & np.isfinite(self.central) & np.isfinite(self.doubt)


def differences(function: Callable[[Array], Array], point: Array, unit: int, largest: float = np.inf) -> Differences:
    """Differentiate ``function``, which maps ``(1, units, samples)`` to ``(terms, samples)`` that are to be added.

    Args:
        function: its values for a sample depend on the column of that sample only.
        point: where to differentiate, ``(1, units, samples)`` in float64.
        unit: row by which to differentiate.
        largest: step at most; where a function oscillates, steps that grow with the point are too wide.
    """
    step = np.minimum(STEP * np.maximum(1.0, np.abs(point[0, unit])), largest)
    values, places, size = [], [], np.zeros(point.shape[-1])
    for factor in (-2, -1, 0, 1, 2):
        moved = point.copy()
        moved[0, unit] += factor * step
        terms = function(moved)
        size = np.maximum(size, np.abs(terms).sum(axis=0))
        values.append(terms.sum(axis=0))
        places.append(moved[0, unit])

    def quotient(a: int, b: int) -> Array:
        result: Array = (values[b] - values[a]) / (places[b] - places[a])
        return result

    central, wide = quotient(1, 3), quotient(0, 4)
    rounding = _ULPS * (size + np.abs(point[0, unit]) * (1 + np.abs(central)) + 1) / step
    return Differences(central, quotient(1, 2), quotient(2, 3), np.abs(wide - central) + rounding)


def find_jump(
    function: Callable[[Array], Array], places: Array, values: Array, extra: Array | None = None
) -> tuple[float, float] | None:
    """Return where a function of one number jumps, and by how much: halving an interval does not make it smaller.

    Args:
        function: maps ``(points,)`` to ``(points,)``.
        places: ascending points between which jumps are sought.
        values: of the function there.
        extra: points that are looked at in any case.
    """
    changes = np.diff(values)
    bends = np.nan_to_num(np.abs(np.diff(changes)), nan=0.0, posinf=0.0)
    suspects = np.argpartition(bends, -_SUSPECTS)[-_SUSPECTS:]
    wide = 1e-4 * np.maximum(1.0, np.abs(extra)) if extra is not None else np.zeros(0)
    left = np.concatenate([places[suspects], extra - wide if extra is not None else wide])
    right = np.concatenate([places[suspects + 2], extra + wide if extra is not None else wide])
    first = np.abs(function(right) - function(left))
    for _ in range(_HALVINGS):
        middle = 0.5 * (left + right)
        low, centre, high = function(left), function(middle), function(right)
        is_left = np.abs(centre - low) >= np.abs(high - centre)
        left, right = np.where(is_left, left, middle), np.where(is_left, middle, right)
    low = function(left)
    last = np.abs(function(right) - low)
    jumps = np.isfinite(last) & (last > _JUMP * (1 + np.abs(low))) & (last > 0.01 * first)
    if not jumps.any():
        return None
    at = int(np.argmax(np.where(jumps, last, 0.0)))
    return float(0.5 * (left[at] + right[at])), float(last[at])


_SUSPECTS = 8  # places where a function bends most, which may be jumps
_HALVINGS = 36  # of an interval of some thousandths, so that it becomes as small as rounding allows
_JUMP = 1e-7  # smallest jump that matters, relative to the value


def settled(values: Array) -> Array:
    """Return where ``values`` are NaN though all finite ones before, a score of them at least, are the same number."""
    finite = np.isfinite(values)
    number = int(np.argmin(finite)) if not finite.all() else len(values)
    before = values[max(0, number - _SETTLED) : number].astype(float)
    same = len(before) == _SETTLED and before[-1] != 0 and np.ptp(before) <= 1e-5 * np.abs(before[-1])
    found: Array = np.isnan(values) & bool(same)
    return found


_SETTLED = 20
HUGE = 1e15  # beyond, a correct formula may overflow on the way: of a sine, a square or a mean nothing is left anyway


def unfounded_overflow(values: Array, dtype: np.dtype) -> Array:
    """Return where ``values`` are infinite though their growth gives no reason; points grow by one factor.

    From point to point a power law grows by a constant factor. An exponential overflows only after a value above the
    square root of the largest number. So an infinite value is unfounded where the growth of the last two finite values
    predicts less than that root.
    """
    limit = np.sqrt(float(np.finfo(dtype).max))
    size = np.abs(values.astype(float))
    before, last, now = size[:-2], size[1:-1], size[2:]
    growth = np.maximum(1.0, np.divide(last, before, out=np.ones_like(last), where=before > 0))
    suspicious = np.zeros(values.shape, bool)
    suspicious[2:] = np.isinf(now) & np.isfinite(last) & np.isfinite(before) & (last * growth < limit)
    return suspicious
