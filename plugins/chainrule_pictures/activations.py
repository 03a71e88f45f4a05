"""``activations.png``: how the activations of each layer are distributed over training samples, epoch by epoch."""

from typing import Any

import numpy as np

from chainrule.errors import counted
from chainrule.records.result import Result
from chainrule.reports.axes import GUIDE, SMALL, TRAINING
from chainrule_pictures import canvas, passes

_MOST_PANELS, _MOST_SAMPLES, _MOST_POINTS = 6, 300, 50
_BANDS = ((0, -1, 0.12, "all"), (1, -2, 0.22, "80 %"), (2, -3, 0.4, "50 %"))


def draw(result: Result) -> Any:
    """Return the figure, or None where the run kept no path."""
    path = result.trajectory
    if path is None:
        return None
    layers = canvas.some(result.shape.layers, _MOST_PANELS)
    points = np.array(canvas.some(len(path.epochs), _MOST_POINTS)) - 1
    epochs, states = path.epochs[points], [path.states[point] for point in points]
    spread = passes.activations(result, path.theta[points], states, _MOST_SAMPLES, layers)
    spread = np.where(np.abs(spread) < canvas.MOST, spread, np.nan)
    figure = canvas.figure(result)
    columns = min(3, len(layers))
    grid = figure.subplots(-(-len(layers) // columns), columns, squeeze=False, sharex=True)
    for place, axes in enumerate(grid.flat):
        if place >= len(layers):
            axes.set_axis_off()
            continue
        own, layer = spread[:, place].astype(float), layers[place]
        for low, high, alpha, label in _BANDS:
            axes.fill_between(epochs, own[low], own[high], color=TRAINING, alpha=alpha, linewidth=0, label=label)
        axes.plot(epochs, own[3], color="black", linewidth=1.2, marker=canvas.marker(own[3]), label="median")
        name = canvas.layer_name(result, layer)
        units = result.shape.widths[layer]
        axes.set_title(f"{name}: {counted(units, 'unit')}", fontsize=SMALL, color=GUIDE)
        canvas.over_epochs(axes, result.epochs)
        canvas.say_lost(axes, epochs, own[3])
        if place + columns < len(layers):
            axes.set_xlabel("")
        else:
            axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel("activation")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    canvas.legend(figure, handles, labels, columns=4)
    return figure
