"""Train what is recorded again, and say whether it comes to the same: a run, a sweep, a study, an exported package."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainrule.engine.stack import MOST
from chainrule.errors import RecordError, agreeing, counted, sentence
from chainrule.records.below import records_below
from chainrule.records.manifest import FAILURE, MANIFEST
from chainrule.records.run import Record, read_record
from chainrule.records.sweep import SWEEP, read_sweep
from chainrule.registry.registry import Registry
from chainrule.replay.originals import Difference
from chainrule.replay.package import RECORDS, is_package, moved_in, read_package, unpacked
from chainrule.replay.replays import Ended, Replay, together, verdict
from chainrule.replay.studies import NUMBERS, Number, numbers_of

Told = Callable[[int, int], None]  # how many runs have been trained again, and how many there are


@dataclass(frozen=True)
class Verified:
    """A recorded run that was trained again.

    Attributes:
        directory: of its record.
        title: the run in one line; empty if the record cannot be read.
        difference: where it parts from the record; None if it ends in the same bits.
        changes: what has changed since it was recorded, of a run that differs.
        error: why it cannot be trained again; empty if it can.
    """

    directory: Path
    title: str
    difference: Difference | None = None
    changes: tuple[str, ...] = ()
    error: str = ""

    @property
    def is_same(self) -> bool:
        """Whether it ends in the recorded bits."""
        return self.difference is None and not self.error

    def __str__(self) -> str:
        if self.error:
            return f"cannot be trained again: {self.error}"
        return verdict(self.difference, self.changes)


@dataclass(frozen=True)
class Verification:
    """What became of all runs, and of the numbers that a study states.

    Attributes:
        directory: what was verified.
        runs: the recorded runs.
        numbers: what a study states, and what it comes to now.
        without: directories of a sweep's jobs that have no finished record: those that failed, or were not trained.
        notes: what else to know.
    """

    directory: Path
    runs: Sequence[Verified] = ()
    numbers: Sequence[Number] = ()
    without: Sequence[Path] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Whether everything comes to the same."""
        return all(run.is_same for run in self.runs) and all(number.holds for number in self.numbers)

    @property
    def summary(self) -> str:
        """What came of it, in a sentence."""
        same, parts = sum(run.is_same for run in self.runs), []
        if self.runs:
            ends = "run ends" if len(self.runs) == 1 else "runs end"
            parts.append(f"{same} of {len(self.runs)} {ends} in the recorded bits")
        if self.numbers:
            held = sum(number.holds for number in self.numbers)
            come = agreeing(len(self.numbers), "comes", "come")
            parts.append(f"{held} of {counted(len(self.numbers), 'number')} {come} to what is stated")
        failed = sum(bool(run.error) for run in self.runs)
        if failed:
            parts.append(f"{failed} could not be trained again")
        if self.without:
            parts.append(f"{len(self.without)} {agreeing(len(self.without), 'has', 'have')} no finished record")
        return "; ".join(parts)

    @property
    def complaint(self) -> str:
        """What does not hold, as the rest of a sentence about the directory; empty if all holds."""
        failed = [run.error for run in self.runs if run.error]
        differs = any(run.difference for run in self.runs) or not all(number.holds for number in self.numbers)
        parts = ["does not come to the same"] if differs else []
        if failed:
            parts.append(f"has {counted(len(failed), 'run')} that could not be trained again: {failed[0]}")
        return ", and ".join(parts)

    def lines(self, most: int = 20) -> Iterator[str]:
        """Yield what differs, line by line; of many runs the first ones, and alike ones together."""
        wrong = [run for run in self.runs if not run.is_same]
        if len(self.runs) == 1:
            yield f"{self.runs[0].title}: {self.runs[0]}"
        else:
            yield from (f"{run.directory}: {run}" for run in wrong[:most])
        if len(wrong) > max(most, 1):
            yield f"... and {len(wrong) - most} more"
        yield from map(str, self.numbers)
        yield from self.notes

    def __str__(self) -> str:
        return "\n".join([self.summary, *self.lines()])


def verify(directory: Path, registry: Registry, told: Told | None = None) -> Verification:
    """Train again what is recorded in a directory.

    Args:
        directory: of a run, a sweep or a study, a folder with any of these below it, or a package, unpacked or not.
        registry: finds components. Nothing that lies in the directory is executed.
        told: is told how far it is.

    Raises:
        RecordError: nothing is recorded there, or a package is damaged.
    """
    if directory.is_file():
        with unpacked(directory) as folder:
            found = _verified(folder, registry, told)
            hint = _hint(folder, found)
            return Verification(
                directory, _within(found.runs, folder), found.numbers, found.without, found.notes + hint
            )
    return _verified(directory.absolute(), registry, told)


