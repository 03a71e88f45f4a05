"""What all reports share: each is one self-contained HTML file."""

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from chainrule.analysis.confidence import IN_PERCENT
from chainrule.analysis.outcomes import Outcomes
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.records.sweep import Sweep

DOTS = 2000  # shown at most


def render(template: str, outcomes: Sequence[Outcome], facts: Mapping[str, str], **content: Any) -> str:
    """Render a template as HTML, with failures and conditions.

    Args:
        template: name of its file.
        outcomes: of the runs that have ended.
        facts: the conditions of the runs, by title.
        content: ``title``, ``answer``, other variables of the template; ``failures`` replaces the usual, and ``why`` is
            what kept runs from learning, if that is known.
    """
    shared = {"failures": failures(outcomes), "facts": facts, "why": None}
    return filled(template, **{**shared, **content})


def filled(template: str, **content: Any) -> str:
    """Return a template as HTML; what it is given is escaped.

    Args:
        template: name of its file.
        content: its variables.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template).render({"confidence": IN_PERCENT, **content})


def failures(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the reasons why runs have no finite loss, the most frequent first, each with its runs."""
    why: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.reason == Reason.FAILED:
            why[outcome.error].append(outcome)
        elif outcome.reason == Reason.DIVERGED:
            why[f"{outcome.error or outcome.reason.words}, with {outcome.title}"].append(outcome)
    found = sorted(why.items(), key=lambda item: -len(item[1]))
    return [
        {
            "runs": len(which),
            "why": reason,
            "which": ", ".join(outcome.directory for outcome in which[:8]) + (" ..." if len(which) > 8 else ""),
        }
        for reason, which in found[:50]
    ]


def which(outcomes: Outcomes) -> str:
    """Say which value of the metric is meant: of the last epoch, of the best, or what a tracker has."""
    sentences = {
        "final": "Final: after the last epoch of a run.",
        "restored": "Restored: at the best epoch of a run, with whose parameters it ends (training.restore_best).",
        "last logged": "Of each run the last value that was logged counts.",
    }
    return " ".join(sentence for word, sentence in sentences.items() if word in outcomes.which)


def facts(sweep: Sweep, outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return the conditions of a sweep: the command, when, where, with what."""
    manifest = sweep.manifest
    facts = {
        "command": shlex.join(["chainrule", *manifest.arguments]),
        "runs": f"{len(outcomes)} of {sweep.runs} ended",
        "began": manifest.started[:19].replace("T", " ") + " UTC",
    }
    if manifest.finished:
        began, ended = map(datetime.fromisoformat, (manifest.started, manifest.finished))
        facts["took"] = f"{(ended - began).total_seconds():.1f} s"
    facts["directory"] = str(sweep.directory)
    if sweep.versions:
        facts["changed"] = "; ".join(sweep.versions)
    facts |= {name.replace("_", " "): str(value) for name, value in manifest.environment.items()}
    return facts


def some(values: Sequence[Any], most: int = DOTS) -> Sequence[Any]:
    """Return some of many values, evenly spaced, so that the file stays small."""
    return values if len(values) <= most else values[:: -(-len(values) // most)]
