"""The tracker that sends nothing; apart from others, so that it is there when they are blocked."""

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.registry.hookspecs import hookimpl
from chainrule.registry.watching import Tracker


@dataclass(frozen=True)
class NoTracking(Tracker, name="none"):
    """Sends runs nowhere; their records are kept all the same."""


@hookimpl
def chainrule_trackers() -> Sequence[type[Tracker]]:
    """Register it."""
    return [NoTracking]
