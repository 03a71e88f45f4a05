"""Derivatives by central differences, the reference for every check of a gradient."""

from collections.abc import Callable

import numpy as np

from chainrule.components.contracts import Array

# Balances truncation, which grows with the square of the step, against rounding, which grows as the step shrinks.
_STEP = float(np.finfo(float).eps) ** (1 / 3)


def central_differences(function: Callable[[Array], float], point: Array) -> Array:
    """Return the gradient of ``function`` at ``point`` by central differences, in float64.

    Args:
        function: takes an array like ``point`` and returns a number.
        point: where to differentiate; it is not changed.

    Returns:
        An array of the shape of ``point``; its relative error is about 1e-10 if ``function`` is smooth on the scale
        of 1.
    """
    point = np.array(point, float)
    gradient = np.empty_like(point)
    for index in np.ndindex(point.shape):
        here = point[index]
        step = _STEP * max(1.0, abs(here))
        values = []
        for place in (here + step, here - step):
            point[index] = place
            values.append(function(point))
        point[index] = here
        gradient[index] = (values[0] - values[1]) / ((here + step) - (here - step))
    return gradient
