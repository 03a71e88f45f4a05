"""What MLflow is told about a sweep as a whole, as plain data: its run, its ranking, and the view that shows it."""

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from chainrule.analysis.confidence import IN_PERCENT
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.ranking import Group, compared_metric
from chainrule.analysis.wording import digits, loss, loss_interval
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.records.run import Record
from chainrule.records.sweep import SEED, Sweep
from chainrule_mlflow import comparison, contents
from chainrule_mlflow.contents import Point, Run
from chainrule_mlflow.store import KIND

RANKING = "ranking.json"
_ROWS = 30  # of the ranking in the description
_SCORES = ("r2", "accuracy")
_VIEWS = 20  # most targets that have a view each
_LONGEST = 5000  # characters of an experiment's tag


@dataclass(frozen=True)
class View:
    """A saved arrangement of MLflow's page of runs.

    Attributes:
        key: its name in links.
        tag, value: tag of the experiment, in which MLflow keeps it.
    """

    key: str
    tag: str
    value: str


def begun(sweep: Sweep) -> Run:
    """Return the run of a sweep that is running."""
    kind = "comparison" if sweep.comparison else "search" if sweep.manifest.search else "sweep"
    tags = {
        contents.KEY: sweep.manifest.key,
        "mlflow.note.content": f"**{sweep.title}**\n\n{contents.typed(sweep.manifest.arguments)}",
        contents.PLACE: str(sweep.directory),
        KIND: kind,
        "chainrule.runs": str(sweep.runs),
        **contents.origin(sweep.manifest.environment),
    }
    axes = {f"varied/{key}": ", ".join(values) for key, values in sweep.axes.items()}
    return Run(
        name=contents.cut(f"{kind}: {sweep.title}", contents.NAME),
        start=_milliseconds(sweep.manifest.started),
        end=None,
        status="RUNNING",
        tags={contents.legal(name): contents.cut(value, contents.TAG) for name, value in tags.items()},
        params={contents.legal(name): contents.cut(value, contents.VALUE) for name, value in axes.items()},
        points=[],
        dataset={},
        dataset_tags={},
    )


@dataclass(frozen=True)
class Best:
    """The best run of a sweep, or of one on several targets that on one of them.

    Attributes:
        target: if there are several; else empty.
        outcome: what became of it.
        record: its record.
        run_id: its run in MLflow; empty if it is not there.
        link: leads there.
        pictures: their names among the files of the sweep's run.
    """

    target: str
    outcome: Outcome
    record: Record
    run_id: str = ""
    link: str = ""
    pictures: Sequence[str] = ()


def ended(
    sweep: Sweep, outcomes: SweepOutcomes, run_id: str = "", bests: Sequence[Best] = (), views: Sequence[str] = ()
) -> Run:
    """Return the run of a sweep that has ended: the best run and settings, and medians and intervals by rank.

    Args:
        sweep: its record.
        outcomes: what became of its runs.
        run_id: its run in MLflow.
        bests: its best run, of several targets that on each.
        views: links to charts, in Markdown.
    """
    run, found = begun(sweep), outcomes.comparison
    ranked = [] if found else outcomes.ranking
    comparable = ranked if len(outcomes.by_target) == 1 else []
    assert sweep.manifest.finished is not None
    end = _milliseconds(sweep.manifest.finished)
    reasons = [outcome.reason for outcome in outcomes]
    single = {
        "runs": len(outcomes),
        "diverged": reasons.count(Reason.DIVERGED),
        "failed": reasons.count(Reason.FAILED),
        "seconds": (end - run.start) / 1000,
    }
    points: list[Point] = [(name, float(value), end, 0) for name, value in single.items()]
    for rank, group in enumerate(comparable[: contents.POINTS], 1):
        for name, value in _statistics(group).items():
            if math.isfinite(value):
                points.append((f"by rank/{name}", value, end, 1 - rank))  # pages show the value of the last step
                if rank == 1:
                    points.append((f"best/{name}", value, end, 0))
                if rank == 1 and value > 0 and not outcomes.maximize:
                    points.append((contents.logarithm(f"best/{name}"), math.log10(value), end, 0))
    best = {"chainrule.best": comparable[0].title} if comparable else {}
    if found:
        best = {"chainrule.answer": contents.cut(found.answer, contents.TAG)}
    table = comparison.note(found) if found else _table(outcomes)
    told = [table, *_best_notes(bests, outcomes)] if found else [*_best_notes(bests, outcomes), table]
    told = [outcomes.caution, *told] if outcomes.caution else told
    note = "\n\n".join([run.tags["mlflow.note.content"], *told, *views])
    for picture in _pictures(bests, run_id):  # last, because what is said is read first
        if len(note) + len(picture) < contents.TAG:
            note = f"{note}\n\n{picture}"
    logged = json.dumps([{"path": RANKING, "type": "table"}])
    return Run(
        name=run.name,
        start=run.start,
        end=end,
        status="FAILED" if single["failed"] else "FINISHED",
        tags={
            **run.tags,
            "mlflow.note.content": contents.cut(note, contents.TAG),
            "mlflow.loggedArtifacts": logged,
            **best,
        },
        params=run.params,
        points=points,
        dataset=contents.dataset(bests[0].record.manifest) if bests else {},
        dataset_tags={"mlflow.data.context": "the best run"} if bests else {},
    )


