"""``residuals.png``: predicted less true values of a regression, over the predicted ones and how often each occurs."""

from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.records.result import Result
from chainrule.reports.axes import GUIDE, PARTS, SMALL, number
from chainrule_pictures import canvas

_MOST_OUTPUTS, _MOST_POINTS, _BINS = 2, 2000, 25


def of(result: Result, part: str) -> tuple[Array, Array]:
    """Return predictions and residuals, predicted less true, of a part, each ``(outputs, samples)``."""
    x, y_true = (values[:, :_MOST_POINTS] for values in canvas.samples(result, part))
    y_pred = result.predict(x)
    return y_pred, y_pred - y_true


def draw(result: Result) -> Any:
    """Return the figure, or None for classes."""
    if result.settings.target.resolved_task != "regression":
        return None
    figure = canvas.figure(result)
    outputs = min(result.samples.outputs, _MOST_OUTPUTS)
    grid = figure.subplots(outputs, 2, squeeze=False, sharey="row", width_ratios=(3, 1))
    found = {part: of(result, part) for part in result.samples.parts}
    for output, (left, right) in enumerate(grid):
        for part, label, colour, marker in PARTS:
            if part not in found:
                continue
            y_pred, residual = (values[output] for values in found[part])
            near = (np.abs(residual) < canvas.MOST) & (np.abs(y_pred) < canvas.MOST)
            error = float(np.sqrt(np.square(residual[near]).mean())) if near.any() else np.nan
            lost = f", {near.size - near.sum()} not finite" if not near.all() else ""
            named = f"{label}: RMSE {number(error)}{lost}"
            style = {"marker": marker, "markersize": 4, "markeredgewidth": 0, "alpha": 0.6, "linestyle": ""}
            left.plot(y_pred[near], residual[near], color=colour, label=named, **style)
            if near.any():
                range_ = {"weights": np.full(near.sum(), 100 / near.sum()), "orientation": "horizontal"}
                right.hist(residual[near], _BINS, color=colour, histtype="step", linewidth=1.4, **range_)
        for axes in (left, right):
            axes.axhline(0, color=GUIDE, linewidth=1)
            axes.grid(color="0.9", linewidth=0.8)
            axes.locator_params(nbins=6)
        which = f"{canvas.output_name(result, output)}{output + 1} of {result.samples.outputs}: "
        left.set_ylabel(f"{which if result.samples.outputs > 1 else ''}predicted - true")
        left.legend(fontsize=SMALL, loc="best")
        if not right.patches:
            left.set_title("no prediction is finite", fontsize=SMALL, color=GUIDE)
            right.set_xticks([])
    grid[-1, 0].set_xlabel("predicted value")
    grid[-1, 1].set_xlabel("% of the part")
    return figure
