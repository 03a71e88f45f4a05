"""What the runs of a sweep say about the settings compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """One run of a sweep."""

    number: int
    directory: str
    settings: Mapping[str, Any]
    seed: int
    reason: str
    metrics: Mapping[str, float | None]
    error: str = ""
