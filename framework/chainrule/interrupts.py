"""Ctrl-C and SIGTERM end the command and all processes that it has started within seconds, whatever they are doing.

Python raises KeyboardInterrupt in the main thread, which may be in code that catches it, or in a call that returns only
in a minute. So a second thread is told of each signal too. It kills whatever has not ended soon.
"""

import atexit
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM"}
_PATIENCE = 1.0  # seconds that a command has to end by itself
_LEAVING = 0.8  # seconds that it has to say what is kept, when it is ended by force
_AT_EXIT = 0.3  # seconds of these that exit functions have
_SHORTLY = 0.1  # seconds that it has to say less
_exit = os._exit  # which a plugin may find replaced
_advice: Callable[[], str] | None = None
_caught: signal.Signals | None = None  # the first signal
_told = _of_sweep = False
_telling = threading.Lock()
_handled: dict[signal.Signals, Any] = {}  # what handles each signal until one comes
_deferring = threading.RLock()  # held while processes are started, which complain if this one ends in the middle
_writer = -1  # where Python writes the number of each signal


@contextmanager
def handled() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end this process with exit code 130 or 143 and one sentence.

    For a whole command, because the handlers stay. A process that was started with Ctrl-C ignored, as shells start what
    runs in the background, goes on ignoring it.
    """
    global _writer
    _handled.update({number: _raise_once for number, usual in _DEFAULTS.items() if signal.getsignal(number) is usual})
    if not _handled:
        yield
        return
    for number, handler in _handled.items():
        signal.signal(number, handler)
    try:
        atexit.register(_leave)  # the first to be registered, so the last to be called
        reader, _writer = os.pipe()
        os.set_blocking(_writer, False)
        signal.set_wakeup_fd(_writer, warn_on_full_buffer=False)
        threading.Thread(target=_enforce, args=(reader,), daemon=True).start()
        yield
    except BaseException:  # code in C may make another exception of KeyboardInterrupt
        if not _caught:
            raise
        _tell(_message())
        sys.exit(_code())
    finally:
        _let(_ignored)  # no exception any more: the command has ended


def keep() -> None:
    """Put back what handles signals, in case a plugin has put something else in its place."""
    if _handled and threading.current_thread() is threading.main_thread():
        for number, handler in _handled.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        signal.set_wakeup_fd(_writer, warn_on_full_buffer=False)


def advise(advice: Callable[[], str] | None, of_sweep: bool = False) -> Callable[[], str] | None:
    """Set the function that says how to go on after a signal: in a sentence, or an empty string. None removes it.

    Returns:
        The one before.
    """
    global _advice, _of_sweep
    before, _advice, _of_sweep = _advice, advice, of_sweep
    return before


def advises_sweep() -> bool:
    """Say whether what is said now is about a sweep, of which a run is only a part."""
    return _of_sweep


@contextmanager
def deferred() -> Iterator[None]:
    """Defer Ctrl-C to the end of the block.

    Processes that are started in the block inherit the blocked signal: they do not notice Ctrl-C until they unblock it.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # multiprocessing would start it in the block, and unblock the signal in doing so
    caught: list[Any] = []
    # Exceptions are raised in the main thread alone, whichever thread the signal reaches.
    raising = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _DEFAULTS if raising}
    before = {number: handler for number, handler in before.items() if callable(handler)}
    for number in before:
        signal.signal(number, lambda *details: caught.append(details))
    # Not SIGTERM: processes may be started that nobody would unblock it for, and that are to end by it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _deferring:
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
        for details in caught[:1]:
            handler = before[details[0]]
            assert callable(handler)
            handler(*details)


def ignored_here() -> None:
    """Let the signals do nothing in this process, because another one ends it; those that it starts react as usual."""
    for number in _DEFAULTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _raise_once(number: int, *_: Any) -> None:
    global _caught
    _caught = signal.Signals(number)
    _let(_ignored)
    raise KeyboardInterrupt


def _let(handler: Any) -> None:
    """Let something else handle the signals from now on."""
    for number in _handled:
        signal.signal(number, handler)
    _handled.update(dict.fromkeys(_handled, handler))


def _ignored(*_: Any) -> None:
    """Do nothing: only the thread that ends the process by force reacts to a second signal."""


def _code() -> int:
    """Return the exit code that shells expect after a signal."""
    return 128 + (_caught or signal.SIGINT)


def _leave() -> None:
    """End the process after a signal, as the last of the exit functions.

    Python itself would go on: it would stop threads at any point; and where the interrupt passed through ``exec``, as
    when a dataclass is made, it would take the interrupt for unhandled and die of the signal.
    """
    if _caught:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        try:
            if not _told:
                _tell(_message())  # in this thread, because Python starts no other one by now
        finally:
            _exit(_code())
    _let(signal.SIG_IGN)  # one that comes only now would kill the process as well


def _enforce(reader: int) -> None:
    """End the process and those that it has started, soon after the first signal or at the second."""
    from multiprocessing import active_children  # before a signal, because after it an import may hang

    global _caught
    number = _wait(reader, None)
    _wait(reader, _PATIENCE)
    _deferring.acquire(timeout=_PATIENCE)
    _caught = _caught or number  # the main thread may not know, in a call that does not return
    sys.unraisablehook = lambda _: None  # exit functions complain of processes that are gone, after the last word
    ends = time.monotonic() + _LEAVING
    try:
        for process in active_children():
            process.kill()
        _in_thread(atexit._run_exitfuncs, _AT_EXIT)  # an exit function (one shows the cursor again) may hang as well
    finally:
        _end(ends - time.monotonic())


def _end(seconds: float) -> None:
    """Say the sentence, if nobody has, and end the process: until then its main thread may record what is said."""
    try:
        if not _told:
            # In threads: the disk may not answer on which it looks what is kept, nor the terminal.
            _in_thread(lambda: _tell(_message()), seconds)
            _in_thread(lambda: _tell(_sentence()), _SHORTLY)
    finally:
        _exit(_code())


def _in_thread(action: Callable[[], object], seconds: float) -> None:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(seconds)


def _wait(reader: int, seconds: float | None) -> signal.Signals | None:
    """Wait for a signal, for at most so many seconds; another one to Python starts the seconds anew."""
    while select.select([reader], [], [], seconds)[0]:
        number = os.read(reader, 1)[0]
        if number in _DEFAULTS:
            return signal.Signals(number)
    return None


def _tell(message: str) -> None:
    """Write it to the standard error stream, unless another thread has told something; wait for one that does so."""
    global _told
    with _telling:
        if not _told:
            with suppress(OSError):
                os.write(2, f"{message}\n".encode())  # not sys.stderr, whose lock another thread may hold
            _told = True


def _message() -> str:
    """Return what happened, what is kept, and how to go on."""
    return f"{_sentence()} {_advice() if _advice else ''}".rstrip()


def _sentence() -> str:
    """Return what happened."""
    return f"chainrule: {_WORDS[_caught or signal.SIGINT]}."
