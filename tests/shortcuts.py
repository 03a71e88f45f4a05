"""What takes seconds of each test that is not about it: pictures of runs are blank, databases of MLflow are copies.

MLflow's client, which is imported already, is used in the process that trains, instead of one of its own. This holds in
the processes of the tests, and in those that :mod:`forking` makes for them. Other processes, which tests start as a
person would, do all of that. A test asks for ``drawn`` if it is about pictures, for ``made_anew`` if it is about making
a database, and for ``apart`` if it is about the process of the client.
"""

import contextlib
import functools
import os
import shutil
import sqlite3

import pytest
from PIL import Image

from chainrule_mlflow import apart
from chainrule_mlflow.store import Store
from chainrule_pictures import watcher

_BLANK = Image.new("RGB", (90, 60))
VARIABLE = "CHAINRULE_SHORTCUTS"  # of processes that are forked: the database to copy
_draw, _make, _call = watcher.draw, Store._make, apart.call


def take(database: str) -> pytest.MonkeyPatch:
    """Take the shortcuts in this process; return what undoes that."""
    patch = pytest.MonkeyPatch()
    patch.setattr(watcher, "draw", lambda name, result, path: _BLANK.save(path))
    patch.setattr(Store, "_make", functools.partialmethod(_copied, database))
    patch.setattr(apart, "call", lambda function, *arguments: function(*arguments))
    patch.setenv(VARIABLE, database)
    return patch


@contextlib.contextmanager
def none():
    """Take none in the block, nor in processes that are forked in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watcher, "draw", _draw)
        patch.setattr(Store, "_make", _make)
        patch.setattr(apart, "call", _call)
        patch.delenv(VARIABLE, raising=False)
        yield


def _copied(store, database, file):
    """Copy a database that was made before, and put it where it belongs as one that is made is."""
    new = file.with_name(f"{file.name}.copied")
    shutil.copy(database, new)
    with contextlib.closing(sqlite3.connect(new)) as opened, opened:
        opened.execute("UPDATE experiments SET artifact_location = ?", [f"{store.artifacts}/0"])
    for rest in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + rest).unlink(missing_ok=True)
        new.with_name(new.name + rest).unlink(missing_ok=True)
    os.replace(new, file)
