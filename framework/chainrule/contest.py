"""A comparison of methods: what it consists of, and what came of it.

Each contender is tuned on each target: the same points of the space are tried with the same seeds, and the point with
the smallest median loss is then trained with seeds that tuning has not seen. Only these runs are compared.
"""

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import comparison
from chainrule.comparison import LEVEL, Pair
from chainrule.outcomes import Outcome
from chainrule.ranking import Group
from chainrule.sweeps import Sweep, metric

FACTORS = tuple(float(f"{factor:.4g}") for factor in np.geomspace(1, 100, 81))  # of performance profiles
_SCORES = ("r2", "accuracy")


@dataclass(frozen=True)
class Contest:
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
    def of(cls, sweep: Sweep) -> "Contest":
        """Return the plan of a sweep that is a comparison."""
        entry = {field.name: sweep.manifest["comparison"][field.name] for field in dataclasses.fields(cls)}
        return cls(**{**entry, "contenders": tuple(entry["contenders"]), "targets": tuple(entry["targets"])})

    def to_manifest(self) -> dict[str, Any]:
        """Return the plan as plain data, with numbers of runs."""
        plain = {**dataclasses.asdict(self), "space": dict(self.space)}
        lists = {"contenders": list(self.contenders), "targets": list(self.targets)}
        return {**plain, **lists, "tuning_runs": self.tuning_runs, "runs": self.runs}

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


@dataclass(frozen=True)
class Entry:
    """One contender on one target.

    Attributes:
        target: its name.
        contender: its name.
        tuned: key to value: the point with the smallest median loss.
        at_edge: those keys of which no smaller, or no larger, value was tried.
        tried: each point, with its median loss over the tuning seeds.
        runs: of the tuned contender.
        score: the name and the median of R2 or accuracy; None where it is unknown.
    """

    target: str
    contender: str
    tuned: Mapping[str, Any]
    at_edge: tuple[str, ...]
    tried: tuple[tuple[Mapping[str, Any], float], ...]
    runs: Group
    score: tuple[str, float] | None


@dataclass(frozen=True)
class Standing:
    """How one contender stands among the others.

    Attributes:
        contender: its name.
        better_than: those from which the data separate it, to its credit.
        worse_than: likewise, to theirs.
        level_with: those from which the data do not separate it.
        probability: that a run of it is better than a run of another, averaged over the others.
    """

    contender: str
    better_than: tuple[str, ...]
    worse_than: tuple[str, ...]
    level_with: tuple[str, ...]
    probability: float


@dataclass(frozen=True)
class Results:
    """What came of a comparison.

    Attributes:
        contest: its plan.
        metric: the loss by which runs were compared.
        entries: target by target, contender by contender.
        pairs: each two contenders.
        profile: of each contender, over ``FACTORS``.
        profiled: the targets for which it could be drawn.
    """

    contest: Contest
    metric: str
    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    profile: tuple[tuple[float, ...], ...]
    profiled: tuple[str, ...]

    @property
    def answer(self) -> str:
        """What came out, in a sentence."""
        names = self.contest.contenders
        if len(self.pairs) == 1:
            return f"{self.verdict(self.pairs[0])}."
        wins = [(pair.better, pair.worse) for pair in self.pairs if pair.is_separated]
        if not wins:
            return f"The data do not separate {_listed(names)}."
        beaten = {worse for _, worse in wins}
        best = [names[place] for place in range(len(names)) if place not in beaten]
        others = [names[place] for place in sorted(beaten)]
        if not best:
            return "Each contender is worse than another one: there is no best."
        if len(best) > 1:
            verb = "is" if len(others) == 1 else "are"
            return (
                f"Best are {_listed(best)}, which the data do not separate; "
                f"{_listed(others)} {verb} worse than at least one other."
            )
        if sum(names[better] == best[0] for better, _ in wins) == len(names) - 1:
            return f"{best[0]} is better than {_listed(others)}."
        equal = [name for name in others if (names.index(best[0]), names.index(name)) not in wins]
        return f"Nothing is better than {best[0]}, but the data do not separate it from {_listed(equal)}."

    @property
    def standings(self) -> list[Standing]:
        """How each contender stands, from the one that is most likely to be better than another."""
        found = [self._standing(place) for place in range(len(self.contest.contenders))]
        return sorted(found, key=lambda standing: -standing.probability)

    def verdict(self, pair: Pair) -> str:
        """Return what the data say about two contenders, without the full stop."""
        better, worse = (self.contest.contenders[place] for place in (pair.better, pair.worse))
        share = f"in {percent(pair.probability)} of pairs of runs (95 % interval {percentages(pair.interval)}"
        if pair.is_separated:
            return f"{better} is better than {worse}: {share}, {p_value(pair.corrected)})"
        return f"The data do not separate {better} from {worse}: {better} is better {share}, {p_value(pair.corrected)})"

    def pair(self, first: int, second: int) -> tuple[Pair, float, tuple[float, float]]:
        """Return what is known about two contenders, and the probability of improvement of the first, with interval."""
        pair = next(pair for pair in self.pairs if {pair.better, pair.worse} == {first, second})
        if pair.better == first:
            return pair, pair.probability, pair.interval
        return pair, 1 - pair.probability, (1 - pair.interval[1], 1 - pair.interval[0])

    def _standing(self, place: int) -> Standing:
        names = self.contest.contenders
        others = [(name, *self.pair(place, other)[:2]) for other, name in enumerate(names) if other != place]
        return Standing(
            contender=names[place],
            better_than=tuple(name for name, pair, _ in others if pair.is_separated and pair.better == place),
            worse_than=tuple(name for name, pair, _ in others if pair.is_separated and pair.worse == place),
            level_with=tuple(name for name, pair, _ in others if not pair.is_separated),
            probability=statistics.fmean(share for _, _, share in others),
        )


