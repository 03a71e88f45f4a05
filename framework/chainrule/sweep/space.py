"""From what was typed to the jobs of a sweep: every combination, paired values, random draws."""

import itertools
import math
import random
from collections.abc import Iterable, Sequence
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override

from chainrule.errors import ConfigurationError, nearest
from chainrule.sweeps import SEED

_TAGS = {"log", "int"}  # of intervals
_REPETITIONS = 1000  # of points that were drawn already, one after the other: there are hardly any others


def lists(
    overrides: Sequence[Override],
    *,
    pairs: Sequence[Sequence[str]] = (),
    draws: int | None = None,
    draw_seed: int = 0,
) -> list[list[str]]:
    """Return the overrides of each job, in the order of Hydra's own sweeper: the last key varies fastest.

    Args:
        overrides: parsed; those with several values span the sweep.
        pairs: groups of keys whose values go together, the first with the first and so on.
        draws: how many different points to draw at random instead of all combinations, or as many as there are; every
            point gets every seed.
        draw_seed: from which the draws follow.

    Raises:
        ConfigurationError: a key has no values, values cannot be paired, or an interval is not drawn from.
    """
    axes: dict[str, list[str] | Override] = {}
    for override in overrides:
        key = override.get_key_element()
        if override.is_interval_sweep():
            if draws is None:
                raise ConfigurationError(
                    f"{key}={override.get_value_string()} has no end of values: say how many to draw, "
                    "by hydra.sweeper.random=NUMBER."
                )
            axes[key] = override
        elif override.is_sweep_override():
            axes[key] = values = [f"{key}={value}" for value in override.sweep_string_iterator()]
            if not values:
                raise ConfigurationError(f"{key}={override.get_value_string()} has no values: nothing matches it.")
        else:
            axes[key] = [f"{key}={override.get_value_element_as_str()}"]
    columns = _paired(axes, pairs)
    if draws is None:
        points: Iterable[Iterable[Sequence[str]]] = itertools.product(*(_listed(column) for column in columns))
    else:
        points = _drawn(columns, draws, draw_seed)
    order = {key: place for place, key in enumerate(axes)}
    return [sorted(itertools.chain(*point), key=lambda text: order[text.partition("=")[0]]) for point in points]


Column = dict[str, "list[str] | Override"]  # keys whose values go together


def _paired(axes: Column, pairs: Sequence[Sequence[str]]) -> list[Column]:
    """Return the columns that vary independently, in order of their first keys."""
    chosen: dict[str, Column] = {}
    for group in pairs:
        lengths = {}
        for key in group:
            if key not in axes:
                raise ConfigurationError(
                    f"hydra.sweeper.zip names {key}, which has no values here{nearest(key, axes)}: write {key}=A,B,..."
                )
            values = axes[key]
            if not isinstance(values, list):
                raise ConfigurationError(f"hydra.sweeper.zip cannot pair {key}, which is an interval.")
            if key in chosen:
                raise ConfigurationError(f"hydra.sweeper.zip names {key} twice.")
            lengths[key] = len(values)
        if len(set(lengths.values())) > 1:
            counts = " and ".join(f"{key} has {number}" for key, number in lengths.items())
            raise ConfigurationError(f"hydra.sweeper.zip pairs keys with equally many values, but {counts}.")
        column = {key: axes[key] for key in axes if key in group}
        chosen.update(dict.fromkeys(group, column))
    columns: list[Column] = []
    for key, values in axes.items():
        column = chosen.get(key, {key: values})
        if column not in columns:
            columns.append(column)
    return columns


def _listed(column: Column) -> list[tuple[str, ...]]:
    return list(zip(*(values for values in column.values() if isinstance(values, list)), strict=True))


def _drawn(columns: Sequence[Column], draws: int, seed: int) -> Iterable[Iterable[Sequence[str]]]:
    """Draw points; each axis from a stream of its own, so that one more axis leaves the others as they are."""
    if draws < 1:
        raise ConfigurationError(f"hydra.sweeper.random must be 1 or more, not {draws}.")
    streams = {id(column): random.Random(f"{seed} {' '.join(column)}") for column in columns}
    drawn: set[Sequence[Any]] = set()
    repetitions = 0
    while len(drawn) < draws and repetitions < _REPETITIONS + 20 * len(drawn):
        choices: list[Sequence[tuple[str, ...]]] = []
        for column in columns:
            if SEED in column:
                choices.append(_listed(column))
                continue
            rng, values = streams[id(column)], next(iter(column.values()))
            one = rng.choice(_listed(column)) if isinstance(values, list) else (number(values, rng.random()),)
            choices.append([one])
        point = tuple(choice[0] for choice in choices)
        repetitions = repetitions + 1 if point in drawn else 0
        if point not in drawn:
            drawn.add(point)
            yield from itertools.product(*choices)


def spread(overrides: Sequence[Override], count: int, seed: int) -> list[dict[str, str]]:
    """Return points that are spread evenly over every key: key to override of each.

    Each interval is cut into as many parts as there are points, in its logarithm where it is tagged so; each part
    gives one number at random, and the parts of different keys are paired at random. Of a list each value comes equally
    often, as nearly as can be. Reference: McKay, Beckman and Conover, A comparison of three methods for selecting
    values of input variables in the analysis of output from a computer code, Technometrics 21, 1979.

    Args:
        overrides: parsed, with several values each.
        count: how many points.
        seed: from which they follow; each key has a stream of its own.
    """
    points: list[dict[str, str]] = [{} for _ in range(count)]
    for override in overrides:
        key = override.get_key_element()
        rng = random.Random(f"{seed} {key}")
        values = [] if override.is_interval_sweep() else [f"{key}={v}" for v in override.sweep_string_iterator()]
        for point, part in zip(points, rng.sample(range(count), count), strict=True):
            fraction = (part + rng.random()) / count
            point[key] = values[int(fraction * len(values))] if values else number(override, fraction)
    return points


def require_known_tags(override: Override) -> None:
    """Refuse an interval with a tag that means nothing.

    Raises:
        ConfigurationError: it has one.
    """
    value: Any = override.value()
    for tag in sorted(value.tags - _TAGS):
        raise ConfigurationError(
            f"{override.input_line} has the tag {tag}, which is unknown{nearest(tag, _TAGS)}; there is log and int."
        )


def number(override: Override, fraction: float) -> str:
    """Return ``key=value`` with the number that lies at a fraction of an interval: uniform fractions draw from it.

    The fraction is one of the logarithms for ``tag(log, ...)``; ``tag(int, ...)`` rounds.

    Raises:
        ConfigurationError: the interval is empty, has numbers without a logarithm, or an unknown tag.
    """
    value: Any = override.value()
    assert isinstance(value, IntervalSweep)
    key, text = override.get_key_element(), override.get_value_string()
    low, high = float(value.start or 0), float(value.end or 0)
    require_known_tags(override)
    if not low < high:
        raise ConfigurationError(f"{key}={text} is empty: the first number must be smaller than the second.")
    if "log" in value.tags:
        if low <= 0:
            raise ConfigurationError(f"{key}={text} needs positive numbers, because of its tag log.")
        low_log, high_log = math.log(low), math.log(high)
        drawn = math.exp(low_log + (high_log - low_log) * fraction)
    else:
        drawn = low + (high - low) * fraction
    if "int" in value.tags:
        return f"{key}={min(max(round(drawn), math.ceil(low)), math.floor(high))}"
    return f"{key}={float(f'{drawn:.6g}')!r}"
