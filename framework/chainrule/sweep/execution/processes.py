"""Processes of this machine, each of which trains one unit at a time."""

import atexit
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from chainrule import interrupts
from chainrule.errors import ChainruleError, PluginError
from chainrule.registry.declared import Parcel
from chainrule.registry.loaded import installed, parcel, receive
from chainrule.sweep.execution import worker
from chainrule.sweep.execution.plan import Unit

_GRACE = 1.0  # seconds that a process without work has to end by itself
_SPAWN = multiprocessing.get_context("spawn")
_THREADS = (  # variables that say how many threads a library starts
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"),
)
_READY = "ready"  # what a process says when it has imported everything
_LOOK = 0.2  # seconds between two looks at a process that may hang


@dataclass(frozen=True)
class Broken:
    """A unit whose process has ended, or hung and was ended, while it was trained.

    Attributes:
        unit: the unit.
        member: the process.
        exit_code: of the process; minus the number of the signal that ended it. None if it hung.
        was_sent: whether the process had it; else it had ended before.
    """

    unit: Unit
    member: "Member"
    exit_code: int | None
    was_sent: bool = True

    @property
    def may_be_memory(self) -> bool:
        """Whether the system may have ended it because memory ran out, which another process may have used up."""
        return self.exit_code == -signal.SIGKILL

    def sentence(self, timeout: float | None) -> str:
        """Say what the run did."""
        if self.exit_code is None:
            return f"it hung: nothing was heard of it for hydra.launcher.timeout={timeout:g} seconds."
        if self.exit_code >= 0:
            return f"it ended its process, with exit code {self.exit_code}."
        try:
            name = signal.Signals(-self.exit_code).name
        except ValueError:
            name = f"signal {-self.exit_code}"
        return f"its process was ended by {name}{', perhaps because memory ran out' * self.may_be_memory}."


@dataclass(frozen=True, eq=False)
class Member:
    """One process and the pipe to it."""

    process: Any
    connection: Connection


class Processes:
    """Processes with a pipe to each, and no queues or locks between them: so they can be killed at any time.

    One thread for each process sends it the next unit when it has trained one, whatever the main thread does meanwhile.
    Where a process ends, another takes its place, and the jobs of its unit are tried one by one. One whose process ends
    again has failed.

    Args:
        timeout: seconds after which a run of which nothing was heard counts as hanging; None for never.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self._members: list[Member] = []
        self._timeout = timeout
        self._is_idle = False  # whether there was something to train, and all of it has ended

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
                self._members.append(Member(process, here))

    def run(self, units: Sequence[Unit], progress: Path) -> Generator[worker.Ends]:
        """Train units and yield the ends of their jobs, unit by unit, in the order in which they end.

        Args:
            units: what to train.
            progress: a folder in which the processes say how far they are.

        Raises:
            ChainruleError: no process can be started in the place of one that has ended.
        """
        left: SimpleQueue[Unit | None] = SimpleQueue()
        ends: SimpleQueue[worker.Ends | Broken | Exception] = SimpleQueue()
        for unit in units:
            left.put(unit)
        awaited, last = len(units), list[Unit]()  # the last ones are tried when no other process needs memory
        is_last, sent_again, self._is_idle = False, set[int](), False
        try:
            for member in self._members:
                self._feed(member, progress, left, ends)
            while awaited or last:
                if not awaited:
                    left.put(last.pop())
                    awaited, is_last = 1, True
                end = ends.get()
                awaited -= 1
                if isinstance(end, Exception):
                    raise end
                if not isinstance(end, Broken):
                    yield end
                    continue
                self._members.remove(end.member)
                self.start(len(self._members) + 1)
                self._feed(self._members[-1], progress, left, ends)
                if not end.was_sent and end.unit.jobs[0].number not in sent_again:
                    sent_again.add(end.unit.jobs[0].number)
                    left.put(end.unit)
                    awaited += 1
                    continue
                again, there = self._again(end, is_last)
                if end.may_be_memory and len(end.unit.jobs) == 1:
                    last += again
                else:
                    awaited += len(again)
                    for unit in again:
                        left.put(unit)
                if there or there.notes:
                    yield there
            self._is_idle = True
        except BaseException:  # the other units are not wanted any more
            self.kill()
            raise
        finally:
            for _ in self._members:
                left.put(None)

    def _again(self, broken: Broken, is_last: bool) -> tuple[list[Unit], worker.Ends]:
        """Return the units to try in the place of one that broke, and what became of its other jobs."""
        jobs = broken.unit.jobs
        if len(jobs) > 1:
            kept = {job.number: record for job in jobs if (record := worker.recorded(job, []))}
            again = [replace(broken.unit, jobs=(job,), has_control=False) for job in jobs if job.number not in kept]
            note = (
                f"A process ended while it trained {len(jobs)} runs as one stack: {broken.sentence(self._timeout)} "
                "They are tried one by one."
            )
            return again, worker.Ends(kept.items(), [note])
        if broken.may_be_memory and not is_last and len(self._members) > 1:
            return [broken.unit], worker.Ends()
        failure = worker.failed(jobs[0], PluginError(broken.sentence(self._timeout)))
        return [], worker.Ends([(jobs[0].number, failure)])

    def _feed(self, member: Member, progress: Path, left: Any, ends: Any) -> None:
        """Let a thread send units to a process, one after the other."""
        arguments = member, progress, left, ends, self._timeout
        threading.Thread(target=_feed, args=arguments, daemon=True).start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return ``function(*arguments)``, done in one of the processes if all units are trained; else here.

        Args:
            function: known in every process by its name.
            arguments: can be pickled, as the result can.
        """
        if self._is_idle and self._members:
            connection = self._members[0].connection
            with suppress(EOFError, OSError):  # it has ended, or the sweep has
                connection.send((function, arguments))
                while (found := connection.recv()) == _READY:  # of a process that had no unit
                    pass
                if isinstance(found, Exception):
                    raise found
                return found
        return function(*arguments)

    def close(self) -> None:
        """End the processes when they have no more work."""
        for member in self._members:
            member.connection.close()
        for member in self._members:
            member.process.join(_GRACE)
        self.kill()

    def kill(self) -> None:
        """End the processes at once."""
        for member in self._members:
            member.process.kill()
        for member in self._members:
            member.process.join()
        self._members.clear()
        atexit.unregister(self.kill)


