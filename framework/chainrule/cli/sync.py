"""``chainrule sync``: send records to the tracker later."""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.cli.common import load_plugins, parse, parser, tracker_of
from chainrule.config.settings import TRACKING
from chainrule.errors import ChainruleError, RecordError, counted, sentence
from chainrule.records.below import records_below
from chainrule.records.manifest import MANIFEST
from chainrule.records.outcome import Outcome
from chainrule.records.run import Membership, Record, read_record
from chainrule.records.sweep import SWEEP, Sweep, read_sweep
from chainrule.registry.watching import Tracker
from chainrule.sweep.ledger import left_alone

_CHUNK = 500  # records that are in memory at once
_EVERY = 10.0  # seconds between two lines of progress in a file


def main(arguments: Sequence[str]) -> None:
    """Send records that no tracker has received yet, to their own tracker or to another.

    What is there already is checked and stays; a sweep that broke off is marked as such. A tracker that cannot be
    reached is given up at once.
    """
    command = parser("sync", main.__doc__)
    command.add_argument(
        "directories", nargs="+", type=Path, metavar="DIR", help="directory with records, at any depth"
    )
    command.add_argument("--tracking", metavar="NAME", help="tracker to use instead of each record's own")
    command.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="SERVER",
        help="a server or a database that records name and you know; once for each, as no other is contacted",
    )
    given = parse(command, arguments)
    load_plugins([])
    sending = _Sending(given.tracking, given.allow)
    for directory in given.directories:
        sending.send(directory)
    if sending.sent or sending.known:
        print(f"{counted(sending.sent, 'record')} sent now, {sending.known} had been sent before")
    if sending.failed:
        raise ChainruleError(f"{sending.failed} {'record was' if sending.failed == 1 else 'records were'} not sent.")


@dataclass
class _Sending:
    """What becomes of the records below some directories.

    Attributes:
        tracking: tracker to use instead of each record's own, or None.
        allowed: servers and databases that records name and that may be contacted.
        failed: how many records, and results of sweeps, were not sent.
        sent: how many records were sent for the first time, of trackers that say where they are shown.
        known: how many of these had been sent before.
    """

    tracking: str | None
    allowed: Sequence[str]
    failed: int = 0
    sent: int = 0
    known: int = 0
    _trackers: dict[str, Tracker] = field(default_factory=dict)  # by what a record says of its own
    _gone: set[str] = field(default_factory=set)  # those of them that cannot be reached

    def send(self, directory: Path) -> None:
        """Send the records below a directory and the sweeps that they belong to."""
        found = sorted(records_below(directory.absolute(), MANIFEST))
        if not found:
            raise ChainruleError(f"{directory} holds no finished record.")
        sweeps, damaged = _sweeps(directory.absolute())
        members: dict[Path, Membership] = {}
        for sweep in sweeps.values():
            members |= sweep.members()
        used: dict[str, str] = {}  # by sweep: the tracker of its last record
        outcomes: dict[str, dict[int, Outcome]] = {}
        progress = _Progress(len(found))
        for first in range(0, len(found), _CHUNK):
            records = []
            for place in (path.parent for path in found[first : first + _CHUNK]):
                try:
                    for folder in damaged.keys() & set(place.parents):  # its sweep does not say what it is
                        raise damaged[folder]
                    records.append(replace(read_record(place), member=members.get(place)))
                except (RecordError, OSError) as error:
                    self._fail(place, error)
            for name, part in _by_tracker(records).items():
                for record in self._send(name, part):
                    if record.member is None or not record.member.directory.is_relative_to(directory.absolute()):
                        _say(record.directory, record.links)  # else the line of its sweep is enough
                for record in part:
                    if member := record.member:
                        used[member.key] = name
                        outcome = sweeps[member.key].outcome(member.number, record)
                        outcomes.setdefault(member.key, {})[member.number] = outcome
            progress.show(min(first + _CHUNK, len(found)))
        progress.close()
        for key, name in used.items():
            if name not in self._gone:
                self._send_sweep(name, sweeps[key], outcomes[key])

    def _send(self, name: str, records: Sequence[Record]) -> list[Record]:
        """Send the records of one tracker, and return those that are there; one that is gone is not asked again."""
        if name in self._gone:
            self.failed += len(records)
            return []
        try:
            if name not in self._trackers:
                self._trackers[name] = tracker_of(records[0], self.tracking, self.allowed)
            tracker = self._trackers[name]
            before = [bool(tracker.links(record)) for record in records]
            refused = tracker.send_all(records)
        except (Exception, SystemExit) as error:  # whatever a tracker raises, those of others are sent
            where = "" if name in self._trackers else f"{records[0].directory}: "
            print(f"chainrule: {where}{sentence(error)}", file=sys.stderr)
            self._gone.add(name)
            self.failed += len(records)
            return []
        for record, refusal, was_there in zip(records, refused, before, strict=True):
            if refusal:
                self._fail(record.directory, refusal)
            else:
                self.known += was_there
                self.sent += bool(record.links) and not was_there
        return [record for record, refusal in zip(records, refused, strict=True) if not refusal]

    def _send_sweep(self, name: str, sweep: Sweep, known: Mapping[int, Outcome]) -> None:
        with left_alone(sweep.directory) as is_left_alone:
            if not (sweep.manifest.finished or is_left_alone):
                print(f"{sweep.directory}: is still running")
                return
            ended = [*known.values(), *sweep.outcomes(known)] if sweep.manifest.finished else []
            outcomes = SweepOutcomes(sweep, ended)
            try:
                self._trackers[name].send_sweep(sweep, outcomes)
            except (Exception, SystemExit) as error:
                self._fail(sweep.directory, error)
            else:
                _say(sweep.directory, sweep.links)

    def _fail(self, place: Path, error: BaseException) -> None:
        self.failed += 1
        print(f"chainrule: {place}: {sentence(error)}", file=sys.stderr)


