"""``chainrule ui``: the tracker's pages in a browser, opened at a run or a sweep."""

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from chainrule.cli.common import load_plugins, own_tracker, parse, parser, tracker_of
from chainrule.errors import ChainruleError
from chainrule.records.run import Record, read_record
from chainrule.records.sweep import SWEEP, Sweep, read_sweep
from chainrule.registry.watching import Pages, Tracker

_START = 120.0  # seconds that a server may take until it answers
_LINES = 5  # of what it printed, if it ends
_LOOPBACK = "127.0.0.1"
_PATIENCE = 0.4  # seconds that it has to end by itself


def main(arguments: Sequence[str]) -> None:
    """Show runs in the tracker's pages, until Ctrl-C.

    A server that keeps its runs in a database is started, reachable from this machine alone, on a port that is free.
    Without RUN it opens at all runs.

    Args:
        arguments: directory of a run or a sweep; ``--port``, ``--no-browser``, ``--tracking``, ``--allow``.

    Raises:
        ChainruleError: the run was not sent, the tracker has no pages, or its server does not start.
    """
    command = parser("ui", (main.__doc__ or "").split("Args:")[0])
    command.add_argument("directory", nargs="?", type=Path, metavar="RUN | SWEEP", help="what the page is to show")
    command.add_argument("--port", type=int, metavar="N", help="port of the server, else one that is free")
    command.add_argument("--no-browser", action="store_true", help="only print the links")
    command.add_argument("--tracking", metavar="NAME", help="tracker whose pages are shown, else the record's own")
    command.add_argument(
        "--allow", action="append", default=[], metavar="SERVER", help="a server or a database that a record names"
    )
    given = parse(command, arguments)
    if given.port is not None and not 0 < given.port < 65536:
        raise ChainruleError(f"--port {given.port} is none; give a number from 1 to 65535.")
    load_plugins([])
    shown = _shown(given.directory)
    tracker = _tracker(shown, given.tracking, given.allow)
    with _served(tracker.pages(shown, given.port or _free_port())) as (pages, server):
        first, *_ = pages.links.values()
        for title, link in pages.links.items():
            print(f"{title}: {link}", flush=True)
        if not given.no_browser:
            webbrowser.open(first)
        if server:
            print("Ctrl-C ends it.", flush=True)
            raise ChainruleError(f"{pages.title} has ended with exit code {server.wait()}.")


def _shown(directory: Path | None) -> Record | Sweep | None:
    """Return the run or the sweep in a directory."""
    if directory is None:
        return None
    place = directory.absolute()
    return read_sweep(place) if (place / SWEEP).is_file() else read_record(place)


def _tracker(shown: Record | Sweep | None, name: str | None, allowed: Sequence[str]) -> Tracker:
    """Return the tracker that shows a run, or the first run of a sweep; without one the usual tracker."""
    if isinstance(shown, Sweep):
        directories = (shown.directory / outcome.directory for outcome in shown.outcomes())
        shown = next((read_record(each) for each in directories if (each / "manifest.json").is_file()), None)
    return tracker_of(shown, name, allowed) if shown else own_tracker(name)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((_LOOPBACK, 0))
        return int(found.getsockname()[1])


@contextmanager
def _served(pages: Pages) -> Iterator[tuple[Pages, "subprocess.Popen[bytes] | None"]]:
    """Yield pages that answer, and the server if it is started here; it ends with the block, and all that it began."""
    if not pages.command:
        yield pages, None
        return
    with tempfile.TemporaryFile() as said:
        # A session of its own, so that a Ctrl-C reaches it only by this process, which ends the whole of it.
        server = subprocess.Popen(
            pages.command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, **pages.environment},
            start_new_session=True,
        )
        atexit.register(_end, server)  # for a second Ctrl-C, which lets no block end
        try:
            _await(pages, server, said)
            yield pages, server
        finally:
            _end(server)
            atexit.unregister(_end)


def _await(pages: Pages, server: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
    """Wait until a server answers.

    Raises:
        ChainruleError: it has ended, or takes too long.
    """
    deadline = time.monotonic() + _START
    print(f"Starting {pages.title} ...", file=sys.stderr, flush=True)
    while not _answers(pages.address):
        if server.poll() is not None or time.monotonic() > deadline:
            said.seek(0)
            last = " ".join(said.read().decode(errors="replace").split("\n")[-_LINES:]).strip()
            what = "has ended" if server.poll() is not None else f"does not answer after {_START:.0f} s"
            raise ChainruleError(f"{pages.title} {what}: {last or 'it said nothing'}")
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(address, timeout=5):
            return True
    except HTTPError:
        return True
    except OSError:
        return False


def _end(server: "subprocess.Popen[bytes]") -> None:
    """End a server and all processes of its session, by force if it takes long."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(_PATIENCE)