def _best_notes(bests: Sequence[Best], outcomes: SweepOutcomes) -> list[str]:
    """Return what is said of the best run: what it is, and how to repeat it."""
    found = []
    for best in bests:
        where = f" on {best.target}" if best.target else ""
        title = contents.title(best.record)
        named = f"[{title}]({best.link})" if best.link else title
        value = digits(best.outcome.value(outcomes.metric), 6)
        found.append(f"**The best run{where}**: {named}, {outcomes.which} {outcomes.metric} {value}.")
        found.append(f"To repeat it:\n\n{contents.typed(best.record.manifest.overrides)}")
    return found


def _pictures(bests: Sequence[Best], run_id: str) -> Iterator[str]:
    """Yield the pictures of the best run, of several targets the first of each before the others."""
    for row in zip_longest(*(best.pictures for best in bests)):
        yield from (f"![{name}](get-artifact?path={name}&run_uuid={run_id})" for name in row if name)


def ranking(outcomes: SweepOutcomes) -> dict[str, Any]:
    """Return the whole ranking, or the tuned contenders of a comparison, as a table in MLflow's own form."""
    found = outcomes.comparison
    if found:
        return comparison.table(found)
    rows = outcomes.table("ranking")
    columns = list(rows[0]) if rows else []
    return {"columns": columns, "data": [[_plain(value) for value in row.values()] for row in rows]}


def views(sweep: Sweep, run_id: str, outcomes: SweepOutcomes) -> dict[str, View]:
    """Return the view of a sweep by an empty name; of several targets one for each, by its name.

    Losses on several targets would share axes otherwise. Targets that differ in their parameters alone share one.
    """
    metric = outcomes.metric if outcomes.maximize else compared_metric(outcomes)  # the loss: errors are not logged
    targets = sweep.comparison.targets if sweep.comparison else list(outcomes.by_target)
    if not sweep.comparison and any(target not in sweep.axes.get("target", []) for target in targets):
        targets = [""]
    if len(targets) < 2:
        first = next(iter(sweep.axes)) if len(outcomes.by_target) > 1 else ""  # by the loss it would be a ranking
        return {"": view(sweep, run_id, metric, maximize=outcomes.maximize, first=first)}
    return {target: view(sweep, run_id, metric, target, maximize=outcomes.maximize) for target in targets[:_VIEWS]}


