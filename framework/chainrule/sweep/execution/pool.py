"""Where units are trained: in this process, in others of this machine, or on a cluster, by joblib."""

import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from chainrule.errors import ChainruleError, ConfigurationError, nearest
from chainrule.registry.watching import Watcher
from chainrule.sweep.execution import clusters, worker
from chainrule.sweep.execution.clusters import Cluster, Site
from chainrule.sweep.execution.plan import Unit

BACKENDS = ("loky", *clusters.OPENED)
_MANY = 200  # jobs that are worth processes, whatever they are
_SMALL = 2.0  # seconds of work that other processes would not finish earlier, because they must start


class Pool:
    """How many units are trained at once, and where. A cluster is open within ``with pool:``, where units are run.

    Args:
        workers: processes; -1 for one a core.
        backend: ``loky`` (processes of this machine), ``dask`` or ``ray``.
        address: of a running Dask scheduler or Ray cluster; None starts one on this machine.
    """

    def __init__(self, workers: int, backend: str, address: str | None) -> None:
        if backend not in BACKENDS:
            raise ConfigurationError(
                f"hydra.launcher.backend={backend} is unknown{nearest(backend, BACKENDS)}; "
                f"there is {', '.join(BACKENDS)}."
            )
        if workers == 0 or workers < -1:
            raise ConfigurationError(f"hydra.launcher.workers must be 1 or more, or -1 for all, not {workers}.")
        if address is not None and backend == "loky":
            raise ConfigurationError("hydra.launcher.address needs hydra.launcher.backend=dask or ray.")
        self._workers, self._backend, self._address = workers, backend, address
        self._early = False  # whether processes have been started, as many as there may be
        self._cluster: Cluster | None = None
        self._held = ExitStack()

    def __enter__(self) -> "Pool":
        """Connect to the cluster, or start it, if the backend is one.

        Raises:
            ConfigurationError: the cluster cannot be reached or started.
        """
        own = self._address is None
        if self._backend != "loky" and (not own or self.cores > 1):
            opened = clusters.OPENED[self._backend](self.cores if own else self._workers, self._address)
            self._cluster = self._held.enter_context(opened)
        return self

    def __exit__(self, *error: object) -> None:
        self._cluster = None
        self._held.close()

    @property
    def cores(self) -> int:
        """How many processes share the work; those of a cluster are known exactly only when it is open."""
        if self._cluster:
            return self._cluster.workers
        return joblib.cpu_count() if self._workers == -1 else self._workers

    def start_early(self, jobs: int) -> None:
        """Start processes of this machine while jobs are still being composed, if there are many jobs."""
        if self._backend == "loky" and self.cores > 1 and jobs >= _MANY:
            self._early = True
            threading.Thread(target=self._start).start()

    def run(
        self, units: Sequence[Unit], progress: Path, watcher: Callable[[Unit], Watcher]
    ) -> Generator[list[worker.End]]:
        """Train units and yield what became of their jobs, unit by unit, as they end.

        Args:
            units: what to train.
            progress: a folder in which other processes write how far they are.
            watcher: returns a watcher of a unit, if that is trained in this process.

        Raises:
            ChainruleError: a process was killed, or the cluster fails.
        """
        if self._cluster:
            yield from self._run_there(units, Site.here(progress), self._cluster)
        elif self.cores == 1 or len(units) < 2 or sum(unit.seconds for unit in units) < _SMALL:
            for unit in units:
                yield worker.train(unit, watcher(unit))
        else:
            yield from self._run_here(units, progress)

    def _run_here(self, units: Sequence[Unit], progress: Path) -> Generator[list[worker.End]]:
        with _loky():
            workers = self.cores if self._early else min(self.cores, len(units))
            parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)
            train = joblib.delayed(worker.train_elsewhere)
            try:
                yield from parallel(train(unit, progress, os.getpid()) for unit in units)
            except BrokenProcessPool:
                raise ChainruleError(
                    "A process that trained runs was killed, perhaps because memory ran out "
                    "(hydra.launcher.workers=1 needs the least)."
                ) from None

    def _run_there(self, units: Sequence[Unit], site: Site, cluster: Cluster) -> Generator[list[worker.End]]:
        with joblib.parallel_config(cluster.backend, **cluster.options):
            parallel = joblib.Parallel(
                n_jobs=cluster.workers,
                return_as="generator_unordered",
                batch_size=1,
                pre_dispatch="2*n_jobs" if self._workers == -1 else cluster.workers,  # a cluster of Dask uses all
            )
            try:
                yield from parallel(joblib.delayed(site.train)(unit) for unit in units)
            except ChainruleError:
                raise
            except Exception as error:
                sentence = f"{type(error).__name__}: {error}".splitlines()[0]
                raise ChainruleError(f"The {self._backend} cluster failed: {sentence.rstrip('.')}.") from error

    def _start(self) -> None:
        with _loky(), suppress(BaseException):  # whoever needs the processes meets what is wrong again
            joblib.Parallel(n_jobs=self._workers)(joblib.delayed(worker.ready)() for _ in range(self.cores))


def _loky() -> Any:
    return joblib.parallel_config("loky", inner_max_num_threads=1)
