"""The page that ranks settings: of a sweep from its records, or of runs that a tracker keeps."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from markupsafe import Markup

from chainrule.analysis.confidence import IN_PERCENT
from chainrule.analysis.effects import Effect, Interaction
from chainrule.analysis.outcomes import Outcomes
from chainrule.analysis.ranking import Group, worst_of
from chainrule.analysis.wording import loss, loss_interval, p_number, p_value, percent
from chainrule.engine.reason import Reason
from chainrule.errors import counted
from chainrule.reports import page, svg
from chainrule.reports.page import DOTS, some

_ROWS, _CHARTS, _CELL = 200, 3, 60  # shown at most: settings, charts, letters of a value
_TARGETS = 5  # of which the best setting is said in the first sentences


def render(
    title: str,
    outcomes: Outcomes,
    facts: Mapping[str, str],
    *,
    keys: Sequence[str],
    planned: int,
    notes: Sequence[str] = (),
    curves: Sequence[Mapping[str, Any]] = (),
    bests: Sequence[Mapping[str, Any]] = (),
    why: Mapping[str, Any] | None = None,
) -> str:
    """Return the page as HTML.

    Args:
        title: of the page.
        outcomes: those of the runs that have ended.
        facts: the conditions of the runs, by title.
        keys: the parameters that vary, in the order of their columns.
        planned: how many runs there are in all.
        notes: sentences that the reader needs in order to trust the ranking.
        curves: figures that are drawn before those of the parameters.
        bests: the best run, see :func:`chainrule.reports.best.content`.
        why: what kept runs from learning, see :func:`chainrule.reports.why.section`; None if that is not known.
    """
    return page.render(
        "ranking.html.jinja",
        outcomes,
        facts,
        title=title,
        answer=answer(outcomes, planned),
        notes=notes,
        **table(outcomes, keys),
        mattered=[_mattered(name, part) for name, part in outcomes.by_target.items() if part.effects],
        has_curves=bool(curves),
        bests=bests,
        figures=[*curves, *_scatters(outcomes, keys)],
        why=why,
    )


def table(outcomes: Outcomes, keys: Sequence[str], rows: int = _ROWS, dots: int = DOTS) -> dict[str, Any]:
    """Return what ``ranking_table.html.jinja`` shows.

    Args:
        outcomes: those of the runs that have ended.
        keys: the parameters that vary, in the order of their columns.
        rows: how many settings are shown, at most.
        dots: how many runs of each, at most.
    """
    ranked = outcomes.ranking
    shown = [value for group in ranked[:rows] for value in group.values]
    scale = svg.Scale.over(shown, 6, 234)
    return {
        "metric": outcomes.metric,
        "kind": outcomes.which.capitalize(),
        "which": page.which(outcomes),
        "better": "larger" if outcomes.maximize else "smaller",
        "end": "left" if outcomes.maximize else "right",
        "keys": keys,
        "axis": Markup(svg.axis(scale)) if any(map(math.isfinite, shown)) else "",
        "rows": [_row(*row, keys, scale, dots) for row in zip(outcomes.ranks[:rows], ranked[:rows], strict=True)],
        "hidden": max(0, len(ranked) - rows),
        "lost": any(group.count(Reason.DIVERGED) + group.count(Reason.FAILED) for group in ranked),
    }


def answer(outcomes: Outcomes, planned: int) -> str:
    """Say which setting is best, and whether the data separate it from the next.

    Args:
        outcomes: those of the runs that have ended.
        planned: how many runs there are in all.
    """
    parts = outcomes.by_target
    if len(parts) > 1:
        each = [f"On {name}: {answer(part, len(part))}" for name, part in islice(parts.items(), _TARGETS)]
        more = f"{counted(len(parts) - _TARGETS, 'more target')} in the table below." if len(parts) > _TARGETS else ""
        return " ".join([outcomes.caution, *each, *([more] if more else [])])
    ranked = outcomes.ranking
    if not ranked:
        return f"None of {counted(planned, 'run')} has ended yet."
    caution = f"{outcomes.caution} " if outcomes.caution else ""
    return f"{caution}{_of_one_kind(outcomes)}"


def _of_one_kind(outcomes: Outcomes) -> str:
    """Say which setting is best of runs that can be compared."""
    ranked = outcomes.ranking
    best = ranked[0]
    if math.isinf(best.median):
        return f"No setting reached a finite {outcomes.metric} in at least half of its runs."
    are_seeds = all(outcome.seed is not None and outcome.fold is None for outcome in outcomes)
    repetitions = "seeds" if are_seeds else "runs"
    of = f" over {len(best.values)} {repetitions}" if len(best.values) > 1 else ""
    extreme = "largest" if outcomes.maximize else "smallest"
    first = f"The {extreme} median {outcomes.metric} is {loss(best.median)}{of}"
    if best.interval:
        counting = f", counting that it was chosen from {best.best_of}" if best.best_of > 1 else ""
        first += f" ({IN_PERCENT} interval {loss_interval(best.interval)}{counting})"
    first += f", with {best.title}." if best.settings else "."
    if len(ranked) < 2:
        return first
    second = ranked[1]
    if not best.interval or not second.interval:
        return (
            f"{first} With fewer than {best.enough} {repetitions} per setting there is no interval of the best of "
            f"{best.best_of} that separates it from the others."
        )
    if _is_separated(best.interval, second.interval, outcomes.maximize):
        where = "above" if outcomes.maximize else "below"
        return f"{first} Its interval lies {where} that of the next, {second.title}."
    alike = sum(
        other.interval is None or not _is_separated(best.interval, other.interval, outcomes.maximize)
        for other in ranked[1:]
    )
    more = f" and {alike - 1} more" if alike > 1 else ""
    return f"{first} The intervals do not separate it from {second.title}{more}: more {repetitions} may separate them."


def _is_separated(best: tuple[float, float], other: tuple[float, float], maximize: bool) -> bool:
    return best[0] > other[1] if maximize else best[1] < other[0]


def _row(rank: int, group: Group, keys: Sequence[str], scale: svg.Scale, dots: int) -> dict[str, Any]:
    strip = svg.strip(some(group.values, dots), scale, group.median, group.interval, len(group.values))
    return {
        "rank": rank,
        "settings": [_cell(group.settings.get(key, "")) for key in keys],
        "runs": len(group.values),
        "median": loss(group.median, group.lost_reason),
        "quartiles": loss_interval(group.quartiles),
        "interval": loss_interval(group.interval),
        "strip": Markup(strip),
        "diverged": group.count(Reason.DIVERGED),
        "failed": group.count(Reason.FAILED),
    }


def _cell(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _CELL else f"{text[: _CELL - 4]} ..."


def _mattered(name: str, part: Outcomes) -> dict[str, Any]:
    return {
        "where": f" on {name}" if name else "",
        "effects": [_effect(effect) for effect in part.effects],
        "interactions": [_interaction(each) for each in part.interactions],
        "units": sorted({effect.units for effect in part.effects}),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    levels = [f"{label}: {loss(middle)}" for label, middle, _ in effect.levels[:10]]
    return {
        "parameter": effect.parameter,
        "share": percent(effect.share),
        "width": round(120 * effect.share),
        "p": "" if effect.p is None else p_number(effect.p),
        "units": effect.units,
        "levels": ", ".join(levels) + (" ..." if len(effect.levels) > 10 else ""),
    }


def _interaction(interaction: Interaction) -> str:
    first, second = interaction.parameters
    share, p = percent(interaction.share), p_value(interaction.p)
    return f"The effect of {first} depends on {second}: both together explain {share} more ({p})."


def _scatters(outcomes: Outcomes, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Draw the metric of each run over each parameter that has at least three numbers, a figure for each target."""
    metric, worst, drawn = outcomes.metric, worst_of(outcomes.maximize), 0
    for (name, part), key in product(outcomes.by_target.items(), keys):
        numbers = [(o.settings.get(key), o.value(metric, worst)) for o in part]
        placed = [(float(x), y) for x, y in numbers if isinstance(x, int | float)]
        points = [(x, y) for x, y in placed if math.isfinite(y)]
        if len({x for x, _ in points}) >= 3 and drawn < _CHARTS:
            drawn += 1
            where = f" on {name}" if name else ""
            title, lost = f"{metric} over {key}{where}", len(placed) - len(points)
            chart = svg.chart([svg.Series(key, some(points))], key, metric, title, lines=False, dots=True, linear=False)
            caption = f"Each run's {metric}{where}, over {key}."
            caption += f" {lost} without a finite value are not drawn." * bool(lost)
            yield {"svg": Markup(chart), "caption": caption, "legend": []}
