"""``chainrule resume``: finish a sweep or a run that broke off."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chainrule.cli.common import load_plugins, parse, parser
from chainrule.config import application
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.files.paths import started_in
from chainrule.records.sweep import SWEEP, read_sweep
from chainrule.registry.loaded import installed
from chainrule.registry.watching import Session
from chainrule.sweep.ledger import how_to_go_on
from chainrule.sweep.resume import ACCEPTED, require_own, require_plugins, resuming
from chainrule.sweep.resume_run import BrokenRun


def main(arguments: Sequence[str]) -> None:
    """Train what is missing of a sweep or a run, because it broke off, or failed."""
    command = parser("resume", main.__doc__)
    command.add_argument(
        "directory", type=Path, metavar="DIR", help="directory of the sweep or run, e.g. multirun/DATE/TIME"
    )
    command.add_argument(
        "overrides", nargs="*", metavar="training.epochs=N", help="of a run: train for more epochs than was meant"
    )
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
    for word in given.overrides:
        if "=" not in word:
            command.error(f"unrecognized arguments: {word}")
    (_sweep if (given.directory / SWEEP).exists() else _run)(
        given.directory, given.overrides, given.accept, given.allow
    )


def _sweep(directory: Path, overrides: Sequence[str], accept: Sequence[str], allow: Sequence[str]) -> None:
    sweep = read_sweep(directory)
    if overrides:
        raise ConfigurationError(f"{directory} holds a sweep, whose runs stay what they are: leave out {overrides[0]}.")
    with _there("sweep"):
        require_own(sweep, allow)
        os.chdir(sweep.manifest.working_directory)
    load_plugins(sweep.manifest.arguments)
    require_plugins(sweep)
    with resuming(sweep, accept):
        application.run(sweep.manifest.arguments, kept=lambda: how_to_go_on(sweep))


def _run(directory: Path, overrides: Sequence[str], accept: Sequence[str], allow: Sequence[str]) -> None:
    run = BrokenRun(directory)
    if accept:
        raise ConfigurationError("--accept is for sweeps: a run whose plugin has changed is trained anew.")
    with _there("run"):
        run.require_own(allow)
        if run.working_directory:
            os.chdir(run.working_directory)
    load_plugins(run.overrides)
    logging.basicConfig(format="[%(asctime)s][%(name)s][%(levelname)s] - %(message)s", level=logging.WARNING)
    registry = installed()
    with started_in(Path.cwd()):
        session = Session(interactive=sys.stdout.isatty(), pictures=run.pictures)
        run.finish(overrides, registry, registry.watchers(session))


@contextmanager
def _there(what: str) -> Iterator[None]:
    """Say which folder is gone, in which a sweep or a run was started."""
    try:
        yield
    except OSError as error:
        raise ChainruleError(f"the {what} was started in {error.filename}, which no longer exists.") from None