def results(sweep: Sweep, outcomes: Sequence[Outcome]) -> Results | None:
    """Return what came of a comparison, or None if some of its runs have not ended.

    Args:
        sweep: its record.
        outcomes: of its runs.
    """
    contest, watched = Contest.of(sweep), metric(outcomes)
    found = {outcome.number: outcome for outcome in outcomes}
    if len(found) < contest.runs:
        return None
    entries = tuple(_entry(contest, sweep, found, watched, *cell) for cell in contest.cells)
    losses = np.array(
        [[[found[n].value(watched) for n in contest.tuned(t, c)] for c in range(len(contest.contenders))]
         for t in range(len(contest.targets))]
    )  # fmt: skip
    shares, used = comparison.profile(losses, np.array(FACTORS))
    return Results(
        contest=contest,
        metric=watched,
        entries=entries,
        pairs=tuple(comparison.pairs(losses)),
        profile=tuple(map(tuple, shares.tolist())),
        profiled=tuple(contest.targets[place] for place in used),
    )


def least_seeds(contenders: int, targets: int) -> int:
    """Return with how many seeds at least some difference could be significant."""
    pairs, seeds = contenders * (contenders - 1) // 2, 2
    while comparison.smallest_p(targets, seeds) * pairs > LEVEL:
        seeds += 1
    return seeds


def percent(share: float) -> str:
    """Write ``78 %``."""
    return f"{100 * share:.0f} %"


def percentages(interval: tuple[float, float]) -> str:
    """Write ``70 to 85 %``."""
    return f"{100 * interval[0]:.0f} to {percent(interval[1])}"


def p_value(p: float) -> str:
    """Write a p value: ``p < 0.001`` or ``p = 0.02``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def described(entry: Entry) -> str:
    """Return the tuned parameters in words, numbers with three digits and a mark where they are outermost."""
    numbers = {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in entry.tuned.items()}
    return ", ".join(f"{key}={number}{' (edge)' * (key in entry.at_edge)}" for key, number in numbers.items())


def scored(entry: Entry) -> str:
    """Return the median score in words."""
    if entry.score is None or not math.isfinite(entry.score[1]):
        return ""
    name, value = entry.score
    return f"R2 {value:.3f}" if name == "r2" else f"{percent(value)} correct"


def _entry(
    contest: Contest, sweep: Sweep, found: Mapping[int, Outcome], watched: str, target: int, contender: int
) -> Entry:
    def settings(number: int) -> dict[str, Any]:
        own = sweep.settings(number)
        return {key: own[key] for key in contest.space if key in own}

    runs = [found[number] for number in contest.tuned(target, contender)]
    medians = contest.medians(target, contender, lambda number: found[number].value(watched))
    points = [settings(contest.tuning(target, contender, point)[0]) for point in range(len(medians))]
    tuned = settings(runs[0].number)
    numbers = {key: [point[key] for point in points] for key, v in tuned.items() if isinstance(v, int | float)}
    at_edge = [key for key, tried in numbers.items() if len(set(tried)) > 2 and tuned[key] in (min(tried), max(tried))]
    return Entry(
        target=contest.targets[target],
        contender=contest.contenders[contender],
        tuned=tuned,
        at_edge=tuple(at_edge),
        tried=tuple(zip(points, medians, strict=True)),
        runs=Group({}, tuple(runs), tuple(sorted(run.value(watched) for run in runs))),
        score=_score(runs, watched.partition("/")[0]),
    )


def _score(runs: Sequence[Outcome], part: str) -> tuple[str, float] | None:
    """Return the median score, for which a run that has none counts as the worst."""
    for name in _SCORES:
        if any(f"{part}/{name}" in run.metrics for run in runs):
            values = [run.metrics.get(f"{part}/{name}") for run in runs]
            return name, statistics.median(-math.inf if value is None else value for value in values)
    return None


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
