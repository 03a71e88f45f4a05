"""The result of a comparison of methods.

Each contender is tuned on each target, several times: the same points of the space are tried with the same seeds, and
the point with the smallest median loss is then run with seeds that no tuning has seen. Only these runs are compared.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.analysis import betting, paired
from chainrule.analysis.budget import Budgets, budgets
from chainrule.analysis.confidence import IN_PERCENT
from chainrule.analysis.paired import Pair
from chainrule.analysis.ranking import Group, median_interval
from chainrule.analysis.wording import digits, p_value, percent, percent_interval
from chainrule.components.contracts import Array
from chainrule.errors import counted, listed
from chainrule.records.comparison import Comparison
from chainrule.records.outcome import SCORES, Outcome
from chainrule.records.sweep import Sweep

FACTORS = tuple(float(f"{factor:.4g}") for factor in np.geomspace(1, 100, 81))  # of performance profiles


@dataclass(frozen=True)
class Entry:
    """One contender on one target.

    Attributes:
        target: its name.
        contender: its name.
        tuned: the best point of each tuning, key to value; the only point if nothing was tuned.
        at_edge: the keys whose tuned value is, in half of the tunings or more, the smallest or the largest value tried.
        tried: each point of each tuning, with its median loss over the tuning seeds.
        runs: the runs with the best points, tuning by tuning.
        interval: a 95 % interval of the median loss of a tuned contender; None if there are too few tunings.
        score: name and median of R2 or accuracy; None if it is unknown.
    """

    target: str
    contender: str
    tuned: tuple[Mapping[str, Any], ...]
    at_edge: tuple[str, ...]
    tried: tuple[tuple[Mapping[str, Any], float], ...]
    runs: Group
    interval: tuple[float, float] | None
    score: tuple[str, float] | None


@dataclass(frozen=True)
class Ratio:
    """How much larger the loss of one contender is than that of another, on one target.

    Attributes:
        target: its name.
        ratio: median over blocks of the ratio of the medians of their runs, of the worse of a pair to the better;
            below 1 where the one that is better on average is the worse one; infinite where the other was lost.
        interval: a 95 % interval of that median; None if there are too few blocks.
    """

    target: str
    ratio: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Standing:
    """How one contender stands among the others.

    Attributes:
        contender: its name.
        better_than: contenders that it is better than.
        worse_than: contenders that it is worse than.
        level_with: contenders from which the data do not separate it.
        probability: its probability of winning, averaged over the other contenders.
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
        metric: the loss or the error by which runs were compared.
        entries: target by target, contender by contender.
        pairs: one entry per pair of contenders.
        ratios: of each pair, on each target where ratios have a meaning: where no loss is negative, and not all are 0.
        profile: performance profile of each contender, at ``FACTORS``.
        profiled: the targets that the profile covers.
        budgets: what fewer points would change; None where no run is left to tell: with a single point, a single
            tuning or a single tuning seed.
    """

    comparison: Comparison
    metric: str
    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    ratios: tuple[tuple[Ratio, ...], ...]
    profile: tuple[tuple[float, ...], ...]
    profiled: tuple[str, ...]
    budgets: Budgets | None

    @property
    def undecided(self) -> tuple[int, ...]:
        """The contenders about which something is undecided: of some other one it is not known how they stand."""
        open_ = [pair for pair in self.pairs if not pair.is_separated and not pair.is_equivalent]
        return tuple(sorted({place for pair in open_ for place in (pair.better, pair.worse)}))

    @property
    def answer(self) -> str:
        """The result in a sentence."""
        names = self.comparison.contenders
        if len(self.pairs) == 1:
            return f"{self.verdict(self.pairs[0])}."
        if all(pair.is_equivalent for pair in self.pairs):
            return f"{listed(names)} are equivalent."
        wins = [(pair.better, pair.worse) for pair in self.pairs if pair.is_separated]
        if not wins:
            return f"The data do not separate {listed(names)}."
        beaten = {worse for _, worse in wins}
        best = [names[place] for place in range(len(names)) if place not in beaten]
        others = [names[place] for place in sorted(beaten)]
        if not best:
            return "Each contender is worse than another one: there is no best."
        if len(best) > 1:
            verb = "is" if len(others) == 1 else "are"
            places = {names.index(name) for name in best}
            among = [pair for pair in self.pairs if {pair.better, pair.worse} <= places]
            level = "are equivalent" if all(pair.is_equivalent for pair in among) else "the data do not separate"
            return f"Best are {listed(best)}, which {level}; {listed(others)} {verb} worse than at least one other."
        if sum(names[better] == best[0] for better, _ in wins) == len(names) - 1:
            return f"{best[0]} is better than {listed(others)}."
        equal = [name for name in others if (names.index(best[0]), names.index(name)) not in wins]
        alike = all(self.pair(names.index(best[0]), names.index(name))[0].is_equivalent for name in equal)
        said = "it is equivalent to" if alike else "the data do not separate it from"
        return f"Nothing is better than {best[0]}, but {said} {listed(equal)}."

    @property
    def standings(self) -> list[Standing]:
        """The standing of each contender, in descending order of probability."""
        found = [self._standing(place) for place in range(len(self.comparison.contenders))]
        return sorted(found, key=lambda standing: -standing.probability)

    def verdict(self, pair: Pair) -> str:
        """Return the result for two contenders as a sentence without the full stop."""
        better, worse = (self.comparison.contenders[place] for place in (pair.better, pair.worse))
        together = f" for all {len(self.pairs)} pairs" if len(self.pairs) > 1 else ""
        together += " at any time" * self.comparison.until_decided
        share = (
            f"it wins {percent(pair.probability)} of runs with equal seeds "
            f"({IN_PERCENT} interval{together} {percent_interval(pair.interval)}, {p_value(pair.p)})"
        )
        if pair.is_separated:
            return f"{better} is better than {worse}: {share}"
        if pair.is_equivalent:
            return f"{better} and {worse} are equivalent: the first wins {share.removeprefix('it wins ')}"
        first = f"the first wins {share.removeprefix('it wins ')}"
        if self.comparison.until_decided:
            return f"It is undecided which of {better} and {worse} is better: {first}"
        return f"The data do not separate {better} from {worse}: {first}"

    def word(self, pair: Pair) -> str:
        """Return the result for two contenders in a word or two: that of the interval, in a race also ``undecided``."""
        is_open = self.comparison.until_decided and not (pair.is_separated or pair.is_equivalent)
        return "undecided" if is_open else pair.verdict

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
    """Return the result of a comparison, from the rounds that have ended; None if the first has not.

    Args:
        sweep: its record.
        comparison: its plan.
        outcomes: outcomes of its runs.
        metric: name of the loss or the error by which runs are compared.
    """
    found = {outcome.number: outcome for outcome in outcomes}
    ended = comparison.ended(found)
    if not ended:
        return None
    entries = tuple(_entry(ended, sweep, found, metric, *cell) for cell in ended.cells)
    losses = _losses(ended, found, metric)
    shares, used = paired.profile(losses.reshape(*losses.shape[:2], -1), np.array(FACTORS))
    if ended.most_tunings == 1:  # then each seed is a block
        losses = losses.swapaxes(2, 3)
    pairs = tuple(paired.pairs(losses, betting.estimate if ended.until_decided else paired.estimate))
    return ComparisonResult(
        comparison=ended,
        metric=metric,
        entries=entries,
        pairs=pairs,
        ratios=tuple(tuple(_ratios(ended, losses, pair)) for pair in pairs),
        profile=tuple(map(tuple, shares.tolist())),
        profiled=tuple(ended.targets[place] for place in used),
        budgets=_budgets(ended, entries, found, metric, pairs),
    )


def shortage_of(comparison: Comparison) -> str:
    """Say in a sentence what a comparison has too few of to separate anything; an empty text if it has enough."""
    if comparison.until_decided:
        return ""
    contenders, targets = len(comparison.contenders), len(comparison.targets)
    name, number = ("tunings" if comparison.tuning_runs else "seeds"), comparison.tunings
    if number == 1:
        name, number = "seeds", comparison.seeds
    fewest = paired.fewest_blocks(contenders, targets)
    if number >= fewest:
        return ""
    return (
        f"{number} {name} cannot separate {contenders} contenders on {counted(targets, 'target')}, whatever "
        f"the losses are: take {fewest} {name} or more."
    )


def tuned_words(entry: Entry) -> str:
    """Return the tuned parameters in words: the middle of the tunings, numbers with three digits and their range.

    Values at the edge have a mark.
    """
    words = []
    for key in dict.fromkeys(key for point in entry.tuned for key in point):
        values = [point[key] for point in entry.tuned]
        if all(isinstance(value, int | float) for value in values):
            low, middle, high = (
                digits(value, 3) for value in (min(values), statistics.median_low(values), max(values))
            )
            word = f"{key}={middle}" + f" ({low} to {high})" * (low != high)
        else:
            (word, times), *others = Counter(values).most_common()
            word = f"{key}={word}" + f" ({times} of {len(values)})" * bool(others)
        words.append(word + " (edge)" * (key in entry.at_edge))
    return ", ".join(words)


def scored(entry: Entry) -> str:
    """Return the median score in words, or an empty text if there is none."""
    if entry.score is None or not math.isfinite(entry.score[1]):
        return ""
    name, value = entry.score
    return f"R2 {value:.3f}" if name == "r2" else f"{percent(value)} correct"


def _budgets(
    comparison: Comparison,
    entries: Sequence[Entry],
    found: Mapping[int, Outcome],
    metric: str,
    pairs: Sequence[Pair],
) -> Budgets | None:
    # Intervals of these are not meant to be looked at again and again.
    if comparison.until_decided or min(comparison.points, comparison.tunings, comparison.tuning_seeds) < 2:
        return None
    losses = np.array([found[number].value(metric) for number in range(comparison.tuning_runs)])
    tried = (comparison.tunings, comparison.points)
    shape = (len(comparison.targets), len(comparison.contenders), *tried, comparison.tuning_seeds)
    return budgets(losses.reshape(shape), pairs, _order(comparison, entries, tried))


def _order(comparison: Comparison, entries: Sequence[Entry], tried: tuple[int, int]) -> Array | None:
    """Return the place of each point along the only number that is tuned, ``(targets, tunings, points)``."""
    if len(comparison.space) > 1:
        return None
    (key,) = comparison.space
    values = []
    for target in comparison.targets:
        own = [[point.get(key) for point, _ in entry.tried] for entry in entries if entry.target == target]
        values.append(max(own, key=lambda tried: len(set(tried))))  # a contender may set the key itself, to one value
    if not all(isinstance(value, int | float) for each in values for value in each):
        return None
    return np.array(values, float).reshape(-1, *tried).argsort(axis=-1, kind="stable").argsort(axis=-1)


def _entry(
    comparison: Comparison, sweep: Sweep, found: Mapping[int, Outcome], metric: str, target: int, contender: int
) -> Entry:
    def settings(number: int) -> dict[str, Any]:
        own = sweep.settings(number)
        return {key: own[key] for key in comparison.space if key in own}

    cell, tunings = (target, contender), range(comparison.taken(contender))
    runs = [[found[number] for number in comparison.tuned(*cell, tuning)] for tuning in tunings]
    medians = [comparison.medians(*cell, tuning, lambda number: found[number].value(metric)) for tuning in tunings]
    points = [
        [settings(comparison.tuning(*cell, tuning, point)[0]) for point in range(len(medians[tuning]))]
        for tuning in tunings
    ]
    tuned = tuple(settings(same[0].number) for same in (runs if comparison.tuning_runs else runs[:1]))
    edges = Counter(key for best, tried in zip(tuned, points, strict=False) for key in _at_edge(best, tried))
    every = [run for same in runs for run in same]
    # The runs of one tuning are no independent facts about the contender.
    units = runs if len(tunings) > 1 else [[run] for run in every]
    own = sorted(statistics.median(run.value(metric) for run in same) for same in units)
    group = Group({}, tuple(every), tuple(sorted(run.value(metric) for run in every)))
    return Entry(
        target=comparison.targets[target],
        contender=comparison.contenders[contender],
        tuned=tuned,
        at_edge=tuple(key for key, times in edges.items() if 2 * times >= len(tunings)),
        tried=tuple(
            pair for each, losses in zip(points, medians, strict=True) for pair in zip(each, losses, strict=True)
        ),
        runs=group,
        interval=median_interval(own, any_time=comparison.until_decided),
        score=_score(every, metric.partition("/")[0]),
    )


def _losses(comparison: Comparison, found: Mapping[int, Outcome], metric: str) -> Array:
    """Return the losses of tuned contenders, ``(targets, contenders, tunings, seeds)``; NaN after one has left."""
    shape = len(comparison.targets), len(comparison.contenders), comparison.most_tunings, comparison.seeds
    losses = np.full(shape, np.nan)
    for target, contender in comparison.cells:
        for tuning in range(comparison.taken(contender)):
            numbers = comparison.tuned(target, contender, tuning)
            losses[target, contender, tuning] = [found[number].value(metric) for number in numbers]
    return losses


def _ratios(comparison: Comparison, losses: Array, pair: Pair) -> Iterator[Ratio]:
    """Yield the ratios of a pair, from losses ``(targets, contenders, blocks, seeds)``."""
    for target, *both in zip(comparison.targets, *paired.common(losses, pair.better, pair.worse), strict=True):
        better, worse = np.median(both, axis=-1)
        if np.min(both) >= 0 and better.any() and worse.any():
            both_lost = np.isinf(better) & np.isinf(worse)
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.where(both_lost | (better == worse), 1.0, worse / better)
            ordered = sorted(values.tolist())
            interval = median_interval(ordered, any_time=comparison.until_decided)
            yield Ratio(target, statistics.median(ordered), interval)


def _at_edge(best: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for key, value in best.items():
        tried = {point[key] for point in points if isinstance(point[key], int | float)}  # others may be words
        if isinstance(value, int | float) and len(tried) > 2 and value in (min(tried), max(tried)):
            yield key


def _score(runs: Sequence[Outcome], part: str) -> tuple[str, float] | None:
    """Return the median score; a run without a score counts as the worst."""
    for name in SCORES:
        if any(f"{part}/{name}" in run.metrics for run in runs):
            values = [run.metrics.get(f"{part}/{name}") for run in runs]
            return name, statistics.median(-math.inf if value is None else value for value in values)
    return None
