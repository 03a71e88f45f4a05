"""Instances of a component with different parameters, and arrays in the engine's memory order; from fixed seeds."""

import contextlib
import dataclasses
import enum
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.contracts import Activation, Array, Component, Target
from chainrule.components.parameters import Parameter, build, parameters
from chainrule.engine.network import columns
from chainrule.errors import ConfigurationError, PluginError
from chainrule.registry.kinds import KINDS
from chainrule.testing.findings import FindingError

DTYPES = (np.float32, np.float64)
RUNS = 6  # of the stacks that are checked
_MOST_COMBINATIONS = 16  # of switches; where there are more, one switch at a time is turned
_ATTEMPTS = 100  # to draw parameters that the class itself accepts
_AT_A_BOUND = 0.3  # share of draws that lie on a bound that belongs to the range
# NumPy raises to these powers by short cuts where all exponents are equal: for a run alone, but not in a stack.
_ROUND = (0.5, 1.0, 2.0)
_IS_ROUND = 0.3  # share of draws that are one of these
_LARGE = 4.0  # times the usual value, where there is no upper bound
_MOST = 64  # largest whole number that is tried: it may be a number of units or of steps


class Subject:
    """A component class that is checked.

    Args:
        cls: the class.
        examples: values of parameters instead of the defaults, one mapping for each instance.

    Attributes:
        cls: the class.
        kind: name of its kind.
        examples: as given, or one without values.
        cause: a fault that shows in many checks, in a sentence; empty if there is none, None if nobody has looked.
        untraceable: why machine code cannot train it, in a sentence; likewise.

    Raises:
        PluginError: the class belongs to no kind.
    """

    def __init__(self, cls: type[Component], examples: Sequence[Mapping[str, Any]] = ()) -> None:
        found = [kind.name for kind in KINDS.values() if isinstance(cls, type) and issubclass(cls, kind.contract)]
        if not found:
            raise PluginError(f"{cls!r} is no component: derive it from a contract such as chainrule.Activation.")
        self.cls, self.kind = cls, found[0]
        self.examples = tuple(examples) or ({},)
        self.cause: str | None = None
        self.untraceable: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}={self.cls.name}"

    def where(self, method: str) -> str:
        """Return the name of a method for messages: ``slope`` for a ``backward`` that follows from it."""
        if method == "backward" and getattr(self.cls, method) is Activation.backward:
            method = "slope"
        return f"{self.cls.__qualname__}.{method}"

    @functools.cached_property
    def defaults(self) -> tuple[Any, ...]:
        """One instance for each example: all other parameters have their defaults."""
        for name, parameter in parameters(self.cls).items():
            if parameter.default is dataclasses.MISSING and not all(name in values for values in self.examples):
                raise FindingError(
                    f"{self.cls.__qualname__}.{name} has no default, so nothing can be checked; give it one, or "
                    f"an example: chainrule_examples = {self} {self.kind}.{name}=VALUE."
                )
        try:
            return tuple(build(self.cls, values, self.kind) for values in self.examples)
        except ConfigurationError as error:
            raise FindingError(f"{self.cls.__qualname__} cannot be made: {error}") from error

    @functools.cached_property
    def combinations(self) -> tuple[Any, ...]:
        """The defaults, and each of them with every other setting of its switches (``bool`` and ``Enum``)."""
        switches = {
            name: list(p.type) if issubclass(p.type, enum.Enum) else [False, True]
            for name, p in parameters(self.cls).items()
            if not p.many and issubclass(p.type, bool | enum.Enum)
        }
        every = [dict(zip(switches, values, strict=True)) for values in itertools.product(*switches.values())]
        if len(every) > _MOST_COMBINATIONS:
            every = [{name: value} for name, values in switches.items() for value in values]
        found: list[Any] = list(self.defaults)
        for instance in self.defaults:
            for setting in every:
                with contextlib.suppress(ConfigurationError):  # settings that exclude each other, or do not suit a file
                    one = dataclasses.replace(instance, **setting)
                    if isinstance(one, Target) and one.reads:
                        one.data(np.random.default_rng(0), None)
                    found.append(one)
        return tuple(one for at, one in enumerate(found) if one not in found[:at])

    @functools.cached_property
    def settings(self) -> tuple[Any, ...]:
        """The combinations, and the defaults with other whole numbers, and with None where that is allowed."""
        found = list(self.combinations)
        for name, parameter in parameters(self.cls).items():
            for value in _others(parameter, getattr(self.defaults[0], name)):
                with contextlib.suppress(ConfigurationError):
                    found.append(dataclasses.replace(self.defaults[0], **{name: value}))
        return tuple(one for at, one in enumerate(found) if one not in found[:at])

    @functools.cached_property
    def bounds(self) -> tuple[Any, ...]:
        """The defaults with one float on a bound that belongs to the range."""
        usual, found = self.defaults[0], []
        for name, parameter in parameters(self.cls).items():
            for end in closed_ends(parameter) if parameter.is_stackable else ():
                with contextlib.suppress(ConfigurationError):
                    found.append(dataclasses.replace(usual, **{name: end}))
        return tuple(one for one in found if one != usual)

    @functools.cached_property
    def edges(self) -> tuple[Any, ...]:
        """The defaults with floats on bounds, at 0.5, 1 and 2, and at large values; alone, and several together."""
        usual = self.defaults[0]
        floats = {name: p for name, p in parameters(self.cls).items() if p.is_stackable}
        special = {name: special_values(p, getattr(usual, name)) for name, p in floats.items()}
        special = {name: values for name, values in special.items() if values}
        choices: list[dict[str, float]] = []
        for turn in range(max(map(len, special.values()), default=0)):
            together = {name: v[(turn + shift) % len(v)] for shift, (name, v) in enumerate(special.items())}
            choices.append(together)
        found: list[Any] = list(self.bounds)
        for values in choices:
            try:
                found.append(dataclasses.replace(usual, **values))
            except ConfigurationError:  # they exclude each other
                for name, value in values.items():
                    with contextlib.suppress(ConfigurationError):
                        found.append(dataclasses.replace(usual, **{name: value}))
        return tuple(one for at, one in enumerate(found) if one not in found[:at] and one != usual)

    @functools.cached_property
    def stacks(self) -> tuple[tuple[Any, ...], ...]:
        """For each combination, one instance for each run of a stack; they differ in their plain floats."""
        rng = np.random.default_rng(2)
        return tuple(self._draw_stack(rng, combination) for combination in self.combinations)

    @functools.cached_property
    def cases(self) -> tuple[tuple[Any, ...], ...]:
        """The stacks, one for each other setting, and stacks of the edges."""
        rng = np.random.default_rng(3)
        others = [self._draw_stack(rng, setting) for setting in self.settings[len(self.combinations) :]]
        edges = [self.edges[start : start + RUNS - 1] for start in range(0, len(self.edges), RUNS - 1)]
        usual = self.defaults[0]
        return (*self.stacks, *others, *((*part, *[usual] * (RUNS - len(part))) for part in edges))

    @property
    def variants(self) -> list[Any]:
        """Every setting, the edges, and some instances of each combination with other floats."""
        drawn = (instance for stack in self.stacks for instance in stack[: RUNS // 2])
        return [*self.settings, *self.edges, *drawn]

    def _draw_stack(self, rng: np.random.Generator, setting: Any) -> tuple[Any, ...]:
        return (*(self._draw_instance(rng, setting) for _ in range(RUNS - 1)), setting)

    def _draw_instance(self, rng: np.random.Generator, combination: Any) -> Any:
        floats = {name: p for name, p in parameters(self.cls).items() if p.is_stackable}
        refusal = ""
        for _ in range(_ATTEMPTS):
            values = {name: draw_value(rng, p, getattr(combination, name)) for name, p in floats.items()}
            try:
                return dataclasses.replace(combination, **values)
            except ConfigurationError as error:
                refusal = str(error)
        raise FindingError(
            f"{self.cls.__qualname__} refuses all of {_ATTEMPTS} draws within the bounds of its parameters "
            f"({refusal}); tighten the bounds."
        )


def limits(parameter: Parameter) -> tuple[float, float, bool, bool]:
    """Return the ends of the interval that the bounds leave, and whether each of them belongs to it."""
    low, is_open = max(_ends(parameter, gt=True, ge=False), default=(-math.inf, True))
    high, is_closed = min(_ends(parameter, lt=False, le=True), default=(math.inf, False))
    return low, high, not is_open, is_closed


def _ends(parameter: Parameter, **flags: bool) -> list[tuple[float, bool]]:
    return [
        (float(getattr(b, name)), flag) for b in parameter.bounds for name, flag in flags.items() if hasattr(b, name)
    ]


def closed_ends(parameter: Parameter) -> list[float]:
    """Return the ends of the interval that belong to it."""
    low, high, closed_below, closed_above = limits(parameter)
    return [end for end, closed in ((low, closed_below), (high, closed_above)) if closed]


def special_values(parameter: Parameter, usual: float) -> list[float]:
    """Return values of a float parameter at which formulas and NumPy may take other ways."""
    high = limits(parameter)[1]
    values = [*closed_ends(parameter), *_ROUND, *([] if math.isfinite(high) else [_LARGE * usual])]
    return [value for value in dict.fromkeys(values) if _is_allowed(parameter, value)]


def _others(parameter: Parameter, usual: Any) -> list[Any]:
    """Return other values of a parameter that is a whole number, or that may be None."""
    if parameter.many or parameter.is_stackable or parameter.type is str:
        return []
    values: list[Any] = [None] if parameter.optional and usual is not None else []
    if parameter.type is int:
        number = 1 if usual is None else usual
        low, high, has_low, has_high = limits(parameter)
        ends = [low + (not has_low), high - (not has_high)]
        values += [int(end) for end in ends if math.isfinite(end) and abs(end) <= _MOST]
        values.append(number + 1)
    if parameter.type is float and usual is None:
        values.append(draw_value(np.random.default_rng(4), parameter, 1.0))
    return [value for value in dict.fromkeys(values) if value != usual and _is_allowed(parameter, value)]


def _is_allowed(parameter: Parameter, value: Any) -> bool:
    try:
        parameter.convert(value, parameter.name)
    except ConfigurationError:
        return False
    return True


def draw_value(rng: np.random.Generator, parameter: Parameter, usual: float) -> float:
    """Draw a value within the bounds of a float parameter; where a side is open, it has the size of ``usual``."""
    low, high, _, _ = limits(parameter)
    ends = closed_ends(parameter)
    if ends and rng.random() < _AT_A_BOUND:
        return float(rng.choice(ends))
    for _ in range(_ATTEMPTS):
        if rng.random() < _IS_ROUND:
            value = float(rng.choice(_ROUND))
        elif math.isfinite(low) and math.isfinite(high):
            value = low + (high - low) * rng.uniform(0.02, 0.98)
        elif math.isfinite(low):
            value = low + _distance(rng, usual - low)
        elif math.isfinite(high):
            value = high - _distance(rng, high - usual)
        else:
            value = usual + rng.normal() * max(1.0, abs(usual))
        try:
            return float(parameter.convert(float(value), parameter.name))
        except ConfigurationError:  # a Predicate
            continue
    return usual


def _distance(rng: np.random.Generator, usual: float) -> float:
    return float(usual * 4 ** rng.uniform(-1, 1)) if usual > 0 else float(rng.uniform(0.05, 1))


def random_columns(
    rng: np.random.Generator, runs: int, units: int, samples: int, dtype: DTypeLike, scale: float = 4.0
) -> Array:
    """Return normal numbers ``(runs, units, samples)`` in the memory order of the engine, some of them 0 and -0."""
    values = columns(runs, units, samples, dtype)
    values[...] = scale * rng.normal(size=values.shape)
    values[rng.random(values.shape) < 0.05] *= 0
    return values


def as_columns(values: Array, dtype: DTypeLike) -> Array:
    """Return ``values (runs, units, samples)`` in the memory order of the engine."""
    runs, units, samples = values.shape
    result = columns(runs, units, samples, dtype)
    result[...] = values
    return result


def within(interval: tuple[float, float], rng: np.random.Generator, shape: tuple[int, ...], inset: float) -> Array:
    """Draw from an interval, a share ``inset`` of it away from its ends; infinite ends count as -3 and 3."""
    low, high = np.clip(interval, -3.0, 3.0)
    return rng.uniform(low + inset * (high - low), high - inset * (high - low), size=shape)


def take_runs(array: Array, runs: Array) -> Array:
    """Return a copy of some runs of an array, with the same order of axes in memory."""
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    part = array[runs].transpose(order).copy()
    return part.transpose(np.argsort(order))
