"""Progress and summary of runs, in the terminal, as plain lines, or as a line of a notebook."""

from collections.abc import Sequence

from chainrule.registry.hookspecs import hookimpl
from chainrule.registry.watching import Session, Watcher
from chainrule_console.watcher import Console


@hookimpl
def chainrule_watchers(session: Session) -> Sequence[Watcher]:
    """Return the watcher that prints progress and summaries, unless the session is quiet or part of a sweep."""
    return [] if session.quiet or session.of_sweep else [Console(session.interactive, notebook=session.notebook)]
