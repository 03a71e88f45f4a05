"""The plan of a comparison of methods."""

import dataclasses
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chainrule.records.entries import Entries


class ComparisonEntry(Entries):
    """A comparison in the record of its sweep, see :class:`Comparison`."""

    group: str
    contenders: list[str]
    targets: list[str]
    space: dict[str, str]
    points: int
    tuning_seeds: int
    seeds: int
    tuning_runs: int
    runs: int


@dataclass(frozen=True)
class Comparison:
    """The plan of a comparison; it fixes the number of each job.

    The tuning jobs come first, ordered by target, contender, point and seed. The jobs of the tuned contenders follow,
    ordered by target, contender and seed. With a single point nothing is tuned.

    Attributes:
        group: the group whose components are compared.
        contenders: names of these components.
        targets: names of the targets.
        space: what is tuned: key to values as typed.
        points: number of points of the space tried for each contender on each target.
        tuning_seeds: number of seeds for each point.
        seeds: number of seeds for each tuned contender on each target.
    """

    group: str
    contenders: tuple[str, ...]
    targets: tuple[str, ...]
    space: Mapping[str, str]
    points: int
    tuning_seeds: int
    seeds: int

    @classmethod
    def of(cls, entry: ComparisonEntry) -> "Comparison":
        """Return the comparison from its entry in the record of a sweep."""
        values = {field.name: entry[field.name] for field in dataclasses.fields(cls)}
        return cls(**{**values, "contenders": tuple(entry.contenders), "targets": tuple(entry.targets)})

    def to_entry(self) -> ComparisonEntry:
        """Return the plan as plain data, with its numbers of runs."""
        plain = {**dataclasses.asdict(self), "space": dict(self.space)}
        lists = {"contenders": list(self.contenders), "targets": list(self.targets)}
        return ComparisonEntry(**{**plain, **lists, "tuning_runs": self.tuning_runs, "runs": self.runs})

    @property
    def sentence(self) -> str:
        """The plan in words."""
        fresh = f"{self.seeds} seeds"
        if not self.tuning_runs:
            return f"Each was run with {fresh} on each target; nothing was tuned."
        space = ", ".join(f"{key}={text}" for key, text in self.space.items())
        return (
            f"Each was tuned on each target: the same {self.points} points of {space}, with {self.tuning_seeds} "
            f"seed{'s' * (self.tuning_seeds > 1)} each. The best point was then run with {fresh} that tuning had not "
            "seen."
        )

    @property
    def cells(self) -> list[tuple[int, int]]:
        """All pairs of a target's and a contender's index, in the order of the jobs."""
        return [(t, c) for t in range(len(self.targets)) for c in range(len(self.contenders))]

    @property
    def tuning_runs(self) -> int:
        """Number of tuning runs."""
        return len(self.cells) * self.points * self.tuning_seeds if self.points > 1 else 0

    @property
    def runs(self) -> int:
        """Number of all runs."""
        return self.tuning_runs + len(self.cells) * self.seeds

    def tuning(self, target: int, contender: int, point: int) -> range:
        """Return the numbers of the jobs that try a point."""
        place = (target * len(self.contenders) + contender) * self.points + point
        return range(place * self.tuning_seeds, (place + 1) * self.tuning_seeds)

    def tuned(self, target: int, contender: int) -> range:
        """Return the numbers of the jobs of a tuned contender."""
        first = self.tuning_runs + (target * len(self.contenders) + contender) * self.seeds
        return range(first, first + self.seeds)

    def medians(self, target: int, contender: int, loss: Callable[[int], float]) -> list[float]:
        """Return the median loss of each point over the tuning seeds; an empty list if nothing is tuned.

        Args:
            target: index of the target.
            contender: index of the contender.
            loss: returns the loss of a job, given its number.
        """
        points = range(self.points if self.points > 1 else 0)
        return [statistics.median(map(loss, self.tuning(target, contender, point))) for point in points]
