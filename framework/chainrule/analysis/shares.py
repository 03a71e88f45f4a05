"""Shares of runs, with their intervals."""

import math
from dataclasses import dataclass

_Z = 1.959963984540054  # of the normal distribution, for CONFIDENCE


@dataclass(frozen=True)
class Share:
    """So many of so many.

    Attributes:
        count: how many.
        of: of how many, at least 1.
    """

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % score interval (Wilson 1927, Journal of the American Statistical Association 22)."""
        squared = _Z * _Z
        middle = (self.count + squared / 2) / (self.of + squared)
        half = _Z * math.sqrt(self.count * (self.of - self.count) / self.of + squared / 4) / (self.of + squared)
        return max(0.0, middle - half), min(1.0, middle + half)

    def is_above(self, other: "Share") -> bool:
        """Whether its interval lies above that of another share."""
        return self.interval[0] > other.interval[1]

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.count} of {self.of} [{100 * low:.0f}, {100 * high:.0f} %]"
