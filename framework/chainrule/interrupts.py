"""Ctrl-C: it ends the command and all that it has started within seconds, whatever they are doing.

Python raises KeyboardInterrupt wherever the main thread happens to be: in code that swallows it, or after a call that
returns in a minute. So a thread of its own hears of each Ctrl-C as well, and ends by force what has not ended soon.
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

_CODE = 128 + signal.SIGINT  # by which shells know it
_PATIENCE = 1.5  # seconds that a command has to end by itself
_BRIEF = 0.3  # seconds for what is to be done at exit where it has not
_advice: Callable[[], str] | None = None
_interrupted = _told = False


@contextmanager
def handled() -> Iterator[None]:
    """Let Ctrl-C end this process with exit code 130 and one sentence. For a whole command: what is set here stays.

    Whoever started it can have it ignore Ctrl-C, as shells do with what runs in the background.
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
        signal.signal(signal.SIGINT, _ignored)  # an exception would only spoil the end


def advise(advice: Callable[[], str] | None) -> None:
    """Set who says how to go on after Ctrl-C, in a sentence or an empty string; None if there is nothing to say."""
    global _advice
    _advice = advice


@contextmanager
def deferred() -> Iterator[None]:
    """Defer Ctrl-C to the end of the block. Processes that start in it ignore Ctrl-C, unless they ask for it."""
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
    """Let Ctrl-C do nothing in this process, which another one ends. Processes that it starts hear it as usual."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _raise_once(*_: Any) -> None:
    global _interrupted
    _interrupted = True
    signal.signal(signal.SIGINT, _ignored)
    raise KeyboardInterrupt


def _ignored(*_: Any) -> None:
    """Do nothing: a further Ctrl-C is for the thread that ends the process by force."""


def _leave() -> None:
    """Leave after Ctrl-C when all is done that is to be done at exit.

    What Python does afterwards is in the way: threads that it stops anywhere; and where the interrupt passed through
    ``exec``, as in the making of a dataclass, it takes it for unhandled and dies of the signal.
    """
    if _told:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(_CODE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of one that comes only now it would die, too


def _enforce(reader: int) -> None:
    """End the process and those that it has started, soon after the first Ctrl-C or at the second."""
    from multiprocessing import active_children  # now, because an import may be what is stuck

    _wait(reader, None)
    _wait(reader, _PATIENCE)
    try:
        for process in active_children():
            process.kill()
        os.write(2, _message().encode())  # whoever holds sys.stderr may be stuck
        # A thread, because what is to be done (the cursor be shown, for one) may be stuck as well.
        exiting = threading.Thread(target=atexit._run_exitfuncs, daemon=True)
        exiting.start()
        exiting.join(_BRIEF)
    finally:
        os._exit(_CODE)


def _wait(reader: int, seconds: float | None) -> None:
    """Wait for Ctrl-C, at most so many seconds after anything else that is a signal to Python."""
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
