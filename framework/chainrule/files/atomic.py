"""Writing files whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, synced: bool = True) -> None:
    """Write a file so that a crash leaves the old content or the new content, never a part.

    Args:
        path: the file.
        content: its new content.
        synced: whether to wait until the content is on the disk and survives a power failure; the file's name needs
            :func:`sync_folder` for that.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file as :func:`write_whole` does, and make its name durable, too.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(path, content)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names of files that were written into a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
