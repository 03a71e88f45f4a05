"""The runs of a sweep as a table, for spreadsheets and data frames: one row a run."""

import csv
import io

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.records.sweep import SEED

RUNS = "runs.csv"


def runs(outcomes: SweepOutcomes) -> str:
    """Return the table as comma-separated values, in the order of the jobs.

    Columns are the number of the job, each key that varies, the seed, the reason, and each final metric; a metric that
    is not finite, or that a run does not have, is empty.

    Args:
        outcomes: those of the runs that have ended.
    """
    keys = dict.fromkeys(key for outcome in outcomes for key in outcome.settings)
    metrics = dict.fromkeys(name for outcome in outcomes for name in outcome.metrics)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", *keys, SEED, "reason", *metrics])
    for outcome in outcomes:
        own = [outcome.settings.get(key) for key in keys]
        final = [outcome.metrics.get(name) for name in metrics]
        writer.writerow([outcome.number, *own, outcome.seed, outcome.reason.value, *final])
    return text.getvalue()
