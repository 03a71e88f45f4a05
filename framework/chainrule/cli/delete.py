"""``chainrule delete``: remove runs and sweeps from the disk and from their tracker."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.common import confirmed, load_plugins, parse, parser, tracker_of
from chainrule.errors import ChainruleError, RecordError, agreeing, counted
from chainrule.files.locks import exclusive
from chainrule.records.deleting import LOCK, delete_run, delete_sweep, files_of_run
from chainrule.records.kept import FOLDER
from chainrule.records.manifest import FAILURE, MANIFEST
from chainrule.records.run import Record, read_record
from chainrule.records.sweep import SWEEP, Sweep, read_sweep
from chainrule.registry.watching import Tracker


def main(arguments: Sequence[str]) -> None:
    """Remove runs or sweeps from the disk, and from the tracker that shows them.

    Files that chainrule has not written stay. Where the tracker cannot be reached, nothing is removed.
    """
    command = parser("delete", main.__doc__)
    command.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="directory of a run or of a sweep")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument(
        "--tracking", metavar="NAME", help="tracker to tell instead of each record's own; none: remove files alone"
    )
    command.add_argument(
        "--allow", action="append", default=[], metavar="SERVER", help="a server that a record names and you know"
    )
    given = parse(command, arguments)
    load_plugins([])
    for directory in given.directories:
        place = directory.absolute()
        if os.path.lexists(place / SWEEP):
            _sweep(read_sweep(place), given.yes, given.tracking, given.allow)
        elif any(os.path.lexists(place / name) for name in (MANIFEST, FAILURE, FOLDER)):
            _run(place, given.yes, given.tracking, given.allow)
        else:
            raise ChainruleError(f"{directory} holds neither a run nor a sweep.")


def _nothing() -> str:
    why = "" if sys.stdin.isatty() else ": nobody can be asked here, and --yes removes it without a question"
    return f"Nothing was removed{why}."


def _run(directory: Path, is_sure: bool, tracking: str | None, allowed: Sequence[str]) -> None:
    try:
        record = read_record(directory)
    except RecordError as error:
        print(f"chainrule: {error} No tracker is told.", file=sys.stderr)
        tracker = None
    else:
        tracker = tracker_of(record, tracking, allowed)
    files = files_of_run(directory)
    if not (is_sure or confirmed(f"Remove the run in {directory} ({_size(files)}{_shown(tracker)})?")):
        raise ChainruleError(_nothing())
    told = tracker.forget([record]) if tracker else 0
    _say(directory, told, tracker, delete_run(directory))


def _sweep(sweep: Sweep, is_sure: bool, tracking: str | None, allowed: Sequence[str]) -> None:
    records: dict[str, list[Record]] = {}
    trackers: dict[str, Tracker] = {}
    for number in range(sweep.runs):
        try:
            record = read_record(sweep.place(number))
        except RecordError:
            continue
        tracker = tracker_of(record, tracking, allowed)
        records.setdefault(repr(tracker), []).append(record)
        trackers[repr(tracker)] = tracker
    shown = "".join(map(_shown, trackers.values()))
    count = sum(map(len, records.values()))
    recorded = f"{count} of {counted(sweep.runs, 'run')} {agreeing(sweep.runs, 'is', 'are')} recorded"
    question = f"Remove the sweep in {sweep.directory} ({recorded}{shown})?"
    if not (is_sure or confirmed(question)):
        raise ChainruleError(_nothing())
    try:
        with exclusive(sweep.directory / LOCK, wait=1):
            told = sum(trackers[key].forget(own) for key, own in records.items())
            told += sum(tracker.forget_sweep(sweep) for tracker in trackers.values())
            left = delete_sweep(sweep)
    except BlockingIOError:
        raise ChainruleError(f"{sweep.directory} is being worked on by another process.") from None
    _say(sweep.directory, told, next(iter(trackers.values()), None), left)


def _size(files: Sequence[Path]) -> str:
    total = sum(path.lstat().st_size for path in files)
    return f"{counted(len(files), 'file')}, {total / 1000:.0f} kB"


def _shown(tracker: Tracker | None) -> str:
    return f"; tracking={tracker.name} is told" if tracker and tracker.name != "none" else ""


def _say(directory: Path, told: int, tracker: Tracker | None, left: Sequence[Path]) -> None:
    name = f", and {counted(told, 'run')} from tracking={tracker.name}" if tracker and told else ""
    print(f"{directory}: removed{name}")
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        print(f"  what chainrule has not written stays: {', '.join(map(str, left[:3]))}{more}")
