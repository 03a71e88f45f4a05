"""The plan of a comparison of methods."""

import dataclasses
import statistics
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from chainrule.errors import counted
from chainrule.records.entries import Entries

_MOST = 10**7  # runs of a comparison, and counts in its plan


class RoundEntry(Entries):
    """A round in the record of its sweep, see :class:`Round`."""

    contenders: list[int]
    tunings: int


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
    metric: str
    until_decided: bool
    rounds: list[RoundEntry]
    tuning_runs: int
    runs: int

    @classmethod
    def checked(cls, data: Mapping[str, Any]) -> Self:
        """Return the data with its entries checked; earlier versions had one round, and at first one tuning."""
        return super().checked({"tunings": 1, "metric": "loss", "until_decided": False, "rounds": [], **data})


@dataclass(frozen=True)
class Round:
    """A part of a comparison in which the same contenders take part.

    Attributes:
        contenders: their indices among all.
        tunings: number of independent tunings of each of them on each target.
    """

    contenders: tuple[int, ...]
    tunings: int


@dataclass(frozen=True)
class Comparison:
    """The plan of a comparison; it fixes the number of each job.

    Jobs are numbered round by round. Of a round the tuning jobs come first, ordered by target, contender, tuning, point
    and seed. The jobs of the tuned contenders follow, ordered by target, contender, tuning and seed. With a single
    point nothing is tuned, and a tuning is nothing but its seeds.

    Attributes:
        group: the group whose components are compared.
        contenders: names of these components.
        targets: names of the targets.
        space: what is tuned: key to values as typed.
        points: number of points of the space that one tuning tries.
        tuning_seeds: number of seeds for each point.
        seeds: number of seeds with which the best point of one tuning is run.
        tunings: number of independent tunings of each contender on each target in the first round.
        metric: what is compared: ``loss``, or ``accuracy``, ``r2`` or the ``score`` that a target has.
        until_decided: whether rounds follow until it is known which contender is better.
        rounds: those after the first so far.
    """

    group: str
    contenders: tuple[str, ...]
    targets: tuple[str, ...]
    space: Mapping[str, str]
    points: int
    tuning_seeds: int
    seeds: int
    tunings: int = 1
    metric: str = "loss"
    until_decided: bool = False
    rounds: tuple[Round, ...] = ()

    @classmethod
    def of(cls, entry: ComparisonEntry) -> "Comparison":
        """Return the comparison from its entry in the record of a sweep."""
        values = {field.name: entry[field.name] for field in dataclasses.fields(cls)}
        rounds = tuple(Round(tuple(each.contenders), each.tunings) for each in entry.rounds)
        lists = {"contenders": tuple(entry.contenders), "targets": tuple(entry.targets), "rounds": rounds}
        return cls(**{**values, **lists})

    @classmethod
    def is_sound(cls, entry: ComparisonEntry, jobs: int) -> bool:
        """Say whether an entry is that of a comparison, with at least so many jobs, that could have been made."""
        counts = entry.points, entry.tuning_seeds, entry.tunings, entry.seeds, *(each.tunings for each in entry.rounds)
        if not (entry.contenders and entry.targets and 0 < min(counts) <= max(counts) <= _MOST):
            return False
        if any(not 0 <= place < len(entry.contenders) for each in entry.rounds for place in each.contenders):
            return False
        if len(entry.contenders) * len(entry.targets) * (1 + len(entry.rounds)) > _MOST // 10:
            return False
        planned = cls.of(entry).runs
        return planned == entry.runs and jobs <= planned <= _MOST

    def to_entry(self) -> ComparisonEntry:
        """Return the plan as plain data, with its numbers of runs."""
        plain = {**dataclasses.asdict(self), "space": dict(self.space)}
        rounds = [RoundEntry(contenders=list(each.contenders), tunings=each.tunings) for each in self.rounds]
        lists = {"contenders": list(self.contenders), "targets": list(self.targets), "rounds": rounds}
        return ComparisonEntry(**{**plain, **lists, "tuning_runs": self.tuning_runs, "runs": self.runs})

    @cached_property
    def every_round(self) -> tuple[Round, ...]:
        """All rounds so far."""
        return Round(tuple(range(len(self.contenders))), self.tunings), *self.rounds

    @property
    def sentence(self) -> str:
        """The plan in words."""
        often = [self.taken(contender) for contender in range(len(self.contenders))]
        least, most = min(often), max(often)
        several = f"{most}" if least == most else f"{least} to {most}"
        until = ", until it was decided which is better" * self.until_decided
        if not self.tuning_runs:
            fewest, seeds = least * self.seeds, counted(most * self.seeds, "seed")
            several = seeds if least == most else f"{fewest} to {seeds}"
            return f"Each was run with {several} on each target{until}; nothing was tuned."
        space = ", ".join(f"{key}={text}" for key, text in self.space.items())
        tried = f"{self.points} of {space}, with {counted(self.tuning_seeds, 'seed')} each"
        fresh = f"was then run with {counted(self.seeds, 'seed')} that no tuning had seen."
        if most == 1:
            return f"Each was tuned once on each target: the same points for all, {tried}. The best point {fresh}"
        return (
            f"Each was tuned {several} times on each target{until}: each time other points, the same for all, {tried}. "
            f"The best point of each tuning {fresh}"
        )

    @property
    def cells(self) -> list[tuple[int, int]]:
        """All pairs of a target's and a contender's index, in the order of the jobs."""
        return self.cells_of(self.every_round[0])

    @property
    def tuning_runs(self) -> int:
        """Number of tuning runs in all rounds."""
        return sum(map(self.tuning_runs_of, self.every_round))

    @property
    def runs(self) -> int:
        """Number of all runs in all rounds."""
        return sum(map(self.runs_of, self.every_round))

    def cells_of(self, round_: Round) -> list[tuple[int, int]]:
        """Return the pairs of a target's and a contender's index that a round has, in the order of its jobs."""
        return [(target, contender) for target in range(len(self.targets)) for contender in round_.contenders]

    def tuning_runs_of(self, round_: Round) -> int:
        """Return the number of tuning runs of a round."""
        points = self.points if self.points > 1 else 0
        return len(self.cells_of(round_)) * round_.tunings * points * self.tuning_seeds

    def runs_of(self, round_: Round) -> int:
        """Return the number of all runs of a round."""
        return self.tuning_runs_of(round_) + len(self.cells_of(round_)) * round_.tunings * self.seeds

    def tunings_of(self, place: int) -> range:
        """Return the numbers of the tunings of a round.

        Args:
            place: of the round.
        """
        first = sum(each.tunings for each in self.every_round[:place])
        return range(first, first + self.every_round[place].tunings)

    @property
    def most_tunings(self) -> int:
        """Number of tunings on each target of a contender that took part in all rounds."""
        return sum(each.tunings for each in self.every_round)

    def taken(self, contender: int) -> int:
        """Return how often a contender has been tuned on each target: who has left does not return."""
        return sum(each.tunings for each in self.every_round if contender in each.contenders)

    def tuning(self, target: int, contender: int, tuning: int, point: int) -> range:
        """Return the numbers of the jobs that try a point."""
        _, first, place = self._place(target, contender, tuning)
        first += (place * self.points + point) * self.tuning_seeds
        return range(first, first + self.tuning_seeds)

    def tuned(self, target: int, contender: int, tuning: int) -> range:
        """Return the numbers of the jobs with the best point of a tuning."""
        round_, first, place = self._place(target, contender, tuning)
        first += self.tuning_runs_of(round_) + place * self.seeds
        return range(first, first + self.seeds)

    def is_tuning(self, number: int) -> bool:
        """Say whether a job tunes."""
        round_, place = self._round(number)
        return place < self.tuning_runs_of(round_)

    def contender(self, number: int) -> str:
        """Return the contender of a job."""
        round_, place = self._round(number)
        tuning = self.tuning_runs_of(round_)
        cell = place // (self.points * self.tuning_seeds) if place < tuning else (place - tuning) // self.seeds
        return self.contenders[round_.contenders[cell // round_.tunings % len(round_.contenders)]]

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

    def ended(self, numbers: Collection[int]) -> "Comparison | None":
        """Return the plan with the rounds that have ended, or None if the first has not.

        Args:
            numbers: jobs that have ended.
        """
        first = count = 0
        for each in self.every_round:
            first, last = first + self.runs_of(each), first
            if not all(number in numbers for number in range(last, first)):
                break
            count += 1
        return dataclasses.replace(self, rounds=self.rounds[: count - 1]) if count else None

    def _place(self, target: int, contender: int, tuning: int) -> tuple[Round, int, int]:
        """Return the round of a tuning, the number of its first job, and the place of the tuning in it."""
        first = 0
        for each in self.every_round:
            if tuning < each.tunings:
                cell = target * len(each.contenders) + each.contenders.index(contender)
                return each, first, cell * each.tunings + tuning
            first, tuning = first + self.runs_of(each), tuning - each.tunings
        raise IndexError(tuning)

    def _round(self, number: int) -> tuple[Round, int]:
        """Return the round of a job and its place there."""
        for each in self.every_round:
            runs = self.runs_of(each)
            if number < runs:
                return each, number
            number -= runs
        raise IndexError(number)
