"""The look that all pictures share. The pictures do not touch the global state of matplotlib."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation
from PIL import Image

from chainrule.components.contracts import Array, Target
from chainrule.records.result import Result
from chainrule.reports.axes import COLOURS, GUIDE, SMALL, say
from chainrule_pictures.layout import Layout

# 32 shades of each primary colour, black and white among them: nobody sees the difference, and files are smaller.
_SHADES = ((np.arange(256) * 31 / 255).round() * 255 / 31).round().astype(np.uint8)
_PALE = "#F0E442"  # yellow, too light for a line on white
_MOST_BYTES, _FEWER_COLOURS = 90_000, (64, 24, 8)  # of a file; of a picture that would be larger
_NAME = 20  # characters of a name
_TITLE_INSET = 0.04  # inches between the title and the edge
MOST = 1e200  # larger numbers are not drawn, because axes overflow
_NAMED_LAYERS = 8  # whose colours are in a legend
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_TITLE, _TITLE_LINES = 90, 2  # characters that fit beside one another, and lines


def figure(result: Result) -> Any:
    """Return an empty figure of 900 x 600 pixels with the title of the run."""
    made = empty(7.5, 5, 120)
    title = "\n".join(_lines(result.settings.title_that(lambda text: len(_lines(text)) <= _TITLE_LINES)))
    inset = _TITLE_INSET / made.get_size_inches()[1]
    text = made.suptitle(title, y=1 - inset, va="top", fontsize=11, parse_math=False)
    made.get_layout_engine().keep_clear(text, "top")
    return made


def _lines(title: str) -> list[str]:
    return textwrap.wrap(title, _TITLE, break_on_hyphens=False)


def empty(width: float, height: float, dpi: int) -> Any:
    """Return an empty figure of ``width`` x ``height`` inches."""
    made = Figure(figsize=(width, height), dpi=dpi, layout=Layout(), facecolor="white")
    FigureCanvasAgg(made)
    return made


def legend(
    figure: Any, handles: Iterable[Any], labels: Iterable[str], *, columns: int = 1, side: str = "bottom"
) -> None:
    """Add a legend at the ``bottom`` or at the ``right`` edge of a figure, outside of its panels."""
    place = "lower center" if side == "bottom" else "center right"
    made = figure.legend([*handles], [*labels], loc=place, ncols=columns, fontsize=SMALL)
    figure.get_layout_engine().keep_clear(made, side)


def caption(figure: Any, text: str) -> None:
    """Write something at the bottom of a figure."""
    inset = _TITLE_INSET / figure.get_size_inches()[1]
    written = figure.supxlabel(text, y=inset, va="bottom", fontsize=SMALL, color=GUIDE)
    figure.get_layout_engine().keep_clear(written, "bottom")


def colour_bar(
    figure: Any, shown: Any, panels: Sequence[Any], side: str = "right", share: float = 1.0, **more: Any
) -> Any:
    """Add a colour bar beside panels, and return it.

    Args:
        figure: the figure.
        shown: what has the colours.
        panels: the panels beside it.
        side: ``right`` or ``bottom``.
        share: its length, as a part of that of the panels.
        more: ``thickness`` in inches, and arguments of :meth:`matplotlib.figure.Figure.colorbar`.
    """
    thickness = {"thickness": more.pop("thickness")} if "thickness" in more else {}
    axes = figure.add_axes((0, 0, *((0.02, 0.75) if side == "right" else (0.75, 0.02))))
    figure.get_layout_engine().add_bar(axes, panels, side, share, **thickness)
    return figure.colorbar(shown, cax=axes, location=side, **more)


def save(figure: Any, path: Path) -> None:
    """Write a figure; the same figure gives the same bytes, and no more than a record should hold."""
    image = image_of(figure)
    image.save(path, "PNG")
    for colours in _FEWER_COLOURS:
        if path.stat().st_size <= _MOST_BYTES:
            break
        image.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, "PNG")


def image_of(figure: Any) -> Image.Image:
    """Return a figure as an image."""
    figure.canvas.draw()
    return Image.fromarray(_SHADES[np.asarray(figure.canvas.buffer_rgba())[..., :3]])


def samples(result: Result, part: str) -> tuple[Array, Array]:
    """Return ``x (inputs, samples)`` and ``y (outputs, samples)`` of a part of the data, in the target's units."""
    return result.samples.raw(getattr(result.samples, part))


