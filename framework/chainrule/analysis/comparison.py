"""The result of a comparison of methods.

Each contender is tuned on each target: the same points of the space are tried with the same seeds, and the point with
the smallest median loss is then trained with seeds that tuning has not seen. Only these runs are compared.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.analysis import rank_tests
from chainrule.analysis.rank_tests import SIGNIFICANCE, Pair
from chainrule.analysis.ranking import Group
from chainrule.analysis.wording import p_value, percent, percent_interval
from chainrule.records.comparison import Comparison
from chainrule.records.outcome import Outcome
from chainrule.records.sweep import Sweep

FACTORS = tuple(float(f"{factor:.4g}") for factor in np.geomspace(1, 100, 81))  # of performance profiles
_SCORES = ("r2", "accuracy")


@dataclass(frozen=True)
class Entry:
    """One contender on one target.

    Attributes:
        target: its name.
        contender: its name.
        tuned: the point with the smallest median loss, key to value.
        at_edge: the keys whose tuned value is the smallest or the largest value tried.
        tried: each point, with its median loss over the tuning seeds.
        runs: the runs of the tuned contender.
        score: name and median of R2 or accuracy; None if it is unknown.
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
        better_than: contenders that it is significantly better than.
        worse_than: contenders that it is significantly worse than.
        level_with: contenders from which it does not differ significantly.
        probability: probability that one of its runs is better than a run of another contender, averaged over these.
    """

    contender: str
    better_than: tuple[str, ...]
    worse_than: tuple[str, ...]
    level_with: tuple[str, ...]
    probability: float


@dataclass(frozen=True)
class ComparisonResult:
    """The result of a comparison.

    Attributes:
        comparison: its plan.
        metric: the loss by which runs were compared.
        entries: target by target, contender by contender.
        pairs: one entry per pair of contenders.
        profile: performance profile of each contender, at ``FACTORS``.
        profiled: the targets that the profile covers.
    """

    comparison: Comparison
    metric: str
    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    profile: tuple[tuple[float, ...], ...]
    profiled: tuple[str, ...]

    @property
    def answer(self) -> str:
        """The result in a sentence."""
        names = self.comparison.contenders
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
        """The standing of each contender, in descending order of probability."""
        found = [self._standing(place) for place in range(len(self.comparison.contenders))]
        return sorted(found, key=lambda standing: -standing.probability)

    def verdict(self, pair: Pair) -> str:
        """Return the result for two contenders as a sentence without the full stop."""
        better, worse = (self.comparison.contenders[place] for place in (pair.better, pair.worse))
        share = f"in {percent(pair.probability)} of pairs of runs (95 % interval {percent_interval(pair.interval)}"
        if pair.is_separated:
            return f"{better} is better than {worse}: {share}, {p_value(pair.corrected)})"
        return f"The data do not separate {better} from {worse}: {better} is better {share}, {p_value(pair.corrected)})"

    def pair(self, first: int, second: int) -> tuple[Pair, float, tuple[float, float]]:
        """Return the pair of two contenders, the probability that the first is better, and its interval."""
        pair = next(pair for pair in self.pairs if {pair.better, pair.worse} == {first, second})
        if pair.better == first:
            return pair, pair.probability, pair.interval
        return pair, 1 - pair.probability, (1 - pair.interval[1], 1 - pair.interval[0])

    def _standing(self, place: int) -> Standing:
        names = self.comparison.contenders
        others = [(name, *self.pair(place, other)[:2]) for other, name in enumerate(names) if other != place]
        return Standing(
            contender=names[place],
            better_than=tuple(name for name, pair, _ in others if pair.is_separated and pair.better == place),
            worse_than=tuple(name for name, pair, _ in others if pair.is_separated and pair.worse == place),
            level_with=tuple(name for name, pair, _ in others if not pair.is_separated),
            probability=statistics.fmean(share for _, _, share in others),
        )


def compare_outcomes(
    sweep: Sweep, comparison: Comparison, outcomes: Sequence[Outcome], metric: str
) -> ComparisonResult | None:
    """Return the result of a comparison, or None if some of its runs have not finished.

    Args:
        sweep: its record.
        comparison: its plan.
        outcomes: outcomes of its runs.
        metric: name of the loss by which runs are compared.
    """
    found = {outcome.number: outcome for outcome in outcomes}
    if len(found) < comparison.runs:
        return None
    entries = tuple(_entry(comparison, sweep, found, metric, *cell) for cell in comparison.cells)
    losses = np.array(
        [[[found[n].value(metric) for n in comparison.tuned(t, c)] for c in range(len(comparison.contenders))]
         for t in range(len(comparison.targets))]
    )  # fmt: skip
    shares, used = rank_tests.profile(losses, np.array(FACTORS))
    return ComparisonResult(
        comparison=comparison,
        metric=metric,
        entries=entries,
        pairs=tuple(rank_tests.pairs(losses)),
        profile=tuple(map(tuple, shares.tolist())),
        profiled=tuple(comparison.targets[place] for place in used),
    )


def least_seeds(contenders: int, targets: int) -> int:
    """Return the smallest number of seeds with which a difference can be significant."""
    pairs, seeds = contenders * (contenders - 1) // 2, 2
    while rank_tests.smallest_p(targets, seeds) * pairs > SIGNIFICANCE:
        seeds += 1
    return seeds


def tuned_words(entry: Entry) -> str:
    """Return the tuned parameters in words, numbers with three digits, and values at the edge with a mark."""
    numbers = {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in entry.tuned.items()}
    return ", ".join(f"{key}={number}{' (edge)' * (key in entry.at_edge)}" for key, number in numbers.items())


def scored(entry: Entry) -> str:
    """Return the median score in words, or an empty text if there is none."""
    if entry.score is None or not math.isfinite(entry.score[1]):
        return ""
    name, value = entry.score
    return f"R2 {value:.3f}" if name == "r2" else f"{percent(value)} correct"


def _entry(
    comparison: Comparison, sweep: Sweep, found: Mapping[int, Outcome], metric: str, target: int, contender: int
) -> Entry:
    def settings(number: int) -> dict[str, Any]:
        own = sweep.settings(number)
        return {key: own[key] for key in comparison.space if key in own}

    runs = [found[number] for number in comparison.tuned(target, contender)]
    medians = comparison.medians(target, contender, lambda number: found[number].value(metric))
    points = [settings(comparison.tuning(target, contender, point)[0]) for point in range(len(medians))]
    tuned = settings(runs[0].number)
    numbers = {key: [point[key] for point in points] for key, v in tuned.items() if isinstance(v, int | float)}
    at_edge = [key for key, tried in numbers.items() if len(set(tried)) > 2 and tuned[key] in (min(tried), max(tried))]
    return Entry(
        target=comparison.targets[target],
        contender=comparison.contenders[contender],
        tuned=tuned,
        at_edge=tuple(at_edge),
        tried=tuple(zip(points, medians, strict=True)),
        runs=Group({}, tuple(runs), tuple(sorted(run.value(metric) for run in runs))),
        score=_score(runs, metric.partition("/")[0]),
    )


def _score(runs: Sequence[Outcome], part: str) -> tuple[str, float] | None:
    """Return the median score; a run without a score counts as the worst."""
    for name in _SCORES:
        if any(f"{part}/{name}" in run.metrics for run in runs):
            values = [run.metrics.get(f"{part}/{name}") for run in runs]
            return name, statistics.median(-math.inf if value is None else value for value in values)
    return None


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
