"""A process that has MLflow's client, so that the one that trains need not import it.

The import takes seconds of Python's time, which the interpreter's lock would take from training, whatever thread does
it. The process is started when something is to be done there at first. It has nothing of its own: it does one thing
after the other, and ends with the process that has started it, however that ends, by the pipe between them.
"""

import atexit
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any, BinaryIO

from chainrule.errors import ChainruleError, PluginError, sentence
from chainrule.files.paths import started, started_in
from chainrule.registry.aside import at_work, told_at_work
from chainrule.registry.declared import Parcel
from chainrule.registry.loaded import parcel, receive

_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from chainrule_mlflow import apart; apart.serve()"
_READY, _BEGINS, _ENDS, _DONE, _FAILED = "ready", "begins", "ends", "done", "failed"  # what it says
_GRACE = 1.0  # seconds to wait for the process when this one ends
_one_at_a_time = threading.Lock()
_helper: "_Helper | None" = None
_is_over = False  # whether this process is about to end


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Do what ``function(*arguments)`` does in the other process, and return its result.

    Args:
        function: known there by its name, or a method of something that can be pickled.
        arguments: can be pickled, too.

    Raises:
        ChainruleError: the function raised one, or the process has ended.
    """
    global _helper
    request = pickle.dumps((function, arguments, started(), dict(os.environ)))
    with _one_at_a_time:
        if _helper is None:
            try:
                _helper = _Helper()
            except OSError as error:
                raise ChainruleError(f"No process can be started to send to MLflow: {error}.") from None
        try:
            what, value = _helper.answer(request)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            if _is_over:
                threading.Event().wait()  # nobody waits for this thread, and nothing is to be said any more
            end()
            raise ChainruleError("The process that sends to MLflow has ended.") from None
    if what == _FAILED:
        raise ChainruleError(value)
    return value


def is_running() -> bool:
    """Say whether the other process has been started."""
    return _helper is not None


class _Helper:
    """The other process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # where Ctrl-C does not reach it
        )
        self._is_new = True

    def answer(self, request: bytes) -> tuple[str, Any]:
        """Return what it says in the end: what has become of the request, and the result or why there is none.

        What it does by itself, such as the import, counts as done by itself.
        """
        assert self._process.stdin
        assert self._process.stdout
        with ExitStack() as working:
            if self._is_new:
                working.enter_context(at_work())
                self._process.stdin.write(pickle.dumps(_plugins()))
            self._is_new = False
            self._process.stdin.write(request)
            self._process.stdin.flush()
            while True:
                what, value = pickle.load(self._process.stdout)
                if what == _BEGINS:
                    working.enter_context(at_work())
                elif what in (_READY, _ENDS):
                    working.close()
                else:
                    return what, value

    def end(self) -> None:
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()


def end() -> None:
    """End the other process, if it is there, whatever it does; the next call starts another."""
    global _helper
    if _helper:
        _helper.end()
        _helper = None


@atexit.register
def _leave() -> None:
    global _is_over
    _is_over = True
    end()


def _forget() -> None:
    """Have no other process, after a fork: it is that of the parent."""
    global _helper, _one_at_a_time
    _helper, _one_at_a_time = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _plugins() -> Parcel | None:
    """Return what the other process needs to draw pictures as this one does."""
    try:
        return parcel()
    except PluginError:  # it does without what cannot be sent
        return None


def serve() -> None:
    """Do what the process that has started this one asks for, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    requests: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked, requests), daemon=True).start()

    def say(what: str, value: Any = None) -> None:
        answers.write(pickle.dumps((what, value)))
        answers.flush()

    with told_at_work(lambda: _saying(say)):
        while True:
            function, arguments, folder, environment = requests.get()
            os.environ.update(environment)
            say(_READY)
            try:
                with started_in(folder):
                    say(_DONE, function(*arguments))
            except Exception as error:  # of whatever library
                say(_FAILED, str(error) if isinstance(error, ChainruleError) else sentence(error))


@contextmanager
def _saying(say: Callable[[str], None]) -> Iterator[None]:
    """Say when the block begins and ends, unless it lies in another."""
    with told_at_work(nullcontext):
        say(_BEGINS)
        try:
            yield
        finally:
            say(_ENDS)


def _listen(asked: BinaryIO, requests: "queue.SimpleQueue[tuple[Any, ...]]") -> None:
    """Hear what is asked for, and end this process as soon as nobody can ask any more."""
    try:
        plugins = pickle.load(asked)
        if plugins is not None:
            receive(plugins)
        while True:
            requests.put(pickle.load(asked))
    finally:
        os._exit(0)
