"""What became of one run of a sweep."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.engine.reason import Reason
from chainrule.records.settings import shown

SCORES = ("accuracy", "r2")  # of a classification and of a regression; 1 is perfect
ERROR = "error"  # 1 less the score: of 1 - accuracy, or of 1 - R2, small values are good, whatever the loss is
_WEIGHING = ("class_weights", "balance_classes")  # keys of ``data`` that change a loss, and ``noise`` the target
LOST = (Reason.DIVERGED, Reason.FAILED)  # reasons of runs that count as the worst


@dataclass(frozen=True)
class Measured:
    """What the losses and scores of a run are about; losses compare only where all of it is equal.

    Attributes:
        loss: what its loss is: keys with their values, in pairs.
        target: what is to be learned, likewise; scores compare where it is equal.
    """

    loss: tuple[tuple[str, str], ...]
    target: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> "Measured":
        """Return what the losses and scores of a run with this configuration are about."""
        data = _section(configuration, "data")
        weighing = [(f"data.{key}", _exact(data[key])) for key in _WEIGHING if key in data]
        noise = [("data.noise", _exact(data["noise"]))] if "noise" in data else []
        return _once(cls((*_pairs(configuration, "loss"), *weighing), (*_pairs(configuration, "target"), *noise)))


@functools.lru_cache(maxsize=256)
def _once(measured: Measured) -> Measured:
    """Return the first of equal ones, because thousands of runs share it."""
    return measured


def _pairs(configuration: Mapping[str, Any], group: str) -> list[tuple[str, str]]:
    component = _section(configuration, group)
    return [(group if key == "name" else f"{group}.{key}", _exact(value)) for key, value in component.items()]


def _section(configuration: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a section of a configuration; an empty one where a stranger's record has something else."""
    found = configuration.get(key)
    return found if isinstance(found, Mapping) else {}


def _exact(value: Any) -> str:
    """Return a value as a person types it, with all digits that it needs."""
    text = shown(value)
    return text if not isinstance(value, float) or float(text) == value else repr(value)


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
        measured: what they are about; None if that is not known, as of a run that failed.
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
    measured: Measured | None = None

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
