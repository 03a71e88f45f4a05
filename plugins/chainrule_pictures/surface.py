"""``surface.png``: the predictions for a target with one or two inputs, and the target itself."""

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.ticker import MaxNLocator

from chainrule.components.contracts import Array
from chainrule.records.result import Result
from chainrule.reports.axes import COLOURS
from chainrule_pictures import canvas, curve

_POINTS, _POINTS_OF_CLASSES = 101, 201  # grid points per axis; borders of classes would show the steps of a coarse grid
_MAX_DOTS = 200
_TO_AN_INCH = 11  # characters of a label
_MAX = 1e200  # larger values are drawn as this one


@dataclass(frozen=True)
class _Scale:
    """How values become colours: each interval between two levels has one.

    Attributes:
        colours: name of the colour map, or the colour map.
        levels: edges of the intervals.
        label: label of the colour bar.
        ticks: ticks of the colour bar; None for the usual ones.
        smooth: whether values in between have a meaning; False for classes.
    """

    colours: Any
    levels: Array
    label: str
    ticks: Any = None
    smooth: bool = True


@dataclass(frozen=True)
class Plan:
    """What the pictures of a run with two inputs have in common.

    Attributes:
        x: all samples, ``(2, samples)``.
        true: what is shown of their true values, ``(samples,)``.
        across, up: coordinates of the grid.
        points: points of the grid, ``(2, points)``.
        wanted: what is shown of the target there, ``(points,)``; None for a data set.
        scale: how values become colours.
    """

    x: Array
    true: Array
    across: Array
    up: Array
    points: Array
    wanted: Array | None
    scale: _Scale

    @classmethod
    def of(cls, result: Result) -> "Plan":
        """Return the plan of a run."""
        x, y = (np.concatenate(both, axis=1) for both in zip(*map(result.samples.raw, _parts(result)), strict=True))
        low, high = x.min(axis=1), x.max(axis=1)
        low, high = np.where(low == high, low - 0.5, low), np.where(low == high, high + 0.5, high)
        as_classes = result.settings.target.resolved_task == "classification" and len(y) > 1
        across, up = np.linspace(low, high, _POINTS_OF_CLASSES if as_classes else _POINTS).T
        points = np.stack(np.meshgrid(across, up)).reshape(2, -1)
        values = canvas.true_values(result.settings.target, points)
        wanted = None if values is None else _shown(result, values)
        true = _shown(result, y)
        scale = _scale(result, true if wanted is None else np.concatenate([true, wanted]))
        return cls(x, true, across, up, points, wanted, scale)


def draw(result: Result) -> Any:
    """Return the figure, or None unless there are one or two inputs."""
    if result.shape.widths[0] == 1:
        return curve.draw(result)
    if result.shape.widths[0] != 2:
        return None
    plan, figure = Plan.of(result), canvas.figure(result)
    panels(figure, result, plan, result.predict(plan.points))
    return figure


def panels(figure: Any, result: Result, plan: Plan, y_pred: Array, title: str = "learned", ends: bool = False) -> None:
    """Draw predictions ``y_pred (outputs, points)`` on the grid of a plan, beside the target if it is a function.

    ``ends`` says that the colour bar is to have ends for values beyond it, even if there are none.
    """
    scale, schema = plan.scale, result.samples.schema
    surfaces = {title: _shown(result, y_pred)} | ({} if plan.wanted is None else {"target": plan.wanted})
    row = figure.subplots(1, len(surfaces), squeeze=False, sharex=True, sharey=True)[0]
    outside = ends and scale.smooth
    outside |= scale.smooth and ((surfaces[title] < scale.levels[0]) | (surfaces[title] > scale.levels[-1])).any()
    intervals = len(scale.levels) - 1
    norm = BoundaryNorm(scale.levels, 256 if scale.smooth else intervals, extend="both" if outside else "neither")
    for axes, (name, surface) in zip(row, surfaces.items(), strict=True):
        values = surface.reshape(len(plan.up), len(plan.across))
        _panel(axes, name, (plan.across, plan.up, values), scale, norm)
        axes.set_xlabel(canvas.name(schema.inputs[0]))
        size = 16 if plan.true.size > 50 else 50
        style = {"s": size, "edgecolors": "white", "linewidths": 0.6, "clip_on": False, "zorder": 3}
        axes.scatter(*plan.x[:, :_MAX_DOTS], c=plan.true[:_MAX_DOTS], cmap=scale.colours, norm=norm, **style)
    row[0].set_ylabel(canvas.name(schema.inputs[1]))
    label = textwrap.fill(scale.label, int(_TO_AN_INCH * figure.get_size_inches()[0]))
    bar = {"side": "bottom", "share": 0.8, "label": label, "ticks": scale.ticks}
    drawn = canvas.colour_bar(figure, ScalarMappable(norm, scale.colours), row, **bar)
    if not scale.smooth and schema.is_named:
        drawn.set_ticklabels([canvas.name(name) for name in schema.classes])


def _parts(result: Result) -> list[Array]:
    return list(result.samples.parts.values())


def _shown(result: Result, y: Array) -> Array:
    """Return the number that is shown for each sample of ``y (outputs, samples)``, NaN where it is not finite."""
    as_value = result.settings.target.resolved_task == "regression" or len(y) == 1
    shown = y[0] if as_value else y.argmax(axis=0)
    return np.where(np.isfinite(y).all(axis=0), shown, np.nan)


def _scale(result: Result, true: Array) -> _Scale:
    """Return colours for the true values and values near them."""
    outputs = result.samples.outputs
    if result.settings.target.resolved_task == "regression":
        low, high = np.nanmin(true), np.nanmax(true)
        levels = np.array(MaxNLocator(14).tick_values(*((low, high) if low < high else (low - 0.5, high + 0.5))))
        single = canvas.name(result.samples.schema.outputs[0])
        which = f"{canvas.output_name(result, 0)}1 of {outputs}" if outputs > 1 else single
        return _Scale("viridis", levels, f"{which}; dots: samples in the colour of their true value")
    label = "dots: samples in the colour of their true class"
    if outputs == 1:
        named = f"class {canvas.name(result.samples.schema.classes[1])}"
        return _Scale("viridis", np.linspace(0, 1, 11), f"y ({named} from 0.5 on); {label}")
    colours = ListedColormap([COLOURS[k % len(COLOURS)] for k in range(outputs)])
    return _Scale(colours, np.arange(outputs + 1) - 0.5, f"class; {label}", range(outputs), smooth=False)


def _panel(axes: Any, name: str, surface: tuple[Array, Array, Array], scale: _Scale, norm: BoundaryNorm) -> None:
    """Draw one surface, ``across``, ``up`` and the values on their grid."""
    across, up, values = surface
    if not np.isfinite(values).any():
        name = f"{name}: not finite"
    elif scale.smooth:
        bounded = np.ma.masked_invalid(np.clip(values, -_MAX, _MAX))
        axes.contourf(across, up, bounded, levels=scale.levels, cmap=scale.colours, norm=norm, extend="both")
    else:
        (left, right), (bottom, top) = ((v[0] - (v[1] - v[0]) / 2, v[-1] + (v[1] - v[0]) / 2) for v in (across, up))
        place = {"origin": "lower", "extent": (left, right, bottom, top), "aspect": "auto"}
        axes.imshow(values, cmap=scale.colours, norm=norm, interpolation="nearest", **place)
    axes.set_title(name, fontsize=10)
    axes.set(xlim=across[[0, -1]], ylim=up[[0, -1]], box_aspect=1)
    axes.locator_params(nbins=5)
