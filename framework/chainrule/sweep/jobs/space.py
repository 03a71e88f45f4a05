"""From what was typed to the jobs of a sweep: every combination, paired values, random draws."""

import itertools
import math
import random
from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.config.limits import require_runs
from chainrule.errors import ConfigurationError, nearest
from chainrule.records.sweep import FOLD, SEED
from chainrule.sweep.jobs.axes import Axis

_REPETITIONS = 1000  # of earlier points in a row, after which hardly any new ones are left


def lists(
    typed: Sequence[Axis],
    *,
    pairs: Sequence[Sequence[str]] = (),
    draws: int | None = None,
    draw_seed: int = 0,
) -> list[list[str]]:
    """Return the overrides of each job, in the order of Hydra's own sweeper: the last key varies fastest.

    Args:
        typed: axes as typed; those with several values span the sweep, and the last one of a key counts.
        pairs: groups of keys whose values go together, the first with the first and so on.
        draws: how many different points to draw at random, or fewer if there are fewer; None for all combinations.
            Every point gets every seed and every fold.
        draw_seed: decides the draws.

    Raises:
        ConfigurationError: a key has no values, values cannot be paired, an interval is given without ``draws``, or
            there are too many runs.
    """
    axes = {axis.key: axis for axis in typed}
    for axis in typed:
        if axis.interval and draws is None:
            raise ConfigurationError(
                f"{axis} is an interval: say how many values to draw, by hydra.sweeper.random=NUMBER."
            )
        if not axis.interval and not axis.values:
            raise ConfigurationError(f"{axis} has no values: nothing matches it.")
    columns = _paired(axes, pairs)
    repeated = [column for column in columns if draws is None or column.keys() & {SEED, FOLD}]
    require_runs((1 if draws is None else draws) * math.prod(len(_listed(column)) for column in repeated))
    if draws is None:
        points: Iterable[Iterable[Sequence[str]]] = itertools.product(*map(_listed, columns))
    else:
        points = _drawn(columns, draws, draw_seed)
    order = {key: place for place, key in enumerate(axes)}
    return [sorted(itertools.chain(*point), key=lambda text: order[text.partition("=")[0]]) for point in points]


Column = dict[str, Axis]  # keys whose values go together


def _paired(axes: Column, pairs: Sequence[Sequence[str]]) -> list[Column]:
    """Return the columns that vary independently, in order of their first keys."""
    paired: dict[str, Column] = {}
    for group in pairs:
        lengths = {}
        for key in group:
            if key not in axes:
                raise ConfigurationError(
                    f"hydra.sweeper.zip names {key}, which has no values here{nearest(key, axes)}: write {key}=A,B,..."
                )
            if axes[key].interval:
                raise ConfigurationError(f"hydra.sweeper.zip cannot pair {key}, which is an interval.")
            if key in paired:
                raise ConfigurationError(f"hydra.sweeper.zip names {key} twice.")
            lengths[key] = len(axes[key].values)
        if len(set(lengths.values())) > 1:
            counts = " and ".join(f"{key} has {number}" for key, number in lengths.items())
            raise ConfigurationError(f"hydra.sweeper.zip pairs keys with equally many values, but {counts}.")
        column = {key: axes[key] for key in axes if key in group}
        paired.update(dict.fromkeys(group, column))
    columns: list[Column] = []
    for key, axis in axes.items():
        column = paired.get(key, {key: axis})
        if column not in columns:
            columns.append(column)
    return columns


def _listed(column: Column) -> list[tuple[str, ...]]:
    return list(zip(*(axis.overrides for axis in column.values()), strict=True))


def _drawn(columns: Sequence[Column], draws: int, seed: int) -> Iterable[Iterable[Sequence[str]]]:
    """Draw points. Each axis has a random stream of its own, so that one more axis does not change the others."""
    if draws < 1:
        raise ConfigurationError(f"hydra.sweeper.random must be 1 or more, not {draws}.")
    streams = {id(column): random.Random(f"{seed} {' '.join(column)}") for column in columns}
    drawn: set[Sequence[Any]] = set()
    repetitions = 0
    while len(drawn) < draws and repetitions < _REPETITIONS + 20 * len(drawn):
        choices: list[Sequence[tuple[str, ...]]] = []
        for column in columns:
            if column.keys() & {SEED, FOLD}:
                choices.append(_listed(column))
                continue
            rng, axis = streams[id(column)], next(iter(column.values()))
            one = (number(axis, rng.random()),) if axis.interval else rng.choice(_listed(column))
            choices.append([one])
        point = tuple(choice[0] for choice in choices)
        repetitions = repetitions + 1 if point in drawn else 0
        if point not in drawn:
            drawn.add(point)
            yield from itertools.product(*choices)


def spread(axes: Sequence[Axis], count: int, seed: str) -> list[dict[str, str]]:
    """Return points that are spread evenly over every key; each point maps keys to overrides.

    Each interval is cut into as many equal parts as there are points, on a logarithmic scale if its tag is ``log``.
    Each part gives one random number, and the parts of different keys are paired at random. The values of a list come
    equally often, or nearly so. Reference: McKay, Beckman and Conover, A comparison of three methods for selecting
    values of input variables in the analysis of output from a computer code, Technometrics 21, 1979.

    Args:
        axes: with several values each.
        count: how many points.
        seed: decides the points; each key has a random stream of its own.
    """
    points: list[dict[str, str]] = [{} for _ in range(count)]
    for axis in axes:
        rng, values = random.Random(f"{seed} {axis.key}"), axis.overrides
        for point, part in zip(points, rng.sample(range(count), count), strict=True):
            fraction = (part + rng.random()) / count
            point[axis.key] = values[int(fraction * len(values))] if values else number(axis, fraction)
    return points


def number(axis: Axis, fraction: float) -> str:
    """Return the override with the number at a fraction, from 0 to 1, of an interval.

    With ``tag(log, ...)`` it is a fraction of the logarithms; with ``tag(int, ...)`` the number is rounded.

    Raises:
        ConfigurationError: the interval is empty, or has numbers without a logarithm.
    """
    interval = axis.interval
    assert interval is not None
    low, high = interval.low, interval.high
    if not low < high:
        raise ConfigurationError(f"{axis} is empty: the first number must be smaller than the second.")
    if interval.log:
        if low <= 0:
            raise ConfigurationError(f"{axis} needs positive numbers, because of its tag log.")
        low_log, high_log = math.log(low), math.log(high)
        drawn = math.exp(low_log + (high_log - low_log) * fraction)
    else:
        drawn = low + (high - low) * fraction
    if interval.whole:
        return f"{axis.key}={min(max(round(drawn), math.ceil(low)), math.floor(high))}"
    return f"{axis.key}={float(f'{drawn:.6g}')!r}"
