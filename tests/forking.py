"""Processes that need not import anything, because they are forked from one that has imported everything.

Importing MLflow, scikit-learn and Matplotlib takes seconds, in each process that does. Here one process imports them
and is forked for each command. A command runs in a process of its own, as if ``python`` had been called, except that
the modules are there already. Tests of what is imported, and of signals, start ``sys.executable`` themselves.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
import warnings
from pathlib import Path

import operations

WAIT = 300  # seconds, at most, for a command
# With warnings as errors, but for the one about modules that are there already.
PYTEST = ("-m", "pytest", "-W", "error", "-W", "ignore:Module already imported")
_MOST = 64  # files that are handed over at once
_PLUGINS = Path(__file__).parents[1] / "plugins"
_SLOW = (
    "chainrule.reports.sweep",
    "chainrule.runs.execute",
    "hypothesis.strategies",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "optuna",
    "pytest",
    "sklearn.datasets",
    "sklearn.metrics",
)


def python(*words, folder=".", environment=None, timeout=WAIT):
    """Do what ``python *words`` does, and return what ``subprocess.run`` does, with both outputs as text.

    Args:
        words: ``-m MODULE``, ``-c CODE`` or a script, with arguments.
        folder: working directory.
        environment: of the process; that of this one by default.
        timeout: seconds; a process that takes longer is killed.
    """
    return at_once([words], folder, environment, timeout)[0]


def at_once(commands, folder=".", environment=None, timeout=WAIT):
    """Do what :func:`python` does for several commands, all at the same time."""
    commands = [[os.fspath(word) for word in words] for words in commands]
    environment = dict(os.environ if environment is None else environment)
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2 * len(commands))]
        if sys.platform == "linux":
            request = {"commands": commands, "folder": os.path.abspath(folder), "environment": environment}
            codes = _mother().children(request, [file.fileno() for file in files], timeout)
        else:  # where libraries of the system may not survive a fork
            begun = [
                subprocess.Popen([sys.executable, *words], cwd=folder, env=environment, stdout=output, stderr=errors)
                for words, output, errors in zip(commands, files[::2], files[1::2], strict=True)
            ]
            codes = [process.wait(timeout) for process in begun]
        for file in files:
            file.seek(0)
        found = [file.read() for file in files]
    return list(map(subprocess.CompletedProcess, commands, codes, found[::2], found[1::2]))


class _Mother:
    """The process that is forked, from the side of the tests."""

    def __init__(self):
        self._socket, other = socket.socketpair()
        with other:
            # Threads of a library would not survive a fork.
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
            command = [sys.executable, __file__, str(other.fileno())]
            self._process = subprocess.Popen(
                command, pass_fds=[other.fileno()], env=environment, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def children(self, request, files, timeout):
        """Let commands be carried out, with outputs to ``files``, two for each, and return their exit codes."""
        self._socket.settimeout(timeout)
        try:
            content = json.dumps(request).encode()
            socket.send_fds(self._socket, [len(content).to_bytes(8)], files)
            self._socket.sendall(content)
            answer = self._socket.recv(1000)
        except TimeoutError:
            answer = b""
        if not answer:
            self.end(grace=0)
            raise subprocess.TimeoutExpired(request["commands"], timeout)
        return json.loads(answer)

    def end(self, grace=10):
        """End the process, and kill it with what it was forked for if it has not ended after ``grace`` seconds."""
        _mother.cache_clear()
        self._socket.close()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@functools.cache
def _mother():
    mother = _Mother()
    atexit.register(mother.end)
    return mother


def _requests(number):
    """Carry requests out by children; return the words in each of them, and end where nobody asks any more."""
    with socket.socket(fileno=number) as asked:
        while True:
            size, files, _, _ = socket.recv_fds(asked, 8, _MOST)
            if not size:
                sys.exit()
            request = json.loads(asked.recv(int.from_bytes(size), socket.MSG_WAITALL))
            children = []
            for words, output, errors in zip(request["commands"], files[::2], files[1::2], strict=True):
                children.append(os.fork())
                if not children[-1]:
                    os.dup2(output, 1)
                    os.dup2(errors, 2)
                    for file in files:
                        os.close(file)
                    os.chdir(request["folder"])
                    os.environ.clear()
                    os.environ.update(request["environment"])
                    return words
            for file in files:
                os.close(file)
            ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            asked.sendall(json.dumps(ends).encode())


def _imported():
    plugins = [folder.name for folder in _PLUGINS.glob("chainrule_*")]
    for module in ("chainrule.cli.main", *_SLOW, *plugins):
        with warnings.catch_warnings(), contextlib.suppress(ImportError):
            warnings.simplefilter("ignore")
            importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is there stays, and need not be looked through by each child


def _ended(words):
    """Do what ``python *words`` does, and return its exit code."""
    try:
        if "CHAINRULE_SHORTCUTS" in os.environ:
            import shortcuts  # which imports plugins, as this process has done

            shortcuts.take()
        operations.take(is_first=True)
        _run(words)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _run(words):
    first, *rest = words
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [os.getcwd(), *filter(None, paths), *_PATH]
    importlib.invalidate_caches()
    match first:
        case "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        case "-c":
            sys.argv = ["-c", *rest[1:]]
            sys.modules["__main__"] = types.ModuleType("__main__")
            exec(rest[0], vars(sys.modules["__main__"]))
        case _:
            sys.argv = words
            sys.path[0] = os.path.dirname(os.path.abspath(first))
            runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    _PATH = [folder for folder in sys.path[1:] if folder not in folders]
    _imported()
    code = _ended(_requests(int(sys.argv[1])))
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # to tidy up all that was imported would take longer than most commands
