"""Data frames of a Python program that a target reads as if they were files: their names, and where they are found."""

import hashlib
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

MARK = "memory:"  # how the path of a frame begins
_DIGITS = 12  # of the digest in a path


@dataclass(frozen=True)
class Frame:
    """A data frame of pandas, which nobody changes.

    Attributes:
        digest: SHA-256 of its names, types and values.
        frame: it.
    """

    digest: str
    frame: Any = field(repr=False, compare=False)

    @classmethod
    def of(cls, frame: Any) -> "Frame":
        """Return a copy of a data frame, without its index."""
        own = frame.reset_index(drop=True)
        found = hashlib.sha256()
        for at, name in enumerate(own.columns):
            values, part = own.iloc[:, at], hashlib.sha256()
            part.update(f"{name}\n{values.dtype}\n".encode())
            plain = values.to_numpy()
            if plain.dtype.kind in "biuf":
                part.update(plain.tobytes())
            else:  # with their lengths, so that no two columns look alike
                for text in map(str, values):
                    part.update(f"{len(text)} {text}".encode())
            found.update(part.digest())
        return cls(found.hexdigest(), own)

    @property
    def path(self) -> str:
        """What stands for the frame where a path is wanted."""
        return f"{MARK}{self.digest[:_DIGITS]}"


# A frame stays as long as the block that was given it, and the targets that read it.
_known: weakref.WeakValueDictionary[str, Frame] = weakref.WeakValueDictionary()
_given: ContextVar[Frame | None] = ContextVar("given", default=None)


@contextmanager
def giving(frame: Frame | None) -> Iterator[None]:
    """Let what is started in this block, other processes too, find a frame."""
    token = _given.set(keep(frame) if frame else None)
    try:
        yield
    finally:
        _given.reset(token)


def given() -> Frame | None:
    """Return the frame of the block around, or None."""
    return _given.get()


def keep(frame: Frame) -> Frame:
    """Let a frame be found for as long as somebody holds what is returned: it, or its equal that is found already."""
    return _known.setdefault(frame.path, frame)


def hold(path: str, owner: object) -> None:
    """Let the frame of a path, if this process has it, be found for as long as ``owner`` lives."""
    frame = find(path)
    if frame:
        weakref.finalize(owner, _released, frame).atexit = False


def _released(frame: Frame) -> None:
    """Do nothing: that somebody waited to call it has held the frame."""


def find(path: str) -> Frame | None:
    """Return the frame of a path, or None if this process has none."""
    return _known.get(path)
