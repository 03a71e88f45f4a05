"""The plan of a comparison of methods."""

import dataclasses
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from chainrule.records.entries import Entries


class ComparisonEntry(Entries):
    """A comparison in the record of its sweep, see :class:`Comparison`."""

    group: str
    contenders: list[str]
    targets: list[str]
    space: dict[str, str]
    points: int
    tuning_seeds: int
    tunings: int
    seeds: int
    tuning_runs: int
    runs: int

    @classmethod
    def checked(cls, data: Mapping[str, Any]) -> Self:
        """Return the data with its entries checked; earlier versions tuned once and did not say so."""
        return super().checked({"tunings": 1, **data})


@dataclass(frozen=True)
class Comparison:
    """The plan of a comparison; it fixes the number of each job.

    The tuning jobs come first, ordered by target, contender, tuning, point and seed. The jobs of the tuned contenders
    follow, ordered by target, contender, tuning and seed. With a single point nothing is tuned.

    Attributes:
        group: the group whose components are compared.
        contenders: names of these components.
        targets: names of the targets.
        space: what is tuned: key to values as typed.
        points: number of points of the space that one tuning tries.
        tuning_seeds: number of seeds for each point.
        seeds: number of seeds with which the best point of one tuning is run.
        tunings: number of independent tunings of each contender on each target; 1 if nothing is tuned.
    """

    group: str
    contenders: tuple[str, ...]
    targets: tuple[str, ...]
    space: Mapping[str, str]
    points: int
    tuning_seeds: int
    seeds: int
    tunings: int = 1

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
        if not self.tuning_runs:
            return f"Each was run with {self.seeds} seeds on each target; nothing was tuned."
        space = ", ".join(f"{key}={text}" for key, text in self.space.items())
        tried = f"{self.points} of {space}, with {_count(self.tuning_seeds, 'seed')} each"
        fresh = f"was then run with {_count(self.seeds, 'seed')} that no tuning had seen."
        if self.tunings == 1:
            return f"Each was tuned once on each target: the same points for all, {tried}. The best point {fresh}"
        return (
            f"Each was tuned {self.tunings} times on each target: each time other points, the same for all, {tried}. "
            f"The best point of each tuning {fresh}"
        )

    @property
    def cells(self) -> list[tuple[int, int]]:
        """All pairs of a target's and a contender's index, in the order of the jobs."""
        return [(t, c) for t in range(len(self.targets)) for c in range(len(self.contenders))]

    @property
    def tuning_runs(self) -> int:
        """Number of tuning runs."""
        return len(self.cells) * self.tunings * self.points * self.tuning_seeds if self.points > 1 else 0

    @property
    def runs(self) -> int:
        """Number of all runs."""
        return self.tuning_runs + len(self.cells) * self.tunings * self.seeds

    def tuning(self, target: int, contender: int, tuning: int, point: int) -> range:
        """Return the numbers of the jobs that try a point."""
        place = self._place(target, contender, tuning) * self.points + point
        return range(place * self.tuning_seeds, (place + 1) * self.tuning_seeds)

    def tuned(self, target: int, contender: int, tuning: int) -> range:
        """Return the numbers of the jobs with the best point of a tuning."""
        first = self.tuning_runs + self._place(target, contender, tuning) * self.seeds
        return range(first, first + self.seeds)

    def contender(self, number: int) -> str:
        """Return the contender of a job."""
        tunes = number < self.tuning_runs
        place = number // (self.points * self.tuning_seeds) if tunes else (number - self.tuning_runs) // self.seeds
        return self.contenders[place // self.tunings % len(self.contenders)]

    def medians(self, target: int, contender: int, tuning: int, loss: Callable[[int], float]) -> list[float]:
        """Return the median loss of each point of a tuning over its seeds; an empty list if nothing is tuned.

        Args:
            target: index of the target.
            contender: index of the contender.
            tuning: its number.
            loss: returns the loss of a job, given its number.
        """
        points = range(self.points if self.points > 1 else 0)
        return [statistics.median(map(loss, self.tuning(target, contender, tuning, point))) for point in points]

    def _place(self, target: int, contender: int, tuning: int) -> int:
        return (target * len(self.contenders) + contender) * self.tunings + tuning


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
