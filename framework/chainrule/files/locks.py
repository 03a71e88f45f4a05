"""A lock between processes."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path, wait: float) -> Iterator[None]:
    """Keep other processes out of the ``with`` block; ``path`` is a file used for nothing else.

    An open transaction on an empty SQLite file is a lock on every system, and it ends when its process ends or crashes.

    Args:
        path: the lock file, created if missing.
        wait: longest time to wait for another process, in seconds.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: no lock can be made there: there is something else than a file of the lock's own.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OSError(f"{path} is no file of a lock; remove it")
    try:
        lock = sqlite3.connect(path, timeout=wait, isolation_level=None)
    except sqlite3.Error as error:
        raise _unusable(path, error) from None
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise BlockingIOError(f"{path} is held by another process") from None
            raise _unusable(path, error) from None
        yield


def _unusable(path: Path, error: sqlite3.Error) -> OSError:
    return OSError(errno.EIO, f"{error}; nothing but a lock may have this name: move it away", str(path))
