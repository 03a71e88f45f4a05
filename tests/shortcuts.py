"""What takes seconds of each test that is not about it: pictures of runs are blank.

MLflow's client, which is imported already, is used in the process that trains, instead of one of its own, and there the
best run of a sweep is drawn instead of in one that is idle, where pictures would not be blank. This holds in
the processes of the tests, and in those that :mod:`forking` makes for them. Other processes, which tests start as a
person would, do all of that. A test asks for ``drawn`` if it is about pictures, and for ``apart`` if it is about the
process of the client.
"""

import contextlib

import pytest
from PIL import Image

from chainrule_mlflow import apart, best
from chainrule_pictures import watcher

_BLANK = Image.new("RGB", (90, 60))
VARIABLE = "CHAINRULE_SHORTCUTS"  # of processes that are forked: whether they take them
_draw, _call, _elsewhere = watcher.draw, apart.call, best.elsewhere


def take() -> pytest.MonkeyPatch:
    """Take the shortcuts in this process, and in those that it forks; return what undoes that."""
    patch = pytest.MonkeyPatch()
    patch.setattr(watcher, "draw", lambda name, result, path: _BLANK.save(path))
    for module, name in ((apart, "call"), (best, "elsewhere")):
        patch.setattr(module, name, lambda function, *arguments: function(*arguments))
    patch.setenv(VARIABLE, "taken")
    return patch


@contextlib.contextmanager
def none():
    """Take none in the block, nor in processes that are forked in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watcher, "draw", _draw)
        patch.setattr(apart, "call", _call)
        patch.setattr(best, "elsewhere", _elsewhere)
        patch.delenv(VARIABLE, raising=False)
        yield
