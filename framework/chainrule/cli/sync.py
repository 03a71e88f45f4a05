"""``chainrule sync``: send records to the tracker later."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.cli.common import load_plugins, parse, parser, tracker_of
from chainrule.errors import ChainruleError, RecordError, sentence
from chainrule.files.reading import found_below
from chainrule.records.run import MANIFEST, Membership, read_record
from chainrule.records.sweep import SWEEP, Sweep, read_sweep
from chainrule.registry.watching import Tracker


def main(arguments: Sequence[str]) -> None:
    """Send records that no tracker has received yet, to their own tracker or to another."""
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
    failed = sum(_send(directory, given.tracking, given.allow) for directory in given.directories)
    if failed:
        raise ChainruleError(f"{failed} {'record was' if failed == 1 else 'records were'} not sent.")


def _send(directory: Path, tracking: str | None, allowed: Sequence[str]) -> int:
    """Send the records below a directory and the sweeps that they belong to; return how many could not be sent."""
    found = sorted(found_below(directory.absolute(), MANIFEST))
    if not found:
        raise ChainruleError(f"{directory} holds no finished record.")
    sweeps, damaged = _sweeps(directory.absolute())
    members: dict[Path, Membership] = {}
    for sweep in sweeps.values():
        members |= sweep.members()
    trackers: dict[str, Tracker] = {}  # by sweep: that of its last record
    failed = 0
    for place in (manifest.parent for manifest in found):
        try:
            for folder in damaged.keys() & set(place.parents):  # its sweep does not say what it is
                raise damaged[folder]
            record = replace(read_record(place), member=members.get(place))
            tracker = tracker_of(record, tracking, allowed)
            record.require_intact()
            tracker.send(record)
        except (Exception, SystemExit) as error:  # whatever a tracker raises, the other records are sent
            failed += 1
            print(f"chainrule: {place}: {sentence(error)}", file=sys.stderr)
            continue
        _say(place, record.links)
        if record.member:
            trackers[record.member.key] = tracker
    for key, tracker in trackers.items():
        sweep = sweeps[key]
        if not sweep.manifest.finished:
            continue
        try:
            tracker.send_sweep(sweep, SweepOutcomes(sweep, sweep.outcomes()))
        except (Exception, SystemExit) as error:
            failed += 1
            print(f"chainrule: {sweep.directory}: {sentence(error)}", file=sys.stderr)
        else:
            _say(sweep.directory, sweep.links)
    return failed


def _say(place: Path, links: Mapping[str, str]) -> None:
    print(f"{place}: {', '.join(links.values()) or 'not sent, its tracking is none'}")


def _sweeps(directory: Path) -> tuple[dict[str, Sweep], dict[Path, RecordError]]:
    """Return the sweeps below a directory, and those that it lies in, by key; those that are damaged by folder."""
    above = (folder for folder in directory.parents if (folder / SWEEP).is_file())
    sweeps, damaged = {}, {}
    for folder in (*above, *(path.parent for path in sorted(found_below(directory, SWEEP)))):
        try:
            sweep = read_sweep(folder)
            sweeps[sweep.manifest.key] = sweep
        except RecordError as error:
            damaged[folder] = error
    return sweeps, damaged
