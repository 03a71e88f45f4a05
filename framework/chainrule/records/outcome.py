"""What became of one run of a sweep."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.engine.reason import Reason

SCORES = ("accuracy", "r2")  # of a classification and of a regression; 1 is perfect
ERROR = "error"  # 1 less the score: of 1 - accuracy, or of 1 - R2, small values are good, whatever the loss is
LOST = (Reason.DIVERGED, Reason.FAILED)  # reasons of runs that count as the worst


@dataclass(frozen=True)
class Outcome:
    """What became of one run of a sweep, reduced to what comparing runs needs.

    Attributes:
        number: number of its job.
        directory: directory of its record, relative to the sweep's; of a tracked run its key there.
        settings: the keys that vary in the sweep, except the seed and the fold, with the run's values as typed.
        seed: seed of its random numbers; None if it is unknown, a text if somebody else's program wrote one.
        reason: why it stopped.
        metrics: final losses and scores, as in its record: None for a value that is not finite; empty if it failed.
        error: why a run failed, or diverged, as a sentence; empty if there is no more to say than the reason does.
        fold: fold of a cross-validation, if folds vary in the sweep; like seeds they are repetitions of a setting.
        restored: whether losses and scores are those of its best epoch (``training.restore_best``), not of its last.
    """

    number: int
    directory: str
    settings: Mapping[str, Any]
    seed: int | str | None
    reason: Reason
    metrics: Mapping[str, float | None]
    error: str = ""
    fold: int | None = None
    restored: bool = False

    def value(self, metric: str, worst: float = math.inf) -> float:
        """Return a metric for comparing runs; ``worst`` for a run that diverged, failed or has no such metric.

        Args:
            metric: one of :attr:`metrics`, or ``validation/error`` or ``train/error``, which follows from the score.
            worst: what such a run has.
        """
        value = self.metrics.get(metric)
        part, _, name = metric.partition("/")
        if name == ERROR and value is None:
            score = next((self.metrics[f"{part}/{each}"] for each in SCORES if f"{part}/{each}" in self.metrics), None)
            value = None if score is None else 1 - score
        return worst if value is None or self.reason in LOST else value

    @property
    def title(self) -> str:
        """The settings in words, as typed."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items()) or "all runs"
