"""What plugins do to the process that trains them ends with the training."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn


@contextmanager
def contained() -> Iterator[None]:
    """Let runs be trained in the block that may change the process.

    Its working directory and its signal handlers are put back. ``os._exit`` ends the run, not the process: it raises
    SystemExit, except in processes and threads that a plugin has started.
    """
    here, leave = _working_directory(), os._exit
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()} if is_main else {}
    os._exit = _raising(leave, os.getpid(), threading.get_ident())
    try:
        yield
    finally:
        os._exit = leave
        if here is not None and _working_directory() != here:
            with suppress(OSError):  # somebody has removed it
                os.chdir(here)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _raising(leave: Any, process: int, thread: int) -> Any:
    def raise_instead(status: int = 0) -> NoReturn:
        if (os.getpid(), threading.get_ident()) != (process, thread):
            leave(status)
        raise SystemExit(f"os._exit({status}) was called")

    return raise_instead


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
