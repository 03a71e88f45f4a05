"""The table of checks, and how they are run."""

import importlib.metadata
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.components import contracts
from chainrule.components.contracts import Component
from chainrule.engine.trainer import blas
from chainrule.errors import PluginError, agreeing, counted, nearest, text_of
from chainrule.registry.loaded import found
from chainrule.registry.preferences import canonical
from chainrule.registry.registry import Status
from chainrule.testing import (
    activations,
    general,
    initializers,
    instruments,
    losses,
    optimizers,
    rules,
    samplings,
    schedules,
    targets,
    traceable,
    trackers,
    transforms,
)
from chainrule.testing.findings import CheckOutcome, CheckResult, FindingError, Report
from chainrule.testing.subjects import Subject
from chainrule.testing.table import Check

Examples = Mapping[str, Sequence[Mapping[str, Any]]]
Expected = Mapping[str, Mapping[str, str]]

COMPLETE = "complete"
_OWN: dict[str, tuple[Check, ...]] = {
    "activation": activations.CHECKS,
    "loss": losses.CHECKS,
    "optimizer": optimizers.CHECKS,
    "transform": transforms.CHECKS,
    "target": targets.CHECKS,
    "initializer": initializers.CHECKS,
    "rule": rules.CHECKS,
    "tracker": trackers.CHECKS,
    "schedule": schedules.CHECKS,
    "sampling": samplings.CHECKS,
    "instrument": instruments.CHECKS,
}
# What finds faults that show in many checks, in each as something else.
_CAUSES: dict[str, Callable[[Subject], None]] = {
    "activation": activations.cause,
    "loss": losses.cause,
    "optimizer": optimizers.cause,
    "rule": rules.cause,
}
# How many checks must be run for a component of each kind. The numbers are written down, not counted, so that a lost
# check is noticed.
REQUIRED: dict[str, int] = {
    "activation": 15,
    "loss": 15,
    "optimizer": 18,
    "transform": 18,
    "target": 10,
    "initializer": 9,
    "rule": 9,
    "tracker": 8,
    "schedule": 14,
    "sampling": 11,
    "instrument": 10,
}


def checks_of(kind: str) -> tuple[Check, ...]:
    """Return the checks of a kind, the general ones first; the very first is the one that all others need."""
    advice = (traceable.CHECK,) if kind in traceable.KINDS else ()
    return (*general.CHECKS, *_OWN.get(kind, ()), *advice)


def described() -> dict[str, dict[str, str]]:
    """Return what each check demands in a sentence, by kind and name of the check."""
    return {kind: {check.name: check.sentence for check in checks_of(kind)} for kind in _OWN}


def check(
    component_class: type[Component],
    *,
    examples: Sequence[Mapping[str, Any]] = (),
    expected: Mapping[str, str] | None = None,
) -> Report:
    """Run every check of a component's kind.

    Args:
        component_class: the component.
        examples: values of parameters, one mapping for each instance to be checked; needed where a parameter has no
            default.
        expected: names of checks that are expected to fail, each with the reason.

    Raises:
        PluginError: the class belongs to no kind, or ``expected`` names an unknown check or gives no reason.
    """
    return report(Subject(component_class, examples), expected or {})


def check_distribution(
    distribution: str, *, examples: Examples | None = None, expected: Expected | None = None
) -> list[Report]:
    """Run every check of everything that an installed distribution registers.

    Args:
        distribution: its name, e.g. ``chainrule-mine``.
        examples: as for :func:`check`, by component, e.g. ``target=table``.
        expected: as for :func:`check`, by component.

    Raises:
        PluginError: it is not installed, registers nothing, or one of its plugins is broken.
    """
    return [report(subject, reasons) for subject, reasons in select(distribution, examples or {}, expected or {})]


def select(distribution: str, examples: Examples, expected: Expected) -> list[tuple[Subject, Mapping[str, str]]]:
    """Return everything that an installed distribution registers, and why checks of each are expected to fail.

    Raises:
        PluginError: as :func:`check_distribution`, or ``expected`` is wrong.
    """
    return with_reasons(subjects_of(distribution, examples), expected)


