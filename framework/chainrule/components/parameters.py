"""Typed, bounded, documented fields: the one description from which options, validation and help are made.

A component or a settings class is a frozen dataclass whose fields read
``lr: Annotated[float, Gt(0), doc("learning rate")] = 1e-3`` in the vocabulary of ``annotated_types``.
"""

import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

import annotated_types as bounds_of
import numpy as np

from chainrule.errors import ConfigurationError, PluginError, counted, nearest

_LONG = 80  # characters of a wrong value that are shown
_SCALARS = (float, int, bool, str)
_FAR = 1e9  # from which on a limit is not worth a word
_NAMES = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One field: its type, default, bounds and description.

    Attributes:
        name: field name.
        type: ``float``, ``int``, ``bool``, ``str`` or an ``Enum`` class; of the elements where ``many``.
        many: whether the value is a tuple of such elements.
        optional: whether ``None`` is allowed.
        default: default value, or ``dataclasses.MISSING``.
        bounds: constraints of ``annotated_types`` on the value (on each element where ``many``).
        description: one line for help and documentation.
    """

    name: str
    type: type
    many: bool
    optional: bool
    default: Any
    bounds: tuple[Any, ...]
    description: str

    @property
    def is_stackable(self) -> bool:
        """Whether runs that differ in this field can still be trained as one stack (plain floats only)."""
        return self.type is float and not self.many and not self.optional

    @property
    def limits(self) -> dict[str, Any]:
        """The bounds that are comparisons, as ``{"ge": 0, "lt": 1}``."""
        fields = [(_COMPARISONS[type(bound)][1], bound) for bound in self.bounds if type(bound) in _COMPARISONS]
        return {field: getattr(bound, field) for field, bound in fields}

    def convert(self, value: Any, where: str) -> Any:
        """Return ``value`` as this parameter's type, checked against its bounds.

        Raises:
            ConfigurationError: wrong type or out of range; the sentence begins with ``where``.
        """
        if value is None:
            if self.optional:
                return None
            raise ConfigurationError(f"{where} must be {self.wanted()}, not null.")
        if not self.many:
            return self._element(value, where)
        if self.type is str and isinstance(value, str | int | float):
            return (self._element(value, where),)  # a single text
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
            raise ConfigurationError(f"{where} must be {self.wanted()}, not {value!r}.")
        return tuple(self._element(item, f"{where}[{i}]") for i, item in enumerate(value))

    def wanted(self, far: bool = False) -> str:
        """Say in words what is accepted, e.g. ``a number > 0``.

        Args:
            far: whether to name limits, too, that only a mistake or an attack exceeds.
        """
        if issubclass(self.type, enum.Enum):
            text = "one of " + ", ".join(str(member.value) for member in self.type)
        else:
            limits = [" and ".join(_limits(self.bounds, far)), _lengths(self.bounds)]
            text = " ".join([_NAMES[self.type], *filter(None, limits)])
        if self.many:
            text = f"a list, each entry {text}"
        return text + " or null" if self.optional else text

    def _element(self, given: Any, where: str) -> Any:
        if issubclass(self.type, enum.Enum):
            try:
                return self.type(given)
            except ValueError:
                choices = [member.value for member in self.type]
                raise self._complaint(given, where, nearest(str(given), choices)) from None
        value = given.item() if isinstance(given, np.generic) else given  # e.g. from np.logspace
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if self.type is str and isinstance(value, int | float):  # such as a column 2020, which Hydra reads as a number
            value = str(value).lower() if isinstance(value, bool) else str(value)
        is_right = type(value) is self.type and (not isinstance(value, float) or math.isfinite(value))
        if not is_right or not all(_holds(bound, value) for bound in self.bounds):
            raise self._complaint(given, where)
        return value

    def _complaint(self, value: Any, where: str, hint: str = "") -> ConfigurationError:
        wanted = dataclasses.replace(self, many=False).wanted(isinstance(value, int | float) and value >= _FAR)
        given = repr(value)
        if isinstance(value, str) and len(value) > _LONG:
            given = f"{value[:_LONG]!r} ... ({counted(len(value), 'character')})"
        return ConfigurationError(f"{where} must be {wanted}, not {given}{hint}.")


@functools.cache
def parameters(cls: type) -> dict[str, Parameter]:
    """Describe the fields of the dataclass ``cls``, in order.

    Raises:
        PluginError: ``cls`` is not a dataclass, or a field has a type that options cannot hold.
    """
    if not dataclasses.is_dataclass(cls):
        raise PluginError(f"{cls.__module__}.{cls.__qualname__} must be a dataclass: add @dataclass(frozen=True).")
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: _parameter(cls, field, hints[field.name]) for field in dataclasses.fields(cls) if field.init}


def build(cls: type, values: Mapping[str, Any], where: str) -> Any:
    """Make a ``cls`` from ``values``, each converted and checked; missing fields take their defaults.

    Args:
        cls: a dataclass described by :func:`parameters`.
        values: field name to raw value.
        where: prefix of the keys in error messages, e.g. ``optimizer``.

    Raises:
        ConfigurationError: a name is unknown, a value is of a wrong type, out of range, or missing without a default.
    """
    known = parameters(cls)
    for key in values:
        if key not in known:
            listing = f"it takes {', '.join(known)}" if known else "it takes no parameters"
            raise ConfigurationError(
                f"{where}.{key} is not a parameter of {where}{nearest(str(key), known)}; {listing}."
            )
    converted = {}
    for name, parameter in known.items():
        if name in values:
            converted[name] = parameter.convert(values[name], f"{where}.{name}")
        elif parameter.default is dataclasses.MISSING:
            raise ConfigurationError(f"{where}.{name} is missing: give it {parameter.wanted()}.")
    try:
        return cls(**converted)
    except ValueError as error:  # from a component that checks its parameters against each other
        raise ConfigurationError(f"{where} does not take these values: {error}.") from error


def plain(instance: Any) -> dict[str, Any]:
    """Return the fields of ``instance`` as plain data (numbers, text, lists), fit for YAML and JSON."""
    cls: type = type(instance)
    return {name: _plain(getattr(instance, name)) for name in parameters(cls)}


def plain_defaults(cls: type) -> dict[str, Any]:
    """Return the defaults of ``cls`` as plain data; ``???``, Hydra's mark, for a field without one."""
    missing = dataclasses.MISSING
    return {name: "???" if p.default is missing else _plain(p.default) for name, p in parameters(cls).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _parameter(cls: type, field: dataclasses.Field[Any], hint: Any) -> Parameter:
    metadata: list[Any] = []
    many = optional = False
    while True:
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            hint, metadata = args[0], [*metadata, *args[1:]]
        elif origin in (typing.Union, types.UnionType) and len(args) == 2 and type(None) in args:
            hint, optional = next(arg for arg in args if arg is not type(None)), True
        elif origin is tuple and len(args) == 2 and args[1] is Ellipsis and not many:
            hint, many = args[0], True
        else:
            break
    if not (isinstance(hint, type) and (hint in _SCALARS or issubclass(hint, enum.Enum))):
        raise PluginError(
            f"{cls.__module__}.{cls.__qualname__}.{field.name} has type {hint!r}; "
            "parameters are float, int, bool, str, an Enum, a tuple[T, ...] of these, or one of these | None."
        )
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    found = tuple(part for item in metadata for part in _unpacked(item))
    for bound in found:
        limit = getattr(bound, _COMPARISONS[type(bound)][1]) if type(bound) in _COMPARISONS else 0
        if not isinstance(limit, int | float):
            raise PluginError(
                f"{cls.__module__}.{cls.__qualname__}.{field.name} has the bound {limit!r}, which is not a number."
            )
    docs = [item.documentation for item in metadata if isinstance(item, bounds_of.DocInfo)]
    return Parameter(field.name, hint, many, optional, default, found, docs[0] if docs else "")


def _unpacked(item: Any) -> list[Any]:
    """Split grouped constraints (``Interval``) into single ones; drop everything else."""
    if isinstance(item, bounds_of.BaseMetadata):
        return [item]
    if not isinstance(item, bounds_of.DocInfo) and isinstance(item, bounds_of.GroupedMetadata):  # slow, so last
        return [part for part in item if not isinstance(part, bounds_of.DocInfo)]
    return []


_COMPARISONS = {
    bounds_of.Gt: (">", "gt"),
    bounds_of.Ge: (">=", "ge"),
    bounds_of.Lt: ("<", "lt"),
    bounds_of.Le: ("<=", "le"),
}


def _limits(bounds: tuple[Any, ...], far: bool) -> list[str]:
    found = [(*_COMPARISONS[type(b)], b) for b in bounds if type(b) in _COMPARISONS]
    limits = [(sign, getattr(bound, name)) for sign, name, bound in found]
    return [f"{sign} {limit:g}" for sign, limit in limits if far or limit < _FAR]


def _lengths(bounds: tuple[Any, ...]) -> str:
    """Say in words how long a text may be."""
    least = max((bound.min_length for bound in bounds if isinstance(bound, bounds_of.MinLen)), default=0)
    most = min((bound.max_length for bound in bounds if isinstance(bound, bounds_of.MaxLen)), default=None)
    if most is not None:
        return f"of {least} to {counted(most, 'character')}"
    return f"of {counted(least, 'character')} or more" if least else ""


def _holds(bound: Any, value: Any) -> bool:
    match bound:
        case bounds_of.Gt(gt=limit):
            return bool(value > limit)
        case bounds_of.Ge(ge=limit):
            return bool(value >= limit)
        case bounds_of.Lt(lt=limit):
            return bool(value < limit)
        case bounds_of.Le(le=limit):
            return bool(value <= limit)
        case bounds_of.MinLen(min_length=limit):
            return len(value) >= limit
        case bounds_of.MaxLen(max_length=limit):
            return len(value) <= limit
        case bounds_of.Predicate(func=test):
            return bool(test(value))
    return True
