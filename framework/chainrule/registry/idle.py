"""What may be done in a process that has no more runs to train, while the one that leads does something else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_do: ContextVar[Callable[..., Any] | None] = ContextVar("idle", default=None)


@contextmanager
def offered(do: Callable[..., Any]) -> Iterator[None]:
    """Let :func:`elsewhere` be ``do`` in the block, and in what a tracker is told in it."""
    token = _do.set(do)
    try:
        yield
    finally:
        _do.reset(token)


def elsewhere(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return ``function(*arguments)``, done in an idle process of the sweep if there is one, else here.

    Args:
        function: known in every process by its name.
        arguments: can be pickled, as the result can.
    """
    return (_do.get() or _here)(function, *arguments)


def _here(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
