"""``chainrule doctor``: what is wrong with the environment, with records, and with the tracker's store."""

import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from chainrule.cli.common import confirmed, own_tracker, parse, parser
from chainrule.errors import ChainruleError, sentence
from chainrule.records.faults import Fault
from chainrule.registry.loaded import installed
from chainrule.registry.preferences import read_preferences
from chainrule.registry.watching import Tracker
from chainrule.sweep import health


def main(arguments: Sequence[str]) -> None:
    """Say what is wrong, and mend it where that is wanted.

    Looked at are the environment (versions, BLAS, plugins, disk), the records and sweeps in the directories, and the
    store of the tracker: runs that are shown as running though they are not, that lie beneath nothing, or are there
    twice.
    """
    command = parser("doctor", main.__doc__)
    command.add_argument(
        "directories", nargs="*", type=Path, metavar="DIR", help="directory with records, at any depth"
    )
    command.add_argument("--mend", action="store_true", help="mend what can be mended, without asking")
    command.add_argument("--tracking", metavar="NAME", help="tracker whose store is looked at, else the usual one")
    given = parse(command, arguments)
    read_preferences([]).export()
    for line in health.summary():
        print(line)
    tracker = own_tracker(given.tracking)
    parts = [health.environment_faults(installed()), *map(health.directory_faults, given.directories), _store(tracker)]
    found = []
    for fault in chain.from_iterable(parts):
        print(f"! {health.shown(fault)}", flush=True)
        found.append(fault)
    for note in chain.from_iterable(look(each) for look in (health.kept, health.unsent) for each in given.directories):
        print(f"note: {note}")
    left = len(found) - _mended(found, given.mend)
    if left:
        raise ChainruleError(f"{left} {'thing is' if left == 1 else 'things are'} wrong.")
    print("everything is mended" if found else "nothing is wrong")


def _store(tracker: Tracker) -> Iterable[Fault]:
    try:
        yield from tracker.faults()
    except ChainruleError as error:
        yield Fault(f"tracking={tracker.name}", str(error))


def _mended(faults: Sequence[Fault], is_wanted: bool) -> int:
    """Mend what can be mended, if that is wanted; return how much was."""
    able = [fault for fault in faults if fault.mend]
    if not able or not (is_wanted or confirmed(f"{len(able)} of these can be mended. Mend them?")):
        return 0
    done = 0
    for fault in able:
        try:
            assert fault.mend
            fault.mend()
        except (ChainruleError, OSError) as error:
            print(f"chainrule: {fault.place}: {sentence(error)}", file=sys.stderr)
        else:
            done += 1
    return done
