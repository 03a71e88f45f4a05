"""``landscape.png``: a slice of the loss surface through the last parameters, with the path of training on it.

The slice is spanned by the two principal directions of the path, as in H. Li, Z. Xu, G. Taylor, C. Studer and
T. Goldstein, Visualizing the Loss Landscape of Neural Nets, NeurIPS 2018, section 7: the matrix of differences between
earlier parameters and the last ones has them as its first two right singular vectors.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import LogLocator, MaxNLocator

from chainrule.components.contracts import Array
from chainrule.records.result import Result
from chainrule.reports.axes import GUIDE, SMALL, number
from chainrule_pictures import canvas, passes

_GRIDS = (31, 25, 19, 13, 9)  # points of an axis
_MOST_PRODUCTS = 2e8  # that the slice takes; the grid is coarser where there would be more
_MARGIN = 0.2  # of the extent of the path, on each side
_FAR = 1e3  # times the loss before training; a path that goes beyond is drawn up to there
_MOST_DECADES = 12


@dataclass(frozen=True)
class Slice:
    """A plane of parameters through those that the run ends with, and the losses on it.

    Attributes:
        centre: parameters in the middle, ``(parameters,)``.
        directions: unit vectors that span the plane, ``(2, parameters)``.
        shares: share of the path's variance, as squared distance from the centre, along each direction, ``(2,)``.
        path: coordinates of the points of the path, projected onto the plane, ``(points, 2)``.
        epochs: epochs of these points.
        across, up: coordinates of the grid; 0 is among them.
        losses: mean training loss at the points of the grid, ``(up, across)``.
    """

    centre: Array
    directions: Array
    shares: Array
    path: Array
    epochs: Array
    across: Array
    up: Array
    losses: Array


def slice_of(result: Result) -> Slice | None:
    """Return the slice, or None where the run kept no path, or did not move."""
    path = result.trajectory
    if path is None:
        return None
    centre, theta, epochs = _finite(result)
    differences = (theta - centre).astype(float)
    size = np.abs(differences).max(initial=0.0)
    if not size:
        return None
    # The eigenvectors of the small matrix of inner products, rather than of one as wide as there are parameters.
    _, values, rows = np.linalg.svd(differences / size, full_matrices=False)
    directions = np.zeros((2, differences.shape[1]))
    directions[: min(2, len(rows))] = rows[:2]
    for row in range(2):
        if row >= len(values) or values[row] <= 1e-12 * values[0]:
            directions[row] = _orthogonal(directions[:row])
        largest = np.abs(directions[row]).argmax()
        directions[row] *= np.sign(directions[row, largest]) or 1.0  # else the sign is that of the library
    along = differences @ directions.T
    shares = np.square(along).sum(axis=0) / np.square(differences).sum()
    grid = _resolution(result)
    across, up = (_axis(along[:, 0], grid, 0.0), _axis(along[:, 1], grid, np.ptp(along[:, 0]) / 20))
    points = centre + (np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2) @ directions).astype(theta.dtype)
    losses = passes.losses(result, points.astype(result.theta.dtype)).reshape(len(up), len(across))
    return Slice(centre, directions, shares, along, epochs, across, up, losses)


def draw(result: Result) -> Any:
    """Return the figure, or None where there is no path."""
    found = slice_of(result)
    if found is None or not np.isfinite(found.losses).any():
        return None
    figure = canvas.figure(result)
    axes = figure.subplots()
    norm, levels, is_log = _colours(found.losses)
    shown = np.ma.masked_invalid(np.clip(found.losses, levels[0], None))
    drawn = axes.contourf(found.across, found.up, shown, levels, norm=norm, cmap="viridis", extend="max")
    axes.contour(found.across, found.up, shown, levels[::2], colors="white", linewidths=0.4, alpha=0.6)
    bar = canvas.colour_bar(figure, drawn, [axes], label="mean loss of the training samples")
    bar.set_ticks(_ticks(levels, is_log))
    bar.minorticks_off()
    if is_log:
        bar.formatter = canvas.Powers(labelOnlyBase=False, minor_thresholds=(99, 99))
        bar.update_ticks()
    x, y = found.path.T
    axes.plot(x, y, color="white", linewidth=2.6, zorder=3)
    axes.plot(x, y, color="black", linewidth=1.2, marker=".", markersize=5, zorder=4)
    style = {"zorder": 5, "markeredgecolor": "black", "linestyle": "", "clip_on": False}
    axes.plot(x[0], y[0], "o", color="white", markersize=9, label=f"epoch {found.epochs[0]}", **style)
    axes.plot(x[-1], y[-1], "s", color="#E69F00", markersize=8, label=f"epoch {found.epochs[-1]}", **style)
    if result.best_epoch is not None:
        axes.plot(0, 0, "*", color="#F0E442", markersize=13, label=f"best: epoch {result.best_epoch}", **style)
    canvas.legend(figure, *axes.get_legend_handles_labels(), columns=3)
    cut = "" if np.isfinite(result.theta).all() else "; the parameters at the end are not finite"
    end = passes.losses(result, found.centre[None].astype(result.theta.dtype))[0]
    title = f"plane of the path's two principal directions; loss in its centre: {number(end)}{cut}"
    axes.set_title(title, fontsize=SMALL, color=GUIDE)
    for place, (name, set_label) in enumerate((("first", axes.set_xlabel), ("second", axes.set_ylabel))):
        set_label(f"{name} direction ({100 * found.shares[place]:.3g} % of the variance)")
    axes.set(xlim=found.across[[0, -1]], ylim=found.up[[0, -1]])
    axes.locator_params(nbins=6)
    return figure


def _finite(result: Result) -> tuple[Array, Array, Array]:
    """Return the centre, the path up to where it is far out or not finite, and its epochs."""
    path = result.trajectory
    assert path is not None
    losses = passes.losses(result, path.theta)
    reach = _FAR * max(abs(losses[0]), 1e-300)
    good = np.isfinite(path.theta).all(axis=1) & np.isfinite(losses) & (np.abs(losses) <= reach)
    good[0] = True
    end = len(good) if good.all() else int(good.argmin())
    theta, epochs = path.theta[:end], path.epochs[:end]
    is_whole = end == len(good) and np.isfinite(result.theta).all()
    return (result.theta if is_whole else theta[-1]), theta, epochs


def _orthogonal(rows: Array) -> Array:
    """Return a unit vector that is orthogonal to the given ones, of which there are none or one."""
    vector = np.zeros(rows.shape[1])
    vector[0 if not len(rows) else int(np.abs(rows[0]).argmin())] = 1.0
    for row in rows:
        vector -= (vector @ row) * row
    length = np.sqrt(np.square(vector).sum())
    return np.asarray(vector / length if length else vector)


def _resolution(result: Result) -> int:
    products = float(result.shape.size) * result.samples.train.shape[1]
    return next((grid for grid in _GRIDS if products * grid**2 <= _MOST_PRODUCTS), _GRIDS[-1])


def _axis(values: Array, points: int, least: float) -> Array:
    """Return a grid over values and 0, with a margin, of which 0 is a point."""
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    margin = max(_MARGIN * (high - low), least) or 1.0
    low, high = low - margin, high + margin
    step = (high - low) / (points - 1)
    return np.asarray((np.arange(points) - round(-low / step)) * step)


def _colours(losses: Array) -> tuple[Normalize, Array, bool]:
    """Return colours and levels for losses: logarithmic where they are positive and span a decade."""
    finite = losses[np.isfinite(losses)]
    low, high = float(finite.min()), float(np.percentile(finite, 97))
    if high > 10 * low > 0:
        low = max(low, high / 10.0**_MOST_DECADES)
        return LogNorm(low, high), np.geomspace(low, high, 21), True
    high = high if high > low else low + max(1e-9, abs(low))
    return Normalize(low, high), np.linspace(low, high, 21), False


def _ticks(levels: Array, is_log: bool) -> Array:
    low, high = levels[0], levels[-1]
    locator = LogLocator(10, (1.0,) if high > 300 * low else (1.0, 2.0, 5.0), numticks=9) if is_log else MaxNLocator(7)
    ticks = np.array(locator.tick_values(low, high))
    return np.asarray(ticks[(ticks >= low) & (ticks <= high)])
