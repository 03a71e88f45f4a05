"""Drawings for pictures and notebooks: each draws into axes of matplotlib, which the caller has made."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.analysis.comparison import ComparisonResult
from chainrule.analysis.confidence import IN_PERCENT
from chainrule.analysis.outcomes import Outcomes
from chainrule.engine.reason import Reason
from chainrule.records.result import Result
from chainrule.reports.page import some
from chainrule.reports.svg import Point, Scale, Series, has_areas

# From the palette of Okabe and Ito, which people with any kind of colour vision can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
TRAINING, VALIDATION, TEST, GUIDE = COLOURS[0], COLOURS[1], COLOURS[2], "0.45"
PARTS = (
    ("train", "training", TRAINING, "o"),
    ("validation", "validation", VALIDATION, "^"),
    ("test", "test", TEST, "s"),
)
SMALL = 9  # points
_MAX = 1e250  # beyond, axes overflow
ROWS, _DOTS = 20, 200  # shown at most: settings, runs of each


def losses(axes: Any, result: Result) -> None:
    """Draw the losses of a run over epochs, and why it stopped."""
    epochs, lowest, highest = result.curves.epochs, np.inf, 0.0
    for (part, label, colour, _), line in zip(PARTS, ("-", "--"), strict=False):
        values = result.curves.values.get(f"{part}/loss")
        if values is None:
            continue
        drawn = np.abs(values) < _MAX
        last = f"{number(values[-1])} at the end" if np.isfinite(values[-1]) else "not finite at the end"
        style = {"linestyle": line, "marker": "o" if drawn.sum() <= 20 else "", "markersize": 4, "clip_on": False}
        axes.plot(epochs, np.where(drawn, values, np.nan), color=colour, label=f"{label}: {last}", zorder=3, **style)
        lowest, highest = min(lowest, values[drawn].min(initial=np.inf)), max(highest, values[drawn].max(initial=0))
    tested = result.test_loss
    if tested is not None and abs(tested) < _MAX:
        when = result.epochs if result.best_epoch is None else result.best_epoch
        axes.plot(when, tested, "s", color=TEST, label=f"test: {number(tested)}", zorder=4, clip_on=False)
        lowest, highest = min(lowest, tested), max(highest, tested)
    if not np.isfinite(lowest):
        say(axes, "the loss was never finite")
    elif highest > 10 * lowest > 0:  # within one decade the labels of a logarithmic scale are hard to read
        axes.set_yscale("log")
        if highest > 100 * lowest:
            axes.minorticks_off()  # halves the time; within two decades they carry labels
    if result.reason == Reason.CONVERGED and result.settings.training.tolerance > 0:
        tolerance = result.settings.training.tolerance
        axes.axhline(tolerance, color=GUIDE, linewidth=1, linestyle=":", label=f"tolerance: {number(tolerance)}")
    axes.axvline(result.epochs, color=GUIDE, linewidth=1, label=f"end: epoch {result.epochs}")
    axes.set_title(result.reason.words, fontsize=SMALL, color=GUIDE)
    axes.set_xlim(0, max(1, result.epochs) * 1.02)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (mean over samples)")
    axes.grid(color="0.9", linewidth=0.8)
    axes.legend(fontsize=SMALL, loc="best")


def lines(axes: Any, drawn: Sequence[Series], x_label: str, y_label: str) -> None:
    """Draw lines with bands, of many their edges; points and edges that are not finite are left out."""
    are_areas = has_areas(drawn)
    for place, line in enumerate(drawn):
        colour = COLOURS[place % len(COLOURS)]
        if line.low and are_areas:
            x, low = _columns(line.low)
            axes.fill_between(x, low, _columns(line.high)[1], color=colour, alpha=0.15, linewidth=0)
        for edge in (line.low, line.high) if line.low and not are_areas else ():
            axes.plot(*_columns(edge), color=colour, alpha=0.6, linewidth=0.8, linestyle=":")
        axes.plot(*_columns(line.middle), color=colour, label=line.name)
    if Scale.over((y for line in drawn for _, y in line.middle), 0, 1).log:
        axes.set_yscale("log")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color="0.5", alpha=0.25, linewidth=0.8)
    if drawn:
        axes.legend(fontsize=SMALL)


def ranking(axes: Any, outcomes: Outcomes) -> None:
    """Draw the best settings below one another: a dot a run, the median as a stroke, its interval as a bar.

    Runs that diverged or failed are not drawn; the label of a setting counts them.
    """
    ranked = outcomes.ranking[:ROWS]
    labels = []
    for row, group in enumerate(ranked):
        finite = [value for value in group.values if np.isfinite(value)]
        if group.interval and np.isfinite(group.interval).all():
            axes.plot(group.interval, (row, row), color=TRAINING, alpha=0.25, linewidth=7, solid_capstyle="butt")
        shown = some(finite, _DOTS)
        axes.plot(shown, [row] * len(shown), "o", color=TRAINING, alpha=0.5, markersize=5, markeredgewidth=0)
        if np.isfinite(group.median):
            axes.plot(group.median, row, "|", color=VALIDATION, markersize=14, markeredgewidth=2)
        lost = len(group.values) - len(finite)
        labels.append(group.title + f" ({lost} of {len(group.values)} lost)" * bool(lost))
    if Scale.over((value for group in ranked for value in group.values), 0, 1).log:
        axes.set_xscale("log")
    axes.set_yticks(range(len(ranked)), labels)
    axes.set_ylim(len(ranked) - 0.5, -0.5)
    axes.set_xlabel(outcomes.metric)
    axes.grid(axis="x", color="0.5", alpha=0.25, linewidth=0.8)


def pairs(axes: Any, found: ComparisonResult) -> None:
    """Draw for each pair of contenders the probability that the first wins, with its interval."""
    names = found.comparison.contenders
    for row, pair in enumerate(found.pairs):
        colour = TRAINING if pair.is_separated else GUIDE
        axes.plot(pair.interval, (row, row), color=colour, alpha=0.35, linewidth=7, solid_capstyle="butt")
        axes.plot(pair.probability, row, "|", color=colour, markersize=14, markeredgewidth=2)
    axes.axvline(0.5, color=GUIDE, linewidth=1)
    axes.set_yticks(range(len(found.pairs)), [f"{names[p.better]}, not {names[p.worse]}" for p in found.pairs])
    axes.set_ylim(len(found.pairs) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"probability that the first wins, with its {IN_PERCENT} interval")
    axes.grid(axis="x", color="0.5", alpha=0.25, linewidth=0.8)


def number(value: float) -> str:
    """Return a number as text for a picture."""
    return f"{value:.4g}"


def say(axes: Any, text: str) -> None:
    """Write into the middle of axes that have nothing to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GUIDE)


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y if np.isfinite(y) else np.nan for _, y in points]