class _Progress:
    """Says how far it is: as a line that changes for a person, as lines now and then for a file.

    Args:
        total: number of records.
    """

    def __init__(self, total: int) -> None:
        self._total, self._is_watched = total, sys.stderr.isatty()
        self._due = time.monotonic() + (1.0 if self._is_watched else _EVERY)
        self._is_shown = False

    def show(self, done: int) -> None:
        """Say that so many records are done, if it is time to."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + (0.2 if self._is_watched else _EVERY)
        start, end = ("\r", "") if self._is_watched else ("", "\n")
        print(f"{start}{done} of {counted(self._total, 'record')}", end=end, file=sys.stderr, flush=True)
        self._is_shown = self._is_watched

    def close(self) -> None:
        """End the line."""
        if self._is_shown:
            print(file=sys.stderr, flush=True)


def _by_tracker(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return records by what their configurations say of their tracker."""
    found: dict[str, list[Record]] = {}
    for record in records:
        own = json.dumps(record.manifest.configuration[TRACKING], sort_keys=True)
        found.setdefault(own, []).append(record)
    return found


def _say(place: Path, links: Mapping[str, str]) -> None:
    print(f"{place}: {', '.join(links.values()) or 'not sent, its tracking is none'}")


def _sweeps(directory: Path) -> tuple[dict[str, Sweep], dict[Path, RecordError]]:
    """Return the sweeps below a directory, and those that it lies in, by key; those that are damaged by folder."""
    above = (folder for folder in directory.parents if (folder / SWEEP).is_file())
    sweeps, damaged = {}, {}
    for folder in (*above, *(path.parent for path in sorted(records_below(directory, SWEEP)))):
        try:
            sweep = read_sweep(folder)
            sweeps[sweep.manifest.key] = sweep
        except RecordError as error:
            damaged[folder] = error
    return sweeps, damaged
