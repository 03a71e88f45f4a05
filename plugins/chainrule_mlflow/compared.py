"""What MLflow is told about a comparison, besides what it is told about any sweep."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.contest import Entry, Results
    from chainrule.outcomes import Outcome
    from chainrule.sweeps import Sweep


def results(sweep: "Sweep", outcomes: "Sequence[Outcome]") -> "Results | None":
    """Return what came of a sweep that is a comparison; None of any other."""
    from chainrule import contest  # with statistics that take long to import

    return contest.results(sweep, outcomes) if sweep.manifest["comparison"] else None


def note(found: "Results") -> str:
    """Return a comparison in Markdown: the answer, each pair, each contender on each target."""
    titles = ["target", found.contest.group, "tuned", f"median {found.metric}", "95 % interval", "score", "lost"]
    rows: list[Sequence[Any]] = [titles, ["---"] * len(titles)]
    for entry in found.entries:
        target, contender, tuned, *numbers, score, _, diverged, failed = _row(entry)
        middle, low, high = ("not finite" if number is None else f"{number:.4g}" for number in numbers)
        rows.append([target, contender, tuned, middle, f"{low} to {high}", score, diverged + failed])
    verdicts = [f"- {found.verdict(pair)}" for pair in found.pairs]
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([f"**{found.answer}**", "", *verdicts, "", *lines])


def table(found: "Results") -> dict[str, Any]:
    """Return each contender on each target as a table in MLflow's own form."""
    names = ["target", found.contest.group, "tuned", "median", "interval low", "interval high", "score"]
    return {"columns": [*names, "runs", "diverged", "failed"], "data": [_row(entry) for entry in found.entries]}


def _row(entry: "Entry") -> list[Any]:
    from chainrule.contest import described, scored

    runs, unknown = entry.runs, (math.inf, math.inf)
    numbers = [value if math.isfinite(value) else None for value in (runs.median, *(runs.interval or unknown))]
    counts = [len(runs.values), runs.count("diverged"), runs.count("failed")]
    return [entry.target, entry.contender, described(entry), *numbers, scored(entry), *counts]