def with_reasons(subjects: Sequence[Subject], expected: Expected) -> list[tuple[Subject, Mapping[str, str]]]:
    """Return subjects, each with the checks that are expected to fail and why.

    Raises:
        PluginError: ``expected`` names something else, or gives no reason.
    """
    pairs = [(subject, expected.get(str(subject), {})) for subject in subjects]
    _require_known("An expected failure", expected, [str(subject) for subject, _ in pairs])
    for subject, reasons in pairs:
        _require_reasons(subject, reasons)
    return pairs


def subjects_of(distribution: str, examples: Examples) -> list[Subject]:
    """Return everything that an installed distribution registers; raises as :func:`check_distribution`.

    In its place can be a plugin file, such as ``plugins/mine.py``.
    """
    subjects, broken = offered(distribution, examples)
    if broken:
        raise PluginError(broken[0])
    return subjects


def offered(distribution: str, examples: Examples) -> tuple[list[Subject], list[str]]:
    """Return what an installed distribution registers, and a sentence for each plugin and component that is broken.

    In its place can be a plugin file, such as ``plugins/mine.py``.

    Raises:
        PluginError: it is not installed or registers nothing, or an example names what it does not register.
    """
    own = [p for p in found().plugins if canonical(p.provider.distribution) == canonical(distribution)]
    if not own:
        _require_installed(distribution)
    broken = [f"{plugin}." for plugin in own if plugin.status is not Status.OK]
    offers = [offer for plugin in own if plugin.status is Status.OK for offer in plugin.offers]
    broken += [
        f"{offer.kind}={offer.component.name} cannot be used: {offer.reason}."
        for offer in offers
        if offer.status is not Status.OK
    ]
    subjects = [Subject(offer.component) for offer in offers if offer.status is Status.OK]
    if not subjects and not broken:
        raise PluginError(
            f"The distribution {distribution} registers no component"
            + ("." if own else "; name its modules in [project.entry-points.chainrule] and install it again.")
        )
    if not broken:
        _require_known("An example", examples, [str(subject) for subject in subjects])
    return [Subject(subject.cls, examples.get(str(subject), ())) for subject in subjects], broken


def _require_installed(distribution: str) -> None:
    try:
        importlib.metadata.distribution(distribution)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        known = {plugin.provider.distribution for plugin in found().plugins}
        if distribution.endswith(".py"):
            raise PluginError(_no_plugin(distribution, known)) from None
        raise PluginError(
            f"The distribution {distribution} is not installed{nearest(distribution, known)}; `pip install -e .` in "
            "its folder makes it known."
        ) from None


def _no_plugin(file: str, known: Collection[str]) -> str:
    """Say why a file cannot be checked, which is none of the known plugins."""
    if not Path(file).is_file():
        return f"There is no file {file}{nearest(file, known)}."
    return (
        f"{file} is no plugin: that is a file of the folder plugins in the working directory, with a folder conf "
        "beside it, which imports chainrule and whose name does not begin with _ or test_."
    )


def report(subject: Subject, expected: Mapping[str, str]) -> Report:
    """Run every check of a subject; raises PluginError as :func:`check`."""
    _require_reasons(subject, expected)
    first, *others = checks_of(subject.kind)
    results = [perform(subject, first, expected.get(first.name))]
    if results[0].outcome is not CheckOutcome.PASSED:
        message = f"Nothing else of {subject} was checked, because it cannot be registered."
        return Report(str(subject), (*results, CheckResult(str(subject), COMPLETE, CheckOutcome.FAILED, message)))
    results += [perform(subject, check, expected.get(check.name)) for check in others]
    return Report(str(subject), (*results, completeness(subject)))


