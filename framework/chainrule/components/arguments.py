"""Optional arguments: a method that names one receives it, and a method that does not costs nothing.

A contract says what it offers with :func:`offers`. Which of that a component wants is read from the signature of its
method, once for each class.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
_OFFERED = "chainrule_offered"


def offers(*names: str) -> Callable[[F], F]:
    """Mark a method of a contract: a component's own version may name these arguments, and then receives them."""

    def mark(method: F) -> F:
        setattr(method, _OFFERED, names)
        return method

    return mark


@functools.cache
def offered(cls: type, method: str) -> tuple[str, ...]:
    """Return the optional arguments that the contract of ``cls`` offers to a method."""
    for base in cls.__mro__:
        names = getattr(vars(base).get(method), _OFFERED, None)
        if names is not None:
            return tuple(names)
    return ()


@functools.cache
def asked(cls: type, method: str) -> tuple[str, ...]:
    """Return the optional arguments that a method of ``cls`` names, out of those that its contract offers."""
    named = inspect.signature(getattr(cls, method)).parameters
    return tuple(name for name in offered(cls, method) if name in named)


def given(component: Any, method: str, **arguments: Any) -> Callable[..., Any]:
    """Return a method of a component that receives those of the ``arguments`` that it names."""
    cls: type = type(component)
    bound: Callable[..., Any] = getattr(component, method)
    wanted = {name: arguments[name] for name in asked(cls, method) if name in arguments}
    return functools.partial(bound, **wanted) if wanted else bound


@functools.cache
def takes_out(function: Callable[..., Any]) -> bool:
    """Say whether a method has a parameter ``out``."""
    return "out" in inspect.signature(function).parameters
