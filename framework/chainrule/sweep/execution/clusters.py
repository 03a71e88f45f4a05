"""Clusters of Dask and Ray, already running or started here, and what their workers do.

A worker trains as this process would: in the same working directory, with the same code.
"""

import functools
import importlib
import logging
import multiprocessing
import os
import platform
import socket
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import interrupts
from chainrule.errors import ConfigurationError, counted
from chainrule.files.words import resuming
from chainrule.records.environment import BLAS, PROCESSOR, switches
from chainrule.registry.declared import Parcel
from chainrule.registry.loaded import installed, parcel, receive
from chainrule.registry.preferences import SECTION, VARIABLES
from chainrule.registry.providers import ClassProvider, FileProvider
from chainrule.registry.versions import changes, code
from chainrule.registry.watching import Progress
from chainrule.sweep.execution import worker
from chainrule.sweep.execution.plan import Unit
from chainrule.sweep.execution.processes import Processes

_PATIENCE = 5  # seconds to wait for a cluster to answer
_alone = threading.Lock()  # the working directory and the threads of BLAS belong to the process


@dataclass(frozen=True)
class Cluster:
    """A cluster that is ready.

    Attributes:
        workers: how many units it trains at once.
        backend: of joblib, as a name or an object.
        options: further arguments of ``joblib.parallel_config``.
    """

    workers: int
    backend: Any
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """What a worker of a cluster must know besides its unit.

    Attributes:
        directory: working directory of the sweep, absolute.
        progress: folder in which workers write how far they are, absolute.
        code: versions and SHA-256 of the installed code that trains the sweep, what NumPy uses of the processor, unless
            any will do, and the preferences about plugins.
        plugins: those that are not installed.
        timeout: seconds after which a run of which nothing was heard counts as hanging; None for never.
    """

    directory: Path
    progress: Path
    code: Mapping[str, str]
    plugins: Parcel
    timeout: float | None

    @classmethod
    def here(cls, progress: Path, timeout: float | None = None, any_processor: bool = False) -> "Site":
        """Return the site of a sweep of this process, whose workers may have another processor if that is said."""
        code = {key: value for key, value in _code().items() if not (any_processor and key in (PROCESSOR, BLAS))}
        return cls(Path.cwd(), progress.absolute(), code, parcel(), timeout)

    def train(self, unit: Unit) -> worker.Ends:
        """Train a unit in a worker; in a process of its own, if a worker has ended that trained it before.

        Raises:
            ConfigurationError: the worker does not see the files of the sweep, or runs other code.
        """
        if not self.progress.is_dir():
            raise ConfigurationError(
                f"a worker on {platform.node()} does not see {self.progress.parent}: "
                "the machines of a cluster must share the file system in which a sweep lies."
            )
        receive(self.plugins)
        there = {key: value for key, value in _code().items() if key in self.code}
        different = changes(self.code, there, words=("here", "there"))
        if different:
            raise ConfigurationError(
                f"a worker on {platform.node()} would not train the same: {'; '.join(different)}. {self._remedy(there)}"
            )
        name = str(unit.jobs[0].number)
        left_behind = list(self.progress.glob(f"{name}-*"))  # by a worker that is gone
        for earlier in left_behind:
            earlier.unlink(missing_ok=True)
        leash = _Leash(self.progress / f"{name}-{uuid.uuid4().hex}", [job.number for job in unit.jobs])
        with _alone, chdir(self.directory):
            leash.write(0, 0)
            try:
                if left_behind or self.timeout is not None:
                    return _apart(unit, leash, self.timeout)
                return worker.train(unit, leash)
            except _Abandoned:
                return worker.Ends()
            finally:
                leash.path.unlink(missing_ok=True)

    def _remedy(self, there: Mapping[str, str]) -> str:
        """Say what can be done about a worker with this code."""
        different = {key for key in {**self.code, **there} if self.code.get(key) != there.get(key)}
        if not different <= {PROCESSOR, BLAS}:
            return "Install the same there, and start the workers again."
        again = f"`{resuming(self.progress.parent)} --accept processor` goes on with any processor."
        same = switches(self.code, there)
        return f"With {same} before all commands, also of workers, numbers are the same; {again}" if same else again


class _Abandoned(BaseException):
    """Nobody waits for the unit. No ``Exception``, because it must not be recorded as the failure of a run."""


class _Leash(worker.Heartbeat):
    """Ends a training that nobody waits for: the sweep was interrupted, or another worker trains the unit."""

    def epochs_recorded(self, progress: Progress) -> None:
        try:
            self.path.stat()
            super().epochs_recorded(progress)
        except FileNotFoundError:
            raise _Abandoned from None

    def run_trained(self, result: Any, directory: Path) -> None:
        if not self.path.exists():
            raise _Abandoned


