"""The report of a sweep: one self-contained HTML file, made from records."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from chainrule.analysis.effects import Effect, Interaction
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.ranking import Group
from chainrule.analysis.wording import loss, loss_interval, p_number, p_value, percent
from chainrule.components.contracts import Array
from chainrule.engine.curves import Curves
from chainrule.engine.reason import Reason
from chainrule.errors import RecordError
from chainrule.files.atomic import write_atomically
from chainrule.records.outcome import Outcome
from chainrule.records.run import read_record
from chainrule.records.sweep import SEED, Sweep
from chainrule.reports import comparison, page, svg, table
from chainrule.reports.page import some

REPORT = "report.html"
_ROWS, _CURVES, _SEEDS, _CHARTS = 200, 6, 20, 3  # shown at most


def write_report(sweep: Sweep, outcomes: SweepOutcomes) -> Path:
    """Write the report of a sweep, or of a comparison, and the table of its runs into its directory.

    Returns:
        The path of the report.

    Raises:
        OSError: one of them cannot be written.
    """
    path = sweep.directory / REPORT
    write_atomically(sweep.directory / table.RUNS, table.runs(outcomes).encode())
    if sweep.comparison:
        return comparison.write(sweep, outcomes, path)
    write_atomically(path, render(sweep, outcomes).encode())
    return path


def render(sweep: Sweep, outcomes: SweepOutcomes) -> str:
    """Return the report of a sweep as HTML.

    Args:
        sweep: its record.
        outcomes: those of the runs that have ended; their curves are read from their records.
    """
    metric, ranked = outcomes.metric, outcomes.ranking
    keys = [key for key in sweep.axes if key != SEED]
    scale = svg.Scale.over((value for group in ranked[:_ROWS] for value in group.values), 6, 234)
    return page.render(
        "sweep.html.jinja",
        sweep,
        outcomes,
        title=f"Sweep: {sweep.title}",
        answer=_answer(ranked, metric, keys, sweep.runs),
        metric=metric,
        keys=keys,
        rows=[_row(group, keys, scale) for group in ranked[:_ROWS]],
        hidden=max(0, len(ranked) - _ROWS),
        lost=any(group.count(Reason.DIVERGED) + group.count(Reason.FAILED) for group in ranked),
        effects=[_effect(effect) for effect in outcomes.effects],
        interactions=[_interaction(each) for each in outcomes.interactions],
        points=any(effect.units == "points" for effect in outcomes.effects),
        figures=[*_curves(sweep, ranked, metric), *_scatters(outcomes, keys, metric)],
    )


def _answer(ranked: Sequence[Group], metric: str, keys: Sequence[str], runs: int) -> str:
    """Say which setting is best, and whether the data separate it from the next."""
    if not ranked:
        return f"None of {runs} runs has ended yet."
    best = ranked[0]
    if math.isinf(best.median):
        return "No setting reached a finite loss in at least half of its runs."
    of = f" over {len(best.values)} seeds" if len(best.values) > 1 else ""
    first = f"The smallest median {metric} is {loss(best.median)}{of}"
    if best.interval:
        counting = f", counting that it was chosen from {best.best_of}" if best.best_of > 1 else ""
        first += f" (95 % interval {loss_interval(best.interval)}{counting})"
    first += f", with {best.title}." if keys else "."
    if len(ranked) < 2:
        return first
    second = ranked[1]
    if not best.interval or not second.interval:
        return (
            f"{first} With fewer than {best.enough} seeds per setting there is no interval of the best of "
            f"{best.best_of} that separates it from the others."
        )
    if best.interval[1] < second.interval[0]:
        return f"{first} Its interval lies below that of the next, {second.title}."
    alike = sum(other.interval is None or other.interval[0] <= best.interval[1] for other in ranked[1:])
    more = f" and {alike - 1} more" if alike > 1 else ""
    return f"{first} The intervals do not separate it from {second.title}{more}: more seeds may separate them."


def _row(group: Group, keys: Sequence[str], scale: svg.Scale) -> dict[str, Any]:
    return {
        "settings": [group.settings.get(key, "") for key in keys],
        "runs": len(group.values),
        "median": loss(group.median, group.lost_reason),
        "quartiles": loss_interval(group.quartiles),
        "interval": loss_interval(group.interval),
        "strip": Markup(svg.strip(some(group.values), scale, group.median, group.interval)),
        "diverged": group.count(Reason.DIVERGED),
        "failed": group.count(Reason.FAILED),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    levels = [f"{label}: {loss(middle)}" for label, middle, _ in effect.levels[:10]]
    return {
        "parameter": effect.parameter,
        "share": percent(effect.share),
        "width": round(120 * effect.share),
        "p": "" if effect.p is None else p_number(effect.p),
        "levels": ", ".join(levels) + (" ..." if len(effect.levels) > 10 else ""),
    }


def _interaction(interaction: Interaction) -> str:
    first, second = interaction.parameters
    share, p = percent(interaction.share), p_value(interaction.p)
    return f"The effect of {first} depends on {second}: both together explain {share} more ({p})."


def _curves(sweep: Sweep, ranked: Sequence[Group], metric: str) -> Iterator[dict[str, Any]]:
    """Draw the losses of the best settings over epochs: the median over seeds, and a band between the quartiles."""
    best = {group.title: curves for group in ranked[:_CURVES] if (curves := _read(sweep, group))}
    for name in dict.fromkeys([metric, "train/loss"]):
        series = [_series(title, curves, name) for title, curves in best.items() if name in curves[0].values]
        if any(line.middle for line in series):
            drawn = svg.chart(series, "epochs", name, f"{name} over epochs")
            caption = (
                f"{name} of the best {len(series)} settings: median over seeds (at most {_SEEDS}), "
                "with a band between the quartiles. A run that has stopped keeps its last value."
            )
            yield {"svg": Markup(drawn), "caption": caption, "legend": [line.name for line in series]}


def _read(sweep: Sweep, group: Group) -> list[Curves]:
    found = []
    for outcome in [o for o in group.outcomes if o.metrics][:_SEEDS]:
        try:
            found.append(read_record(sweep.directory / outcome.directory).curves())
        except RecordError:  # damaged since, or gone
            continue
    return found


def _series(title: str, curves: Sequence[Curves], name: str) -> svg.Series:
    epochs: Array = np.unique(np.concatenate([curve.epochs for curve in curves]))
    table = []
    for curve in curves:
        last = np.searchsorted(curve.epochs, epochs, side="right") - 1
        values = curve.values[name][last]
        table.append(np.where(np.isfinite(values), values, np.inf))
    low_high = np.quantile(np.array(table), [0.25, 0.75], axis=0, method="inverted_cdf")
    rows = low_high[0], np.median(table, axis=0), low_high[1]
    low, middle, high = ([*zip(epochs.tolist(), row.tolist(), strict=True)] for row in rows)
    return svg.Series(title, middle, low, high) if len(curves) > 1 else svg.Series(title, middle)


def _scatters(outcomes: Sequence[Outcome], keys: Sequence[str], metric: str) -> Iterator[dict[str, Any]]:
    """Draw the loss of each run over each parameter that has at least three numbers."""
    drawn = 0
    for key in keys:
        numbers = [(o.settings.get(key), o.value(metric)) for o in outcomes]
        points = [(float(x), y) for x, y in numbers if isinstance(x, int | float) and math.isfinite(y)]
        if len({x for x, _ in points}) >= 3 and drawn < _CHARTS:
            drawn += 1
            title = f"{metric} over {key}"
            chart = svg.chart([svg.Series(key, some(points))], key, metric, title, lines=False, dots=True, linear=False)
            yield {"svg": Markup(chart), "caption": f"Each run's {metric}, over {key}.", "legend": []}
