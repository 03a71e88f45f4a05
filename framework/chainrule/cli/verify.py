"""``chainrule verify``: train again what is recorded, and say whether it comes to the same bits."""

import sys
from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.common import load_plugins, parse, parser
from chainrule.errors import ChainruleError, counted
from chainrule.registry.loaded import installed
from chainrule.replay.verification import to_json, verify


def main(arguments: Sequence[str]) -> None:
    """Train a record, the runs of a sweep or the numbers of a study again, and compare them bit by bit.

    Where a run differs, it is said between which steps it began to, in which tensors, and what has changed since:
    versions, sources of plugins, features of the processor, data. The exit code is 1 where something differs. Nothing
    that lies in the directory or the package is executed.
    """
    command = parser("verify", main.__doc__)
    command.add_argument(
        "directory", type=Path, metavar="DIR",
        help="directory of a run, a sweep or a study, or anything above; or a package, unpacked or not",
    )  # fmt: skip
    command.add_argument("--json", action="store_true", help="print what came of it as JSON")
    given = parse(command, arguments)
    load_plugins([])
    found = verify(given.directory, installed(), _told if sys.stderr.isatty() else None)
    print(to_json(found) if given.json else found)
    if not found.holds:
        raise ChainruleError(f"{given.directory} {found.complaint}.")


def _told(done: int, runs: int) -> None:
    print(
        f"\r{done} of {counted(runs, 'run')} trained again",
        end="" if done < runs else "\n",
        file=sys.stderr,
        flush=True,
    )