def true_values(target: Target, grid: Array) -> Array | None:
    """Return the target's values ``(outputs, points)`` on ``grid (inputs, points)``, or None for a data set."""
    try:
        return np.asarray(target(grid.T), float).T
    except NotImplementedError:
        return None


def colours(count: int) -> list[Any]:
    """Return so many colours: of Okabe and Ito where these are enough, else from dark to light."""
    own = [colour for colour in COLOURS if colour != _PALE]
    return own[:count] if count <= len(own) else list(colormaps["viridis"](np.linspace(0, 0.92, count)))


def some(count: int, limit: int) -> list[int]:
    """Return numbers from 1 to ``count``, at most ``limit`` of them, evenly spread, the first and the last included."""
    return [int(number) for number in np.unique(np.linspace(1, count, min(count, limit)).round())]


def positive(values: Array) -> Array:
    """Return values for a logarithmic axis: NaN where they are not positive, or too large to be drawn."""
    return np.where((values > 0) & (values < MOST), values, np.nan)


def marker(values: Array) -> str:
    """Return the marker of lines through values ``(points, ...)``: none, unless a single point is finite."""
    return "o" if np.isfinite(values).reshape(len(values), -1).any(axis=1).sum() <= 1 else ""


def say_lost(axes: Any, epochs: Array, values: Array) -> None:
    """Say in a panel since which epoch values ``(points, ...)`` are not finite, if no line can be drawn for that."""
    finite = np.isfinite(values).reshape(len(values), -1).any(axis=1)
    if finite.sum() <= 1 < len(values):
        say(axes, f"not finite\nfrom epoch {epochs[np.argmin(finite)]} on" if finite.any() else "not finite")


def over_epochs(axes: Any, epochs: int) -> None:
    """Let axes begin at epoch 0 and end at the last one."""
    axes.set_xlim(0, max(1, epochs))
    axes.locator_params(axis="x", nbins=6, integer=True)
    axes.set_xlabel("epoch")
    axes.grid(color="0.9", linewidth=0.8)


def logarithmic(axes: Any) -> None:
    """Let the vertical axis be logarithmic if there is something to show, with labels that can be read."""
    drawn = [line.get_ydata() for line in axes.get_lines()]
    values = np.concatenate([np.asarray(each, float) for each in drawn]) if drawn else np.empty(0)
    values = values[np.isfinite(values)]
    if not values.size:
        say(axes, "nothing that is finite and not 0")
        return
    axes.set_yscale("log")
    if values.max() > 100 * values.min():
        axes.minorticks_off()
    write_powers(axes)


class Powers(LogFormatterSciNotation):
    """Writes powers of ten as text, 10⁻³: a formula would be typeset, which takes longer than all else."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick."""
        text = super().__call__(x, pos).removeprefix(r"$\mathdefault{").removesuffix("}$")
        text = text.replace(r"\times", "\N{MULTIPLICATION SIGN}")
        return re.sub(r"\^\{(-?\d+)\}", lambda found: found[1].translate(_RAISED), text)


def write_powers(axes: Any) -> None:
    """Let the vertical axis, if it is logarithmic, write powers of ten as text."""
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_formatter(Powers())
        axes.yaxis.set_minor_formatter(Powers(labelOnlyBase=False))


def legend_of_layers(figure: Any, axes: Any) -> None:
    """Say below the figure which layer has which colour."""
    handles, labels = axes.get_legend_handles_labels()
    chosen = [number - 1 for number in some(len(handles), min(_NAMED_LAYERS, len(handles)))] if handles else []
    named = [handles[place] for place in chosen], [labels[place] for place in chosen]
    legend(figure, *named, columns=min(4, max(1, len(chosen))))


def name(text: str) -> str:
    """Return a name as text for a picture, shortened if it is long."""
    return (text if len(text) <= _NAME else f"{text[: _NAME - 3]}...").replace("$", r"\$")  # which begins a formula


def layer_name(result: Result, layer: int) -> str:
    """Return what a layer, counted from 1, is called: ``layer 1``, and ``outputs`` the last one."""
    return "outputs" if layer == result.shape.layers else f"layer {layer}"


def output_name(result: Result, output: int) -> str:
    """Return what an output is called before its number, as in ``output 1``, or ``height, output 1``."""
    schema = result.samples.schema
    return f"{name(schema.outputs[output])}, output " if schema.is_named else "output "
