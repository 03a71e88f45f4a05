"""Runs as a tracker keeps them, whoever made them: the experiments of other programs are reported, too."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Status(enum.StrEnum):
    """What a tracker says of a run."""

    FINISHED = "finished"
    FAILED = "failed"
    KILLED = "killed"
    RUNNING = "running"


@dataclass(frozen=True)
class TrackedRun:
    """One run.

    Attributes:
        key: finds the run in its tracker.
        status: what the tracker says of it.
        parameters: as logged, by name.
        metrics: the last value of each, by name; NaN and infinite values are kept.
        parent: key of the run that this one is nested in; None if it is in none.
    """

    key: str
    status: Status
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    parent: str | None = None


@dataclass(frozen=True)
class TrackedRuns:
    """The runs of one experiment.

    Attributes:
        experiment: name of the experiment.
        place: where the tracker keeps it, for a person to read; without passwords.
        runs: in the order in which they were started; deleted ones are not among them.
    """

    experiment: str
    place: str
    runs: tuple[TrackedRun, ...]
