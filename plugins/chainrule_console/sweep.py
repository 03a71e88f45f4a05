"""A sweep while it goes on, and what came of it, as lines of text."""

import os
from collections import Counter
from collections.abc import Callable, Sequence

from chainrule.analysis.comparison import ComparisonResult, scored, tuned_words
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.ranking import CONFIDENCE, Group
from chainrule.analysis.wording import loss, loss_interval, percent
from chainrule.engine.reason import Reason
from chainrule.records.sweep import Sweep
from chainrule.registry.watching import SweepProgress
from chainrule_console.summary import labelled
from chainrule_console.words import clock_face, count, number

_SETTINGS, _FAILURES = 20, 5  # shown of the ranking, and of different errors
_PAIRS = 3  # of contenders, told one by one


def status(progress: SweepProgress, seconds: float) -> str:
    """Return where a sweep stands, in one line.

    Args:
        progress: of the sweep.
        seconds: since it began.
    """
    parts = [f"{progress.done}/{progress.runs} runs"]
    parts += [f"{progress.running} training"] if progress.running else []
    parts += [f"{progress.failed} failed"] if progress.failed else []
    if progress.done > progress.earlier and seconds > 0:
        rate = (progress.done - progress.earlier) / seconds
        parts.append(f"{rate:.3g} runs/s" if rate >= 1 else f"{1 / rate:.3g} s/run")
    gained = progress.fraction - progress.earlier / max(progress.runs, 1)
    if gained > 0 and progress.fraction < 1:
        parts.append(f"{clock_face(seconds * (1 - progress.fraction) / gained)} left")
    if progress.best is not None:
        parts.append(f"best loss {number(progress.best)}")
    return ", ".join(parts)


def summary(sweep: Sweep, outcomes: SweepOutcomes) -> list[str]:
    """Return what came of a sweep: the ranking, what mattered, failures, and where to look."""
    if not outcomes:
        return []
    if sweep.comparison:
        return _compared(sweep, outcomes)
    ranked, seeds = outcomes.ranking, len({outcome.seed for outcome in outcomes})
    titles = [group.title for group in ranked[:_SETTINGS]]
    columns: list[list[str]] = [["settings", *titles], ["runs", *(str(len(g.values)) for g in ranked[:_SETTINGS])]]
    several = any(len(group.values) > 1 for group in ranked)
    columns.append(["median" if several else "loss", *(_median(group) for group in ranked[:_SETTINGS])])
    if several:
        columns.append(["quartiles", *(_pair(group.quartiles) for group in ranked[:_SETTINGS])])
        columns.append([f"{CONFIDENCE:.0%} interval", *(_pair(group.interval) for group in ranked[:_SETTINGS])])
    for reason in (Reason.PRUNED, Reason.DIVERGED, Reason.FAILED):
        counts = [group.count(reason) for group in ranked[:_SETTINGS]]
        if any(counts):
            columns.append([reason, *(str(amount or "") for amount in counts)])
    lines = [
        f"{count(len(outcomes), 'run')}, {count(len(ranked), 'setting')}, {count(seeds, 'seed')}; "
        f"{outcomes.metric.replace('/', ' ')}, best first"
    ]
    lines += _table(columns, labels=1)
    if len(ranked) > _SETTINGS:
        lines.append(f"  and {len(ranked) - _SETTINGS} more")
    found = outcomes.effects
    facts = [("what mattered", ", ".join(f"{e.parameter} {e.share:.0%}" for e in found[:5]))] if len(found) > 1 else []
    return [*lines, *labelled([*facts, *_ends(sweep, outcomes)])]


def _compared(sweep: Sweep, outcomes: SweepOutcomes) -> list[str]:
    """Return what came of a comparison: the answer, each pair, each contender on each target."""
    found = outcomes.comparison
    if not found:
        return labelled(_ends(sweep, outcomes))
    entries = found.entries
    columns = [
        ["target", *(entry.target for entry in entries)],
        [found.comparison.group, *(entry.contender for entry in entries)],
        ["tuned", *map(tuned_words, entries)],
        ["median", *(_median(entry.runs) for entry in entries)],
        [f"{CONFIDENCE:.0%} interval", *(_pair(entry.runs.interval) for entry in entries)],
        ["score", *map(scored, entries)],
    ]
    for reason in (Reason.DIVERGED, Reason.FAILED):
        counts = [entry.runs.count(reason) for entry in entries]
        if any(counts):
            columns.append([reason, *(str(amount or "") for amount in counts)])
    return [found.answer, *_verdicts(found), *_table(columns, labels=3), *labelled(_ends(sweep, outcomes))]


def _verdicts(found: ComparisonResult) -> list[str]:
    """Return what the data say about the pairs: a sentence each, or a table where that would be a long list."""
    if len(found.pairs) <= _PAIRS:
        return [f"  {found.verdict(pair)}" for pair in found.pairs if len(found.pairs) > 1]
    standings = found.standings
    columns = [
        [found.comparison.group, *(each.contender for each in standings)],
        ["better than", *(str(len(each.better_than)) for each in standings)],
        ["worse than", *(str(len(each.worse_than)) for each in standings)],
        ["pairs of runs won", *(percent(each.probability) for each in standings)],
    ]
    level = ["not separated from", *(", ".join(each.level_with) or "-" for each in standings)]
    return [f"{line}  {names}" for line, names in zip(_table(columns, labels=1), level, strict=True)]


def _ends(sweep: Sweep, outcomes: SweepOutcomes) -> list[tuple[str, str]]:
    """Return what failed, and where to look."""
    facts = []
    errors = Counter(outcome.error for outcome in outcomes if outcome.error)
    for error, amount in errors.most_common(_FAILURES):
        which = [f"{outcome.directory}" for outcome in outcomes if outcome.error == error]
        facts.append(("failed", f"{error} ({count(amount, 'run')}: {', '.join(which[:3])}{', ...' * (amount > 3)})"))
    if len(errors) > _FAILURES:
        facts.append(("failed", f"and {len(errors) - _FAILURES} other errors"))
    facts.append(("records", f"{sweep.directory}{os.sep}"))
    return [*facts, *sweep.links.items()]


def _table(columns: Sequence[Sequence[str]], labels: int) -> list[str]:
    """Return rows with the columns below each other, the first of them to the left and the others to the right."""
    aligned = [_aligned(column, str.rjust if place >= labels else str.ljust) for place, column in enumerate(columns)]
    return ["  " + "  ".join(row).rstrip() for row in zip(*aligned, strict=True)]


def _median(group: Group) -> str:
    return loss(group.median, group.lost_reason)


def _pair(interval: tuple[float, float] | None) -> str:
    return loss_interval(interval) or "-"


def _aligned(column: Sequence[str], side: Callable[[str, int], str]) -> list[str]:
    width = max(map(len, column))
    return [side(cell, width) for cell in column]
