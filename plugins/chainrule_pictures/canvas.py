"""The look that all pictures share. The pictures do not touch the global state of matplotlib."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from chainrule.components.contracts import Array, Target
from chainrule.records.result import Result
from chainrule.reports.axes import COLOURS, SMALL, say

# 32 shades of each primary colour, black and white among them: nobody sees the difference, and files are smaller.
_SHADES = ((np.arange(256) * 31 / 255).round() * 255 / 31).round().astype(np.uint8)
_PALE = "#F0E442"  # yellow, too light for a line on white
_MOST_BYTES, _FEWER_COLOURS = 90_000, (64, 24, 8)  # of a file; of a picture that would be larger
_NAME = 20  # characters of a name
MOST = 1e200  # larger numbers are not drawn, because axes overflow
_NAMED_LAYERS = 8  # whose colours are in a legend
_TITLE = 90  # characters that fit beside one another


def figure(result: Result) -> Any:
    """Return an empty figure of 900 x 600 pixels with the title of the run."""
    made = empty(7.5, 5, 120)
    title = textwrap.fill(result.settings.title, _TITLE, break_on_hyphens=False)
    made.suptitle(title, fontsize=11, parse_math=False)
    return made


def empty(width: float, height: float, dpi: int) -> Any:
    """Return an empty figure of ``width`` x ``height`` inches."""
    made = Figure(figsize=(width, height), dpi=dpi, layout="constrained", facecolor="white")
    FigureCanvasAgg(made)
    return made


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


def legend_of_layers(figure: Any, axes: Any) -> None:
    """Say below the figure which layer has which colour."""
    handles, labels = axes.get_legend_handles_labels()
    chosen = [number - 1 for number in some(len(handles), min(_NAMED_LAYERS, len(handles)))] if handles else []
    figure.legend(
        [handles[place] for place in chosen],
        [labels[place] for place in chosen],
        loc="outside lower center",
        ncols=min(4, max(1, len(chosen))),
        fontsize=SMALL,
    )


def name(text: str) -> str:
    """Return a name as text for a picture, shortened if it is long."""
    return (text if len(text) <= _NAME else f"{text[: _NAME - 3]}...").replace("$", r"\$")  # which begins a formula


def output_name(result: Result, output: int) -> str:
    """Return what an output is called before its number, as in ``output 1``, or ``height, output 1``."""
    schema = result.samples.schema
    return f"{name(schema.outputs[output])}, output " if schema.is_named else "output "
