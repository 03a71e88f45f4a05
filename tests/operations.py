"""Processes that are killed at an operation on files, or whose disk fails from it on: at each, where a test has time.

A command that :mod:`forking` carries out notes each operation below a folder in a journal, and so do the processes that
it starts: opening a file to write, each write and half of it, ``fsync``, renaming, linking, truncating and removing,
making and removing folders; of SQLite each statement that begins a change, and each that keeps one. At one of them, by
its number, all of these processes are killed, before the operation is done; or from it on the disk refuses what one
does that is full, has no inodes left or may only be read.
"""

import builtins
import errno
import io
import json
import os
import signal
import sqlite3
import sys

VARIABLE = "CHAINRULE_OPERATIONS"  # of these processes: folder, journal, and at which operation they are killed
SPAWNED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spawned")  # in the path of other interpreters
_WIDTH = 160  # bytes of a line of the journal
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = {  # of Python's hooks, with the place of the path among what they are told
    **{f"os.{name}": 0 for name in ("truncate", "remove", "mkdir", "rmdir")},
    **{f"os.{name}": 1 for name in ("rename", "link", "symlink")},
}
_BELOW = "os.remove", "os.mkdir", "os.rmdir"
_FUNCTIONS = "write", "fsync", "fdatasync", "sendfile"  # of which Python tells no hook; a file's number comes first
_READING = "SELECT", "PRAGMA", "WITH", "ROLLBACK"
KILL = "kill"
DISKS = {  # what fails, with its number and the operations that it refuses; the others are done
    "full": (errno.ENOSPC, {"write", "half of", "sendfile", "mkdir"}),
    "no inodes": (errno.ENOSPC, {"create", "mkdir", "symlink"}),
    "read-only": (errno.EROFS, {"write", "half of", "sendfile", "open", "create", "truncate", "remove", "rename",
                                "link", "symlink", "mkdir", "rmdir"}),
}  # fmt: skip


def environment(folder, journal, at=0, path="", fault=KILL):
    """Return the environment in which a command below a folder writes a journal, until something happens to it.

    Args:
        folder: operations elsewhere do not count.
        journal: a file, which is removed if it is there.
        at: number of the operation, from 1 on; 0 to note all of them.
        path: further folders of packages.
        fault: it is killed at the operation, or one of ``DISKS`` from there on.
    """
    if os.path.exists(journal):
        os.unlink(journal)
    known = {VARIABLE: json.dumps([os.path.realpath(folder), os.fspath(journal), at, fault])}
    folders = [SPAWNED, path, os.environ.get("PYTHONPATH", "")]
    return {**os.environ, **known, "PYTHONPATH": os.pathsep.join(filter(None, folders))}


def noted(journal):
    """Return the operations of a journal, in order."""
    with open(journal, encoding="utf-8", errors="replace") as file:
        return [line.strip() for line in file]


def take(is_first=False):
    """Note the operations of this process, if its environment says so; the first of the processes leads a group."""
    if VARIABLE not in os.environ:
        return
    if is_first:
        os.setsid()
        _hurry()
    journal = _Journal(*json.loads(os.environ[VARIABLE]))
    sys.addaudithook(journal.hear)
    for name in _FUNCTIONS:
        setattr(os, name, journal.noting(name, getattr(os, name)))
    sqlite3.connect = sqlite3.dbapi2.connect = journal.connecting(sqlite3.connect)
    builtins.open = io.open = sys.modules["_io"].open = journal.opening(_raw(journal))


def _hurry():
    """Let short runs keep checkpoints and show their curves, as long ones do, and trackers have time on any machine."""
    from chainrule.registry import aside
    from chainrule.runs import checkpoints
    from chainrule_mlflow import live

    checkpoints._PAUSE, checkpoints._SHARE = 0.0, 0
    live._AFTER, live._EVERY = 0.0, 0.01
    aside._QUICK = aside._LEAST = aside._LONGEST = 300.0


class _Journal:
    """Notes operations, each in a line of equal length, so that the length of the file numbers them."""

    def __init__(self, folder, file, at, fault):
        self._folder, self._at, self._fault = folder + os.sep, at, fault
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._write = os.write

    def note(self, what, path, last=None):
        """Note an operation, and die or fail if it is the one; ``last`` is done before."""
        place = self._place(path)
        if place is None:
            return
        line = f"{what} {place}".encode("utf-8", "replace")[: _WIDTH - 1].replace(b"\n", b" ")
        self._write(self._file, line.ljust(_WIDTH - 1) + b"\n")
        if not 0 < self._at <= os.fstat(self._file).st_size // _WIDTH:
            return
        number, refused = DISKS.get(self._fault, (0, {what}))
        if what not in refused:
            return
        if last:
            last()
        if self._fault == KILL:
            os.killpg(0, signal.SIGKILL)
        raise OSError(number, os.strerror(number), self._folder + place)

    def hear(self, event, arguments):
        """Note what Python tells hooks, see https://docs.python.org/3/library/audit_events.html."""
        if event in _EVENTS:
            path, last = arguments[_EVENTS[event]], arguments[-1]
            if isinstance(last, int) and last >= 0 and event in _BELOW:  # the number of the folder below which it lies
                path = os.path.join(os.readlink(f"/proc/self/fd/{last}"), os.fsdecode(path))
            self.note(event.removeprefix("os."), path)
        elif event == "open":
            path, _, flags = arguments
            if flags & _WRITING and not isinstance(path, int):
                self.note("open" if os.path.lexists(path) else "create", path)

    def noting(self, name, function):
        """Return a function of :mod:`os` that notes itself."""

        def noted(number, *arguments, **keywords):
            self.note(name, number)
            return function(number, *arguments, **keywords)

        return noted

    def opening(self, raw):
        """Return what ``open`` does, but that files to write are of another class underneath."""
        usual = io.open

        def opened(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
            if not {"w", "a", "x", "+"} & set(mode):
                return usual(file, mode, buffering, encoding, errors, newline, closefd, opener)
            beneath = raw(file, mode.replace("t", ""), closefd, opener)
            if buffering == 0:
                return beneath
            buffer = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(beneath)
            if "b" in mode:
                return buffer
            text = io.TextIOWrapper(buffer, encoding, errors, newline, line_buffering=buffering == 1)
            text.mode = mode
            return text

        return opened

    def connecting(self, connect):
        """Return what opens a database and notes the statements that begin or keep changes."""

        def connected(*arguments, **keywords):
            connection = connect(*arguments, **keywords)

            def told(statement):
                word = statement.split(None, 1)[0].upper()
                if word == "COMMIT" or (word not in _READING and not connection.in_transaction):
                    self.note("sqlite", self._folder + statement)

            connection.set_trace_callback(told)
            return connection

        return connected

    def _place(self, path):
        """Return a path from the folder on; None if it lies elsewhere."""
        if isinstance(path, int):
            try:
                path = os.readlink(f"/proc/self/fd/{path}")
            except OSError:
                return None
        path = os.path.abspath(os.fsdecode(path)) if not str(path).startswith(self._folder) else str(path)
        return path.removeprefix(self._folder) if path.startswith(self._folder) else None


def _raw(journal):
    class Raw(io.FileIO):
        """A file that notes each write, and half of it, which is what a kill in the middle leaves."""

        def write(self, content):
            usual, content = super().write, memoryview(content).cast("B")
            journal.note("write", self.fileno())
            journal.note("half of", self.fileno(), lambda: usual(content[: len(content) // 2]))
            return usual(content)

    return Raw
