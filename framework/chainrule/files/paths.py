"""Where the configuration lies, and where a project keeps its runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike
from pathlib import Path

from chainrule.errors import ConfigurationError

_started: ContextVar[Path | None] = ContextVar("started", default=None)


def configuration() -> Path:
    """Return the folder of the YAML files: the packaged one, else the checkout's."""
    packaged = Path(__file__).parents[1] / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "conf"


def named(path: object) -> Path:
    """Return the path that a person has given in Python.

    Raises:
        ConfigurationError: it is no path, or no file can have this name.
    """
    if not isinstance(path, str | PathLike):
        raise ConfigurationError(f"a directory or a file is named by a text or a Path, not by {path!r}.")
    if "\0" in str(path):
        raise ConfigurationError(f"{str(path)!r} has a zero byte, which no name can have.")
    return Path(path)


def started() -> Path:
    """Return the folder in which the command was started: the working directory, unless a job has one of its own."""
    return _started.get() or Path.cwd()


def project() -> Path:
    """Return the project's folder: the nearest one, from the working directory up, that has one of the marks."""
    here = started()
    return next(
        (d for d in (here, *here.parents) if any((d / mark).exists() for mark in (".git", "pyproject.toml"))), here
    )


@contextmanager
def started_in(folder: Path) -> Iterator[None]:
    """Let the command count as started in ``folder``: there are its project, its plugins and what paths begin at."""
    token = _started.set(folder)
    try:
        yield
    finally:
        _started.reset(token)
