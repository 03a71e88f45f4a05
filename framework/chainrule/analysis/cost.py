"""What contenders of a comparison cost, and which is better when both have spent equally much: time, or gradients.

**A step** is one update of all parameters, with the gradient of one batch, a *gradient evaluation*, or with several.

**Times are compared within rounds**, in which contenders took turns: the ratio of two is the median over rounds, its
spread from the 10 % to the 90 % quantile. What disturbs the machine for a while is then in both times, or in a few
ratios only. Of 21 independent rounds, that spread misses the true median once in 4,500 times, whatever they are.

**At equal time**: a pair has the time in which the first of both ends its last epoch; the other one is judged by the
loss that it had by then. Two that are as fast as each other would be told apart by a single epoch where losses fall all
the time, so those that differ by 5 % or less, spread included, take equally long.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.analysis.confidence import IN_PERCENT
from chainrule.analysis.paired import Estimate, Pair, block_values, estimate
from chainrule.analysis.wording import percent, percent_interval
from chainrule.components.contracts import Array
from chainrule.records.comparison import Comparison
from chainrule.records.timing import Timing

ALIKE = 1.05  # times as long an epoch may take that counts as equally long
_SPREAD = (0.1, 0.5, 0.9)  # quantiles over rounds
_ALL = 3  # contenders, of which all pairs are told about


@dataclass(frozen=True)
class Speed:
    """How long one contender takes, averaged over targets.

    Attributes:
        ratio: of the time of a step to that of the fastest contender; the geometric mean over targets.
        spread: of that ratio over rounds.
        seconds: of a run in its stack.
    """

    ratio: float
    spread: tuple[float, float]
    seconds: float


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        seconds: of one update of one run, for each target ``(contenders, rounds)``.
        updates: in an epoch, ``(targets, contenders)``.
        gradients: evaluations in an epoch, ``(targets, contenders)``.
        epochs: of a run, ``(targets, contenders)``.
    """

    seconds: tuple[Array, ...]
    updates: Array
    gradients: Array
    epochs: Array

    @classmethod
    def of(cls, timing: Timing | None, comparison: Comparison) -> "Costs | None":
        """Return the costs of the contenders; None if they were not measured, or those of others were."""
        places = [(target, contender) for target in comparison.targets for contender in comparison.contenders]
        if not timing or [(cell.target, cell.contender) for cell in timing.cells] != places:
            return None
        shape = len(comparison.targets), len(comparison.contenders)
        rows = [timing.cells[start : start + shape[1]] for start in range(0, len(places), shape[1])]
        return cls(
            seconds=tuple(np.array([cell.seconds for cell in row]) for row in rows),
            updates=np.array([cell.updates for cell in timing.cells]).reshape(shape),
            gradients=np.array([cell.gradients for cell in timing.cells]).reshape(shape),
            epochs=np.array([cell.epochs for cell in timing.cells]).reshape(shape),
        )

    @property
    def evaluates_alike(self) -> bool:
        """Whether runs of all contenders evaluate equally many gradients."""
        total = self.gradients * self.epochs
        return bool((total == total[:, :1]).all())

    @property
    def speeds(self) -> list[Speed]:
        """The speed of each contender."""
        middles = np.array([np.median(each, axis=1) for each in self.seconds])
        fastest = int(np.log(middles).mean(axis=0).argmin())
        ratios = [np.quantile(each / each[fastest], _SPREAD, axis=1) for each in self.seconds]
        means = np.exp(np.log(ratios).mean(axis=0)).T.tolist()
        runs = (middles * self.updates * self.epochs).mean(axis=0).tolist()
        return [Speed(middle, (low, high), own) for (low, middle, high), own in zip(means, runs, strict=True)]

    def times(self, first: int, second: int) -> Array:
        """Return how many times as long an epoch of the second contender takes as one of the first, ``(targets,)``."""
        found = []
        for seconds, updates in zip(self.seconds, self.updates, strict=True):
            each = seconds * updates[:, None]
            low, middle, high = np.quantile(each[second] / each[first], _SPREAD)
            found.append(1.0 if low <= ALIKE and high >= 1 / ALIKE else middle)
        return np.array(found)

    def evaluations(self, first: int, second: int) -> Array:
        """Return how many times as many gradients the second evaluates in an epoch as the first, ``(targets,)``."""
        ratios: Array = self.gradients[:, second] / self.gradients[:, first]
        return ratios

    def reached(self, first: int, second: int, ratios: Array) -> Array:
        """Return the epochs that two have ended when the first of both has spent all that it spends.

        Args:
            first: a contender.
            second: another one.
            ratios: of the cost of an epoch of the second to that of one of the first, ``(targets,)``.

        Returns:
            Shape ``(targets, 2)``.
        """
        spent = np.minimum(self.epochs[:, first], self.epochs[:, second] * ratios)
        ended: Array = np.floor(np.stack([spent, spent / ratios], axis=1) + 1e-9).astype(int)
        return ended


