"""``regions.png``: which class is predicted where, on the plane of two inputs or of two principal components."""

from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap, to_rgb

from chainrule.components.contracts import Array
from chainrule.engine.weights import classes_of
from chainrule.records.result import Result
from chainrule.reports.axes import COLOURS, GUIDE, PARTS, SMALL
from chainrule_pictures import canvas

_POINTS, _MOST_DOTS, _MOST_NAMED = 161, 150, 12
_PALE, _DARK = 0.6, 0.45  # how much white is in the colour of a region, and black in that of the ninth class and on


def draw(result: Result) -> Any:
    """Return the figure, or None for a regression or a single input."""
    inputs = result.samples.inputs
    if result.settings.target.resolved_task != "classification" or inputs < 2:
        return None
    centre, directions, shares = plane(result)
    figure = canvas.figure(result)
    axes = figure.subplots()
    names = [canvas.name(name) for name in result.samples.schema.classes]
    colours = [_colour(place) for place in range(len(names))]
    places = {part: _along(result, part, centre, directions) for part in result.samples.parts}
    spread = np.concatenate(list(places.values()), axis=1)
    low, high = spread.min(axis=1), spread.max(axis=1)
    room = np.where(high > low, 0.05 * (high - low), 0.5)
    across, up = np.linspace(low - room, high + room, _POINTS).T
    points = np.stack(np.meshgrid(across, up)).reshape(2, -1)
    y_pred = result.predict(result.samples.x_scaling.undo(centre + directions.T @ points))
    known = np.isfinite(y_pred).all(axis=0)
    regions = np.where(known, classes_of(np.where(known, y_pred, 0.0).T), -1).reshape(_POINTS, _POINTS)
    pale = ListedColormap(["white", *([_PALE + (1 - _PALE) * part for part in to_rgb(colour)] for colour in colours)])
    extent = (across[0], across[-1], up[0], up[-1])
    style = {"cmap": pale, "vmin": -1.5, "vmax": len(names) - 0.5, "interpolation": "nearest"}
    axes.imshow(regions, origin="lower", extent=extent, aspect="auto", **style)
    right, wrong = 0, 0
    for part, _, _, marker in PARTS:
        if part not in places:
            continue
        x, y_true = (values[:, :_MOST_DOTS] for values in canvas.samples(result, part))
        truth, given = classes_of(y_true.T), result.predict(x)
        is_right = np.isfinite(given).all(axis=0) & (classes_of(np.nan_to_num(given).T) == truth)
        right, wrong = right + int(is_right.sum()), wrong + int((~is_right).sum())
        for shown, border, size in ((is_right, "white", 22), (~is_right, "black", 34)):
            dots = places[part][:, :_MOST_DOTS][:, shown]
            dotted = {"c": [colours[place] for place in truth[shown]], "s": size, "marker": marker}
            axes.scatter(*dots, edgecolors=border, linewidths=0.5 if border == "white" else 1.3, zorder=3, **dotted)
    said = [] if known.all() else [f"{100 * (~known).mean():.3g} % of the plane has no finite prediction"]
    if inputs > 2:
        said.append("slice through the mean of the training inputs;\nsamples are projected onto it")
    axes.set_title("; ".join(said), fontsize=SMALL, color=GUIDE)
    schema = result.samples.schema
    labels = [canvas.name(name) for name in schema.inputs] if inputs == 2 else [
        f"{name} principal component ({100 * share:.3g} % of the variance)"
        for name, share in zip(("first", "second"), shares, strict=True)
    ]  # fmt: skip
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    handles = [axes.scatter([], [], c=[colour], s=40, label=name) for name, colour in zip(names, colours, strict=True)]
    markers = [(label, marker) for part, label, _, marker in PARTS if part in places]
    handles = handles[:_MOST_NAMED]
    handles += [axes.scatter([], [], c="0.6", s=30, marker=marker, label=label) for label, marker in markers]
    edge = {"edgecolors": "black", "linewidths": 1.3, "s": 34}
    handles.append(axes.scatter([], [], c="white", label=f"wrong: {wrong} of {right + wrong} shown", **edge))
    axes.set(xlim=across[[0, -1]], ylim=up[[0, -1]])
    canvas.legend(figure, handles, [handle.get_label() for handle in handles], side="right")
    return figure


def plane(result: Result) -> tuple[Array, Array, Array]:
    """Return the plane that is shown, in scaled inputs: a point, two directions, and their shares of the variance.

    Of two inputs it is that of the inputs, else the two principal components of the training inputs through their mean.

    Returns:
        Arrays ``(inputs, 1)``, ``(2, inputs)`` and ``(2,)``.
    """
    inputs = result.samples.inputs
    if inputs == 2:
        # the scaling is undone, so that the axes are those of the inputs
        scaling = result.samples.x_scaling
        return scaling.apply(np.zeros((2, 1))), np.diag(1 / scaling.scale[:, 0]), np.ones(2)
    x = result.samples.train[1 : 1 + inputs].astype(float)
    centre = x.mean(axis=1, keepdims=True)
    _, values, rows = np.linalg.svd((x - centre).T, full_matrices=False)
    directions, squares = np.eye(2, inputs), np.zeros(2)
    count = min(2, len(rows))
    directions[:count], squares[:count] = rows[:count], np.square(values[:count])
    directions *= np.sign(directions[range(2), np.abs(directions).argmax(axis=1)])[:, None]
    return centre, directions, squares / (np.square(values).sum() or 1.0)


def _along(result: Result, part: str, centre: Array, directions: Array) -> Array:
    """Return the samples of a part projected onto the plane, ``(2, samples)``."""
    x = result.samples.parts[part][1 : 1 + result.samples.inputs].astype(float)
    if len(x) == 2:
        return np.asarray(np.linalg.solve(directions, x - centre))
    return np.asarray(directions @ (x - centre))


def _colour(place: int) -> Any:
    """Return the colour of a class: those of Okabe and Ito but black, then darker ones."""
    own = COLOURS[:-1]
    rest, turn = place % len(own), place // len(own)
    return tuple(part * (1 - _DARK) ** turn for part in to_rgb(own[rest]))
