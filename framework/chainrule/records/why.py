"""What ``chainrule why`` has said of a sweep, beside its record: its report shows it."""

from pathlib import Path

from chainrule.errors import RecordError
from chainrule.files.atomic import write_atomically
from chainrule.records.entries import Entries, read_entries, sealed

WHY = "why.json"
_FORMAT = 1


class SymptomEntry(Entries):
    """What failed runs have in common: the symptom that they have first, their numbers, how many from the start."""

    name: str
    runs: list[int]
    from_the_start: int


class BlamedEntry(Entries):
    """A value of a setting with which more runs fail: ``failed`` of ``runs`` with it, and of the others."""

    key: str
    value: str
    failed: int
    runs: int
    others_failed: int
    others: int


class Why(Entries):
    """What ``why.json`` holds.

    Attributes:
        goal: the skill at which a run has learned.
        runs: how many runs were trained again.
        failed: how many of these have not learned.
        lost: how many could not be trained again.
        different: how many did not end in the recorded bits.
        symptoms: of the failed runs, the most frequent first.
        blamed: the settings to blame, the largest difference first.
        when: ISO 8601 with zone.
    """

    goal: float
    runs: int
    failed: int
    lost: int
    different: int
    symptoms: list[SymptomEntry]
    blamed: list[BlamedEntry]
    when: str


def write_why(directory: Path, found: Why) -> None:
    """Write what was found of a sweep into its directory.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(directory / WHY, sealed({**found, "format": _FORMAT}))


def read_why(directory: Path) -> Why | None:
    """Return what was found of a sweep; None if nobody has asked.

    Raises:
        RecordError: the file is damaged.
    """
    try:
        found = read_entries(directory / WHY, Why, _FORMAT, "diagnosis of a sweep")
    except FileNotFoundError:
        return None
    if any(each.runs < 1 or each.others < 1 for each in found.blamed):
        raise RecordError(f"{directory / WHY} is damaged: it blames a setting that no run has.")
    return found
