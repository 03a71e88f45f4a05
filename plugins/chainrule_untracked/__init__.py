"""The tracker that sends nothing, in a package of its own: it remains when other trackers are blocked."""

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.registry.hookspecs import hookimpl
from chainrule.registry.watching import Tracker


@dataclass(frozen=True)
class NoTracking(Tracker, name="none"):
    """Sends nothing; records are written as always."""


@hookimpl
def chainrule_trackers() -> Sequence[type[Tracker]]:
    """Return the tracker of this package."""
    return [NoTracking]
