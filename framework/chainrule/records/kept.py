"""Runs that broke off, and are kept in checkpoints: which ones lie on disk, without their parameters."""

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "checkpoints"  # below the directory of a run, or of the first run of a stack
MARK = b"chainrule checkpoint 1 "  # with which a checkpoint begins; its SHA-256 follows
_LONGEST = 1 << 24  # bytes of what is said about runs
_NAME = re.compile(r"epoch-\d{10,}")


@dataclass(frozen=True)
class Kept:
    """A run that broke off, or a stack of them, of which there are checkpoints.

    Attributes:
        directory: of the run, or of the first run of the stack.
        epoch: up to where it is kept.
        epochs: how many it is trained, at most; None if that is not said, as of a stack.
    """

    directory: Path
    epoch: int
    epochs: int | None

    def __str__(self) -> str:
        of = "" if self.epochs is None else f" of {self.epochs}"
        return f"a run that is kept up to epoch {self.epoch}{of}"


def about(directory: Path) -> Mapping[str, Any] | None:
    """Return what the newest checkpoint says about its runs, which is not checked; None if there is none."""
    for path in files_in(directory):
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError), open(path, "rb") as file:
            file.readline(len(MARK) + 65)
            found = json.loads(file.readline(_LONGEST))["about"]
            if isinstance(found, dict):
                return found
    return None


def kept_in(directory: Path) -> Kept | None:
    """Return what the newest checkpoint in a directory says, which is not checked; None if there is none."""
    files = files_in(directory)
    if not files:
        return None
    epochs = None
    with suppress(TypeError, KeyError):  # of a stack, or damaged
        epochs = (about(directory) or {})["configuration"]["training"]["epochs"]
    return Kept(directory, _epoch(files[0]), epochs if isinstance(epochs, int) else None)


def remove_checkpoints(directory: Path) -> None:
    """Remove the checkpoints of a run, which has ended."""
    shutil.rmtree(directory / FOLDER, ignore_errors=True)


def files_in(directory: Path) -> list[Path]:
    """Return the files of checkpoints in the directory of a run, the newest first; links are none."""
    folder = directory / FOLDER
    there = [] if folder.is_symlink() else [path for path in folder.glob("epoch-*") if _NAME.fullmatch(path.name)]
    found = [path for path in there if path.is_file() and not path.is_symlink()]
    return sorted(found, key=_epoch, reverse=True)


def _epoch(path: Path) -> int:
    return int(path.name.partition("-")[2])