def _apart(unit: Unit, leash: "_Leash", timeout: float | None) -> worker.Ends:
    """Train a unit in a process that this worker starts, so that no run can end the worker."""
    options = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    before = options.get("daemon")
    options["daemon"] = False  # workers of Dask are daemons, which may have no children
    processes, ends, notes = Processes(timeout), list[worker.End](), list[str]()
    try:
        processes.start(1)
        for part in processes.run([unit], leash.path.parent):
            leash.run_trained(None, leash.path)
            ends += part
            notes += part.notes
    finally:
        options["daemon"] = before
        processes.kill()
    return worker.Ends(sorted(ends, key=lambda end: end[0]), notes)


@functools.cache
def _code() -> dict[str, str]:
    """Return the installed code and the preferences of this process, read once, because files can change later."""
    registry = installed()
    names = {name: ",".join(getattr(registry.preferences, name)) for name in VARIABLES}
    preferred = {f"{SECTION}.{name}": text or "none" for name, text in names.items()}
    sent = FileProvider | ClassProvider
    return code(provider for provider in registry.providers if not isinstance(provider, sent)) | preferred


@contextmanager
def _dask(workers: int, address: str | None) -> Iterator[Cluster]:
    distributed = _imported("distributed", "dask")
    below = (name for name in logging.root.manager.loggerDict if name.startswith("distributed."))
    for name in ("asyncio", "distributed", "tornado.application", *below):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what matters arrives as an exception
    with ExitStack() as held:
        if address is not None:
            _reach("Dask scheduler", address, "dask scheduler")
        with interrupts.deferred(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about other versions: each worker compares what must be equal
            place = address or held.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    memory_limit=None,
                    host="127.0.0.1",
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL + 1,
                )
            )
            try:
                client = held.enter_context(distributed.Client(place, timeout=_PATIENCE, set_as_default=False))
            except (OSError, ValueError) as error:
                where = f"at hydra.launcher.address={address}" if address else "started here"
                cause = " ".join(str(error).split())
                raise ConfigurationError(f"the Dask scheduler {where} cannot be used: {cause}") from error
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
        yield Cluster(_size(workers, len(threads)), "dask", {"client": client})


@contextmanager
def _ray(workers: int, address: str | None) -> Iterator[Cluster]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {}
    if address is None:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # whatever the system: listen on 127.0.0.1
        options = {"num_cpus": workers, "include_dashboard": False}
    elif ":" in address:  # else "auto", which Ray looks up
        _reach("Ray cluster", address, "ray start --head")
    ray = _imported("ray", "ray")
    try:
        ray.init(address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except Exception as error:
        where = "does not start" if address is None else f"at hydra.launcher.address={address} cannot be used"
        raise ConfigurationError(f"the Ray cluster {where}: {' '.join(str(error).split())}") from error
    try:
        there = int(ray.cluster_resources().get("CPU", 0))
        yield Cluster(_size(workers, there), _ray_backend(), {})
    finally:
        ray.shutdown()


def _ray_backend() -> Any:
    backend: Any = importlib.import_module("ray.util.joblib.ray_backend").RayBackend

    class Backend(backend):  # type: ignore[misc]
        """Yields results as they come; joblib forbids this for its own pools, but it works for actors of Ray."""

        supports_return_generator = True

    return Backend()


def _reach(what: str, address: str, command: str) -> None:
    """Refuse an address at once if nothing listens there: Dask and Ray would wait long and print messages."""
    host, _, port = address.rpartition("://")[2].partition("/")[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, ValueError):
        raise ConfigurationError(
            f"no {what} answers at hydra.launcher.address={address}: start one with `{command}`, "
            "or leave the address out to start one on this machine."
        ) from None


def _size(workers: int, there: int) -> int:
    """Return how many workers of a cluster to use."""
    size = there if workers == -1 else min(workers, there)
    if size < 2:  # joblib would train everything in this process
        raise ConfigurationError(
            f"a cluster of {counted(there, 'worker')} with hydra.launcher.workers={workers} shares no work: "
            "start two workers at least, or leave hydra.launcher.backend out."
        )
    return size


def _imported(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"hydra.launcher.backend={extra} needs a package that is not installed: pip install 'chainrule[{extra}]'."
        ) from None


OPENED: dict[str, Callable[[int, str | None], AbstractContextManager[Cluster]]] = {"dask": _dask, "ray": _ray}
