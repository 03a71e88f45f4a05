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


def differences(function: Callable[[Array], Array], point: Array, unit: int) -> Differences:
    """Differentiate ``function``, which maps ``(1, units, samples)`` to ``(terms, samples)`` that are to be added.

    Args:
        function: its values for a sample depend on the column of that sample only.
        point: where to differentiate, ``(1, units, samples)`` in float64.
        unit: row by which to differentiate.
    """
    step = STEP * np.maximum(1.0, np.abs(point[0, unit]))
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
    rounding = _ULPS * (size + np.abs(point[0, unit] * central) + 1) / step
    return Differences(central, quotient(1, 2), quotient(2, 3), np.abs(wide - central) + rounding)


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
