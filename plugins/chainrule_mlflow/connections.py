"""Connections to MLflow's database in a SQLite file: one for each thing that is done, or one for several."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from chainrule_mlflow import store


class _Held(threading.local):
    """The connection of this thread within ``held``, which is opened when it is needed at first."""

    file: Path | None = None
    database: sqlite3.Connection | None = None


_held = _Held()


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Let what this thread does with a database in the block have one connection.

    To open one takes longer than to ask for a run, and when the last one is closed SQLite copies all that was written
    from its log into the file.
    """
    if _held.file is not None:  # within another block
        yield
        return
    _held.file = file
    try:
        yield
    finally:
        database, _held.file, _held.database = _held.database, None, None
        if database:
            database.close()


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a database that exists. What was not committed is rolled back at the end."""
    if _held.file != file:
        with closing(_connected(file)) as database:
            yield database
        return
    if _held.database is None:
        _held.database = _connected(file)
    try:
        yield _held.database
    finally:
        _held.database.rollback()


def _connected(file: Path) -> sqlite3.Connection:
    uri = f"{file.absolute().as_uri()}?mode=rw"
    database = sqlite3.connect(uri, timeout=store.BUSY, isolation_level=None, uri=True)
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA synchronous = NORMAL")  # `chainrule sync` sends again what a power failure takes
    database.execute("PRAGMA cache_size = -65536")  # KiB: pages of one transaction are written once
    return database


def await_turn(file: Path) -> None:
    """Wait until nobody else writes.

    Raises:
        sqlite3.Error: somebody else does for long, or nobody can.
    """
    with opened(file) as database:
        database.execute("BEGIN IMMEDIATE")
