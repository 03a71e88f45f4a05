"""What cannot be recorded, and where it was tried."""

import traceback
from pathlib import Path
from typing import Any


class Untraceable(Exception):  # noqa: N818 - it is no error: NumPy trains then
    """A formula does what cannot be recorded; the message is a part of a sentence, without its subject."""


class Refused:
    """Stands for an object that a kernel cannot use, such as random numbers.

    Args:
        what: what a formula does by using it.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> Any:
        raise Untraceable(self._what)


def where_untraceable(error: BaseException) -> str:
    """Return the line of the formula that raised an error, as ``activations.py, line 12: return ...``; or nothing."""
    here, found = Path(__file__).parent, ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.parent != here and path.name != "compiling.py" and "numpy" not in path.parts:
            found = f"{path.name}, line {frame.lineno}: {frame.line}"
    return found
