"""``network.png``: the network after training, its weights as lines whose width and colour say what they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize

from chainrule.components.contracts import Array
from chainrule.errors import counted
from chainrule.records.result import Result
from chainrule.reports.axes import COLOURS, GUIDE, SMALL
from chainrule_pictures import canvas

_MOST_UNITS, _MOST_LAYERS = 16, 8  # of a diagram; larger nets get a summary
_MOST_NUMBERS = 16  # weights whose values are written
_MOST_MAPS = 6  # heat maps beside one another
_POSITIVE, _NEGATIVE = COLOURS[0], COLOURS[1]
_SIGNED = LinearSegmentedColormap.from_list("signed", [_NEGATIVE, "white", _POSITIVE])


def draw(result: Result) -> Any:
    """Return the figure."""
    figure = canvas.figure(result)
    shape = result.shape
    is_small = max(shape.widths) <= _MOST_UNITS and shape.layers <= _MOST_LAYERS and shape.rows[1:] == shape.widths[1:]
    if is_small:
        _diagram(figure.subplots(), result)
    else:
        _summary(figure, result)
    return figure


def _diagram(axes: Any, result: Result) -> None:
    """Draw units as dots in the colour of their bias, and weights as lines."""
    widths, weights, biases = result.shape.widths, result.weights, result.biases
    tall = max(widths)
    places = [
        np.array([(float(layer), (count - 1) / 2 - unit) for unit in range(count)])
        for layer, count in enumerate(widths)
    ]
    has_numbers = sum(weight.size for weight in weights) <= _MOST_NUMBERS
    for weight, before, after in zip(weights, places, places[1:], strict=False):
        _lines(axes, weight, before, after)
        if has_numbers:
            _numbers(axes, weight, before, after)
    size = 260 if tall <= 8 else 110
    axes.scatter(*places[0].T, s=size, c="white", edgecolors="black", linewidths=1, zorder=4)
    for bias, place in zip(biases, places[1:], strict=True):
        finite = np.where(np.isfinite(bias), bias, 0.0)
        largest = float(np.abs(finite).max()) or 1.0
        style = {"cmap": _SIGNED, "norm": Normalize(-1.6 * largest, 1.6 * largest)}
        axes.scatter(*place.T, s=size, c=finite, edgecolors="black", linewidths=1, zorder=4, **style)
        if has_numbers:
            for (x, y), value in zip(place, bias, strict=True):
                axes.annotate(
                    f"{value:.3g}", (x, y), (0, -15), textcoords="offset points", ha="center", fontsize=8, zorder=6
                )
    _label_units(axes, result, places, size)
    axes.set_xlim(-0.45, len(widths) - 0.55)
    axes.set_ylim(-(tall - 1) / 2 - 0.7, (tall - 1) / 2 + 0.7)
    names = ["inputs", *(f"layer {layer}" for layer in range(1, len(widths) - 1)), "outputs"]
    axes.set_xticks(range(len(widths)), names)
    axes.set_yticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    about = "lines: weights, dots: biases" + (
        "" if all(map(_is_finite, (*weights, *biases))) else "; some are not finite"
    )
    title = f"{about}; blue is positive, orange negative,\nwidth and depth are sizes beside the largest of the layer"
    axes.set_title(title, fontsize=SMALL, color=GUIDE)


def _lines(axes: Any, weight: Array, before: Array, after: Array) -> None:
    """Draw the weights of a layer, the largest ones on top."""
    finite = np.where(np.isfinite(weight), weight, 0.0)
    sizes = np.abs(finite) / (np.abs(finite).max() or 1.0)
    order = np.argsort(sizes, axis=None, kind="stable")
    rows, columns = np.unravel_index(order, weight.shape)
    sizes, is_positive = sizes[rows, columns], finite[rows, columns] > 0
    colours = np.where(is_positive, _POSITIVE, _NEGATIVE)
    segments = np.stack([before[columns], after[rows]], axis=1)
    widths = 0.3 + (4.2 if weight.size <= 64 else 2.5) * sizes
    axes.add_collection(LineCollection(list(segments), linewidths=widths, colors=list(colours), zorder=2))


def _numbers(axes: Any, weight: Array, before: Array, after: Array) -> None:
    """Write the weights of a layer onto its lines, where lines of other weights do not cross."""
    for (row, column), value in np.ndenumerate(weight):
        x, y = before[column] + (after[row] - before[column]) * (0.27 if (row + column) % 2 else 0.33)
        box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        text = axes.text(x, y, f"{value:.3g}", ha="center", va="center", fontsize=8, bbox=box, zorder=5)
        text.set_in_layout(False)  # it lies within


def _label_units(axes: Any, result: Result, places: Sequence[Array], size: float) -> None:
    """Write names beside inputs and outputs."""
    schema, away = result.samples.schema, 13 if size > 200 else 9
    font = 9 if len(places[0]) <= 10 and len(places[-1]) <= 10 else 7
    pairs = [(places[0], schema.inputs, -away, "right")]
    if len(places[-1]) == len(schema.outputs):
        pairs.append((places[-1], schema.outputs, away, "left"))
    for place, names, offset, side in pairs:
        for (x, y), name in zip(place, names, strict=True):
            style = {"textcoords": "offset points", "ha": side, "va": "center", "fontsize": font}
            axes.annotate(canvas.name(name), (x, y), (offset, 0), **style)


def _summary(figure: Any, result: Result) -> None:
    """Draw the weights of each layer as a heat map; of a deep net those of some layers."""
    layers = canvas.some(result.shape.layers, _MOST_MAPS)
    columns = min(3, len(layers))
    grid = figure.subplots(-(-len(layers) // columns), columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(layers):
            axes.set_axis_off()
            continue
        layer, weight = layers[place], result.weights[layers[place] - 1]
        finite = np.ma.masked_invalid(weight)
        largest = float(np.ma.abs(finite).max()) if finite.count() else 1.0
        shown = axes.imshow(
            finite, cmap=_SIGNED, vmin=-largest or -1, vmax=largest or 1, aspect="auto", interpolation="nearest"
        )
        name = canvas.layer_name(result, layer)
        rows = counted(len(weight), "unit" if len(weight) == result.shape.widths[layer] else "row")
        axes.set_title(f"{name}: {rows}", fontsize=SMALL, color=GUIDE)
        axes.set_xlabel(
            f"{'inputs' if layer == 1 else f'units of layer {layer - 1}'} ({weight.shape[1]})", fontsize=SMALL
        )
        axes.tick_params(labelsize=7)
        axes.locator_params(nbins=5, integer=True)
        bar = canvas.colour_bar(figure, shown, [axes], share=0.9, thickness=0.06)
        bar.ax.tick_params(labelsize=7)
    for axes in grid[:, 0]:
        axes.set_ylabel("unit", fontsize=SMALL)
    left_out = (
        f"; {len(layers)} of {counted(result.shape.layers, 'layer')}" if len(layers) < result.shape.layers else ""
    )
    about = f"weights of the {result.shape} network, blue is positive, orange negative{left_out}"
    canvas.caption(figure, about)


def _is_finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())
