"""What became of one run of a sweep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.engine.reason import Reason


@dataclass(frozen=True)
class Outcome:
    """One run of a sweep, as far as comparing needs it.

    Attributes:
        number: of its job.
        directory: of its record, as seen from the sweep's.
        settings: what varies in the sweep besides the seed: key to value, as typed.
        seed: from which its random numbers follow.
        reason: why it stopped.
        metrics: final losses and scores, as in its record: None for a value that is not finite; empty if it failed.
        error: what it raised, in a sentence.
    """

    number: int
    directory: str
    settings: Mapping[str, Any]
    seed: int
    reason: Reason
    metrics: Mapping[str, float | None]
    error: str = ""

    def value(self, metric: str) -> float:
        """Return a loss to compare runs by; infinite for a run that diverged, failed or has no such metric."""
        value = self.metrics.get(metric)
        return math.inf if value is None or self.reason == Reason.DIVERGED else value

    @property
    def title(self) -> str:
        """The settings in words, as typed."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items()) or "all runs"
