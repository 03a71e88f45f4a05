"""Clusters of Dask and Ray, running ones or such as are started here, and what their workers do.

What is trained in another place is trained as it would be here: in the same working directory, by the same code.
"""

import functools
import importlib
import logging
import os
import platform
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import records
from chainrule.errors import ConfigurationError
from chainrule.plugins import installed
from chainrule.sweep import work
from chainrule.sweep.plan import Unit
from chainrule.sweep.state import changes, code
from chainrule.watchers import Progress, Watcher

_PATIENCE = 5  # seconds to wait for a cluster to answer
_GLANCE = 1.0  # seconds between two looks at whether the sweep is still going on
_alone = threading.Lock()  # the working directory and the threads of BLAS belong to the process


@dataclass(frozen=True)
class Cluster:
    """A cluster that is ready.

    Attributes:
        workers: how many units it trains at once.
        backend: of joblib, as a name or an object.
        options: for ``joblib.parallel_config``, besides.
    """

    workers: int
    backend: Any
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """What a worker of a cluster must know besides its unit.

    Attributes:
        directory: working directory of the sweep, absolute.
        progress: folder in which workers say how far they are, absolute.
        code: versions and SHA-256 of what the sweep is trained by.
    """

    directory: Path
    progress: Path
    code: Mapping[str, str]

    @classmethod
    def here(cls, progress: Path) -> "Site":
        """Return the site of a sweep of this process."""
        return cls(Path.cwd(), progress.absolute(), _code())

    def train(self, unit: Unit) -> list[work.End]:
        """Train a unit in a worker.

        Raises:
            ConfigurationError: the worker does not see the files of the sweep, or runs other code.
        """
        if not self.progress.is_dir():
            raise ConfigurationError(
                f"a worker on {platform.node()} does not see {self.progress.parent}: "
                "the machines of a cluster must share the file system in which a sweep lies."
            )
        there = {key: value for key, value in _code().items() if key in self.code}
        different = changes(self.code, there, words=("here", "there"))
        if different:
            raise ConfigurationError(
                f"a worker on {platform.node()} would not train the same: {'; '.join(different)}. "
                "Install the same there, and start the workers again."
            )
        heartbeat = work.Heartbeat(self.progress / f"{unit.jobs[0].number}-{uuid.uuid4().hex}")
        with _alone, chdir(self.directory):
            records.environment.cache_clear()  # a worker outlives sweeps, and commits
            heartbeat.path.touch()
            try:
                return work.train(unit, heartbeat, _Leash(heartbeat.path))
            except _Abandoned:
                return []
            finally:
                heartbeat.path.unlink(missing_ok=True)


class _Abandoned(BaseException):
    """Nobody waits for the unit: no failure of a run, so that nothing on the way may take it for one."""


class _Leash(Watcher):
    """Ends a training whose sweep was broken off: the sweep may have been resumed, and the unit be trained elsewhere."""

    def __init__(self, path: Path) -> None:
        self._path, self._due = path, 0.0

    def epochs_recorded(self, progress: Progress) -> None:
        self._look()

    def run_trained(self, result: Any, directory: Path) -> None:
        self._look()

    def _look(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _GLANCE
            if not self._path.exists():  # the folder is emptied when a sweep ends, and when it is resumed
                raise _Abandoned


@functools.cache
def _code() -> dict[str, str]:
    """Return what this process runs, found out when it is loaded: files can change later."""
    return code(installed().providers)


@contextmanager
def _dask(workers: int, address: str | None) -> Iterator[Cluster]:
    distributed = _imported("distributed", "dask")
    for name in ("distributed", *(name for name in logging.root.manager.loggerDict if name.startswith("distributed."))):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what matters arrives as an exception
    with _dask_client(distributed, workers, address) as client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError:
            raise ConfigurationError(
                f"the Dask scheduler at {address} has no workers: start some with `dask worker {address} --nthreads 1`."
            ) from None
        threads = client.nthreads()
        if max(threads.values()) > 1:
            raise ConfigurationError(
                f"workers of the Dask scheduler at {address} have several threads, which would wait for one another: "
                f"start them with `dask worker {address} --nthreads 1 --nworkers {max(threads.values())}`."
            )
        yield Cluster(_at_most(workers, len(threads)), "dask", {"client": client})


@contextmanager
def _dask_client(distributed: Any, workers: int, address: str | None) -> Iterator[Any]:
    if address is None:
        with distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=None,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL + 1,
        ) as cluster, distributed.Client(cluster, set_as_default=False) as client:
            yield client
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other versions: what must be equal is compared by each worker
        try:
            client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise _unreachable("Dask scheduler", address, "dask scheduler") from error
    with client:
        yield client


@contextmanager
def _ray(workers: int, address: str | None) -> Iterator[Cluster]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # whatever the system: listen on 127.0.0.1
    ray = _imported("ray", "ray")
    options: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False}
    if address is not None:
        _reach(address)
        options = {}
    ray.init(address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **options)
    try:
        cpus = int(ray.cluster_resources().get("CPU", 0))
        yield Cluster(_at_most(workers, cpus), _ray_backend(), {})
    finally:
        ray.shutdown()


def _ray_backend() -> Any:
    backend: Any = importlib.import_module("ray.util.joblib.ray_backend").RayBackend

    class Backend(backend):  # type: ignore[misc]
        """Yields results as they come. Ray takes over that it cannot from a pool of processes that are no actors."""

        supports_return_generator = True

    return Backend()


def _reach(address: str) -> None:
    """Complain at once if nothing listens at the address of a Ray cluster, for which Ray would wait long."""
    host, _, port = address.rpartition("://")[2].partition("/")[0].rpartition(":")
    if not host:
        return  # "auto" and its like, which Ray looks up
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, ValueError) as error:
        raise _unreachable("Ray cluster", address, "ray start --head") from error


def _unreachable(what: str, address: str, command: str) -> ConfigurationError:
    return ConfigurationError(
        f"no {what} answers at hydra.launcher.address={address}: start one with `{command}`, "
        "or leave the address away to have one started on this machine."
    )


def _at_most(workers: int, there: int) -> int:
    return there if workers == -1 else min(workers, there)


def _imported(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"hydra.launcher.backend={extra} needs a package that is not installed: pip install 'chainrule[{extra}]'."
        ) from None


OPENED: dict[str, Callable[[int, str | None], AbstractContextManager[Cluster]]] = {"dask": _dask, "ray": _ray}
