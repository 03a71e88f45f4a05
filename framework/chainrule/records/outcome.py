"""What became of one run of a sweep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.engine.reason import Reason


@dataclass(frozen=True)
class Outcome:
    """What became of one run of a sweep, reduced to what comparing runs needs.

    Attributes:
        number: number of its job.
        directory: directory of its record, relative to the sweep's.
        settings: the keys that vary in the sweep, except the seed, with the run's values as typed.
        seed: seed of its random numbers.
        reason: why it stopped.
        metrics: final losses and scores, as in its record: None for a value that is not finite; empty if it failed.
        error: the error of a run that failed, as a sentence.
    """

    number: int
    directory: str
    settings: Mapping[str, Any]
    seed: int
    reason: Reason
    metrics: Mapping[str, float | None]
    error: str = ""

    def value(self, metric: str) -> float:
        """Return a loss for comparing runs; it is infinite for a run that diverged, failed or has no such metric."""
        value = self.metrics.get(metric)
        return math.inf if value is None or self.reason == Reason.DIVERGED else value

    @property
    def title(self) -> str:
        """The settings in words, as typed."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items()) or "all runs"
