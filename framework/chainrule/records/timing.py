"""How long the contenders of a comparison take: a file beside the record of the sweep, measured once."""

from pathlib import Path

from chainrule.files.atomic import write_atomically
from chainrule.records.entries import Entries, read_entries, sealed

FORMAT = 3
UNSEALED = (2,)  # formats of earlier versions, which had no checksum
TIMING = "timing.json"


class CellEntry(Entries):
    """The time of one contender on one target.

    Attributes:
        target, contender: their names.
        seconds: of one update of one run in a stack, round by round.
        updates: number of updates in an epoch.
        gradients: how many gradients of batches a run evaluates in an epoch, on average.
        epochs: of a run.
    """

    target: str
    contender: str
    seconds: list[float]
    updates: int
    gradients: float
    epochs: int


class Timing(Entries):
    """What ``timing.json`` holds.

    Attributes:
        runs: number of runs in each stack that was measured, at most; on one target it is the same for all.
        cells: target by target, contender by contender; empty if they could not be measured.
        note: why they could not be measured, in a sentence; else empty.
    """

    runs: int
    cells: list[CellEntry]
    note: str


def write_timing(directory: Path, timing: Timing) -> None:
    """Write what was measured into the directory of the sweep.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(directory / TIMING, sealed({"format": FORMAT, **timing}))


def read_timing(directory: Path) -> Timing | None:
    """Return what was measured for the sweep in ``directory``; None if nothing was, as by earlier versions.

    Raises:
        RecordError: the file is damaged, or another version of the format wrote it.
    """
    try:
        return read_entries(directory / TIMING, Timing, FORMAT, "measurement of times", UNSEALED)
    except FileNotFoundError:
        return None
