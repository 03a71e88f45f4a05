"""A component by its name; the plugins that there are."""

import functools
import logging
from typing import Any

from chainrule.components.contracts import Component
from chainrule.components.parameters import build
from chainrule.errors import ConfigurationError, nearest
from chainrule.registry.kinds import KINDS
from chainrule.registry.loaded import installed
from chainrule.registry.registry import Registry

log = logging.getLogger(__name__)


def component(kind: str, name: str, **parameters: Any) -> Component:
    """Return a component by name, e.g. ``component("optimizer", "adam", lr=0.01)``.

    Raises:
        ConfigurationError: the kind, the name or a parameter is unknown, or a value is of a wrong type or out of range.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"{kind!r} is not a kind{nearest(kind, KINDS)}; the kinds are {', '.join(KINDS)}.")
    if not KINDS[kind].groups:  # no run has a choice of these
        made: Component = build(registry().find(kind, name), parameters, kind)
        return made
    return registry().make(KINDS[kind].groups[0], name, parameters)


def registry() -> Registry:
    """Return the plugins, and log once what is wrong with them."""
    found = installed()
    for report in found.reports:
        _warn(report)
    return found


@functools.cache
def _warn(report: str) -> None:
    log.warning("%s.", report)
