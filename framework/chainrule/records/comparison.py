"""What a comparison of methods consists of."""

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
    """The plan of a comparison, from which the number of each job follows.

    The jobs that tune come first: target by target, contender by contender, point by point, seed by seed. Those of the
    tuned contenders follow in the same order. With a single point there is nothing to tune.

    Attributes:
        group: whose choices are compared.
        contenders: these choices.
        targets: on which they are compared.
        space: key to values as typed: what is tuned.
        points: of the space, tried for each contender on each target.
        tuning_seeds: with which each point is tried.
        seeds: with which the tuned contenders are compared.
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
        """Return the comparison that the record of a sweep holds."""
        values = {field.name: entry[field.name] for field in dataclasses.fields(cls)}
        return cls(**{**values, "contenders": tuple(entry.contenders), "targets": tuple(entry.targets)})

    def to_entry(self) -> ComparisonEntry:
        """Return it as plain data, with numbers of runs."""
        plain = {**dataclasses.asdict(self), "space": dict(self.space)}
        lists = {"contenders": list(self.contenders), "targets": list(self.targets)}
        return ComparisonEntry(**{**plain, **lists, "tuning_runs": self.tuning_runs, "runs": self.runs})

    @property
    def sentence(self) -> str:
        """What is done, in words."""
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
        """Each place of a target with each place of a contender, in the order of the jobs."""
        return [(t, c) for t in range(len(self.targets)) for c in range(len(self.contenders))]

    @property
    def tuning_runs(self) -> int:
        """How many runs there are before the contenders are tuned."""
        return len(self.cells) * self.points * self.tuning_seeds if self.points > 1 else 0

    @property
    def runs(self) -> int:
        """How many runs there are in all."""
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
        """Return the median loss of each point over the tuning seeds; none where nothing is tuned.

        Args:
            target: its place.
            contender: its place.
            loss: of a job, by its number.
        """
        points = range(self.points if self.points > 1 else 0)
        return [statistics.median(map(loss, self.tuning(target, contender, point))) for point in points]
