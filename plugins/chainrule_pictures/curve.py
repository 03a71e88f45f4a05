"""``surface.png`` of a target with one input: what is predicted as a line over the input, and the samples."""

from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.errors import counted
from chainrule.records.result import Result
from chainrule.reports.axes import GUIDE, PARTS, SMALL
from chainrule_pictures import canvas

_POINTS, _MOST_DOTS, _MOST_LINES = 401, 300, 4
_FAR = 5  # times the range of the true values, beyond which predictions are not shown


def grid(result: Result) -> Array:
    """Return inputs over the range of all samples, ``(1, points)``."""
    x = np.concatenate([canvas.samples(result, part)[0] for part in result.samples.parts], axis=1)
    low, high = float(x.min()), float(x.max())
    return np.linspace(*((low, high) if low < high else (low - 0.5, high + 0.5)), _POINTS)[None]


def draw(result: Result) -> Any:
    """Return the figure."""
    figure = canvas.figure(result)
    axes = figure.subplots()
    x = grid(result)
    panel(axes, result, x, result.predict(x))
    axes.legend(fontsize=SMALL, loc="best")
    return figure


def panel(axes: Any, result: Result, x: Array, y_pred: Array) -> None:
    """Draw the samples, the target as far as it is a function, and predictions ``y_pred (outputs, points)``."""
    outputs = min(len(y_pred), _MOST_LINES)
    wanted = canvas.true_values(result.settings.target, x)
    truth = np.concatenate([canvas.samples(result, part)[1][:outputs] for part in result.samples.parts], axis=1)
    low, high = float(truth.min()), float(truth.max())
    room = _FAR * (high - low) or max(1.0, abs(high))
    for output, colour in enumerate(canvas.colours(outputs) if outputs > 1 else ["black"]):
        which = f" {canvas.name(result.samples.schema.outputs[output])}" if outputs > 1 else ""
        if wanted is not None:
            style = {"color": colour if outputs > 1 else GUIDE, "linestyle": "--", "linewidth": 1.2, "zorder": 2}
            axes.plot(x[0], wanted[output], label=f"target{which}", **style)
        line = np.where(np.abs(y_pred[output] - (low + high) / 2) <= room, y_pred[output], np.nan)
        axes.plot(x[0], line, color=colour, linewidth=2, label=f"learned{which}", zorder=4)
    for part, label, colour, marker in PARTS:
        if part not in result.samples.parts or outputs > 1:
            continue
        inputs, y = (values[:, :_MOST_DOTS] for values in canvas.samples(result, part))
        style = {"marker": marker, "markersize": 4, "markeredgewidth": 0, "alpha": 0.6, "linestyle": "", "zorder": 3}
        axes.plot(inputs[0], y[0], color=colour, label=label, **style)
    lost = int(np.count_nonzero(~(np.abs(y_pred - (low + high) / 2) <= room).all(axis=0)))
    said = [f"{outputs} of {counted(len(y_pred), 'output')}"] if len(y_pred) > outputs else []
    said += [f"{100 * lost / y_pred.shape[1]:.3g} % of the line is far off or not finite"] if lost else []
    axes.set_title("; ".join(said), fontsize=SMALL, color=GUIDE)
    axes.set_xlim(x[0, 0], x[0, -1])
    axes.set_xlabel(canvas.name(result.samples.schema.inputs[0]))
    axes.set_ylabel(canvas.name(result.samples.schema.outputs[0]) if outputs == 1 else "output")
    axes.grid(color="0.9", linewidth=0.8)
