"""``parameters.png``: weights and biases over epochs, with the solution in closed form where there is one.

A network without hidden layers, or whose activations are all the identity, computes ``y = A x + c``. With a squared
error the best ``A`` and ``c`` are those of the method of least squares, so these are drawn, and where they end.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.stacking import stack
from chainrule.errors import counted
from chainrule.records.result import Result
from chainrule.reports.axes import GUIDE, SMALL, TRAINING, number
from chainrule_pictures import canvas

_MOST_PANELS, _MOST_LINES, _MOST_NAMED = 6, 60, 10


@dataclass(frozen=True)
class Affine:
    """What a linear network computes, ``(outputs, 1 + inputs)``: the constant first, then the factor of each input.

    Attributes:
        path: at each point of the trajectory, ``(points, outputs, 1 + inputs)``.
        best: that of least squares over the training samples; None where the loss is no squared error, the solution is
            not unique, or the network is too narrow to reach it.
    """

    path: Array
    best: Array | None


def affine(result: Result, theta: Array) -> Affine | None:
    """Return what the network of a run computes at ``theta (points, parameters)``; None if it is not linear."""
    chosen, shape = result.settings, result.shape
    hidden = (
        [one for key in ("activation", "norm") for one in chosen.by_key(key).values()] if chosen.network.hidden else []
    )
    if not all(one.is_identity for one in (*hidden, chosen.output)) or shape.trained:
        return None
    inputs = result.samples.inputs
    found = np.broadcast_to(np.eye(1 + inputs), (len(theta), 1 + inputs, 1 + inputs))
    for block in shape.blocks(theta.astype(float))[1:]:
        rows = block @ found
        ones = np.broadcast_to(np.eye(1, 1 + inputs), (len(theta), 1, 1 + inputs))
        found = np.concatenate([ones, rows], axis=1)
    return Affine(found[:, 1:], least_squares(result) if _is_squared(result) else None)


def least_squares(result: Result) -> Array | None:
    """Return the constant and factors of least squares, ``(outputs, 1 + inputs)``; None if they are not unique.

    They are those of the scaled training samples, each weighted as in training.
    """
    inputs, outputs = result.samples.inputs, result.samples.outputs
    block = result.samples.train.astype(float)
    x, y, weights = block[: 1 + inputs].T, block[1 + inputs : 1 + inputs + outputs].T, block[1 + inputs + outputs :]
    roots = np.sqrt(weights[0])[:, None] if len(weights) else 1.0
    solution, _, rank, _ = np.linalg.lstsq(x * roots, y * roots, rcond=None)
    narrowest = min(result.shape.widths[1:])
    return solution.T if rank == 1 + inputs and narrowest >= min(inputs, outputs) else None


def draw(result: Result) -> Any:
    """Return the figure, or None where the run kept no path."""
    if result.trajectory is None:
        return None
    theta = np.where(np.abs(result.trajectory.theta) < canvas.MOST, result.trajectory.theta, np.nan)
    linear = affine(result, theta)
    figure = canvas.figure(result)
    if linear and linear.path[0].size <= _MOST_NAMED:
        _draw_affine(figure.subplots(), result, linear)
    else:
        _draw_layers(figure, result, theta)
    return figure


def _draw_affine(axes: Any, result: Result, linear: Affine) -> None:
    """Draw the constants and factors of a linear network, each with its name and where least squares have it."""
    epochs, schema = _epochs(result), result.samples.schema
    names = ["constant", *(f"factor of {canvas.name(name)}" for name in schema.inputs)]
    places = list(np.ndindex(*linear.path[0].shape))
    for (output, row), colour in zip(places, canvas.colours(len(places)), strict=True):
        which = f"{canvas.output_name(result, output)}{output + 1}, " if len(linear.path[0]) > 1 else ""
        label = f"{which}{names[row]}: {number(linear.path[-1, output, row])}"
        if linear.best is not None:
            label += f" (least squares {number(float(linear.best[output, row]))})"
            axes.axhline(linear.best[output, row], color=colour, linewidth=1.2, linestyle=":")
        axes.plot(epochs, linear.path[:, output, row], color=colour, label=label, marker=canvas.marker(linear.path))
    canvas.over_epochs(axes, result.epochs)
    title = "dotted: least squares of the training samples" if linear.best is not None else ""
    layers = "; products over all layers" if result.shape.layers > 1 else ""
    axes.set_title(f"what the linear network computes{layers}{'; ' * bool(title)}{title}", fontsize=SMALL, color=GUIDE)
    axes.set_ylabel("constant and factors, as trained" + _scaled(result))
    axes.legend(fontsize=SMALL, loc="best")


def _draw_layers(figure: Any, result: Result, theta: Array) -> None:
    """Draw the weights and biases of each layer; of many how they are distributed."""
    layers, epochs = canvas.some(result.shape.layers, _MOST_PANELS), _epochs(result)
    columns = min(3, len(layers))
    grid = figure.subplots(-(-len(layers) // columns), columns, squeeze=False, sharex=True)
    blocks = result.shape.blocks(theta)
    for place, axes in enumerate(grid.flat):
        if place >= len(layers):
            axes.set_axis_off()
            continue
        layer = layers[place]
        block = blocks[layer]
        if block[0].size <= _MOST_LINES:
            _lines(axes, epochs, block)
        else:
            _bands(axes, epochs, block)
        name = canvas.layer_name(result, layer)
        axes.set_title(f"{name}: {counted(block[0].size, 'parameter')}", fontsize=SMALL, color=GUIDE)
        canvas.say_lost(axes, epochs, block)
        canvas.over_epochs(axes, result.epochs)
        if place + columns < len(layers):
            axes.set_xlabel("")
        else:
            axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel("weights and biases")
    found: dict[str, Any] = {}
    for axes in grid.flat:
        found |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    canvas.legend(figure, found.values(), found.keys(), columns=5)


def _lines(axes: Any, epochs: Array, block: Array) -> None:
    """Draw every parameter of a layer, ``block (points, units, 1 + units before)``, those of a unit in one colour."""
    units = block.shape[1]
    for unit, colour in enumerate(canvas.colours(units)):
        label = f"to unit {unit + 1}" if units <= _MOST_NAMED else None
        style = {"color": colour, "linewidth": 1.2, "marker": canvas.marker(block)}
        axes.plot(epochs, block[:, unit, 1], label=label, **style)
        axes.plot(epochs, block[:, unit, 2:], **style)
        axes.plot(epochs, block[:, unit, 0], **style | {"linestyle": "--"})
    axes.plot([], [], color=GUIDE, linestyle="--", label="bias")


def _bands(axes: Any, epochs: Array, block: Array) -> None:
    """Draw how the parameters of a large layer are distributed."""
    low, tenth, middle, last_tenth, high = np.percentile(block.reshape(len(block), -1), (0, 10, 50, 90, 100), axis=1)
    axes.fill_between(epochs, low, high, color=TRAINING, alpha=0.15, linewidth=0, label="all")
    axes.fill_between(epochs, tenth, last_tenth, color=TRAINING, alpha=0.35, linewidth=0, label="80 %")
    axes.plot(epochs, middle, color="black", linewidth=1.2, label="median", marker=canvas.marker(middle))


def _epochs(result: Result) -> Array:
    assert result.trajectory is not None
    return result.trajectory.epochs


def _scaled(result: Result) -> str:
    return " (of standardized samples)" if result.settings.target.standardized else ""


def _is_squared(result: Result) -> bool:
    """Say whether the loss is a multiple of the squared error, by its gradient at some points."""
    outputs, loss = result.samples.outputs, stack([result.settings.loss], float)
    if result.settings.loss.outputs_per_target > 1:
        return False
    y_pred, y_true = (np.linspace(*ends, 8 * outputs).reshape(1, outputs, 8) for ends in ((-2.0, 3.0), (0.9, 0.1)))
    gradient, error = np.asarray(loss.gradient(y_pred, y_true)), y_pred - y_true
    factor = float((gradient * error).sum() / np.square(error).sum())
    return factor > 0 and bool(np.allclose(gradient, factor * error, rtol=1e-9))
