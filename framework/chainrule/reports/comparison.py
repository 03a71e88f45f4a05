"""The report of a comparison: a page like that of any sweep, and all numbers as JSON."""

import dataclasses
import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markupsafe import Markup

from chainrule.analysis.comparison import FACTORS, ComparisonResult, Entry, scored, tuned_words
from chainrule.analysis.confidence import SIGNIFICANCE
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.wording import loss, loss_interval, p_number, percent, percent_interval, ratio
from chainrule.engine.reason import Reason
from chainrule.files.atomic import write_atomically
from chainrule.files.reading import read_within
from chainrule.files.words import resuming
from chainrule.records.outcome import LOST
from chainrule.records.sweep import Sweep
from chainrule.reports import best, budget, cost, page, svg, why
from chainrule.reports.budget import FAR, EpochCurves
from chainrule.reports.page import some

NUMBERS = "comparison.json"
FORMAT = 2
_KEYS = 3  # of the space that are drawn, at most


def write(sweep: Sweep, outcomes: SweepOutcomes, path: Path) -> Path:
    """Write the report of a comparison and, when all its runs have ended, ``comparison.json`` beside it.

    Args:
        sweep: its record.
        outcomes: those of the runs that have ended.
        path: where the report goes.

    Returns:
        That path.

    Raises:
        OSError: a file cannot be written.
        RecordError: the file of measured times is damaged.
    """
    found, curves, costs = outcomes.comparison, None, None
    if found:
        curves = budget.read_curves(sweep, found)
        costs = cost.numbers(sweep, found, curves)
        text = json.dumps(numbers(found, curves, costs), indent=1, allow_nan=False)
        write_atomically(path.parent / NUMBERS, f"{text}\n".encode())
    write_atomically(path, render(sweep, outcomes, curves, costs).encode())
    return path


def changed_at_equal_time(sweep: Sweep) -> list[str]:
    """Return what a written comparison says about pairs for which equal time would have another result."""
    try:
        costs = json.loads(read_within(sweep.directory, NUMBERS))["cost"]
        return list(map(str, costs["equal_time"]["changes"])) if costs and costs["equal_time"] else []
    except (OSError, LookupError, TypeError, ValueError, RecursionError):  # not there, or not what was written
        return []


def render(
    sweep: Sweep, outcomes: SweepOutcomes, curves: EpochCurves | None = None, costs: dict[str, Any] | None = None
) -> str:
    """Return the report of a comparison as HTML.

    Args:
        sweep: its record.
        outcomes: those of the runs that have ended.
        curves: those of the tuned runs; None leaves them out.
        costs: of the contenders, see :func:`chainrule.reports.cost.numbers`; None leaves them out.
    """
    comparison, found = sweep.comparison, outcomes.comparison
    assert comparison is not None
    parts = "pairs", "matrix", "rows", "profile", "cost", "less", "tuning", "diverged", "bests"
    content: dict[str, Any] = dict.fromkeys(parts)
    answer = f"{len(outcomes)} of {comparison.runs} runs have ended: `{resuming(sweep.directory)}` goes on."
    if found:
        answer = found.answer
        content |= {
            "metric": found.metric,
            "by_score": found.comparison.metric != "loss",
            "pairs": list(pairs(found)),
            "matrix": list(_matrix(found)) if len(comparison.contenders) > 2 else None,
            "rows": [row for target in comparison.targets for row in _rows(found, target)],
            "lost": any(sum(map(entry.runs.count, LOST)) for entry in found.entries),
            "edge": any(entry.at_edge for entry in found.entries),
            "profile": profile(found) if found.profiled else None,
            "cost": cost.content(costs),
            "less": budget.content(found, curves),
            "plan": found.comparison.sentence,
            "far": FAR,
            "anew": found.comparison.tuning_runs > 0 and found.comparison.most_tunings > 1,
            "diverged": sum(o.reason in LOST for o in outcomes if comparison.is_tuning(o.number)),
            # A run that diverges while tuning is no failure: it only shows that a point is bad.
            "failures": page.failures([o for o in outcomes if o.error or not comparison.is_tuning(o.number)]),
            "tuning": [figure for target in comparison.targets for figure in _tuning(found, target)],
        }
        content["bests"] = list(best.content(outcomes))
    title = f"Comparison: {comparison.group} {', '.join(comparison.contenders)}"
    content = {**comparison.to_entry(), **content, "kind": outcomes.which, "which": page.which(outcomes)}
    facts = page.facts(sweep, outcomes)
    content["why"] = why.section(sweep.directory)
    return page.render("comparison.html.jinja", outcomes, facts, title=title, answer=answer, **content)


