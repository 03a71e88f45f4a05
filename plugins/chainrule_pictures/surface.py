"""``surface.png``: what was learned of a target with two inputs, beside the target itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

from chainrule.kinds import Array, Target
from chainrule.results import Result
from chainrule_pictures import canvas

_POINTS = 101  # of the grid, each way
_MAX_DOTS = 500


@dataclass(frozen=True)
class _Scale:
    """How values become colours.

    Attributes:
        colours: the colour map.
        norm: from values to the colour map.
        levels: values at which contours are drawn.
        label: of the colour bar.
        ticks: of the colour bar; None for any.
    """

    colours: Any
    norm: Any
    levels: Array
    label: str
    ticks: Any = None


def draw(result: Result) -> Any:
    """Return the figure, or None unless there are two inputs."""
    if result.shape.widths[0] != 2:
        return None
    x, y = (
        np.concatenate(parts, axis=1)
        for parts in zip(*(canvas.samples(result, part) for part, *_ in canvas.PARTS), strict=True)
    )
    low, high = x.min(axis=1), x.max(axis=1)
    low, high = np.where(low == high, low - 0.5, low), np.where(low == high, high + 0.5, high)
    grid = np.stack(np.meshgrid(*np.linspace(low, high, _POINTS).T)).reshape(2, -1)
    surfaces = {"learned": result.predict(grid)}
    wanted = _values(result.settings.target, grid)
    if wanted is not None:
        surfaces["target"] = wanted
    true = y if wanted is None else np.concatenate([y, wanted], axis=1)
    scale = _scale(result, true)
    figure = canvas.figure(result)
    row = figure.subplots(1, len(surfaces), squeeze=False, sharex=True, sharey=True)[0]
    image = None
    for axes, (name, surface) in zip(row, surfaces.items(), strict=True):
        image = _panel(axes, _shown(result, surface).reshape(_POINTS, _POINTS), (low, high), scale)
        dots = x[:, :_MAX_DOTS]
        style = {"s": 16, "edgecolors": "white", "linewidths": 0.6, "clip_on": False, "zorder": 3}
        axes.scatter(*dots, c=_shown(result, y[:, :_MAX_DOTS]), cmap=scale.colours, norm=scale.norm, **style)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("x1")
    row[0].set_ylabel("x2")
    figure.colorbar(image, ax=row, location="bottom", label=scale.label, ticks=scale.ticks, shrink=0.8, aspect=40)
    return figure


def _values(target: Target, grid: Array) -> Array | None:
    """Return the target's values ``(outputs, points)`` on ``grid (2, points)``, or None for a data set."""
    try:
        return np.asarray(target(grid.T), float).T
    except NotImplementedError:
        return None


def _shown(result: Result, y: Array) -> Array:
    """Return the number that is shown for each sample of ``y (outputs, samples)``, NaN where it is not finite."""
    as_value = result.settings.target.task == "regression" or len(y) == 1
    shown = y[0] if as_value else y.argmax(axis=0)
    return np.where((np.abs(y) < 1e300).all(axis=0), shown, np.nan)


def _scale(result: Result, true: Array) -> _Scale:
    """Return colours for the true values and whatever is near them."""
    outputs = len(true)
    dots = "of dots: true"
    if result.settings.target.task == "regression":
        low, high = np.nanmin(true[0]), np.nanmax(true[0])
        low, high = (low, high) if low < high else (low - 0.5, high + 0.5)
        which = f"output 1 of {outputs}" if outputs > 1 else "y"
        return _Scale("viridis", Normalize(low, high), np.linspace(low, high, 11), f"{which} ({dots} value)")
    if outputs == 1:
        return _Scale("viridis", Normalize(0, 1), np.array([0.5]), f"y, class 1 from 0.5 on ({dots} class)")
    colours = [canvas.COLOURS[k % len(canvas.COLOURS)] for k in range(outputs)]
    edges = np.arange(outputs + 1) - 0.5
    return _Scale(
        ListedColormap(colours), BoundaryNorm(edges, outputs), np.array([]), f"class ({dots} class)", range(outputs)
    )


def _panel(axes: Any, values: Array, corners: tuple[Array, Array], scale: _Scale) -> Any:
    """Draw one surface with its contours over the range of the data, and return the image."""
    (left, bottom), (right, top) = corners
    image = axes.imshow(
        values, origin="lower", extent=(left, right, bottom, top), cmap=scale.colours, norm=scale.norm, aspect="auto"
    )
    levels = scale.levels
    if np.isfinite(values).any():
        levels = levels[(levels > np.nanmin(values)) & (levels < np.nanmax(values))]
        if levels.size:
            across, up = np.linspace(left, right, _POINTS), np.linspace(bottom, top, _POINTS)
            axes.contour(across, up, values, levels=levels, colors="white", linewidths=0.7, alpha=0.8)
    else:
        canvas.say(axes, "not finite")
    axes.set_box_aspect(1)
    return image
