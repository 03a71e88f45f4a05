"""The report of a sweep: one self-contained HTML file, made from records."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.ranking import Group
from chainrule.components.contracts import Array
from chainrule.engine.curves import Curves
from chainrule.errors import RecordError
from chainrule.files.atomic import write_atomically
from chainrule.records.run import read_record
from chainrule.records.sweep import FOLD, SEED, Sweep
from chainrule.reports import comparison, page, ranking, svg, table

REPORT = "report.html"
_CURVES, _SEEDS = 6, 20  # shown at most


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
    return ranking.render(
        f"Sweep: {sweep.title}",
        outcomes,
        page.facts(sweep, outcomes),
        keys=[key for key in sweep.axes if key not in (SEED, FOLD)],
        planned=sweep.runs,
        curves=list(_curves(sweep, outcomes.ranking, outcomes.metric)),
    )


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
            if any(line.is_cut for line in series):
                caption += (
                    " Where a quarter of the runs have diverged, the band is infinite: it is cut at the upper edge, "
                    "which is dashed there. Where half of them have, the line ends."
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
