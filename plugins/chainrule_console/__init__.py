"""Progress and summary of runs, in the terminal or as plain lines."""

from collections.abc import Sequence

from chainrule.registry.hookspecs import hookimpl
from chainrule.registry.watching import Session, Watcher
from chainrule_console.watcher import Console


@hookimpl
def chainrule_watchers(session: Session) -> Sequence[Watcher]:
    """Return the watcher that speaks to the person."""
    return [] if session.quiet or session.of_sweep else [Console(session.interactive)]
