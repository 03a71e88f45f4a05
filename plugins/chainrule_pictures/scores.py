"""``scores.png``: R2, or accuracy of classes, over epochs."""

from typing import Any

import numpy as np

from chainrule.records.result import Result
from chainrule.reports.axes import PARTS, SMALL, TEST, number, say
from chainrule_pictures import canvas

_LOWEST = -1.0  # R2 below that says no more than that nothing is learned yet
_FEW = 20  # points that are marked


def draw(result: Result) -> Any:
    """Return the figure, or None if the curves have no scores, as those of older records."""
    name = "r2" if result.settings.target.resolved_task == "regression" else "accuracy"
    found = {part: result.curves.values.get(f"{part}/{name}") for part, *_ in PARTS}
    curves = {part: values for part, values in found.items() if values is not None}
    if not curves:
        return None
    figure = canvas.figure(result)
    axes, epochs, lowest, highest = figure.subplots(), result.curves.epochs, 1.0, -np.inf
    for (part, label, colour, _), line in zip(PARTS, ("-", "--"), strict=False):
        if part not in curves:
            continue
        values = np.where(np.isfinite(curves[part]), curves[part], np.nan)
        lowest, highest = min(lowest, np.nanmin(values, initial=1.0)), max(highest, np.nanmax(values, initial=-np.inf))
        style = {"linestyle": line, "marker": "o" if len(values) <= _FEW else "", "markersize": 4, "clip_on": True}
        axes.plot(epochs, values, color=colour, label=f"{label}: {_last(curves[part][-1])}", **style)
    tested = result.metrics.get(f"test/{name}")
    if tested is not None and np.isfinite(tested):
        when = result.epochs if result.best_epoch is None else result.best_epoch
        axes.plot(when, tested, "s", color=TEST, label=f"test: {number(tested)}", clip_on=False, zorder=4)
        lowest, highest = min(lowest, tested), max(highest, tested)
    if all(np.isnan(line.get_ydata()).all() for line in axes.get_lines()):
        say(axes, "the score was never finite")
    elif highest < _LOWEST:
        say(axes, f"R2 was never above {_LOWEST:g}")
    bottom = max(_LOWEST, lowest)
    axes.set_ylim(bottom - 0.04 * (1 - bottom), 1 + 0.04 * (1 - bottom))
    canvas.over_epochs(axes, result.epochs)
    axes.set_ylabel("R2" if name == "r2" else "accuracy")
    axes.legend(fontsize=SMALL, loc="best")
    return figure


def _last(value: float) -> str:
    return f"{number(value)} at the end" if np.isfinite(value) else "not finite at the end"
