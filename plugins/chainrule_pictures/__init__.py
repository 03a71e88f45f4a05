"""Pictures of a run, which become part of its record."""

from collections.abc import Sequence

from chainrule.registry.hookspecs import hookimpl
from chainrule.registry.watching import Session, Watcher
from chainrule_pictures.watcher import Pictures


@hookimpl
def chainrule_watchers(session: Session) -> Sequence[Watcher]:
    """Return the watcher that draws, but not for a sweep, where drawing takes a minute per hundred runs."""
    return [] if session.of_sweep else [Pictures(session.pictures)]
