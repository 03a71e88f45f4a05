"""``loss.png``: the loss over epochs, and why training stopped."""

from typing import Any

from chainrule.records.result import Result
from chainrule.reports.axes import losses
from chainrule_pictures import canvas


def draw(result: Result) -> Any:
    """Return the figure."""
    figure = canvas.figure(result)
    axes = figure.subplots()
    losses(axes, result)
    canvas.write_powers(axes)
    return figure