def _feed(
    member: Member,
    progress: Path,
    left: "SimpleQueue[Unit | None]",
    ends: "SimpleQueue[worker.Ends | Broken | Exception]",
    timeout: float | None,
) -> None:
    """Send units to a process, one after the other, until there is None, or the process has ended."""
    is_ready = False
    while (unit := left.get()) is not None:
        was_sent = False
        try:
            member.connection.send((unit, progress))
            was_sent = True
            if not is_ready:  # its start does not count, which takes long on a machine that is busy
                is_ready = member.connection.recv() == _READY
            if timeout is not None and _hangs(member.connection, worker.heartbeat_of(unit, progress), timeout):
                member.process.kill()
                ends.put(Broken(unit, member, None))
                return
            ends.put(member.connection.recv())
        except (EOFError, OSError):
            member.process.join(_GRACE)
            code = member.process.exitcode
            member.process.kill()  # it has closed its pipe, and may be alive
            ends.put(Broken(unit, member, -signal.SIGKILL if code is None else code, was_sent))
            return
        except Exception as error:
            ends.put(error)
            return


def _hangs(connection: Connection, heartbeat: Path, timeout: float) -> bool:
    """Wait for an answer; say whether its file has not changed for so many seconds."""
    seen, since = _changed(heartbeat), time.monotonic()
    while not connection.poll(min(_LOOK, timeout)):
        now = _changed(heartbeat)
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since >= timeout:
            return True
    return False


def _changed(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _serve(connection: Connection, plugins: Parcel) -> None:
    """Train units and do what else is asked for, until there is no more or the process that asks has ended."""
    interrupts.ignored_here()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(Exception):  # the first unit raises it again
        receive(plugins)
        installed()
    gc.freeze()  # what is imported stays, and is not to be looked through again and again
    with suppress(OSError):
        connection.send(_READY)
        while True:
            try:
                asked, given = connection.recv()
                receive(plugins)
                ends: Any = worker.train_elsewhere(asked, given) if isinstance(asked, Unit) else asked(*given)
            except EOFError:
                break
            except Exception as error:
                ends = error
            connection.send(ends)
    _leave()


def _leave() -> None:
    """End the process as Python would, but for a tenth of a second in which it would free what the system frees."""
    try:
        atexit._run_exitfuncs()
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    finally:
        os._exit(0)


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
