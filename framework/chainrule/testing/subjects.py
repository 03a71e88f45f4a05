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

from chainrule.components.contracts import Array, Component, Target
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


class Subject:
    """A component class that is checked.

    Args:
        cls: the class.
        examples: values of parameters instead of the defaults, one mapping for each instance.

    Attributes:
        cls: the class.
        kind: name of its kind.
        examples: as given, or one without values.

    Raises:
        PluginError: the class belongs to no kind.
    """

    def __init__(self, cls: type[Component], examples: Sequence[Mapping[str, Any]] = ()) -> None:
        found = [kind.name for kind in KINDS.values() if isinstance(cls, type) and issubclass(cls, kind.contract)]
        if not found:
            raise PluginError(f"{cls!r} is no component: derive it from a contract such as chainrule.Activation.")
        self.cls, self.kind = cls, found[0]
        self.examples = tuple(examples) or ({},)

    def __str__(self) -> str:
        return f"{self.kind}={self.cls.name}"

    def where(self, method: str) -> str:
        """Return the name of a method for messages."""
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
    def stacks(self) -> tuple[tuple[Any, ...], ...]:
        """For each combination, one instance for each run of a stack; they differ in their plain floats."""
        rng = np.random.default_rng(2)
        return tuple(
            (*(self._draw_instance(rng, combination) for _ in range(RUNS - 1)), combination)
            for combination in self.combinations
        )

    @property
    def variants(self) -> list[Any]:
        """Every combination, and some instances of each with other floats."""
        return [*self.combinations, *(instance for stack in self.stacks for instance in stack[: RUNS // 2])]

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


def draw_value(rng: np.random.Generator, parameter: Parameter, usual: float) -> float:
    """Draw a value within the bounds of a float parameter; where a side is open, it has the size of ``usual``."""
    low, high, closed_below, closed_above = limits(parameter)
    ends = [end for end, closed in ((low, closed_below), (high, closed_above)) if closed]
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