def numbers(
    found: ComparisonResult, curves: EpochCurves | None = None, costs: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return all results of a comparison as plain data for JSON; None for numbers that are not finite.

    Args:
        found: the result.
        curves: those of the tuned runs; None leaves them out.
        costs: as for :func:`render`.
    """
    comparison = found.comparison
    return {
        "format": FORMAT,
        **comparison.to_entry(),
        "metric": found.metric,
        "level": SIGNIFICANCE,
        "answer": found.answer,
        "pairs": [
            {
                **dataclasses.asdict(each),
                "better": comparison.contenders[each.better],
                "worse": comparison.contenders[each.worse],
                "by_target": dict(zip(comparison.targets, each.by_target, strict=True)),
                "separated": each.is_separated,
                "equivalent": each.is_equivalent,
                "ratios": {
                    own.target: {
                        "ratio": _finite(own.ratio),
                        "interval": own.interval and [_finite(end) for end in own.interval],
                    }
                    for own in ratios
                },
                "verdict": found.verdict(each),
            }
            for each, ratios in zip(found.pairs, found.ratios, strict=True)
        ],
        "standings": [dataclasses.asdict(each) for each in found.standings],
        "results": [_entry(entry, found.metric) for entry in found.entries],
        "profile": {
            "targets": list(found.profiled),
            "factors": list(FACTORS),
            "shares": dict(zip(comparison.contenders, map(list, found.profile), strict=True)),
        },
        **budget.numbers(found, curves),
        "cost": costs,
    }


def _entry(entry: Entry, metric: str) -> dict[str, Any]:
    runs = entry.runs
    return {
        "target": entry.target,
        "contender": entry.contender,
        "tuned": [dict(point) for point in entry.tuned],
        "at_edge": list(entry.at_edge),
        "tried": [{"point": dict(point), "median": _finite(median)} for point, median in entry.tried],
        "losses": {str(outcome.seed): _finite(outcome.value(metric)) for outcome in runs.outcomes},
        "median": _finite(runs.median),
        "interval": [_finite(end) for end in entry.interval] if entry.interval else None,
        "score": {entry.score[0]: _finite(entry.score[1])} if entry.score else None,
        "diverged": runs.count(Reason.DIVERGED),
        "failed": runs.count(Reason.FAILED),
    }


def pairs(found: ComparisonResult) -> Iterator[dict[str, Any]]:
    """Yield what ``pairs_table.html.jinja`` shows of each pair."""
    names = found.comparison.contenders
    for each, ratios in zip(found.pairs, found.ratios, strict=True):
        told = {own.target: ratio(own.ratio, own.interval) for own in ratios}
        yield {
            "better": names[each.better],
            "worse": names[each.worse],
            "probability": f"{percent(each.probability)} ({percent_interval(each.interval)})",
            "gauge": Markup(svg.gauge(each.probability, each.interval)),
            "p": p_number(each.p),
            "sure": each.is_separated,
            "verdict": found.word(each),
            "by_target": [
                (percent(share), told.get(target, ""))
                for target, share in zip(found.comparison.targets, each.by_target, strict=True)
            ],
        }


def _matrix(found: ComparisonResult) -> Iterator[list[dict[str, Any] | None]]:
    places = range(len(found.comparison.contenders))
    for row in places:
        cells: list[dict[str, Any] | None] = []
        for column in places:
            if row == column:
                cells.append(None)
                continue
            each, share, interval = found.pair(row, column)
            cells.append(
                {
                    "share": percent(share),
                    "interval": percent_interval(interval),
                    "sure": each.is_separated,
                    "colour": "mark" if share > 0.5 else "warn",
                    "depth": round(80 * abs(share - 0.5)),
                }
            )
        yield cells


def _rows(found: ComparisonResult, target: str) -> Iterator[dict[str, Any]]:
    entries = [entry for entry in found.entries if entry.target == target]
    scale = svg.Scale.over((value for entry in entries for value in entry.runs.values), 6, 234)
    best = min(entry.runs.median for entry in entries)
    for entry in entries:
        runs = entry.runs
        yield {
            "first": entry is entries[0],
            "axis": Markup(svg.axis(scale)) if entry is entries[0] else "",
            "target": target if entry is entries[0] else "",
            "contender": entry.contender,
            "tuned": tuned_words(entry),
            "best": runs.median == best,
            "median": loss(runs.median, runs.lost_reason),
            "interval": loss_interval(entry.interval),
            "strip": Markup(svg.strip(some(runs.values), scale, runs.median, entry.interval, len(runs.values))),
            "score": scored(entry),
            "diverged": runs.count(Reason.DIVERGED),
            "failed": runs.count(Reason.FAILED),
        }


def profile(found: ComparisonResult) -> dict[str, Any]:
    """Return the drawing of the performance profile of each contender, and its caption."""
    names = found.comparison.contenders
    series = [
        svg.Series(name, list(zip(FACTORS, shares, strict=True)))
        for name, shares in zip(names, found.profile, strict=True)
    ]
    drawn = svg.chart(
        series, "factor", "share of runs", "share of runs within a factor of the best", linear=False, span=(0.0, 1.0)
    )
    caption = (
        f"The share of runs whose {found.metric} is at most this factor times the smallest median on the target, "
        f"averaged over {', '.join(found.profiled)}: performance profiles (Dolan and Moré, 2002) of single runs. "
        "Higher is better: at the left, how often a contender is among the best; at the right, how rarely it fails."
    )
    missing = [target for target in found.comparison.targets if target not in found.profiled]
    if missing:
        caption += f" Factors have no meaning on {', '.join(missing)}, where losses are 0, negative or infinite."
    return {"svg": Markup(drawn), "caption": caption}


def _tuning(found: ComparisonResult, target: str) -> Iterator[dict[str, Any]]:
    """Draw the losses of the points over each tuned number; lines join them if only one key was tuned."""
    entries = [entry for entry in found.entries if entry.target == target]
    tried = [(point, loss) for entry in entries for point, loss in entry.tried if math.isfinite(loss)]
    if not tried:
        return
    highest = FAR * statistics.median(abs(loss) for _, loss in tried)
    keys = [k for k in found.comparison.space if len({p[k] for p, _ in tried if isinstance(p.get(k), int | float)}) > 2]
    for key in keys[:_KEYS]:
        series = []
        for entry in entries:
            numeric = [(point[key], loss) for point, loss in entry.tried if isinstance(point.get(key), int | float)]
            points = sorted((float(number), loss) for number, loss in numeric)
            series.append(svg.Series(entry.contender, [(x, loss) for x, loss in points if loss <= highest]))
        joined = len(found.comparison.space) == 1 and found.comparison.most_tunings == 1
        title = f"{target}: {found.metric} over {key}"
        drawn = svg.chart(series, key, found.metric, title, lines=joined, dots=True, linear=False)
        yield {"svg": Markup(drawn), "caption": target}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
