"""``chainrule check``: the checks of components, without pytest."""

import json
import sys
from collections.abc import Sequence

import numpy as np

from chainrule.cli.common import parse, parser
from chainrule.errors import ChainruleError, ConfigurationError, counted
from chainrule.registry.kinds import KINDS
from chainrule.registry.loaded import installed
from chainrule.testing import kit, traceable
from chainrule.testing.findings import CheckOutcome, Report
from chainrule.testing.subjects import Subject
from chainrule.testing.words import lines_of_project, parse_components, parse_examples, parse_expected


def main(arguments: Sequence[str]) -> None:
    """Check the named components, or all installed ones, and print what was found.

    Args:
        arguments: names of distributions, ``KIND=NAME`` (followed by ``KIND.PARAMETER=VALUE`` for a parameter without
            default), ``--expect``, ``--json``.

    Raises:
        ChainruleError: something named does not exist, or a check failed.
    """
    command = parser("check", "Check that components keep their contracts.")
    command.add_argument(
        "what", nargs="*", metavar="KIND=NAME | DISTRIBUTION", help="what to check (default: everything installed)"
    )
    command.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="'KIND=NAME CHECK: REASON'",
        help="a check that is expected to fail, and why; may be given several times",
    )
    command.add_argument("--json", action="store_true", help="print all results as JSON")
    given = parse(command, arguments)
    subjects, expected, broken = _subjects(given.what)
    expected |= parse_expected(given.expect, "--expect is")
    reports = []
    for subject, reasons in kit.with_reasons(subjects, expected):  # a wrong word is reported before any check
        reason = "" if given.what else _unavailable(subject)
        if reason:
            print(f"{subject}: not checked, {reason}", file=sys.stderr)
            continue
        reports.append(kit.report(subject, reasons))
        if not given.json:
            print(_text(reports[-1]), flush=True)
    if given.json:
        print(json.dumps([report.as_json() for report in reports], indent=1))
    failed = sum(len(report.failures) for report in reports)
    failed += broken if given.what else len(installed().reports)
    if failed:
        raise ChainruleError(f"{counted(failed, 'check')} failed.")


def _subjects(words: Sequence[str]) -> tuple[list[Subject], dict[str, dict[str, str]], int]:
    """Return what the words name, the failures that projects expect, and how much of distributions is broken."""
    registry = installed()
    for report in registry.reports:
        print(f"chainrule: {report}.", file=sys.stderr)
    subjects: list[Subject] = []
    expected: dict[str, dict[str, str]] = {}
    found_broken = 0
    if not words:
        subjects = [Subject(registry.find(kind, name)) for kind in KINDS for name in registry.names(kind)]
    for distribution in (word for word in words if "=" not in word):
        examples = parse_examples(lines_of_project(distribution, "chainrule_examples"))
        expected |= parse_expected(lines_of_project(distribution, "chainrule_expected_failures"))
        usable, broken = kit.offered(distribution, examples)
        for sentence in broken:
            print(f"{distribution}: {sentence}", file=sys.stderr)
        subjects += usable
        found_broken += len(broken)
        if broken:  # what is broken may be what they are about
            names = {str(subject) for subject in usable}
            expected = {name: reasons for name, reasons in expected.items() if name in names}
    for component, values in parse_components([word for word in words if "=" in word]):
        kind, _, name = component.partition("=")
        if kind not in KINDS:
            raise ChainruleError(f"{component}: {kind!r} is not a kind; choose from {', '.join(KINDS)}.")
        subjects.append(Subject(registry.find(kind, name), [values] if values else ()))
    return subjects, expected, found_broken


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
    """Return a line for the component, and each sentence about failures once."""
    counts = {outcome: len(report.having(outcome)) for outcome in CheckOutcome}
    line = f"{report.component}: {counts[CheckOutcome.PASSED]} passed"
    if counts[CheckOutcome.NOT_APPLICABLE]:
        line += f", {counts[CheckOutcome.NOT_APPLICABLE]} not applicable"
    if counts[CheckOutcome.EXPECTED]:
        line += f", {counts[CheckOutcome.EXPECTED]} expected to fail"
    if counts[CheckOutcome.FAILED]:
        line += f", {counts[CheckOutcome.FAILED]} failed"
    advice = [result.message for result in report.results if result.check == traceable.CHECK.name and result.message]
    said: dict[str, list[str]] = {}
    for failure in report.failures:
        said.setdefault(failure.message, []).append(failure.check)
    told = [f"  {', '.join(checks)}: {message}" for message, checks in said.items()]
    return "\n".join([line, *told, *(f"  advice, NumPy trains it: {sentence}." for sentence in advice)])