@dataclass(frozen=True)
class Even:
    """Two contenders that have spent equally much.

    Attributes:
        reached: epochs that each of them has ended, target by target.
        estimate: the probability that the one that is better in the end wins here, too.
    """

    reached: tuple[tuple[int, int], ...]
    estimate: Estimate

    @property
    def ahead(self) -> int:
        """1 if the same is better here, -1 if the other one is, 0 if the data do not separate them."""
        low, high = self.estimate.interval
        return (low > 0.5) - (high < 0.5)


def even(losses: Array, measured: Array, pairs: Sequence[Pair], reached: Sequence[Array]) -> tuple[Even, ...]:
    """Compare contenders that have spent equally much.

    Args:
        losses: shape ``(targets, contenders, blocks, seeds, epochs)``.
        measured: the epochs after which the losses were measured, ascending.
        pairs: of contenders, each with the one that is better in the end first.
        reached: of each pair the epochs that both have ended, ``(targets, 2)``; what counts is the loss that was
            measured last before.
    """
    found = []
    for pair, ends in zip(pairs, reached, strict=True):
        places = np.searchsorted(measured, ends, side="right") - 1
        values = [
            block_values(own[pair.better, ..., first], own[pair.worse, ..., second])
            for own, (first, second) in zip(losses, places, strict=True)
        ]
        ended = tuple((int(first), int(second)) for first, second in ends)
        found.append(Even(ended, estimate(np.array(values), len(pairs))))
    return tuple(found)


def sentences(
    names: Sequence[str], pairs: Sequence[Pair], evens: Sequence[Even], epochs: Array, spent: str, best: int
) -> dict[str, bool]:
    """Say for each pair which is better when both have spent equally much.

    Args:
        names: of all contenders.
        pairs: the results after all epochs.
        evens: the results for equal costs, of each pair.
        epochs: of a run, ``(targets, contenders)``.
        spent: what is equal, such as ``time``.
        best: the contender that is told about, if there are more than three: what changes between it and the others.

    Returns:
        Each sentence, and whether the result is another one than after all epochs.
    """
    told = list(zip(pairs, evens, strict=True))
    if len(names) > _ALL:
        told = [(pair, own) for pair, own in told if best in (pair.better, pair.worse) and _changes(pair, own)]
        if not told:
            return {f"At equal {spent} it is as after all epochs between {names[best]} and each of the others.": False}
    return {_sentence(names, pair, own, epochs, spent): _changes(pair, own) for pair, own in told}


def _sentence(names: Sequence[str], pair: Pair, own: Even, epochs: Array, spent: str) -> str:
    places = [pair.better, pair.worse]
    cut = [
        _trained(names[place], [ends[side] for ends in own.reached], epochs[:, place].tolist())
        for side, place in enumerate(places)
    ]
    if not any(cut):
        first, second = (names[place] for place in places)
        return f"At equal {spent} {first} and {second} end all epochs, so that nothing changes."
    probability, (low, high) = own.estimate.probability, own.estimate.interval
    if probability < 0.5:
        places, probability, low, high = places[::-1], 1 - probability, 1 - high, 1 - low
    winner, loser = (names[place] for place in places)
    apart = f"the data do not separate {winner} from {loser}"
    result = f"{winner} is ahead of {loser}" if own.ahead else apart
    end = (
        f"{names[pair.better]} is better"
        if pair.is_separated
        else "they are equivalent"
        if pair.is_equivalent
        else apart
    )
    after = f"; after all epochs {end}" if _changes(pair, own) else ", as after all epochs"
    share = f"{winner} wins {percent(probability)} of runs, {IN_PERCENT} interval {percent_interval((low, high))}"
    return f"At equal {spent}, when {' and '.join(filter(None, cut))}, {result} ({share}){after}."


def _changes(pair: Pair, own: Even) -> bool:
    """Say whether the result for two contenders is another one when both have spent equally much."""
    return own.ahead != int(pair.is_separated)


def _trained(name: str, ended: Sequence[int], epochs: Sequence[int]) -> str:
    """Write ``tanh has trained 60 to 70 % of its epochs``; an empty text if it has trained all of them."""
    shares = [own / most if most else 1.0 for own, most in zip(ended, epochs, strict=True)]
    if min(shares) == 1:
        return ""
    low, high = (f"{100 * each:.0f}" for each in (min(shares), max(shares)))
    how = low if low == high else f"{low} to {high}"
    return f"{name} has trained {how} % of its epochs"
