"""Where Python runs: in a notebook, in a terminal or in a program; and what a command leaves as it was."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chainrule.registry.watching import AUTO, Session

_FULL = "HYDRA_FULL_ERROR"


def of_sweeps(quiet: bool) -> Session:
    """Return the circumstances in which a person watches a sweep that was started from Python."""
    seen = in_notebook()
    return Session(interactive=sys.stdout.isatty() and not seen, quiet=quiet, notebook=seen)


def of_runs(quiet: bool, pictures: tuple[str, ...] = (AUTO,)) -> Session:
    """Return those of runs that were started from Python; outside of a notebook they are quiet."""
    seen = in_notebook()
    return Session(interactive=False, quiet=quiet or not seen, notebook=seen, pictures=pictures)


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def kept() -> Iterator[None]:
    """Leave the environment and logging as they were: Hydra would show the messages of all libraries from then on."""
    before, root = os.environ.get(_FULL), logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    os.environ[_FULL] = "1"  # Hydra then raises its errors instead of printing them
    try:
        yield
    finally:
        os.environ.pop(_FULL)
        if before is not None:
            os.environ[_FULL] = before
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
