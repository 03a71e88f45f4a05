"""The command in this process: what it answers, how long it takes at most, and what it leaves."""

import contextlib
import io
import logging
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from hydra.core.global_hydra import GlobalHydra

from chainrule.cli import main
from chainrule.registry.registry import Registry

LONGEST = 90  # seconds: for a machine that is busy; what hangs takes longer
REFUSED, USAGE = 1, 2  # exit codes, see README.md


class LateError(BaseException):
    """A command that has not ended."""


def chainrule(*words, files=(), watched=False, longest=LONGEST):
    """Run the command in this process, in a directory of its own, and return what came of it.

    Nothing watches its runs, such as the console and what draws pictures, unless ``watched``. It has not ended if it
    takes longer than ``longest`` seconds.
    """
    place, out, err = Path(tempfile.mkdtemp(dir=Path.cwd())), io.StringIO(), io.StringIO()
    for name, text in dict(files).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    before, code = set(place.rglob("*")), 0

    def late(*_):
        raise LateError

    previous = signal.signal(signal.SIGALRM, late)
    handlers = list(logging.root.handlers)
    signal.alarm(longest)
    try:
        with (
            contextlib.chdir(place),
            mock.patch.object(sys, "argv", ["chainrule", *words]),
            contextlib.nullcontext() if watched else mock.patch.object(Registry, "watchers", return_value=[]),
            mock.patch.dict(os.environ),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            main.main()
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):
            print(code, file=err)
            code = REFUSED
    except LateError:
        code = f"not after {longest} s: {traceback.format_exc()[-2000:]}"
    except BaseException:
        code = traceback.format_exc()[-2000:]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
        GlobalHydra.instance().clear()
        for handler in [handler for handler in logging.root.handlers if handler not in handlers]:
            logging.root.removeHandler(handler)
            handler.close()
    left = sorted(str(path.relative_to(place)) for path in set(place.rglob("*")) - before)
    return SimpleNamespace(code=code, out=out.getvalue(), err=err.getvalue(), left=left, place=place)


def require_answered(words, files=()):
    """Check that a command was done, or refused in one sentence that leaves nothing behind."""
    done = chainrule(*words, files=files)
    assert done.code in (0, REFUSED, USAGE), f"{words} {files}: {done.code}"
    assert "Traceback" not in done.err, f"{words} {files}: {done.err[-2000:]}"
    if done.code == REFUSED:
        sentence = done.err.splitlines()[-1]
        assert sentence.startswith("chainrule: "), f"{words} {files}: {done.err[-2000:]}"
        assert len(sentence) < 2200, f"{words} {files}: {sentence}"
    if done.code:
        assert done.left == [], f"{words} {files}: {done.err[-500:]}"
    return done


def refused(*words, files=()):
    """Return the sentence with which a command is refused."""
    done = require_answered(words, files)
    assert done.code, f"{words} was done"
    return done.err.splitlines()[-1]
