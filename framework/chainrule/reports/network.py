"""A network as a drawing: its units, and its weights as lines between them."""

import math
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from chainrule.components.contracts import Array
from chainrule.reports.svg import Point, svg

_MOST_LINES, _MOST_UNITS, _MOST_LAYERS = 800, 12, 24  # that are drawn
_ACROSS, _DOWN, _EDGE, _WIDTHS = 96.0, 22.0, 40.0, 4  # pixels; and how many widths of lines there are

CAPTION = (
    "The weights after training: blue ones are positive, orange ones negative; the width of a line is their size, "
    "relative to the largest of the layer."
)


def drawing(weights: Sequence[Array], names: Sequence[str]) -> str:
    """Return a network as SVG; an empty text if it has too many layers to be drawn.

    Args:
        weights: of each layer, ``(units, units before)``. Of many units some are drawn.
        names: what is written below each layer, from the inputs to the outputs.
    """
    widths = [weights[0].shape[1], *(len(each) for each in weights)]
    if len(widths) > _MOST_LAYERS:
        return ""
    most = max(3, min(_MOST_UNITS, math.isqrt(_MOST_LINES // len(weights))))
    drawn = [min(width, most) for width in widths]
    tall = max(drawn) * _DOWN + 24
    places = [[(_EDGE + layer * _ACROSS, tall / 2 + _DOWN * (unit - (count - 1) / 2)) for unit in range(count)]
              for layer, count in enumerate(drawn)]  # fmt: skip
    parts: list[str] = []
    for each, before, after in zip(weights, places, places[1:], strict=False):
        parts += _lines(each, before, after)
    for layer, units in enumerate(places):
        parts += [f'<circle class="unit" cx="{x:g}" cy="{y:g}" r="6"/>' for x, y in units]
        x, lowest = units[-1]
        if drawn[layer] < widths[layer]:
            parts.append(f'<text x="{x:g}" y="{lowest + 18:g}" text-anchor="middle">...</text>')
        parts += _written(names[layer], x, tall + 12)
    shape = "-".join(map(str, widths))
    return svg(2 * _EDGE + _ACROSS * len(weights), tall + 34, parts, f"network {shape}")


def _lines(weights: Array, before: Sequence[Point], after: Sequence[Point]) -> Iterator[str]:
    """Yield the lines of a layer, those of one colour and width together."""
    shown = weights[: len(after), : len(before)]
    largest = np.abs(weights[np.isfinite(weights)]).max(initial=0.0) or 1.0
    sizes = np.ceil(_WIDTHS * np.abs(np.where(np.isfinite(shown), shown, 0.0)) / largest)
    for positive in (True, False):
        for size in range(1, _WIDTHS + 1):
            found = np.argwhere((sizes == size) & ((shown > 0) == positive))
            moves = [(*before[column], *after[row]) for row, column in found]
            if moves:
                path = "".join(f"M{x:g} {y:g}L{u:g} {v:g}" for x, y, u, v in moves)
                yield f'<path class="edge c{0 if positive else 1} w{size}" d="{path}"/>'


def _written(name: str, x: float, y: float) -> Iterator[str]:
    """Yield the words below a layer, one below the other."""
    for line, word in enumerate(name.split(" ", 1)):
        yield f'<text x="{x:g}" y="{y + 13 * line:g}" text-anchor="middle">{escape(word)}</text>'
