"""What a check finds, as plain data."""

import enum
import math
from dataclasses import dataclass, field
from typing import Any


class CheckOutcome(enum.StrEnum):
    """What became of a check."""

    PASSED = "passed"
    FAILED = "failed"
    EXPECTED = "expected"  # it failed, and the author has given a reason
    NOT_APPLICABLE = "not_applicable"  # the component lacks what is checked


class FindingError(Exception):
    """A demand that a component does not meet, in one sentence.

    Args:
        sentence: what, where, and what to do.
        figures: the numbers behind it.
    """

    def __init__(self, sentence: str, **figures: float) -> None:
        super().__init__(sentence)
        self.figures = {name: float(value) for name, value in figures.items()}


@dataclass(frozen=True)
class CheckResult:
    """The result of one check of one component.

    Attributes:
        component: such as ``activation=mish``.
        check: name of the check.
        outcome: what became of it.
        message: one sentence, empty where it passed.
        figures: the numbers behind the sentence.
    """

    component: str
    check: str
    outcome: CheckOutcome
    message: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return plain data; figures that JSON cannot hold become None."""
        figures = {name: value if math.isfinite(value) else None for name, value in self.figures.items()}
        return {
            "component": self.component,
            "check": self.check,
            "outcome": self.outcome.value,
            "message": self.message,
            "figures": figures,
        }


@dataclass(frozen=True)
class Report:
    """The results of all checks of one component.

    Attributes:
        component: such as ``activation=mish``.
        results: one for each check, in the order of the table of checks; the last is ``complete``.
    """

    component: str
    results: tuple[CheckResult, ...]

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return self.having(CheckOutcome.FAILED)

    def having(self, outcome: CheckOutcome) -> tuple[CheckResult, ...]:
        """Return the results of one outcome."""
        return tuple(result for result in self.results if result.outcome is outcome)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"component": self.component, "results": [result.as_json() for result in self.results]}
