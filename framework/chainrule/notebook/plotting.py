"""Axes to draw into, as pandas makes them."""

from typing import Any


def axes(given: Any = None) -> Any:
    """Return the axes that were given, or those of a new figure, which a notebook shows."""
    if given is not None:
        return given
    from matplotlib import pyplot  # here, because it is slow to import

    return pyplot.subplots(layout="constrained")[1]
