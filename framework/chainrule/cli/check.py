"""``chainrule check``: the checks of components, without pytest."""

import json
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from chainrule.cli.common import parse, parser
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.registry.kinds import KINDS
from chainrule.registry.registry import installed
from chainrule.testing import kit
from chainrule.testing.findings import CheckOutcome, Report
from chainrule.testing.subjects import Subject
from chainrule.testing.words import parse_components


def main(arguments: Sequence[str]) -> None:
    """Check the named components, or all installed ones, and print what was found.

    Args:
        arguments: names of distributions, ``KIND=NAME`` (followed by ``KIND.PARAMETER=VALUE`` for a parameter without
            default), ``--json``.

    Raises:
        ChainruleError: something named does not exist, or a check failed.
    """
    command = parser("check", "Check that components keep their contracts.")
    command.add_argument(
        "what", nargs="*", metavar="KIND=NAME | DISTRIBUTION", help="what to check (default: everything installed)"
    )
    command.add_argument("--json", action="store_true", help="print all results as JSON")
    given = parse(command, arguments)
    subjects = list(_subjects(given.what))  # a list, so that a wrong word is reported before any check
    reports = []
    for subject in subjects:
        reason = "" if given.what else _unavailable(subject)
        if reason:
            print(f"{subject}: not checked, {reason}", file=sys.stderr)
            continue
        reports.append(kit.report(subject, {}))
        if not given.json:
            print(_text(reports[-1]), flush=True)
    if given.json:
        print(json.dumps([report.as_json() for report in reports], indent=1))
    failed = sum(len(report.failures) for report in reports)
    failed += 0 if given.what else len(installed().reports)
    if failed:
        raise ChainruleError(f"{failed} {'check' if failed == 1 else 'checks'} failed.")


def _subjects(words: Sequence[str]) -> Iterator[Subject]:
    registry = installed()
    for report in registry.reports:
        print(f"chainrule: {report}.", file=sys.stderr)
    if not words:
        for kind in KINDS:
            for name in registry.names(kind):
                yield Subject(registry.find(kind, name))
    for distribution in (word for word in words if "=" not in word):
        yield from kit.subjects_of(distribution, {})
    for component, values in parse_components([word for word in words if "=" in word]):
        kind, _, name = component.partition("=")
        if kind not in KINDS:
            raise ChainruleError(f"{component}: {kind!r} is not a kind; choose from {', '.join(KINDS)}.")
        yield Subject(registry.find(kind, name), [values] if values else ())


def _unavailable(subject: Subject) -> str:
    """Return why a target has no data with its defaults, for example because it needs a file; else an empty text."""
    if subject.kind == "target":
        try:
            for target in subject.defaults:
                target.data(np.random.default_rng(0), target.samples)
        except ConfigurationError as error:
            return str(error)
    return ""


def _text(report: Report) -> str:
    """Return a line for the component, and a sentence for each failure."""
    counts = {outcome: len(report.having(outcome)) for outcome in CheckOutcome}
    line = f"{report.component}: {counts[CheckOutcome.PASSED]} passed"
    if counts[CheckOutcome.NOT_APPLICABLE]:
        line += f", {counts[CheckOutcome.NOT_APPLICABLE]} not applicable"
    if counts[CheckOutcome.FAILED]:
        line += f", {counts[CheckOutcome.FAILED]} failed"
    return "\n".join([line, *(f"  {failure.check}: {failure.message}" for failure in report.failures)])
