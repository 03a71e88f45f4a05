"""Checks of every component, whatever its kind."""

import dataclasses
import functools
import importlib
import inspect
import math
import pickle
from typing import Any

import annotated_types as bounds_of

from chainrule.components.parameters import build, parameters, plain
from chainrule.errors import ChainruleError, PluginError
from chainrule.files.yaml_text import dump
from chainrule.registry.kinds import KINDS
from chainrule.registry.vetting import require_contract
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import Subject, limits
from chainrule.testing.table import Check
from chainrule.testing.words import from_yaml

_ENFORCED = (
    bounds_of.Gt,
    bounds_of.Ge,
    bounds_of.Lt,
    bounds_of.Le,
    bounds_of.MinLen,
    bounds_of.MaxLen,
    bounds_of.Predicate,
)


def registered(subject: Subject) -> None:
    """The class can be registered: a frozen dataclass with a name, whose methods are called as the contract's are."""
    try:
        require_contract(KINDS[subject.kind], subject.cls)
    except PluginError as error:
        raise FindingError(f"{str(error).rstrip('.')}.") from error


def documented(subject: Subject) -> None:
    """The class has a docstring of its own, and every parameter a ``doc(...)``."""
    cls = subject.cls
    text = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    if not text or text.startswith(f"{cls.__name__}("):  # what a dataclass writes itself
        raise FindingError(f"{cls.__qualname__} has no docstring; say in it what it computes, with formula and source.")
    silent = [name for name, parameter in parameters(cls).items() if not parameter.description.strip()]
    if silent:
        raise FindingError(
            f"{cls.__qualname__} does not say what {', '.join(silent)} is; write Annotated[..., doc('...')], which "
            "--help shows."
        )


def bounded(subject: Subject) -> None:
    """Defaults have the type of their parameter and lie within its bounds; values beyond the bounds are refused."""
    for name, parameter in parameters(subject.cls).items():
        where = f"{subject.cls.__qualname__}.{name}"
        ignored = [bound for bound in parameter.bounds if not isinstance(bound, _ENFORCED)]
        if ignored:
            raise FindingError(
                f"{where} has a bound that nobody enforces, {ignored[0]!r}; use Gt, Ge, Lt, Le, Len or Predicate."
            )
        low, high, closed_below, closed_above = limits(parameter)
        if low > high or (low == high and not (closed_below and closed_above)):
            raise FindingError(
                f"{where} has bounds that admit no value, from {low:g} to {high:g}; correct them.", low=low, high=high
            )
        if parameter.default is not dataclasses.MISSING:
            try:
                converted = parameter.convert(parameter.default, where)
            except ChainruleError as error:
                raise FindingError(f"The default of {where} is refused: {error}") from error
            if type(converted) is not type(parameter.default) or converted != parameter.default:
                raise FindingError(
                    f"The default of {where} is {parameter.default!r}, which is read as {converted!r}; write that."
                )
        if not parameter.many and parameter.type in (int, float):
            for value in _beyond(parameter.type, low, high, closed_below, closed_above):
                _require_refused(subject, name, value)


def configured(subject: Subject) -> None:
    """Every variant is the same after a round trip through plain configuration and through YAML."""
    for variant in subject.variants:
        values = plain(variant)
        for way, back in (("plain configuration", values), ("YAML", from_yaml(dump(values)))):
            again = build(subject.cls, back, subject.kind)
            if again != variant:
                raise FindingError(
                    f"{variant} becomes {again} by way of {way}; compute nothing in fields, use properties."
                )


def pickled(subject: Subject) -> None:
    """Every variant is the same after pickling, and its class can be imported: other processes train it."""
    cls = subject.cls
    home: Any = importlib.import_module(cls.__module__)
    for part in cls.__qualname__.split("."):
        home = getattr(home, part, None)
    if home is not cls:
        raise FindingError(
            f"{cls.__module__} has no {cls.__qualname__}; define the class at the top level of the module."
        )
    for variant in subject.variants:
        try:
            again = pickle.loads(pickle.dumps(variant))
        except Exception as error:
            raise FindingError(
                f"{variant} cannot be pickled ({type(error).__name__}: {error}), so that no other process can train "
                "it; keep only fields in it."
            ) from error
        if type(again) is not cls or again != variant or vars(again).keys() != vars(variant).keys():
            raise FindingError(f"{variant} becomes {again} by pickling; keep only fields in it.")


def frozen(subject: Subject) -> None:
    """Instances keep nothing besides their parameters: no other attribute, no ``functools.cached_property``."""
    cached = [n for n, m in inspect.getmembers_static(subject.cls) if isinstance(m, functools.cached_property)]
    if cached:
        raise FindingError(
            f"{subject.cls.__qualname__} caches {', '.join(cached)}, but a stack has no cache, and a schedule that "
            "changes the rate leaves it as it was; use properties."
        )
    for variant in subject.variants:
        extra = vars(variant).keys() - parameters(subject.cls).keys()
        if extra:
            raise FindingError(
                f"{subject.cls.__qualname__} keeps {', '.join(sorted(extra))} besides its parameters, which a stack "
                "does not have; use properties."
            )


def _beyond(number: type, low: float, high: float, closed_below: bool, closed_above: bool) -> list[float]:
    """Return the values next to the interval that do not belong to it."""
    values: list[float] = []
    if math.isfinite(low):
        values.append(low if not closed_below else low - 1 if number is int else math.nextafter(low, -math.inf))
    if math.isfinite(high):
        values.append(high if not closed_above else high + 1 if number is int else math.nextafter(high, math.inf))
    return [number(value) for value in values]


def _require_refused(subject: Subject, name: str, value: float) -> None:
    for instance in subject.defaults:
        try:
            build(subject.cls, {**plain(instance), name: value}, subject.kind)
        except ChainruleError:
            continue
        raise FindingError(
            f"{subject.cls.__qualname__}.{name} takes {value!r}, which lies beyond its bounds.", value=value
        )


CHECKS = (
    Check(registered),  # first, because no other can be run without it
    Check(documented),
    Check(bounded),
    Check(configured),
    Check(pickled),
    Check(frozen),
)
