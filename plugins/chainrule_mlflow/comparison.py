"""What MLflow is told about a comparison, besides what it is told about any sweep."""

import math
from collections.abc import Sequence
from typing import Any

from chainrule.analysis.comparison import ComparisonResult, Entry, scored, tuned_words
from chainrule.analysis.confidence import IN_PERCENT
from chainrule.analysis.wording import loss, loss_interval
from chainrule.engine.reason import Reason
from chainrule_mlflow import contents


def note(found: ComparisonResult) -> str:
    """Return a comparison in Markdown: the answer, each pair, each contender on each target."""
    titles = [
        "target",
        found.comparison.group,
        "tuned",
        f"median {found.metric}",
        f"{IN_PERCENT} interval",
        "score",
        "lost",
    ]
    rows: list[Sequence[object]] = [titles]
    for entry in found.entries:
        runs = entry.runs
        lost = runs.count(Reason.DIVERGED) + runs.count(Reason.FAILED)
        middle, around = loss(runs.median, runs.lost_reason), loss_interval(entry.interval)
        rows.append([entry.target, entry.contender, tuned_words(entry), middle, around, scored(entry), lost])
    verdicts = [f"- {found.verdict(pair)}" for pair in found.pairs]
    return "\n\n".join([f"**{found.answer}**", "\n".join(verdicts), contents.table(rows)])


def table(found: ComparisonResult) -> dict[str, Any]:
    """Return each contender on each target as a table in MLflow's own form."""
    names = ["target", found.comparison.group, "tuned", "median", "interval low", "interval high", "score"]
    return {"columns": [*names, "runs", "diverged", "failed"], "data": [_row(entry) for entry in found.entries]}


def _row(entry: Entry) -> list[Any]:
    runs, unknown = entry.runs, (math.inf, math.inf)
    numbers = [value if math.isfinite(value) else None for value in (runs.median, *(entry.interval or unknown))]
    counts = [len(runs.values), runs.count(Reason.DIVERGED), runs.count(Reason.FAILED)]
    return [entry.target, entry.contender, tuned_words(entry), *numbers, scored(entry), *counts]