def perform(subject: Subject, check: Check, reason: str | None = None) -> CheckResult:
    """Run one check of a subject.

    Args:
        subject: what is checked.
        check: the demand.
        reason: why it is expected to fail, if it is.
    """
    message, figures = "", {}
    with np.errstate(all="ignore"):  # as in training
        inapplicable = why_not(subject, check)
        if inapplicable:
            if reason:
                return CheckResult(
                    str(subject), check.name, CheckOutcome.FAILED, f"It is expected to fail, but {inapplicable}."
                )
            return CheckResult(str(subject), check.name, CheckOutcome.NOT_APPLICABLE, inapplicable)
        try:
            with blas().limit(limits=1):  # as in training
                found = check.function(subject) or {}
            figures = {name: float(value) for name, value in found.items()}
            outcome = CheckOutcome.PASSED
        except FindingError as finding:
            message, figures, outcome = str(finding), finding.figures, CheckOutcome.FAILED
        except Exception as error:
            message, outcome = _raised(subject, error), CheckOutcome.FAILED
        if outcome is CheckOutcome.FAILED and check not in general.CHECKS:
            message = _cause(subject) or message
    if reason and outcome is CheckOutcome.FAILED:
        message, outcome = f"{reason}: {message}", CheckOutcome.EXPECTED
    elif reason:
        message, outcome = (
            f"It passes, but is expected to fail ({reason}); remove the expectation.",
            CheckOutcome.FAILED,
        )
    return CheckResult(str(subject), check.name, outcome, message, figures)


def _cause(subject: Subject) -> str:
    """Return the fault that a component has in whatever it does, in a sentence; an empty text if it has none."""
    find = _CAUSES.get(subject.kind)
    if find and subject.cause is None:
        subject.cause = ""
        try:
            find(subject)
        except FindingError as finding:
            subject.cause = str(finding)
        except Exception:  # which the check itself has told
            subject.cause = ""
    return subject.cause or ""


def why_not(subject: Subject, check: Check) -> str:
    """Return why a check does not apply, or an empty text; if the question raises an error, the check applies."""
    try:
        with np.errstate(all="ignore"):  # as in training
            return check.unless(subject)
    except Exception:
        return ""


def completeness(subject: Subject) -> CheckResult:
    """Return whether as many checks apply to a component as its kind requires."""
    ran = sum(not why_not(subject, check) for check in checks_of(subject.kind) if check is not traceable.CHECK)
    required = REQUIRED.get(subject.kind)
    figures = {"ran": float(ran), "required": float(required or 0)}
    message = ""
    if required is None:
        message = f"There are no checks of the kind {subject.kind}, so {subject} counts as unchecked."
    elif ran < required:
        message = (
            f"{counted(ran, 'check')} of {subject} {agreeing(ran, 'was', 'were')} run, but {subject.kind} requires "
            f"{required}; the others did not apply."
        )
    return CheckResult(
        str(subject), COMPLETE, CheckOutcome.FAILED if message else CheckOutcome.PASSED, message, figures
    )


def _require_known(what: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse names of components that are not among those checked."""
    for name in given:
        if name not in known:
            raise PluginError(f"{what} names {name}, which is not registered{nearest(name, known)}.")


def _require_reasons(subject: Subject, expected: Mapping[str, str]) -> None:
    """Refuse expected failures of unknown checks, and those without a reason."""
    names = [check.name for check in checks_of(subject.kind)]
    for name, reason in expected.items():
        if name not in names:
            raise PluginError(
                f"{subject}: there is no check {name}{nearest(name, names)}; choose from {', '.join(names)}."
            )
        if not reason.strip():
            raise PluginError(f"{subject}: give the reason why {name} is expected to fail.")


def _raised(subject: Subject, error: Exception) -> str:
    """Return a sentence that says what a component raised, and where in its own modules."""
    homes = {cls.__module__ for cls in subject.cls.__mro__} - {contracts.__name__}
    files = {getattr(sys.modules.get(home), "__file__", None) for home in homes} - {None}
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    text = text_of(error)
    if own and "truth value of an array" in text:
        return (
            f"{subject.where(own[-1].name)} decides for all runs at once ({own[-1].filename}, line {own[-1].lineno}): "
            "in a stack a float field is an array with a value for each run, which `if`, `and`, `min` and `max` cannot "
            "read; choose for each run with np.where, np.minimum or np.maximum. Otherwise its runs train one by one."
        )
    cause = type(error).__name__ + (f": {text}".rstrip(".") if text else "")
    if not own:
        return f"The check of {subject.cls.__qualname__} raised {cause}; look at the types and shapes that it returns."
    read_only = "; inputs are read-only here, so compute into an array of its own" if "read-only" in text else ""
    return f"{subject.where(own[-1].name)} raised {cause} ({own[-1].filename}, line {own[-1].lineno}){read_only}."
