"""Demands that parameters do something."""

import dataclasses
import enum
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.components.parameters import Parameter, parameters
from chainrule.errors import ConfigurationError
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import Subject, draw_value, special_values

Observe = Callable[[Any], object]  # what an instance does, as something that can be compared


def require_effects(subject: Subject, observe: Observe) -> None:
    """Refuse a parameter whose value changes nothing, whatever the other parameters are.

    Parameters that are text or lists are not tried.
    """
    for name, parameter in parameters(subject.cls).items():
        tried = 0
        for instance in _instances(subject):
            seen = None
            for other in _neighbours(parameter, name, instance):
                seen = observe(instance) if seen is None else seen
                tried += 1
                if observe(other) != seen:
                    break
            else:
                continue
            break
        else:
            if tried:
                raise FindingError(
                    f"{subject.cls.__qualname__}.{name} does nothing: no value changes a bit of a result; use it as "
                    f"self.{name}, or remove it."
                )


def without_parameters(subject: Subject) -> str:
    """Return why the demand does not apply, or an empty text."""
    tried = [p for p in parameters(subject.cls).values() if not p.many and p.type is not str]
    return "" if tried else "it has no parameter that is a number, a switch or a choice"


def _instances(subject: Subject) -> Iterator[Any]:
    """Yield instances beside which a parameter may matter: others may switch it off."""
    yield from subject.combinations
    yield from (instance for stack in subject.stacks for instance in stack[:-1])
    yield from subject.settings
    yield from subject.edges


def _neighbours(parameter: Parameter, name: str, instance: Any) -> Iterator[Any]:
    for value in _values(parameter, getattr(instance, name)):
        try:
            converted = parameter.convert(value, name)
            if converted != getattr(instance, name):
                yield dataclasses.replace(instance, **{name: converted})
        except ConfigurationError:  # it lies out of bounds, or the other parameters exclude it
            continue


def _values(parameter: Parameter, usual: Any) -> list[Any]:
    if parameter.many or parameter.type is str:
        return []
    if issubclass(parameter.type, enum.Enum):
        return list(parameter.type)
    if parameter.type is bool:
        return [False, True]
    number = 1 if usual is None else usual
    if parameter.type is int:
        return [None, number + 1, number - 1, 1, 2, 5]
    rng = np.random.default_rng(5)
    drawn = [draw_value(rng, parameter, float(number)) for _ in range(3)]
    return [None, *special_values(parameter, float(number)), *drawn]
