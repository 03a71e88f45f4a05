"""The report of a sweep: one self-contained HTML file, made from records."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from markupsafe import Markup

from chainrule.analysis.outcomes import Outcomes, SweepOutcomes
from chainrule.files.atomic import write_atomically
from chainrule.records.sweep import FOLD, SEED, Sweep
from chainrule.reports import best, comparison, curves, page, ranking, svg, table, why

REPORT = "report.html"
_CURVES = 6  # settings whose curves are shown, at most
_TARGETS = 3  # of each of which they are shown, at most


def write_report(sweep: Sweep, outcomes: SweepOutcomes) -> Path:
    """Write the report of a sweep, or of a comparison, and the table of its runs into its directory.

    Returns:
        The path of the report.

    Raises:
        OSError: one of them cannot be written.
        RecordError: what ``chainrule why`` has left is damaged.
    """
    path = sweep.directory / REPORT
    write_atomically(sweep.directory / table.RUNS, table.runs(outcomes).encode())
    if sweep.comparison:
        comparison.write(sweep, outcomes, path)
    else:
        write_atomically(path, render(sweep, outcomes).encode())
    sweep.cover([REPORT, table.RUNS, comparison.NUMBERS])
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
        curves=list(_curves(outcomes)),
        bests=list(best.content(outcomes)),
        why=why.section(sweep.directory),
    )


def _curves(outcomes: Outcomes) -> Iterator[dict[str, Any]]:
    """Draw what the best settings are ranked by, and their training losses where these compare, over epochs."""
    names = [outcomes.metric] if outcomes.maximize else [outcomes.metric, "train/loss"]
    for target, part in islice(outcomes.by_target.items(), _TARGETS):
        found = curves.read(part, _CURVES)
        where = f" on {target}" if target else ""
        for name in dict.fromkeys(names):
            lines = curves.lines(found, name)
            if any(line.middle for line in lines):
                drawn = svg.chart(lines, "epochs", name, f"{name} over epochs{where}")
                legend = [line.name for line in lines]
                yield {"svg": Markup(drawn), "caption": curves.caption(lines, name, where), "legend": legend}
