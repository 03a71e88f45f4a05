"""What is wrong with an environment, a record, a sweep or a tracker's store."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        place: what it is about, such as a directory.
        sentence: what is wrong.
        advice: what a person can do about it, in a sentence; empty where mending it is enough.
        mend: puts it right, and raises an error if it cannot; None if only a person can.
    """

    place: str
    sentence: str
    advice: str = ""
    mend: Callable[[], None] | None = None
