"""The layout of a figure: what stands around each panel is measured, and so decides where the panel lies.

Matplotlib's constrained layout measures all that is drawn, twice and more often. Here it is ticks, labels and titles,
once unless other ticks fit into a panel that has been moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.layout_engine import LayoutEngine

from chainrule.components.contracts import Array

_MOST = 3  # times that panels are placed
_PAD, _GAP, _BAR = 0.06, 0.1, 0.14  # inches: around each panel, beside a colour bar, its thickness
_SIDES = _LEFT, _BOTTOM, _RIGHT, _TOP = "left", "bottom", "right", "top"


@dataclass(frozen=True)
class _Bar:
    """A colour bar; see :meth:`Layout.add_bar`."""

    axes: Any
    panels: Sequence[Any]
    side: str
    share: float
    thickness: float


class Layout(LayoutEngine):
    """Lays out panels in one grid, colour bars to the right of them or below, and what stands outside of them.

    A text in a panel that may reach beyond it counts, unless ``text.set_in_layout(False)`` says that it does not.
    """

    _adjust_compatible = False
    _colorbar_gridspec = False

    def __init__(self) -> None:
        super().__init__()
        self._outside: list[tuple[Any, str]] = []
        self._bars: list[_Bar] = []

    def keep_clear(self, artist: Any, side: str) -> None:
        """Let panels lie beside a title or a legend at an edge of the figure: ``top``, ``bottom`` or ``right``."""
        self._outside.append((artist, side))

    def add_bar(self, axes: Any, panels: Sequence[Any], side: str, share: float, thickness: float = _BAR) -> None:
        """Place axes of a colour bar ``right`` of panels or at their ``bottom``.

        Args:
            axes: of the colour bar.
            panels: those beside it.
            side: where it lies.
            share: its length, as a part of that of the panels.
            thickness: in inches.
        """
        self._bars.append(_Bar(axes, panels, side, share, thickness))

    def execute(self, fig: Any) -> None:
        """Place all panels and colour bars of a figure; called when it is drawn."""
        ticks = None
        for _ in range(_MOST):
            if ticks == (ticks := _ticks(fig)):
                break  # else there are more or fewer of them now that panels have another size
            self._place(fig)

    def _place(self, fig: Any) -> None:
        panels = [axes for axes in fig.axes if axes.get_subplotspec() is not None]
        renderer, pad = fig.canvas.get_renderer(), _PAD * fig.dpi
        places = {axes: axes.get_subplotspec() for axes in panels}
        grid = places[panels[0]].get_gridspec()
        room = {side: np.full(grid.ncols if side in (_LEFT, _RIGHT) else grid.nrows, pad) for side in _SIDES}
        around = {axes: _around(axes, renderer) for axes in (*panels, *(bar.axes for bar in self._bars))}
        beside = {axes: dict.fromkeys(_SIDES, 0.0) for axes in panels}
        for bar in self._bars:
            for axes in bar.panels:
                own = bar.thickness * fig.dpi + around[bar.axes][bar.side] + _GAP * fig.dpi
                beside[axes][bar.side] = own
        for axes, place in places.items():
            for side in _SIDES:
                number = place.colspan.start if side in (_LEFT, _RIGHT) else place.rowspan.start
                room[side][number] = max(room[side][number], pad + around[axes][side] + beside[axes][side])
        left, bottom, right, top = self._clear(fig, renderer, pad)
        x, widths = _spread(left, right, room[_LEFT], room[_RIGHT], grid.get_width_ratios())
        y, heights = _spread(-top, -bottom, room[_TOP], room[_BOTTOM], grid.get_height_ratios())  # rows from the top
        if min(*widths, *heights) <= 0:
            return  # there is no room
        for axes, place in places.items():
            column, row = place.colspan.start, place.rowspan.start
            box = (x[column], -y[row] - heights[row], widths[column], heights[row])
            axes.set_position(np.array(box) / np.tile(fig.bbox.size, 2))
        for bar in self._bars:
            _place_bar(fig, bar, around)

    def _clear(self, fig: Any, renderer: Any, pad: float) -> tuple[float, float, float, float]:
        """Return the edges of what is left for panels, in pixels: left, bottom, right, top."""
        left, bottom, right, top = 0.0, 0.0, fig.bbox.width, fig.bbox.height
        for artist, side in self._outside:
            box = artist.get_window_extent(renderer)
            if side == _TOP:
                top = min(top, box.y0)
            elif side == _BOTTOM:
                bottom = max(bottom, box.y1)
            else:
                right = min(right, box.x0)
        return left, bottom, right, top


def _ticks(fig: Any) -> list[list[float]]:
    return [axis.get_majorticklocs().tolist() for axes in fig.axes for axis in (axes.xaxis, axes.yaxis)]


def _around(axes: Any, renderer: Any) -> dict[str, float]:
    """Return how many pixels of ticks, labels and titles there are on each side of a panel."""
    texts = [text for text in axes.texts if text.get_in_layout()]
    seen = axes.get_tightbbox(renderer, bbox_extra_artists=texts, for_layout_only=True)
    own = axes.get_window_extent(renderer)
    return dict(zip(_SIDES, (own.x0 - seen.x0, own.y0 - seen.y0, seen.x1 - own.x1, seen.y1 - own.y1), strict=True))


def _spread(begin: float, end: float, before: Array, after: Array, ratios: Sequence[float]) -> tuple[Array, Array]:
    """Return where panels in a row begin, and how long each is, with room before and after each."""
    free = end - begin - before.sum() - after.sum()
    sizes = free * np.asarray(ratios, float) / np.sum(ratios)
    steps = np.concatenate([[0.0], (before + sizes + after)[:-1]])
    return begin + np.cumsum(steps) + before, sizes


def _place_bar(fig: Any, bar: _Bar, around: dict[Any, dict[str, float]]) -> None:
    """Place a colour bar beside its panels, of which square ones may be smaller than their places."""
    boxes = np.array([axes.get_position(original=True).extents for axes in bar.panels]) * np.tile(fig.bbox.size, 2)
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    away = max(around[axes][bar.side] for axes in bar.panels) + _GAP * fig.dpi
    thickness = bar.thickness * fig.dpi
    if bar.side == _RIGHT:
        length = bar.share * (y1 - y0)
        box = (x1 + away, (y0 + y1 - length) / 2, thickness, length)
    else:
        length = bar.share * (x1 - x0)
        box = ((x0 + x1 - length) / 2, y0 - away - thickness, length, thickness)
    bar.axes.set_position(np.array(box) / np.tile(fig.bbox.size, 2))
