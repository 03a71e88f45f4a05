"""``gradients.png``: the gradient norm of each layer over epochs, and how much of its parameters an epoch changes."""

from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.trajectory import Trajectory
from chainrule.records.result import Result
from chainrule.reports.axes import GUIDE, SMALL
from chainrule_pictures import canvas, passes

_PREFIX = "gradient_norm/layer_"
_FEW = 20  # points that are seen as points


def ratios(result: Result, path: Trajectory) -> Array:
    """Return for each layer the change of its parameters from point to point, ``(layers, points - 1)``.

    It is ``|theta_k+1 - theta_k| / (|theta_k| * epochs)``: Euclidean norms over weights and biases of the layer, and
    the epochs between the two points. It is infinite or NaN where that is not defined.
    """
    places, epochs = result.shape.slices()[1:], np.diff(path.epochs)
    with np.errstate(all="ignore"):
        found = []
        for place in places:
            own = path.theta[:, place].astype(float)
            change = np.sqrt(np.square(np.diff(own, axis=0)).sum(axis=1))
            found.append(change / (np.sqrt(np.square(own[:-1]).sum(axis=1)) * epochs))
    return np.array(found)


def draw(result: Result) -> Any:
    """Return the figure, or None where nothing of this was kept."""
    path, layers = result.trajectory, range(1, result.shape.layers + 1)
    curves = [result.curves.values.get(f"{_PREFIX}{layer}") for layer in layers]
    norms = [values for values in curves if values is not None]
    epochs = result.curves.epochs
    if path is not None and not norms:  # the run has not measured them
        epochs, norms = path.epochs, [*passes.gradient_norms(result, path.theta, path.states)]
    panels = [("gradients", "norm of the gradient, all training samples", epochs, norms)] if norms else []
    if path is not None and len(path.epochs) > 1:
        middle = (path.epochs[:-1] + path.epochs[1:]) / 2
        panels.append(("updates", "change in an epoch / norm of the parameters", middle, [*ratios(result, path)]))
    if not panels:
        return None
    figure = canvas.figure(result)
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, label, epochs, lines) in zip(row, panels, strict=True):
        for layer, values, colour in zip(layers, lines, canvas.colours(len(layers)), strict=True):
            style = {"color": colour, "marker": "." if len(epochs) <= _FEW else "", "label": f"layer {layer}"}
            axes.plot(epochs, canvas.positive(values), **style)
        axes.set_title(title, fontsize=SMALL, color=GUIDE)
        axes.set_ylabel(label)
        canvas.over_epochs(axes, result.epochs)
        canvas.logarithmic(axes)
    canvas.legend_of_layers(figure, row[0])
    return figure
