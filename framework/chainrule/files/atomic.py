"""Writing files whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(path: Path, content: bytes, synced: bool = True) -> None:
    """Write a file so that a crash leaves the old content or the new content, never a part.

    The file is a new one: a link of its name is replaced, and what it leads to stays as it is.

    Args:
        path: the file.
        content: its new content.
        synced: whether to wait until the content is on the disk and survives a power failure; the file's name needs
            :func:`sync_folder` for that.

    Raises:
        OSError: it cannot be written.
    """
    temporary = f"{path.parent}/.{path.name}.tmp"
    try:
        write_new(temporary, content, synced)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):  # a part on a disk that is full, where perhaps nobody writes this file again
            os.unlink(temporary)
        raise _named(error, path, temporary) from None


@contextmanager
def put_in_place(path: Path) -> Iterator[Path]:
    """Yield where to write a file in the block, which then has its name: it is there only when it is whole.

    Args:
        path: the file; what has this name is replaced.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise _named(error, path, str(temporary)) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_new(path: str | Path, content: bytes, synced: bool = True) -> None:
    """Write a file of which nobody believes anything before another one is there that is written later.

    Until then a crash leaves the old content, a part of the new one, or no file.

    Args:
        path: the file; what has this name is replaced, and what a link leads to stays as it is.
        content: its content.
        synced: as of :func:`write_whole`.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, left = new_file(path), memoryview(content)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
        if synced:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file as :func:`write_whole` does, and make its name durable, too.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(path, content)
    sync_folder(path.parent)


def new_file(path: str | Path) -> int:
    """Return the descriptor of a new file, which no link of its name leads elsewhere; what a kill left is removed.

    Raises:
        OSError: it cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileExistsError:
        os.unlink(path)
        return os.open(path, flags, 0o666)


def appended(path: Path) -> int:
    """Return the descriptor of a file to append to, which is made if it is missing.

    Raises:
        OSError: it is a link or no regular file, or it cannot be written.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no regular file")
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _named(error: OSError, path: Path, temporary: str) -> OSError:
    """Return an error about a temporary file as one about the file that a person knows; others stay."""
    if error.errno is None or error.filename not in (None, temporary):
        return error
    return OSError(error.errno, error.strerror, str(path))


def sync_folder(folder: Path) -> None:
    """Make the names of files that were written into a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
