"""Reading files of directories that somebody else may have made.

No link leads out of the directory, nothing but regular files is opened, and no more is read than was said.
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST = 1 << 32  # bytes of a file, whatever is said
_LARGE = 1 << 26  # bytes from which on a file with holes is refused
_CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DEEPEST = 50  # folders within folders
_PART = re.compile(r"(?!\.{1,2}$)[^/\\]{1,255}")


def is_plain(name: str) -> bool:
    """Say whether a name, with slashes between its parts, is printable and can only lie below its folder."""
    return name.isprintable() and len(name) < 4096 and all(map(_PART.fullmatch, name.split("/")))


def read_within(folder: Path, name: str, most: int = MOST) -> bytes:
    """Return the content of a file.

    Args:
        folder: where it must lie.
        name: its name there.
        most: how many bytes it may have.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read, is no regular file, lies elsewhere, or is larger.
    """
    with _opened(folder, name, most) as descriptor, open(descriptor, "rb", closefd=False) as file:
        return file.read(most)


def digest_within(folder: Path, name: str, size: int) -> str:
    """Return the SHA-256 of a file of that size.

    Raises:
        OSError: as :func:`read_within`, or its size is another one.
    """
    digest = hashlib.sha256()
    with _opened(folder, name, size) as descriptor:
        if os.fstat(descriptor).st_size != size:
            raise OSError(f"it has another size than {size} bytes")
        left = size
        while left and (part := os.read(descriptor, min(left, _CHUNK))):
            digest.update(part)
            left -= len(part)
    return digest.hexdigest()


def found_below(directory: Path, *names: str) -> Iterator[Path]:
    """Yield the files of some names in a directory, at any depth that a person would use; no link is followed."""
    left = [(os.fspath(directory), 0)]
    while left:
        folder, depth = left.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.name in names:
                yield Path(entry.path)
            elif depth < _DEEPEST and entry.is_dir(follow_symlinks=False):
                left.append((entry.path, depth + 1))


def require_unlinked(path: Path, above: Path) -> None:
    """Check that nothing on the way from a folder down to a path is a link, so that what is written stays in there.

    Args:
        path: need not exist.
        above: the folder.

    Raises:
        OSError: there is a link, or the path does not lie below the folder.
    """
    try:
        parts = path.relative_to(above).parts
    except ValueError:
        parts = ("..",)
    if ".." in parts:
        raise OSError(f"{path} does not lie in {above}")
    for part in parts:
        above /= part
        if above.is_symlink():
            raise OSError(f"{above} is a link; nothing is written through it")


def require_without_links(directory: Path, above: Path) -> None:
    """Check that neither the way down to a directory nor what lies in it, or in the folders in it, is a link.

    Args:
        directory: need not exist.
        above: the folder that everything must lie in.

    Raises:
        OSError: there is a link, or the directory lies elsewhere.
    """
    require_unlinked(directory, above)
    try:
        entries = list(os.scandir(directory))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_symlink():
            raise OSError(f"{entry.path} is a link; nothing is written through it")
        if entry.is_dir(follow_symlinks=False):
            for path in list(os.scandir(entry.path)):
                if path.is_symlink():
                    raise OSError(f"{path.path} is a link; nothing is written through it")


@contextmanager
def _opened(folder: Path, name: str, most: int) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe would be waited for
    path = folder / name
    try:
        descriptor = _descended(folder, name, flags) if "/" in name else os.open(path, flags)
    except ValueError:  # NUL or half a character in its name
        raise OSError("no file can have this name") from None
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError("it is no regular file") from None
        if error.errno not in (errno.ELOOP, errno.EMLINK):
            raise
        descriptor = os.open(_inside(path, folder), flags)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is no regular file")
        if found.st_size > min(most, MOST):
            raise OSError(f"it has {found.st_size} bytes, more than the {min(most, MOST)} that it may have")
        if found.st_size > _LARGE and 512 * found.st_blocks < found.st_size // 8:
            raise OSError("most of it is a hole, which only takes memory")
        yield descriptor
    finally:
        os.close(descriptor)


def _descended(folder: Path, name: str, flags: int) -> int:
    """Open a file in folders within a folder, one after the other: where none is a link, it lies in there."""
    *folders, last = name.split("/")
    if {"", ".", ".."} & {*folders, last}:
        return os.open(_inside(folder / name, folder), flags)
    try:
        here = os.open(folder, _FOLDER)
        try:
            for part in folders:
                outer, here = here, os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
                os.close(outer)
            return os.open(last, flags, dir_fd=here)
        finally:
            os.close(here)
    except OSError:  # there is a link, which may lead to another place in there, or something is not there
        return os.open(_inside(folder / name, folder), flags)


def _inside(path: Path, folder: Path) -> Path:
    """Return where links lead."""
    try:
        found = path.resolve()
        is_inside = found.is_relative_to(folder.resolve())
    except (RuntimeError, ValueError):  # links in a circle, or a name that no file can have
        raise OSError("its name or its link leads nowhere") from None
    if not is_inside:
        raise OSError(f"it is a link out of {folder}")
    return found
