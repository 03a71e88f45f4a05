"""The best run of a sweep, of several targets on each, as reports and the terminal name it."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from markupsafe import Markup

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.wording import digits
from chainrule.errors import RecordError, agreeing
from chainrule.records.manifest import is_declared
from chainrule.records.outcome import Outcome
from chainrule.records.run import Record, read_record
from chainrule.reports import svg

_MOST = 20  # targets of which it is shown
_PARTS = {"train/loss": "training", "validation/loss": "validation"}


@dataclass(frozen=True)
class Best:
    """A best run.

    Attributes:
        target: if there are several; else empty.
        name: what sets it apart in its sweep.
        outcome: what became of it.
        value: what it has, in words.
        record: its record.
    """

    target: str
    name: str
    outcome: Outcome
    value: str
    record: Record

    @property
    def command(self) -> str:
        """What trains it again: a command, or in Python where a program has declared classes that it uses."""
        known = self.record.manifest
        classes = [key.rpartition(":")[2] for key, each in known.plugins.items() if is_declared(key, each.version)]
        if not classes:
            return shlex.join(["chainrule", *known.overrides])
        words, are = ", ".join(map(repr, known.overrides)), agreeing(len(classes), "is", "are")
        return f"chainrule.run({words}) in Python, where {' and '.join(classes)} {are} declared"


def of(outcomes: SweepOutcomes) -> Iterator[Best]:
    """Yield the best run, of several targets on each; one whose record is gone is left out."""
    for target, outcome in outcomes.best_by_target.items():
        try:
            record = read_record(outcomes.record.directory / outcome.directory)
        except RecordError:
            continue
        value = f"{outcomes.which} {outcomes.metric} {digits(outcome.value(outcomes.metric), 6)}"
        apart = outcomes.record.member(outcome.number).settings
        name = ", ".join(f"{key}={value}" for key, value in apart.items()) or record.manifest.title
        yield Best(target, name, outcome, value, record)


def content(outcomes: SweepOutcomes) -> Iterator[dict[str, Any]]:
    """Yield what ``best.html.jinja`` shows of each, with its losses over epochs."""
    for best in islice(of(outcomes), _MOST):
        lines = list(_losses(best.record))
        yield {
            "where": f" on {best.target}" if best.target else "",
            "name": best.name,
            "value": best.value,
            "directory": best.outcome.directory,
            "command": best.command,
            "svg": Markup(svg.chart(lines, "epochs", "loss", "losses over epochs")) if lines else "",
            "legend": [line.name for line in lines],
        }


def _losses(record: Record) -> Iterator[svg.Series]:
    try:
        curves = record.curves()
    except RecordError:
        return
    for name, word in _PARTS.items():
        if name in curves.values and len(curves.epochs) > 1:
            yield svg.Series(word, [(float(epoch), value) for epoch, value in curves.thinned(name, 120)])
