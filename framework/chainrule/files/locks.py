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
        OSError: no lock can be made there, such as where a directory or a link has its name.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise _unusable(path, "a directory" if path.is_dir() else "no file of its own")
    try:
        lock = sqlite3.connect(path, timeout=wait, isolation_level=None)
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from None
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise BlockingIOError(f"{path} is held by another process") from None
            raise _unusable(path, str(error)) from None
        yield


def _unusable(path: Path, what: str) -> OSError:
    return OSError(errno.EIO, f"{what}; nothing but a lock may have this name: move it away", str(path))
