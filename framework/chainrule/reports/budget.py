"""What a report of a comparison says about less: fewer points in tuning, or fewer epochs of the tuned runs."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from chainrule.analysis.budget import Step, amounts, sentences, stopped
from chainrule.analysis.comparison import ComparisonResult
from chainrule.analysis.wording import percent, percent_interval
from chainrule.components.contracts import Array
from chainrule.engine.curves import Curves
from chainrule.errors import RecordError
from chainrule.records.outcome import Outcome
from chainrule.records.run import read_record
from chainrule.records.sweep import Sweep
from chainrule.reports import svg

FAR = 1000  # times the median loss: larger losses are not drawn, because they would hide all others
RUNS = 24  # of a contender on a target whose curves are read, at most
_ABOVE = 3  # times the largest median of a figure, where its bands are cut
_DRAWN = 60  # epochs, at most


@dataclass(frozen=True)
class EpochCurves:
    """The losses of the tuned runs while they trained.

    Attributes:
        epochs: those at which they were measured, shape ``(epochs,)``.
        losses: shape ``(targets, contenders, tunings, seeds, epochs)``: what each run would end with after that many
            epochs, which is the best so far if it restores its best epoch. A run that has stopped keeps its last value;
            one that diverged or failed has lost from then on.
        steps: for each pair of contenders one step after a quarter of the epochs, and one after half of them.
    """

    epochs: Array
    losses: Array
    steps: tuple[tuple[Step, ...], ...]

    def drawn(self) -> tuple[list[int], Array, Array, Array]:
        """Return some epochs after the start, and at these the median and the quartiles over runs.

        Returns:
            The epochs; median, lower and upper quartile, each ``(targets, contenders, epochs)``.
        """
        last = len(self.epochs) - 1
        kept = np.unique(np.linspace(min(1, last), last, _DRAWN).round().astype(int))
        flat = self.losses[..., kept].reshape(*self.losses.shape[:2], -1, len(kept))
        low, high = np.quantile(flat, [0.25, 0.75], axis=2, method="inverted_cdf")
        return self.epochs[kept].tolist(), np.median(flat, axis=2), low, high


def read_curves(sweep: Sweep, found: ComparisonResult) -> EpochCurves | None:
    """Read the curves of the tuned runs; None if a record is gone, no loss was measured on the way, or it is a race.

    Args:
        sweep: the record of the comparison; those of its runs lie below.
        found: its result.
    """
    comparison = found.comparison
    if comparison.until_decided:
        return None
    runs = [list(entry.runs.outcomes) for entry in found.entries]
    tunings = min(comparison.tunings, RUNS)
    seeds = min(comparison.seeds, RUNS // tunings)
    shape = (len(comparison.targets), len(comparison.contenders), tunings, seeds)
    chosen = [
        run
        for own in runs
        for place, run in enumerate(own[: tunings * comparison.seeds])
        if place % comparison.seeds < seeds
    ]
    try:
        curves = [_curves(sweep, run) for run in chosen]
    except RecordError:
        return None
    measured = [each.epochs for each in curves if each and found.metric in each.values]
    if not measured:
        return None
    epochs: Array = np.unique(np.concatenate(measured))
    rows = [_row(each, run, found.metric, epochs) for each, run in zip(curves, chosen, strict=True)]
    losses = np.array(rows).reshape(*shape, -1)
    marks = [int(np.searchsorted(epochs, epochs[-1] * part, side="right")) - 1 for part in (0.25, 0.5)]
    marks = [place for place in dict.fromkeys(marks) if 0 < place < len(epochs) - 1]
    if not marks:
        return None
    then = np.moveaxis(losses[..., marks], -1, 0)
    if comparison.tunings == 1:  # then each seed is a block
        then = then.swapaxes(-1, -2)
    return EpochCurves(epochs, losses, stopped(then, found.pairs, epochs[marks].tolist()))


def numbers(found: ComparisonResult, curves: EpochCurves | None) -> dict[str, Any]:
    """Return what less would change as plain data for JSON; None for numbers that are not finite, or unknown."""
    points, epochs = None, None
    if found.budgets:
        points = {
            "points": list(found.budgets.points),
            "even": found.budgets.even,
            "losses": [
                {
                    "target": entry.target,
                    "contender": entry.contender,
                    "median": _finite(own.medians),
                    "intervals": [each and _finite(each) for each in own.intervals],
                }
                for entry, own in zip(found.entries, (own for row in found.budgets.reached for own in row), strict=True)
            ],
            "pairs": _pairs(found, found.budgets.steps),
            "sentences": _about_points(found),
        }
    if curves:
        drawn, middle, low, high = curves.drawn()
        epochs = {
            "epochs": drawn,
            "losses": [
                {
                    "target": entry.target,
                    "contender": entry.contender,
                    "median": _finite(middle[place]),
                    "quartiles": [_finite(low[place]), _finite(high[place])],
                }
                for place, entry in zip(np.ndindex(middle.shape[:2]), found.entries, strict=True)
            ],
            "pairs": _pairs(found, curves.steps),
            "sentences": _about_epochs(found, curves),
        }
    return {"fewer_points": points, "fewer_epochs": epochs}


def content(found: ComparisonResult, curves: EpochCurves | None) -> dict[str, Any] | None:
    """Return what the template shows; None if there is nothing to show.

    Args:
        found: the result of a comparison.
        curves: of its tuned runs, if they are known.
    """
    columns = [(found.budgets.steps, "points")] if found.budgets else []
    columns += [(curves.steps, "epochs")] if curves else []
    if not columns:
        return None
    names = found.comparison.contenders
    return {
        "points": _about_points(found),
        "epochs": _about_epochs(found, curves) if curves else [],
        "even": bool(found.budgets and found.budgets.even),
        "columns": [amounts([step.amount], unit) for steps, unit in columns for step in steps[0]],
        "pairs": [
            {
                "better": names[pair.better],
                "worse": names[pair.worse],
                "whole": percent(pair.probability),
                "cells": [_cell(step) for steps, _ in columns for step in steps[place]],
            }
            for place, pair in enumerate(found.pairs)
        ],
        "figures": [
            figure for place in range(len(found.comparison.targets)) for figure in _drawn(found, curves, place)
        ],
        "far": FAR,
        "above": _ABOVE,
        "most": RUNS,
    }


def _curves(sweep: Sweep, run: Outcome) -> Curves | None:
    return read_record(sweep.directory / run.directory).curves() if run.metrics else None


def _row(curves: Curves | None, run: Outcome, metric: str, epochs: Array) -> Array:
    """Return the loss that a run would end with after each epoch."""
    if curves is None or metric not in curves.values:
        return np.full(len(epochs), np.inf)
    places = np.searchsorted(curves.epochs, epochs, side="right") - 1
    values = (curves.at_best(metric) if run.restored else curves.values[metric])[places]
    is_lost = math.isinf(run.value(metric))
    lost = ~np.isfinite(curves.values[metric][places]) | ((epochs > curves.epochs[-1]) & is_lost)
    return np.where(lost, np.inf, values)


def _about_points(found: ComparisonResult) -> list[str]:
    if not found.budgets:
        return []
    comparison = found.comparison
    return _sentences(found, found.budgets.steps, comparison.points, "points", (comparison.tunings, "tunings"))


def _about_epochs(found: ComparisonResult, curves: EpochCurves) -> list[str]:
    *_, tunings, seeds, _ = curves.losses.shape
    blocks = (seeds, "seeds") if tunings == 1 else (tunings, "tunings")
    return _sentences(found, curves.steps, int(curves.epochs[-1]), "epochs", blocks)


def _sentences(
    found: ComparisonResult, steps: Sequence[Sequence[Step]], whole: int, unit: str, blocks: tuple[int, str]
) -> list[str]:
    names = found.comparison.contenders
    return sentences(names, found.pairs, steps, whole, unit, blocks, names.index(found.standings[0].contender))


def _pairs(found: ComparisonResult, steps: Sequence[Sequence[Step]]) -> list[dict[str, Any]]:
    names, targets = found.comparison.contenders, found.comparison.targets
    return [
        {
            "better": names[pair.better],
            "worse": names[pair.worse],
            "steps": [
                {
                    "amount": step.amount,
                    **dataclasses.asdict(step.estimate),
                    "by_target": dict(zip(targets, step.estimate.by_target, strict=True)),
                    "ahead": {1: names[pair.better], -1: names[pair.worse], 0: None}[step.ahead],
                }
                for step in own
            ],
        }
        for pair, own in zip(found.pairs, steps, strict=True)
    ]


def _cell(step: Step) -> dict[str, Any]:
    own = step.estimate
    return {"share": percent(own.probability), "interval": percent_interval(own.interval), "sure": step.ahead != 0}


def _drawn(found: ComparisonResult, curves: EpochCurves | None, target: int) -> Iterator[dict[str, Any]]:
    """Draw the losses on a target over the number of points, and over epochs."""
    names, name = found.comparison.contenders, found.comparison.targets[target]
    if found.budgets:
        points = found.budgets.points
        rows = [
            (np.array(own.medians), *np.array([each or (math.nan, math.nan) for each in own.intervals]).T)
            for own in found.budgets.reached[target]
        ]
        yield _figure(names, points, rows, f"{name}: {found.metric} over points", "points", found.metric, points)
    if curves:
        epochs, *edges = curves.drawn()
        rows = list(zip(*(edge[target] for edge in edges), strict=True))
        yield _figure(names, epochs, rows, f"{name}: {found.metric} over epochs", "epochs", found.metric)


def _figure(
    names: Sequence[str],
    across: Sequence[int],
    rows: Sequence[tuple[Array, Array, Array]],
    title: str,
    x_label: str,
    y_label: str,
    ticks: Sequence[int] = (),
) -> dict[str, Any]:
    """Draw a line with a band for each contender, from median, lower and upper edge."""
    finite = np.concatenate([middle[np.isfinite(middle)] for middle, _, _ in rows])
    most = FAR * float(np.median(np.abs(finite))) if finite.size else math.inf
    top = float(finite[finite <= most].max(initial=-math.inf))
    cut = max(top, _ABOVE * top)
    series = []
    for name, (middle, low, high) in zip(names, rows, strict=True):
        line, edge = np.where(middle <= most, middle, np.inf), np.minimum(high, cut)
        banded = np.isfinite(low) & (low <= cut)
        lower, upper = (
            [(x, y) for x, y, seen in zip(across, each.tolist(), banded, strict=True) if seen] for each in (low, edge)
        )
        series.append(svg.Series(name, [*zip(across, line.tolist(), strict=True)], lower, upper))
    return {"svg": Markup(svg.chart(series, x_label, y_label, title, ticks=ticks)), "caption": title.partition(":")[0]}


def _finite(values: Sequence[float] | Array) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]
