"""Every component is an option of its groups, without YAML."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from chainrule.components.parameters import plain_defaults
from chainrule.config import fitting
from chainrule.config.layers import names_in
from chainrule.registry.kinds import GROUPS
from chainrule.registry.loaded import installed

MARK = "<<component>>"
ANY = "__any__"
_marked: ContextVar[bool] = ContextVar("marked", default=False)


@contextmanager
def marked() -> Iterator[None]:
    """Let components add one key, :data:`MARK`, which says what they are, and let :data:`ANY` be one of each group.

    Those of a list, and those of several layers, add what they are chosen for, as ever.
    """
    token = _marked.set(True)
    try:
        yield
    finally:
        _marked.reset(token)


def options(group: str) -> list[str]:
    """Return the components that can be chosen in a group, sorted; none if it is not a group of components."""
    if group not in GROUPS:
        return []
    if GROUPS[group].many:
        return installed().names(GROUPS[group].name)
    return [*installed().names(GROUPS[group].name), *([ANY] if _marked.get() else [])]


def option(group: str, name: str) -> dict[str, Any] | None:
    """Return what a choice adds to the configuration; None if it does not exist.

    That is name and defaults of a component, or for an option of several layers those of each, by the layer's number.
    One of a list has its name as the key of its defaults.
    """
    if not is_option(group, name):
        return None
    if fitting.is_auto(group, name):
        return {MARK: f"{group}/{name}"} if _marked.get() else fitting.composed(group)
    kind, names = GROUPS[group], names_in(group, name)
    found = {each: plain_defaults(installed().find(kind.name, each)) for each in names if each != ANY}
    if kind.many:
        return found
    if len(names) > 1:
        return {str(layer): {"name": each, **found[each]} for layer, each in enumerate(names, 1)}
    return {MARK: f"{group}/{name}"} if _marked.get() else {"name": name, **found[name]}


def is_option(group: str, name: str) -> bool:
    """Say whether this can be chosen in a group."""
    return fitting.is_auto(group, name) or set(names_in(group, name)) <= set(options(group))
