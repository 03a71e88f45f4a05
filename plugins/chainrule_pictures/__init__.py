"""Pictures of a run, which become part of its record."""

from collections.abc import Sequence

from chainrule.registry.hookspecs import hookimpl
from chainrule.registry.watching import Session, Watcher
from chainrule_pictures.watcher import Pictures


@hookimpl
def chainrule_watchers(session: Session) -> Sequence[Watcher]:
    """Return the watcher that draws; the runs of a sweep would take a minute for each hundred."""
    return [] if session.of_sweep else [Pictures()]