def view(sweep: Sweep, run_id: str, metric: str, target: str = "", *, maximize: bool = False, first: str = "") -> View:
    """Return the view that shows the runs of a sweep: columns, order, parallel coordinates, curves.

    Of a comparison it shows the runs of the tuned contenders. Losses are drawn and sorted by their logarithm, and runs
    that differ in the seed alone are drawn as one line.

    Args:
        sweep: the sweep.
        run_id: its run in MLflow.
        metric: the loss by which runs are compared, or their score.
        target: that of the runs, if it is chosen.
        maximize: whether large values of the metric are good, which are drawn and sorted as they are.
        first: parameter by which runs are sorted instead; empty for none.

    MLflow keeps views in tags that it does not document; a version that does not know them ignores them.
    """
    compared = sweep.comparison
    axes = [key for key in sweep.axes if key != SEED and not (target and key == "target")]
    settings = [compared.group] if compared else axes[:4]
    metrics = list(dict.fromkeys([metric, "train/loss"]))
    sorting = metric if maximize else contents.logarithm(metric)
    compared_by = list(dict.fromkeys([sorting, metric]))
    shown = [f"metrics.`{name}`" for name in dict.fromkeys([sorting, *metrics])]
    columns = [f"params.`{key}`" for key in [*axes[:8], SEED]] + shown
    section, curves = "overview", "curves"
    charts: list[dict[str, Any]] = [
        {
            "type": "PARALLEL",
            "uuid": "parallel",
            "metricSectionId": section,
            "runsCountToCompare": 1000,
            "deleted": False,
            "isGenerated": False,
            "selectedParams": axes[:8],
            "selectedMetrics": [sorting],
            "showAllRuns": True,
            "displayName": "What leads where",
        }
    ]
    charts += [  # groups have no parameters, so that a chart of one of these would be empty
        {
            "type": "BAR",
            "uuid": f"bar {name}",
            "metricSectionId": section,
            "runsCountToCompare": 1000,
            "deleted": False,
            "isGenerated": False,
            "metricKey": name,
        }
        for name in compared_by
    ]
    part = metric.partition("/")[0]
    drawn: dict[str, Mapping[str, float]] = {name: {} for name in ([] if maximize else metrics)}
    drawn |= {f"{part}/{score}": {"yMin": -0.05, "yMax": 1.05} for score in _SCORES}  # R2 below 0 says no more than 0
    charts += [  # of the scores one is there; charts of nothing are hidden
        {
            "type": "LINE",
            "uuid": f"line {name}",
            "metricSectionId": curves,
            "runsCountToCompare": 20,
            "deleted": False,
            "isGenerated": False,
            "metricKey": name,
            "selectedMetricKeys": [name],
            "scaleType": "linear" if limits else "log",
            "xAxisKey": "step",
            "selectedXAxisMetricKey": "",
            "xAxisScaleType": "linear",
            "useGlobalXaxisKey": True,
            "useGlobalLineSmoothing": True,
            "lineSmoothness": 0,
            "yAxisKey": "metric",
            "yAxisExpressions": [],
            "range": limits,
        }
        for name, limits in drawn.items()
    ]
    sections = [
        {"uuid": uuid, "name": name, "display": True, "isReordered": True, "deleted": False, "isGenerated": False}
        for uuid, name in ((section, "The sweep"), (curves, "Curves"))
    ]
    which = [f"tags.`{contents.PARENT}` = '{run_id}'", "attributes.status != 'FAILED'"]
    which += [f"tags.`{contents.PHASE}` = 'final'"] if compared else []
    which += [f"params.`target` = '{target}'"] if target else []
    state = {
        # Of a run that diverged, MLflow keeps the last finite loss, which may be the smallest of all.
        "searchFilter": " and ".join(which),
        "orderByKey": f"params.`{first}`" if first else shown[0],
        "orderByAsc": bool(first) or not maximize,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": [],
        "columnWidths": {},
        "runsHiddenMode": "SHOWALL",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "param", "groupByData": key} for key in settings],
        }
        if settings
        else None,
        "groupsExpanded": {},
        "runsExpanded": {},
        "runsPinned": [],
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "compareRunSections": sections,
        "compareRunCharts": charts,
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    key = hashlib.sha256(packed.encode()).hexdigest()
    when = _milliseconds(sweep.manifest.started)
    shared = {
        "name": contents.cut(f"{target}: {sweep.title}" if target else sweep.title, contents.NAME),
        "createdAt": when,
        "updatedAt": when,
        "state": f"deflate;{packed}",
    }
    value = json.dumps(shared)
    assert len(value) <= _LONGEST, "a view has a bounded number of columns and charts"
    return View(key, f"mlflow.sharedViewState.{key}", value)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _statistics(group: Group) -> dict[str, float]:
    low, high = group.quartiles
    found = {"median": group.median, "quartile 1": low, "quartile 3": high}
    if group.interval:
        found |= {"interval low": group.interval[0], "interval high": group.interval[1]}
    return found


def _table(outcomes: SweepOutcomes) -> str:
    """Return the ranking in Markdown."""
    ranked, each = outcomes.ranking, " on each target" * (len(outcomes.by_target) > 1)
    said = (
        f"Settings by their median {outcomes.which} {outcomes.metric} over seeds, best first{each}. The interval of "
        "the first is wider, because it was chosen for its median."
    )
    rows: list[Sequence[object]] = [
        ("settings", "runs", "median", "quartiles", f"{IN_PERCENT} interval", "diverged", "failed"),
    ]
    for group in ranked[:_ROWS]:
        middle, around = loss(group.median, group.lost_reason), map(loss_interval, (group.quartiles, group.interval))
        counts = group.count(Reason.DIVERGED), group.count(Reason.FAILED)
        rows.append((group.title, len(group.values), middle, *around, *counts))
    more = [f"{len(ranked) - _ROWS} more are in {RANKING}."] if len(ranked) > _ROWS else []
    return "\n\n".join([said, contents.table(rows), *more])


def _milliseconds(moment: str) -> int:
    return round(1000 * datetime.fromisoformat(moment).timestamp())
