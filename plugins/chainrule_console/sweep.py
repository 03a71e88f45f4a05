"""The progress and the result of a sweep, as lines of text."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from chainrule.analysis.comparison import ComparisonResult, scored, tuned_words
from chainrule.analysis.confidence import IN_PERCENT
from chainrule.analysis.effects import Effect
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.ranking import Group
from chainrule.analysis.wording import digits, loss, loss_interval, p_value, percent
from chainrule.engine.reason import Reason
from chainrule.errors import counted
from chainrule.records.sweep import Sweep
from chainrule.registry.watching import SweepProgress
from chainrule_console.summary import labelled
from chainrule_console.words import clock_face, number

_SETTINGS, _FAILURES = 20, 5  # rows of the ranking, and different errors, that are shown
_BESTS = 10  # targets whose best run is named
_PAIRS = 3  # most pairs of contenders that get a sentence each


def status(progress: SweepProgress, seconds: float) -> str:
    """Return where a sweep stands, in one line.

    Args:
        progress: of the sweep.
        seconds: since it began.
    """
    if progress.checked:
        return f"{progress.checked} of {counted(progress.runs, 'run')} looked for in the records"
    parts = [f"{progress.done}/{counted(progress.runs, 'run')}"]
    parts += [f"{progress.running} training"] if progress.running else []
    parts += [f"{progress.failed} failed"] if progress.failed else []
    if progress.done > progress.earlier and seconds > 0:
        rate = (progress.done - progress.earlier) / seconds
        parts.append(f"{digits(rate, 3)} runs/s" if rate >= 1 else f"{digits(1 / rate, 3)} s/run")
    gained = progress.fraction - progress.earlier / max(progress.runs, 1)
    if gained > 0 and progress.fraction < 1:
        parts.append(f"{clock_face(seconds * (1 - progress.fraction) / gained)} left")
    if progress.best is not None:
        parts.append(f"best loss {number(progress.best)}")
    return ", ".join(parts)


def summary(sweep: Sweep, outcomes: SweepOutcomes) -> list[str]:
    """Return the result of a sweep: the ranking, what mattered, failures, and where to look."""
    if not outcomes:
        return []
    if sweep.comparison:
        return _comparison_summary(sweep, outcomes)
    ranked, seeds = outcomes.ranking, counted(len({outcome.seed for outcome in outcomes}), "seed")
    folds = {outcome.fold for outcome in outcomes} - {None}
    repetitions = f"{seeds}, {counted(len(folds), 'fold')}" if folds else seeds
    parts = outcomes.by_target
    shown = [group for part in parts.values() for group in part.ranking[: max(1, _SETTINGS // len(parts))]][:_SETTINGS]
    columns: list[list[str]] = [
        ["settings", *(group.title for group in shown)],
        ["runs", *(str(len(group.values)) for group in shown)],
    ]
    several = any(len(group.values) > 1 for group in ranked)
    columns.append(["median" if several else outcomes.metric.partition("/")[2], *map(_median, shown)])
    if several:
        columns.append(["quartiles", *(_pair(group.quartiles) for group in shown)])
        columns.append([f"{IN_PERCENT} interval", *(_pair(group.interval) for group in shown)])
    for reason in (Reason.PRUNED, Reason.DIVERGED, Reason.FAILED):
        counts = [group.count(reason) for group in shown]
        if any(counts):
            columns.append([reason, *(str(amount or "") for amount in counts)])
    lines = [
        f"{counted(len(outcomes), 'run')}, {counted(len(ranked), 'setting')}, {repetitions}; "
        f"{outcomes.which} {outcomes.metric.replace('/', ' ')}, best first{' on each target' * (len(parts) > 1)}"
    ]
    lines += _table(columns, labels=1)
    if len(ranked) > len(shown):
        lines.append(f"  and {len(ranked) - len(shown)} more")
    if any(len(part.ranking) > 1 and part.ranking[0].interval for part in parts.values()):
        lines.append("  the interval of the first is wider, because it was chosen for its median")
    lines += [f"  {outcomes.caution}"] if outcomes.caution else []
    facts = [
        (f"what mattered on {name}" if name else "what mattered", ", ".join(map(_effect, part.effects[:5])))
        for name, part in list(parts.items())[:_BESTS]
        if len(part.effects) > 1
    ]
    return [*lines, *labelled([*facts, *_where_to_look(sweep, outcomes)])]


def _comparison_summary(sweep: Sweep, outcomes: SweepOutcomes) -> list[str]:
    """Return the result of a comparison: the answer, each pair, each contender on each target."""
    found = outcomes.comparison
    if not found:
        return labelled(_where_to_look(sweep, outcomes))
    entries = found.entries
    columns = [
        ["target", *(entry.target for entry in entries)],
        [found.comparison.group, *(entry.contender for entry in entries)],
        ["tuned", *map(tuned_words, entries)],
        ["median", *(_median(entry.runs) for entry in entries)],
        [f"{IN_PERCENT} interval", *(_pair(entry.interval) for entry in entries)],
        ["score", *map(scored, entries)],
    ]
    for reason in (Reason.DIVERGED, Reason.FAILED):
        counts = [entry.runs.count(reason) for entry in entries]
        if any(counts):
            columns.append([reason, *(str(amount or "") for amount in counts)])
    from chainrule.reports.comparison import changed_at_equal_time  # here, because pages are slow to import

    timed = [f"  {text}" for text in changed_at_equal_time(sweep)]
    rows = _table(columns, labels=3)
    return [found.answer, *_verdicts(found), *timed, *rows, *labelled(_where_to_look(sweep, outcomes))]


def _verdicts(found: ComparisonResult) -> list[str]:
    """Return what the data say about the pairs: a sentence for each, or a table if there are many."""
    if len(found.pairs) <= _PAIRS:
        return [f"  {found.verdict(pair)}" for pair in found.pairs if len(found.pairs) > 1]
    standings = found.standings
    columns = [
        [found.comparison.group, *(each.contender for each in standings)],
        ["better than", *(str(len(each.better_than)) for each in standings)],
        ["worse than", *(str(len(each.worse_than)) for each in standings)],
        ["runs won", *(percent(each.probability) for each in standings)],
    ]
    alike = ["not separated from", *(", ".join(each.level_with) or "-" for each in standings)]
    return [f"{line}  {names}" for line, names in zip(_table(columns, labels=1), alike, strict=True)]


def _best(outcomes: SweepOutcomes) -> Iterator[tuple[str, str]]:
    """Yield the best run and its command; of a comparison the best run on some targets."""
    from chainrule.reports import best  # here, because pages are slow to import

    found = list(best.of(outcomes))
    for each in found[:_BESTS]:
        where = f" on {each.target}" if each.target else ""
        yield f"best run{where}", f"{each.record.directory}: {each.value}"
        if not each.target:
            yield "to repeat it", each.command
    if len(found) > _BESTS:
        yield "", f"... and on {counted(len(found) - _BESTS, 'other target')}, see the report"


def _where_to_look(sweep: Sweep, outcomes: SweepOutcomes) -> list[tuple[str, str]]:
    """Return what failed, what changed on the way, and where records and reports are."""
    facts = [*_best(outcomes), *(("changed", sentence) for sentence in sweep.versions)]
    errors = Counter(outcome.error for outcome in outcomes if outcome.error)
    for error, amount in errors.most_common(_FAILURES):
        which = [f"{outcome.directory}" for outcome in outcomes if outcome.error == error]
        facts.append(("failed", f"{error} ({counted(amount, 'run')}: {', '.join(which[:3])}{', ...' * (amount > 3)})"))
    if len(errors) > _FAILURES:
        facts.append(("failed", f"and {counted(len(errors) - _FAILURES, 'other error')}"))
    facts.append(("records", f"{sweep.directory}{os.sep}"))
    return [*facts, *sweep.links.items()]


def _table(columns: Sequence[Sequence[str]], labels: int) -> list[str]:
    """Return aligned rows: the first ``labels`` columns to the left, the others to the right."""
    aligned = [_aligned(column, str.rjust if place >= labels else str.ljust) for place, column in enumerate(columns)]
    return ["  " + "  ".join(row).rstrip() for row in zip(*aligned, strict=True)]


def _effect(effect: Effect) -> str:
    return f"{effect.parameter} {percent(effect.share)}" + ("" if effect.p is None else f" ({p_value(effect.p)})")


def _median(group: Group) -> str:
    return loss(group.median, group.lost_reason)


def _pair(interval: tuple[float, float] | None) -> str:
    return loss_interval(interval) or "-"


def _aligned(column: Sequence[str], side: Callable[[str, int], str]) -> list[str]:
    width = max(map(len, column))
    return [side(cell, width) for cell in column]
