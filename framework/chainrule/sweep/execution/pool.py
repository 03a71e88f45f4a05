"""Where units are trained: in this process, in others of this machine, or on a cluster, by joblib."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from pathlib import Path

import joblib

from chainrule.errors import ChainruleError, ConfigurationError, nearest
from chainrule.registry.watching import Watcher
from chainrule.sweep.execution import clusters, worker
from chainrule.sweep.execution.clusters import Cluster, Site
from chainrule.sweep.execution.plan import Unit
from chainrule.sweep.execution.processes import Processes

HERE = "loky"  # processes of this machine; the option is named after the library that ran them at first
BACKENDS = (HERE, *clusters.OPENED)
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
                f"choose one of {', '.join(BACKENDS)}."
            )
        if workers == 0 or workers < -1:
            raise ConfigurationError(f"hydra.launcher.workers must be 1 or more, or -1 for all, not {workers}.")
        if address is not None and backend == HERE:
            raise ConfigurationError("hydra.launcher.address needs hydra.launcher.backend=dask or ray.")
        self._workers, self._backend, self._address = workers, backend, address
        self._processes = Processes()
        self._cluster: Cluster | None = None
        self._held = ExitStack()

    def __enter__(self) -> "Pool":
        """Connect to the cluster, or start it, if the backend is one.

        Raises:
            ConfigurationError: the cluster cannot be reached or started.
        """
        own = self._address is None
        if self._backend != HERE and (not own or self.cores > 1):
            opened = clusters.OPENED[self._backend](self.cores if own else self._workers, self._address)
            self._cluster = self._held.enter_context(opened)
        return self

    def __exit__(self, *error: object) -> None:
        (self._processes.kill if error[0] else self._processes.close)()
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
        if self._backend == HERE and self.cores > 1 and jobs >= _MANY:
            self._processes.start(self.cores)

    def run(
        self,
        units: Sequence[Unit],
        progress: Path,
        watcher: Callable[[Unit], Watcher],
        any_processor: bool = False,
    ) -> Generator[worker.Ends]:
        """Train units and yield what became of their jobs, unit by unit, as they end.

        Args:
            units: what to train.
            progress: a folder in which other processes write how far they are.
            watcher: returns a watcher of a unit, if that is trained in this process.
            any_processor: whether the workers of a cluster may have another processor than this machine.

        Raises:
            ChainruleError: a process was killed, or the cluster fails.
        """
        if self._cluster:
            yield from self._run_there(units, Site.here(progress, any_processor), self._cluster)
        elif self.cores == 1 or len(units) < 2 or sum(unit.seconds for unit in units) < _SMALL:
            for unit in units:
                yield worker.train(unit, watcher(unit))
        else:
            self._processes.start(min(self.cores, len(units)))
            yield from self._processes.run(units, progress)

    def _run_there(self, units: Sequence[Unit], site: Site, cluster: Cluster) -> Generator[worker.Ends]:
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
