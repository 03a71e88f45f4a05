"""Ctrl-C ends the command and all processes that it has started within seconds, whatever they are doing.

Python raises KeyboardInterrupt in the main thread, which may be in code that catches it, or in a call that returns only
in a minute. So a second thread is told of each Ctrl-C too. It kills whatever has not ended soon.
"""

import atexit
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_CODE = 128 + signal.SIGINT  # the exit code that shells expect after Ctrl-C
_PATIENCE = 1.0  # seconds that a command has to end by itself
_AT_EXIT = 0.3  # seconds that exit functions have when a command is ended by force
_advice: Callable[[], str] | None = None
_interrupted = _told = False


@contextmanager
def handled() -> Iterator[None]:
    """Let Ctrl-C end this process with exit code 130 and one sentence.

    For a whole command, because the handler stays. A process that was started with Ctrl-C ignored, as shells start what
    runs in the background, goes on ignoring it.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _raise_once)
    try:
        atexit.register(_leave)  # the first to be registered, so the last to be called
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=_enforce, args=(reader,), daemon=True).start()
        yield
    except BaseException:  # code in C may make another exception of KeyboardInterrupt
        if not _interrupted:
            raise
        print(_message(), end="", file=sys.stderr, flush=True)
        sys.exit(_CODE)
    finally:
        signal.signal(signal.SIGINT, _ignored)  # no exception any more: the command has ended


def advise(advice: Callable[[], str] | None) -> None:
    """Set the function that says how to go on after Ctrl-C: in a sentence, or an empty string. None removes it."""
    global _advice
    _advice = advice


@contextmanager
def deferred() -> Iterator[None]:
    """Defer Ctrl-C to the end of the block.

    Processes that are started in the block inherit the blocked signal: they do not notice Ctrl-C until they unblock it.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # multiprocessing would start it in the block, and unblock the signal in doing so
    caught: list[Any] = []
    before = signal.getsignal(signal.SIGINT)
    # Exceptions are raised in the main thread alone, whichever thread the signal reaches.
    raising = callable(before) and threading.current_thread() is threading.main_thread()
    if raising:
        signal.signal(signal.SIGINT, lambda *details: caught.append(details))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if raising:
            signal.signal(signal.SIGINT, before)
            if caught and callable(before):
                before(*caught[0])


def ignored_here() -> None:
    """Let Ctrl-C do nothing in this process, because another process ends it; those that it starts react as usual."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _raise_once(*_: Any) -> None:
    global _interrupted
    _interrupted = True
    signal.signal(signal.SIGINT, _ignored)
    raise KeyboardInterrupt


def _ignored(*_: Any) -> None:
    """Do nothing: only the thread that ends the process by force reacts to a second Ctrl-C."""


def _leave() -> None:
    """End the process after Ctrl-C, as the last of the exit functions.

    Python itself would go on: it would stop threads at any point; and where the interrupt passed through ``exec``, as
    when a dataclass is made, it would take the interrupt for unhandled and die of the signal.
    """
    if _interrupted:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        _end()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one that comes only now would kill the process as well


def _enforce(reader: int) -> None:
    """End the process and those that it has started, soon after the first Ctrl-C or at the second."""
    from multiprocessing import active_children  # before Ctrl-C, because after it an import may hang

    global _interrupted
    _wait(reader, None)
    _wait(reader, _PATIENCE)
    _interrupted = True  # the main thread may not know, in a call that does not return
    try:
        for process in active_children():
            process.kill()
        # In a thread, because an exit function (one shows the cursor again) may hang as well.
        exiting = threading.Thread(target=atexit._run_exitfuncs, daemon=True)
        exiting.start()
        exiting.join(_AT_EXIT)
    finally:
        _end()


def _end() -> None:
    """Say the sentence, if nobody has, and end the process: until then its main thread may record what is said."""
    try:
        os.write(2, _message().encode())  # not sys.stderr, whose lock another thread may hold
    finally:
        os._exit(_CODE)


def _wait(reader: int, seconds: float | None) -> None:
    """Wait for Ctrl-C, for at most so many seconds; another signal to Python starts the seconds anew."""
    while select.select([reader], [], [], seconds)[0] and os.read(reader, 1)[0] != signal.SIGINT:
        pass


def _message() -> str:
    """Return the sentence, once."""
    global _told
    if _told:
        return ""
    _told = True
    advice = _advice() if _advice else ""
    return f"chainrule: interrupted. {advice}".rstrip() + "\n"
