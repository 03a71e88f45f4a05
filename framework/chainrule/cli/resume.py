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
    """Train what is left of a sweep that broke off, and what failed in it."""
    options = parser("resume", main.__doc__)
    options.add_argument("directory", type=Path, metavar="DIR", help="of the sweep, such as multirun/DATE/TIME")
    sweep = read_sweep(parse(options, arguments).directory)
    try:
        os.chdir(sweep.manifest.working_directory)
    except OSError as error:
        raise ChainruleError(f"the sweep began in {error.filename}, which is not there any more.") from None
    load_plugins(sweep.manifest.arguments)
    require_plugins(sweep)
    with resuming(sweep):
        application.run(sweep.manifest.arguments)
