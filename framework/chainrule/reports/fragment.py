"""What a notebook shows of a run, of a sweep and of a comparison: a piece of HTML that needs nothing else.

Its style is that of the reports, for this piece alone; text has the colour of the notebook, so that it can be read on a
light and on a dark ground.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.components.contracts import Array
from chainrule.errors import agreeing, counted
from chainrule.records.result import Result
from chainrule.records.settings import Settings, shown
from chainrule.records.sweep import FOLD, SEED
from chainrule.reports import comparison, curves, network, page, ranking, svg
from chainrule.reports.page import some

_ROWS, _DOTS, _LINES, _POINTS = 12, 60, 5, 120  # shown at most: settings, runs of each, lines, points of each
_PARTS = {"train": "training", "validation": "validation", "test": "test"}


def run(result: Result, links: Mapping[str, str]) -> str:
    """Return a run: its network, its curves, its scores, its settings.

    Args:
        result: the run.
        links: where to look, by title.
    """
    drawn, chart = network.drawing(_between_units(result), _layers(result)), _losses(result)
    return page.filled(
        "run.html.jinja",
        style=_style(),
        title=result.settings.title,
        end=f"{result.reason.words}; epochs: {result.epochs}",
        network=Markup(drawn),
        network_caption=network.CAPTION,
        chart=Markup(svg.chart(chart, "epochs", "loss", "losses over epochs")) if chart else "",
        legend=[line.name for line in chart],
        parts=[_PARTS[part] for part in _measured(result)],
        scores=_scores(result),
        settings=settings_in_words(result.settings),
        links=links,
    )


def document(piece: str, title: str) -> str:
    """Return a piece of HTML as a file of its own."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    style = "<style>:root { color-scheme: light dark; } body { margin: 1rem; }</style>"
    return f'<!doctype html><html lang="en"><head>{head}{style}</head><body>{piece}</body></html>\n'


def sweep(outcomes: SweepOutcomes, answer: str, links: Mapping[str, str]) -> str:
    """Return a sweep, with its ranking and curves; or a comparison, with its pairs and its profile.

    Args:
        outcomes: those of the runs that have ended.
        answer: what they say, in a sentence.
        links: where to look, by title.
    """
    record, found = outcomes.record, outcomes.comparison
    content: dict[str, Any] = {"rows": [], "figure": None}
    if found:
        content["pairs"] = list(comparison.pairs(found))
        if found.profiled:
            content["figure"] = {**comparison.profile(found), "legend": found.comparison.contenders}
    elif outcomes and not record.comparison:
        keys = [key for key in record.axes if key not in (SEED, FOLD)]
        content |= ranking.table(outcomes, keys, _ROWS, _DOTS)
        content["figure"] = _curves(outcomes)
    ended = f"{len(outcomes)} of {counted(record.planned, 'run')} {agreeing(record.planned, 'has', 'have')} ended"
    title = f"{record.title}, {ended}"
    return page.filled(
        "swept.html.jinja", style=_style(), title=title, answer=answer, compared=bool(found), links=links, **content
    )


@cache
def _style() -> Markup:
    """Return the style sheet, each of its selectors within the piece."""

    def scoped(match: re.Match[str]) -> str:
        return ", ".join(f".chainrule {selector.strip()}" for selector in match[1].split(",")) + " {"

    return Markup(re.sub(r"([^{}]+)\{", scoped, page.filled("fragment.css.jinja")))


def _between_units(result: Result) -> list[Array]:
    """Return one weight for each pair of units, ``(units, units before)``: of several pieces the largest in size."""
    found = []
    for weights, (before, units) in zip(result.weights, pairwise(result.shape.widths), strict=True):
        pieces = weights.reshape(-1, units, before)
        largest = np.abs(pieces).argmax(axis=0)
        found.append(np.take_along_axis(pieces, largest[None], axis=0)[0])
    return found


def _layers(result: Result) -> list[str]:
    """Return what each layer is, in words."""
    hidden = list(result.settings.by_key("activation").values())
    inner = result.shape.widths[1:-1]
    names = [each.name for each in (hidden * len(inner) if len(hidden) == 1 else hidden)][: len(inner)]
    kinds = ["inputs" if result.shape.widths[0] > 1 else "input", *names, result.settings.output.name]
    return [f"{width} {kind}" for width, kind in zip(result.shape.widths, kinds, strict=True)]


def _losses(result: Result) -> list[svg.Series]:
    epochs = result.curves.epochs.tolist()
    found = []
    for part, word in _PARTS.items():
        values = result.curves.values.get(f"{part}/loss")
        if values is not None and len(values) > 1:
            found.append(_thinned(svg.Series(word, list(zip(epochs, values.tolist(), strict=True)))))
    return found


def _measured(result: Result) -> list[str]:
    """Return the parts of the data that metrics are about; the data themselves are not asked for."""
    return [part for part in _PARTS if f"{part}/loss" in result.metrics]


def _scores(result: Result) -> dict[str, list[str]]:
    """Return the loss and the score of each part."""
    names = dict.fromkeys(name.partition("/")[2] for name in result.metrics if "/" in name)
    parts = _measured(result)
    return {
        {"r2": "R2"}.get(name, name): [
            f"{value:.5g}" if (value := result.metrics.get(f"{part}/{name}")) is not None else "" for part in parts
        ]
        for name in names
    }


def settings_in_words(settings: Settings) -> dict[str, str]:
    """Return the settings by group: the name of a component with its parameters, or the values of a section."""
    found = {}
    for group, value in settings.to_config().items():
        if not isinstance(value, dict):
            found[group] = shown(value)
            continue
        layers = [each for each in value.values() if isinstance(each, dict)]
        found[group] = "; ".join(map(_worded, layers)) if layers else _worded(value)
    return found


def _worded(values: Mapping[str, Any]) -> str:
    fields = ", ".join(f"{name}={shown(value)}" for name, value in values.items() if name != "name")
    if "name" not in values:
        return fields
    return f"{values['name']} ({fields})" if fields else str(values["name"])


def _curves(outcomes: SweepOutcomes) -> dict[str, Any] | None:
    if len(outcomes.by_target) > 1:  # curves on one axis would be compared
        return None
    name = outcomes.metric
    lines = [_thinned(line) for line in curves.lines(curves.read(outcomes, _LINES), name)]
    if not any(len(line.middle) > 1 for line in lines):
        return None
    drawn = svg.chart(lines, "epochs", name, f"{name} over epochs")
    return {"svg": Markup(drawn), "caption": curves.caption(lines, name), "legend": [line.name for line in lines]}


def _thinned(line: svg.Series) -> svg.Series:
    """Return a line with fewer points, the last one included."""

    def few(points: Sequence[svg.Point]) -> list[svg.Point]:
        return [*some(points[:-1], _POINTS), *points[-1:]]

    return replace(line, middle=few(line.middle), low=few(line.low), high=few(line.high))
