"""The runs of a sweep, or of a tracker, as a file for spreadsheets: one row a run."""

import csv
import io

from chainrule.analysis.outcomes import Outcomes

RUNS = "runs.csv"
_HEADING = ("run", "seed", "reason", "record")


def runs(outcomes: Outcomes) -> str:
    """Return the table as comma-separated values, in the order of the runs.

    Columns are those of :func:`chainrule.analysis.tables.runs`; what a run does not have is empty.

    Args:
        outcomes: those of the runs that have ended.
    """
    table = outcomes.table("runs")
    text = io.StringIO()
    writer = csv.DictWriter(text, table[0] if table else _HEADING, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()
