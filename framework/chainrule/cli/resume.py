"""``chainrule resume``: finish a sweep that broke off."""

import os
from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.common import load_plugins, parse, parser
from chainrule.config import application
from chainrule.errors import ChainruleError
from chainrule.records.sweep import read_sweep
from chainrule.sweep.resume import require_plugins, resuming


def main(arguments: Sequence[str]) -> None:
    """Train the runs of a sweep that are missing, because it broke off, or failed."""
    command = parser("resume", main.__doc__)
    command.add_argument("directory", type=Path, metavar="DIR", help="directory of the sweep, e.g. multirun/DATE/TIME")
    sweep = read_sweep(parse(command, arguments).directory)
    try:
        os.chdir(sweep.manifest.working_directory)
    except OSError as error:
        raise ChainruleError(f"the sweep was started in {error.filename}, which no longer exists.") from None
    load_plugins(sweep.manifest.arguments)
    require_plugins(sweep)
    with resuming(sweep):
        application.run(sweep.manifest.arguments)
