"""``chainrule resume``: finish a sweep that broke off."""

import os
from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.common import load_plugins, parse, parser
from chainrule.config import application
from chainrule.errors import ChainruleError
from chainrule.records.sweep import read_sweep
from chainrule.sweep.resume import ACCEPTED, require_own, require_plugins, resuming


def main(arguments: Sequence[str]) -> None:
    """Train the runs of a sweep that are missing, because it broke off, or failed."""
    command = parser("resume", main.__doc__)
    command.add_argument("directory", type=Path, metavar="DIR", help="directory of the sweep, e.g. multirun/DATE/TIME")
    command.add_argument(
        "--accept",
        action="append",
        default=[],
        choices=list(ACCEPTED),
        help="go on although a plugin has changed, as after an error in it was mended, or the processor: complete "
        "records stay, and the records say which run had which; may be given twice",
    )
    command.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="WORD",
        help="a word of the recorded command that could run a program or reach a server, such as a tracking.uri; given "
        "once for each, as the sentence that asks for it says",
    )
    given = parse(command, arguments)
    sweep = read_sweep(given.directory)
    try:
        require_own(sweep, given.allow)
        os.chdir(sweep.manifest.working_directory)
    except OSError as error:
        raise ChainruleError(f"the sweep was started in {error.filename}, which no longer exists.") from None
    load_plugins(sweep.manifest.arguments)
    require_plugins(sweep)
    with resuming(sweep, given.accept):
        application.run(sweep.manifest.arguments)
