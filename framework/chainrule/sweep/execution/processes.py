"""Processes of this machine, each of which trains one unit at a time."""

import atexit
import multiprocessing
import os
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from chainrule import interrupts
from chainrule.errors import ChainruleError
from chainrule.registry.declared import Parcel
from chainrule.registry.registry import installed, parcel, receive
from chainrule.sweep.execution import worker
from chainrule.sweep.execution.plan import Unit

_GRACE = 1.0  # seconds that a process without work has to end by itself
_SPAWN = multiprocessing.get_context("spawn")
_THREADS = (  # variables that say how many threads a library starts
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"),
)
_KILLED = (
    "A process that trained runs was killed, perhaps because memory ran out (hydra.launcher.workers=1 needs the least)."
)


class Processes:
    """Processes with a pipe to each, and no queues or locks between them: so they can be killed at any time.

    One thread for each process sends it the next unit when it has trained one, whatever the main thread does meanwhile.
    """

    def __init__(self) -> None:
        self._members: list[tuple[Any, Connection]] = []

    def start(self, size: int) -> None:
        """Start processes until there are so many, and do not wait for them.

        Raises:
            ChainruleError: the system has no more, or a plugin of this process cannot be sent to them.
        """
        plugins = parcel()
        if not self._members:
            atexit.register(self.kill)  # they are started before the sweep is checked, and it may be wrong
        with interrupts.deferred(), _single_threaded():
            while len(self._members) < size:
                here, there = _SPAWN.Pipe()
                process = _SPAWN.Process(target=_serve, args=(there, plugins))
                try:
                    process.start()
                except OSError as error:
                    raise ChainruleError(f"no process can be started to train runs: {error}.") from None
                finally:
                    there.close()
                self._members.append((process, here))

    def run(self, units: Sequence[Unit], progress: Path) -> Generator[worker.Ends]:
        """Train units and yield the ends of their jobs, unit by unit, in the order in which they end.

        Args:
            units: what to train.
            progress: a folder in which the processes say how far they are.

        Raises:
            ChainruleError: a process was killed.
        """
        left: SimpleQueue[Unit] = SimpleQueue()
        ends: SimpleQueue[worker.Ends | Exception] = SimpleQueue()
        for unit in units:
            left.put(unit)
        for _, connection in self._members:
            threading.Thread(target=_feed, args=(connection, progress, left, ends), daemon=True).start()
        try:
            for _ in units:
                end = ends.get()
                if isinstance(end, Exception):
                    raise end
                yield end
        except BaseException:  # the other units are not wanted any more
            self.kill()
            raise

    def close(self) -> None:
        """End the processes when they have no more work."""
        for _, connection in self._members:
            connection.close()
        for process, _ in self._members:
            process.join(_GRACE)
        self.kill()

    def kill(self) -> None:
        """End the processes at once."""
        for process, _ in self._members:
            process.kill()
        for process, _ in self._members:
            process.join()
        self._members.clear()
        atexit.unregister(self.kill)


def _feed(
    connection: Connection, progress: Path, left: "SimpleQueue[Unit]", ends: "SimpleQueue[worker.Ends | Exception]"
) -> None:
    """Send units to a process, one after the other, until none is left."""
    with suppress(Empty):
        while True:
            unit = left.get_nowait()
            try:
                connection.send((unit, progress))
                ends.put(connection.recv())
            except (EOFError, OSError):
                ends.put(ChainruleError(_KILLED))
                return
            except Exception as error:
                ends.put(error)
                return


def _serve(connection: Connection, plugins: Parcel) -> None:
    """Train the units that arrive, until there are no more or the process that sends them has ended."""
    interrupts.ignored_here()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(Exception):  # the first unit raises it again
        receive(plugins)
        installed()
    with suppress(OSError):
        while True:
            try:
                unit, progress = connection.recv()
                receive(plugins)
                ends: Any = worker.train_elsewhere(unit, progress)
            except EOFError:
                return
            except Exception as error:
                ends = error
            connection.send(ends)


def _end_with_parent() -> None:
    """End when the parent has ended: else this process would write into records that a resumed sweep writes as well."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes that are started meanwhile use one thread each for linear algebra."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
