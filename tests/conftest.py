"""Every test runs in a directory of its own, away from the environment's trackers."""

import gc
import os
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


def pytest_collection_finish():
    """What is there now stays, and need not be looked through whenever objects that nobody needs are looked for."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(autouse=True)
def _own_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):  # the command exports which plugins it prefers
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        yield


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
def _shortcuts(prepared):
    patch = shortcuts.take(str(prepared))
    yield
    patch.undo()


@pytest.fixture
def drawn():
    """Pictures of runs are drawn in this test."""
    with shortcuts.none():
        yield


@pytest.fixture
def made_anew(drawn, monkeypatch):
    """Databases of MLflow are made in this test, and none is kept to be copied."""
    monkeypatch.setenv("CHAINRULE_CACHE", "")


@pytest.fixture
def apart(drawn):
    """MLflow's client is in a process of its own in this test."""


@pytest.fixture
def database(prepared, tmp_path):
    """A fresh database where MLflow looks for that of the working directory."""
    return shutil.copy(prepared, tmp_path / "mlflow.db")
