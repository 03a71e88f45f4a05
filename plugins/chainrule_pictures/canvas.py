"""The look that all pictures share. The pictures do not touch the global state of matplotlib."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from chainrule.components.contracts import Array
from chainrule.records.result import Result

# 32 shades of each primary colour, black and white among them: nobody sees the difference, and files are smaller.
_SHADES = ((np.arange(256) * 31 / 255).round() * 255 / 31).round().astype(np.uint8)
_NAME = 20  # characters of a name
_TITLE = 90  # characters that fit beside one another


def figure(result: Result) -> Any:
    """Return an empty figure of 900 x 600 pixels with the title of the run."""
    made = Figure(figsize=(7.5, 5), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(made)
    title = textwrap.fill(result.settings.title, _TITLE, break_on_hyphens=False)
    made.suptitle(title, fontsize=11, parse_math=False)
    return made


def save(figure: Any, path: Path) -> None:
    """Write a figure; the same figure gives the same bytes."""
    figure.canvas.draw()
    pixels = _SHADES[np.asarray(figure.canvas.buffer_rgba())[..., :3]]
    Image.fromarray(pixels).save(path, "PNG")


def samples(result: Result, part: str) -> tuple[Array, Array]:
    """Return ``x (inputs, samples)`` and ``y (outputs, samples)`` of a part of the data, in the target's units."""
    return result.samples.raw(getattr(result.samples, part))


def name(text: str) -> str:
    """Return a name as text for a picture, shortened if it is long."""
    return (text if len(text) <= _NAME else f"{text[: _NAME - 3]}...").replace("$", r"\$")  # which begins a formula


def output_name(result: Result, output: int) -> str:
    """Return what an output is called before its number, as in ``output 1``, or ``height, output 1``."""
    schema = result.samples.schema
    return f"{name(schema.outputs[output])}, output " if schema.is_named else "output "
