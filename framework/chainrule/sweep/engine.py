"""Where units are trained: in this process, in others of this machine, or on a cluster, by joblib."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from chainrule.errors import ChainruleError, ConfigurationError, nearest
from chainrule.sweep import work
from chainrule.sweep.plan import Unit
from chainrule.watchers import Watcher

BACKENDS = ("loky", "dask", "ray")
_MANY = 200  # jobs that are worth processes, whatever they are
_SMALL = 2.0  # seconds of work that other processes would not finish earlier, because they must start


@dataclass(frozen=True)
class Engine:
    """How much is done at once, and where.

    Attributes:
        workers: processes; -1 for one a core.
        backend: ``loky`` (processes of this machine), ``dask`` or ``ray``.
        address: of a running Dask scheduler or Ray cluster; None starts one on this machine.
    """

    workers: int
    backend: str
    address: str | None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ConfigurationError(
                f"hydra.launcher.backend={self.backend} is unknown{nearest(self.backend, BACKENDS)}; "
                f"there is {', '.join(BACKENDS)}."
            )
        if self.workers == 0 or self.workers < -1:
            raise ConfigurationError(f"hydra.launcher.workers must be 1 or more, or -1 for all, not {self.workers}.")

    @property
    def cores(self) -> int:
        """How many processes share the work, as far as this machine knows."""
        return joblib.cpu_count() if self.workers == -1 else self.workers

    def start_early(self, jobs: int) -> None:
        """Let processes of this machine start while jobs are still being composed, if there are many."""
        if self.backend == "loky" and self.cores > 1 and jobs >= _MANY:
            threading.Thread(target=self._start).start()

    def run(
        self, units: Sequence[Unit], progress: Path, watcher: Callable[[Unit], Watcher]
    ) -> Iterator[list[work.End]]:
        """Train units and yield what became of their jobs, unit by unit, as they end.

        Args:
            units: what to train.
            progress: a folder in which other processes say how far they are.
            watcher: makes one who hears how a unit proceeds, where it is trained in this process.

        Raises:
            ChainruleError: a process was killed, or what they need is not installed.
        """
        local = self.backend == "loky"
        if local and (self.cores == 1 or len(units) < 2 or sum(unit.seconds for unit in units) < _SMALL):
            for unit in units:
                yield work.train(unit, watcher(unit))
            return
        with self._cluster():
            parallel = joblib.Parallel(n_jobs=self.workers, return_as="generator_unordered", batch_size=1)
            parent = os.getpid() if local else None
            try:
                yield from parallel(joblib.delayed(work.train_elsewhere)(unit, progress, parent) for unit in units)
            except TerminatedWorkerError:
                raise ChainruleError(
                    "A process that trained runs was killed, perhaps because memory ran out "
                    "(hydra.launcher.workers=1 needs the least)."
                ) from None

    def _start(self) -> None:
        with self._cluster(), contextlib.suppress(TerminatedWorkerError):  # others start when they are needed
            joblib.Parallel(n_jobs=self.workers)(joblib.delayed(work.ready)() for _ in range(self.cores))

    @contextlib.contextmanager
    def _cluster(self) -> Iterator[None]:
        if self.backend == "loky":
            with joblib.parallel_config("loky", inner_max_num_threads=1):
                yield
        elif self.backend == "dask":
            distributed = _imported("distributed", "dask")
            options: dict[str, Any] = {"address": self.address} if self.address else {"n_workers": self.cores}
            with distributed.Client(**options), joblib.parallel_config("dask"):
                yield
        else:
            ray = _imported("ray", "ray")
            _imported("ray.util.joblib", "ray").register_ray()
            ray.init(address=self.address, ignore_reinit_error=True, include_dashboard=False, log_to_driver=False)
            try:
                with joblib.parallel_config("ray"):
                    yield
            finally:
                ray.shutdown()


def _imported(module: str, extra: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"hydra.launcher.backend={extra} needs a package that is not installed: pip install 'chainrule[{extra}]'."
        ) from None
