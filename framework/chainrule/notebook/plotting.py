"""Axes to draw into, as pandas makes them."""

from typing import Any


def axes(given: Any = None, rows: int | None = None) -> Any:
    """Return the axes that were given, or those of a new figure, which a notebook shows.

    Args:
        given: axes, or None.
        rows: how many lines of text the figure has room for; None for a figure of the usual height.
    """
    if given is not None:
        return given
    from matplotlib import pyplot  # here, because it is slow to import

    size = None if rows is None else (7.0, 1.0 + 0.4 * rows)
    return pyplot.subplots(layout="constrained", figsize=size)[1]
