"""Where units are trained: in this process, in others of this machine, or on a cluster, by joblib."""

from collections.abc import Callable, Container, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import joblib

from chainrule.errors import ChainruleError, ConfigurationError, counted, nearest
from chainrule.registry.idle import offered
from chainrule.registry.watching import Watcher
from chainrule.sweep.execution import clusters, worker
from chainrule.sweep.execution.clusters import Cluster, Site
from chainrule.sweep.execution.plan import Unit
from chainrule.sweep.execution.processes import Processes

HERE = "loky"  # processes of this machine; the option is named after the library that ran them at first
BACKENDS = (HERE, *clusters.OPENED)
_MANY = 200  # jobs that are worth processes, whatever they are
_ATTEMPTS = 3  # to train on a cluster whose workers end
_WORKERS = 64  # processes that may be asked for on any machine
_SMALL = 2.0  # seconds of work that other processes would not finish earlier, because they must start


class Pool:
    """How many units are trained at once, and where. A cluster is open within ``with pool:``, where units are run.

    Args:
        workers: processes; -1 for one a core.
        backend: ``loky`` (processes of this machine), ``dask`` or ``ray``.
        address: of a running Dask scheduler or Ray cluster; None starts one on this machine.
        timeout: seconds after which a run of which nothing was heard counts as hanging; None for never.
    """

    def __init__(self, workers: int, backend: str, address: str | None, timeout: float | None = None) -> None:
        if backend not in BACKENDS:
            raise ConfigurationError(
                f"hydra.launcher.backend={backend} is unknown{nearest(backend, BACKENDS)}; "
                f"choose one of {', '.join(BACKENDS)}."
            )
        if workers == 0 or workers < -1:
            raise ConfigurationError(f"hydra.launcher.workers must be 1 or more, or -1 for all, not {workers}.")
        most = max(_WORKERS, 4 * joblib.cpu_count())
        if backend == HERE and workers > most:
            raise ConfigurationError(
                f"hydra.launcher.workers={workers} are more processes than {counted(joblib.cpu_count(), 'core')} can "
                f"use: write a number up to {most}, or -1 for one a core."
            )
        if address is not None and backend == HERE:
            raise ConfigurationError("hydra.launcher.address needs hydra.launcher.backend=dask or ray.")
        self._workers, self._backend, self._address = workers, backend, address
        if timeout is not None and not timeout > 0:
            raise ConfigurationError(f"hydra.launcher.timeout must be more than 0 seconds, or null, not {timeout}.")
        self._timeout = timeout
        self._processes = Processes(timeout)
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
        self._held.enter_context(offered(self._processes.call))
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
        suspects: Container[int] = (),
    ) -> Generator[worker.Ends]:
        """Train units and yield what became of their jobs, unit by unit, as they end.

        Little work, or work for one process, is done in this process. Then a run that kills its process ends the sweep.
        So where a run may hang, or the last attempt has ended so, it is done in another process all the same.

        Args:
            units: what to train.
            progress: a folder in which other processes write how far they are.
            watcher: returns a watcher of a unit, if that is trained in this process.
            any_processor: whether the workers of a cluster may have another processor than this machine.
            suspects: numbers of jobs, one of which may have ended the process in which it was trained before.

        Raises:
            ChainruleError: no process can be started, or the cluster fails.
        """
        are_safe = self._timeout is None and not any(job.number in suspects for unit in units for job in unit.jobs)
        is_little = self.cores == 1 or len(units) < 2 or sum(unit.seconds for unit in units) < _SMALL
        if self._cluster:
            yield from self._run_there(units, Site.here(progress, self._timeout, any_processor), self._cluster)
        elif is_little and are_safe:
            for unit in units:
                with worker.marked(unit, progress):
                    ends = worker.train(unit, watcher(unit))
                yield ends
        else:
            self._processes.start(min(self.cores, len(units)))
            yield from self._processes.run(units, progress)

    def _run_there(self, units: Sequence[Unit], site: Site, cluster: Cluster) -> Generator[worker.Ends]:
        """Train units on a cluster; where a worker of it has ended, those that are left are given to it again.

        A worker that finds that another has ended with a unit is careful with it, see :meth:`Site.train`.
        """
        left = {unit.jobs[0].number: unit for unit in units}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                for ends in self._parallel(list(left.values()), site, cluster):
                    for number, _ in ends:
                        left.pop(number, None)
                    yield ends
            except ChainruleError:
                raise
            except Exception as error:
                if attempt == _ATTEMPTS or not any(site.progress.glob("*-*")):
                    sentence = f"{type(error).__name__}: {error}".splitlines()[0]
                    raise ChainruleError(f"The {self._backend} cluster failed: {sentence.rstrip('.')}.") from error
            else:
                return

    def _parallel(self, units: Sequence[Unit], site: Site, cluster: Cluster) -> Iterator[worker.Ends]:
        with joblib.parallel_config(cluster.backend, **cluster.options):
            parallel = joblib.Parallel(
                n_jobs=cluster.workers,
                return_as="generator_unordered",
                batch_size=1,
                pre_dispatch="2*n_jobs" if self._workers == -1 else cluster.workers,  # a cluster of Dask uses all
            )
            yield from parallel(joblib.delayed(site.train)(unit) for unit in units)
