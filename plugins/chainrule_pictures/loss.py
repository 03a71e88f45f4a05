"""``loss.png``: the loss over epochs, and why training stopped."""

from typing import Any

import numpy as np

from chainrule.engine.reason import Reason
from chainrule.records.result import Result
from chainrule_pictures import canvas

_MAX = 1e250  # beyond, axes overflow


def draw(result: Result) -> Any:
    """Return the figure."""
    figure = canvas.figure(result)
    axes = figure.subplots()
    epochs, lowest, highest = result.curves.epochs, np.inf, 0.0
    for (part, label, colour, _), line in zip(canvas.PARTS, ("-", "--"), strict=True):
        values = result.curves.values.get(f"{part}/loss")
        if values is None:
            continue
        drawn = np.abs(values) < _MAX
        last = f"{canvas.number(values[-1])} at the end" if np.isfinite(values[-1]) else "not finite at the end"
        style = {"linestyle": line, "marker": "o" if drawn.sum() <= 20 else "", "markersize": 4, "clip_on": False}
        axes.plot(epochs, np.where(drawn, values, np.nan), color=colour, label=f"{label}: {last}", zorder=3, **style)
        lowest, highest = min(lowest, values[drawn].min(initial=np.inf)), max(highest, values[drawn].max(initial=0))
    if not np.isfinite(lowest):
        canvas.say(axes, "the loss was never finite")
    elif highest > 10 * lowest > 0:  # within one decade the labels of a logarithmic scale are hard to read
        axes.set_yscale("log")
        if highest > 100 * lowest:
            axes.minorticks_off()  # halves the time; within two decades they carry labels
    if result.reason == Reason.CONVERGED and result.settings.training.tolerance > 0:
        tolerance = result.settings.training.tolerance
        axes.axhline(
            tolerance, color=canvas.GUIDE, linewidth=1, linestyle=":", label=f"tolerance: {canvas.number(tolerance)}"
        )
    axes.axvline(result.epochs, color=canvas.GUIDE, linewidth=1, label=f"end: epoch {result.epochs}")
    axes.set_title(result.reason.words, fontsize=canvas.SMALL, color=canvas.GUIDE)
    axes.set_xlim(0, max(1, result.epochs) * 1.02)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (mean over samples)")
    axes.grid(color="0.9", linewidth=0.8)
    axes.legend(fontsize=canvas.SMALL, loc="best")
    return figure
