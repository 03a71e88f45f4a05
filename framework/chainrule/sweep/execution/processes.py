"""Processes of this machine that train units, one at a time each."""

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
from chainrule.registry.registry import installed
from chainrule.sweep.execution import worker
from chainrule.sweep.execution.plan import Unit

_LEAVE = 1.0  # seconds that a process without work has to end by itself
_SPAWN = multiprocessing.get_context("spawn")
_THREADS = (  # by which libraries are told to start one thread, not one for each core
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"),
)
_KILLED = (
    "A process that trained runs was killed, perhaps because memory ran out (hydra.launcher.workers=1 needs the least)."
)


class Processes:
    """Processes and a pipe to each: nothing that is left over, or would be waited for, when they are killed.

    A thread for each process hands it the next unit as soon as it has ended one, whatever this process does meanwhile.
    """

    def __init__(self) -> None:
        self._members: list[tuple[Any, Connection]] = []

    def start(self, size: int) -> None:
        """Start processes until there are so many, and do not wait for them.

        Raises:
            ChainruleError: the system has no more.
        """
        if not self._members:
            atexit.register(self.kill)  # also where the sweep turns out to be wrong before it begins
        with interrupts.deferred(), _single_threaded():
            while len(self._members) < size:
                here, there = _SPAWN.Pipe()
                process = _SPAWN.Process(target=_serve, args=(there,))
                try:
                    process.start()
                except OSError as error:
                    raise ChainruleError(f"no process can be started to train runs: {error}.") from None
                finally:
                    there.close()
                self._members.append((process, here))

    def run(self, units: Sequence[Unit], progress: Path) -> Generator[list[worker.End]]:
        """Train units and yield what became of their jobs, unit by unit, as they end.

        Args:
            units: what to train.
            progress: a folder in which the processes say how far they are.

        Raises:
            ChainruleError: a process was killed.
        """
        left: SimpleQueue[Unit] = SimpleQueue()
        ends: SimpleQueue[list[worker.End] | Exception] = SimpleQueue()
        for unit in units:
            left.put(unit)
        for _, connection in self._members:
            threading.Thread(target=_tend, args=(connection, progress, left, ends), daemon=True).start()
        try:
            for _ in units:
                end = ends.get()
                if isinstance(end, Exception):
                    raise end
                yield end
        except BaseException:  # nobody wants the others
            self.kill()
            raise

    def close(self) -> None:
        """Let the processes end, which have no work."""
        for _, connection in self._members:
            connection.close()
        for process, _ in self._members:
            process.join(_LEAVE)
        self.kill()

    def kill(self) -> None:
        """End the processes at once."""
        for process, _ in self._members:
            process.kill()
        for process, _ in self._members:
            process.join()
        self._members.clear()
        atexit.unregister(self.kill)


def _tend(
    connection: Connection, progress: Path, left: "SimpleQueue[Unit]", ends: "SimpleQueue[list[worker.End] | Exception]"
) -> None:
    """Hand units to a process, one after the other, as long as there are any."""
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


def _serve(connection: Connection) -> None:
    """Train units until there are no more, or the process that hands them out has gone."""
    interrupts.ignored_here()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(Exception):  # which is met again with the first unit
        installed()
    with suppress(OSError):
        while True:
            try:
                unit, progress = connection.recv()
                ends: Any = worker.train_elsewhere(unit, progress)
            except EOFError:
                return
            except Exception as error:
                ends = error
            connection.send(ends)


def _end_with_parent() -> None:
    """End with the process that started this one: else it would go on to write where a resumed sweep writes, too."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes that start do their linear algebra in one thread each."""
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
