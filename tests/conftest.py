"""Every test runs in a directory of its own, away from the environment's trackers."""

import gc
import itertools
import os
import re
import shutil
import signal
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings

import forking
import shortcuts
from chainrule.files import locks

# A shell lets what it runs in the background ignore Ctrl-C, and so would do every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Examples are the same in each run, so that what passed passes, however long one takes on a machine that is busy.
# `--hypothesis-profile=default` draws others.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")

collect_ignore = ["thirdparty"]  # distributions of their own, which are tested where they are installed


# Makes a database of MLflow.
_MAKE = """
import sys
from chainrule_mlflow.store import Store
with Store.at(sys.argv[1]).opened():
    pass
"""


def pytest_addoption(parser):
    parser.addoption(
        "--faults",
        choices=("few", "ci", "all"),
        default="few",
        help="how many faults are tried, and how many random cases by slow tests: few in every run, more in CI, or all",
    )


@pytest.fixture(scope="session")
def extent(request):
    """Choose by ``--faults``: ``extent(few=3, ci=20, all=200)``."""
    return lambda **sizes: sizes[request.config.getoption("faults")]


def pytest_collection_modifyitems(items):
    # Pages are loaded one after the other: they come first, so that in the end no core waits for them.
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
    for item in items:
        if "extent" in getattr(item, "fixturenames", ()):
            item.add_marker("sized")


def pytest_collection_finish():
    """Now all options are read, and they are not those of another pytest, which a test starts.

    What is there now stays, and need not be looked through whenever objects that nobody needs are looked for.
    """
    os.environ.pop("PYTEST_ADDOPTS", None)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


_numbers = itertools.count()


@pytest.fixture
def tmp_path(tmp_path_factory, request):
    """A new folder, as pytest makes one, without looking through those of all other tests and linking the newest."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    folder = tmp_path_factory.getbasetemp() / f"{name}{next(_numbers)}"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(autouse=True)
def _own_directory(tmp_path):
    """Nothing that a test or a command does to the folder or the environment of the process outlives it."""
    folder, before = os.getcwd(), dict(os.environ)
    os.chdir(tmp_path)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    yield
    os.chdir(folder)
    for name, _ in os.environ.items() ^ before.items():
        os.environ.pop(name, None)
        if name in before:
            os.environ[name] = before[name]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Machine code is kept for the other processes of these tests, not in the user's folder."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with mock.patch.dict(os.environ, CHAINRULE_CACHE=str(folder / "cache")):
        yield


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A fresh database of MLflow, made once for all processes of the tests, because making one takes seconds."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    database = folder / "prepared" / "mlflow.db"
    with locks.exclusive(folder / "prepared.lock", wait=300):
        if not database.exists():
            done = forking.python("-c", _MAKE, f"sqlite:///{database}")
            assert (done.returncode, done.stderr) == (0, "")
    return database


@pytest.fixture(scope="session", autouse=True)
def _shortcuts():
    patch = shortcuts.take()
    yield
    patch.undo()


@pytest.fixture
def drawn():
    """Pictures of runs are drawn in this test."""
    with shortcuts.none():
        yield


@pytest.fixture
def made_anew(monkeypatch):
    """Databases of MLflow are made in this test, instead of copied from one that was made for another."""
    monkeypatch.setenv("CHAINRULE_CACHE", "")


@pytest.fixture
def apart(drawn):
    """MLflow's client is in a process of its own in this test."""


@pytest.fixture
def database(prepared, tmp_path):
    """A fresh database where MLflow looks for that of the working directory."""
    return shutil.copy(prepared, tmp_path / "mlflow.db")