def _verified(directory: Path, registry: Registry, told: Told | None) -> Verification:
    """Train again what is recorded in a folder."""
    stated = numbers_of(directory) if (directory / NUMBERS).is_file() else ()
    packed = is_package(directory)
    moved = moved_in(directory) if packed else {}
    places, without = _places(directory / RECORDS if packed else directory)
    if not (places or stated or without):
        raise RecordError(
            f"{directory} holds no finished record: name the directory of a run, of a sweep or of a study with "
            f"{NUMBERS}, or what `chainrule export` wrote."
        )
    runs: list[Verified] = []
    for first in range(0, len(places), 2 * MOST):
        runs += _runs(places[first : first + 2 * MOST], registry, moved)
        if told:
            told(len(runs), len(places))
    return Verification(directory, runs, stated, without)


def _places(directory: Path) -> tuple[list[Path], list[Path]]:
    """Return the directories of records at or below a folder, and those of jobs that have none."""
    if (directory / MANIFEST).is_file():
        return [directory], []
    if not directory.is_dir():
        raise RecordError(f"{directory} is no directory.")
    found = {path.parent for path in records_below(directory, MANIFEST)}
    without = {path.parent for path in records_below(directory, FAILURE)} - found
    for path in records_below(directory, SWEEP):
        sweep = read_sweep(path.parent)
        jobs = {sweep.place(number) for number in range(sweep.runs)}
        without |= {job for job in jobs if not (job / MANIFEST).is_file()}
    return sorted(found), sorted(without)


def _runs(places: Sequence[Path], registry: Registry, moved: Mapping[str, str]) -> list[Verified]:
    """Train the runs of these directories again, as stacks where they can be."""
    replays: dict[int, Replay] = {}
    ends: dict[int, Verified] = {}
    titles: dict[int, str] = {}
    for place, directory in enumerate(places):
        try:
            record = read_record(directory)
            titles[place] = record.manifest.title
            replays[place] = _replay(record, registry, moved)
        except Exception as error:
            ends[place] = Verified(directory, titles.get(place, ""), error=sentence(error).rstrip("."))
    try:
        trained: list[Ended | Exception] = list(together(list(replays.values())))
    except Exception:  # of one of them; the others are trained alone
        trained = [_alone(replay) for replay in replays.values()]
    for place, end in zip(replays, trained, strict=True):
        if isinstance(end, Exception):
            ends[place] = Verified(places[place], titles[place], error=sentence(end).rstrip("."))
        else:
            ends[place] = Verified(places[place], titles[place], end.difference, end.changes)
    return [ends[place] for place in range(len(places))]


def _alone(replay: Replay) -> Ended | Exception:
    try:
        return replay.train()
    except Exception as error:
        return error


def _replay(record: Record, registry: Registry, moved: Mapping[str, str]) -> Replay:
    """Return the replay of a record whose files are as they were written, and whose data can be read.

    Raises:
        ChainruleError: they are not, or cannot.
    """
    record.require_intact()
    replay = Replay.of_record(record, registry, moved)
    _ = replay.per_epoch  # prepares it
    return replay


def _within(runs: Sequence[Verified], folder: Path) -> list[Verified]:
    """Return runs of a package, called by their places in it."""
    return [
        Verified(run.directory.relative_to(folder), run.title, run.difference, run.changes, run.error) for run in runs
    ]


def _hint(folder: Path, found: Verification) -> tuple[str, ...]:
    """Say what to do where runs of a package need plugins that are in it, which are not executed from there."""
    if not any(run.error for run in found.runs) or not read_package(folder).plugins:
        return ()
    return (
        "The package has the sources of its plugins, which are not executed unasked: unpack it, look at them, and run "
        "`chainrule verify .` in its folder, in an environment of its requirements.txt.",
    )


def to_json(verification: Verification) -> str:
    """Return what came of it as JSON, for programs."""
    content: dict[str, Any] = {
        "directory": str(verification.directory),
        "holds": verification.holds,
        "summary": verification.summary,
        "runs": [
            {
                "directory": str(one.directory),
                "title": one.title,
                "same": one.is_same,
                "why": "" if one.is_same else str(one),
            }
            for one in verification.runs
        ],
        "numbers": [
            {"stated": number.stated, "found": number.found, "holds": number.holds} for number in verification.numbers
        ],
        "without": list(map(str, verification.without)),
        "notes": list(verification.notes),
    }
    return json.dumps(content, indent=1)
