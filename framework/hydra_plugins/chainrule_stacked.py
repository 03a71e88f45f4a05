"""Hydra finds this module by itself: the launcher and the sweeper named ``stacked``.

What they do is in ``chainrule.sweep``, imported when it is needed: every application of Hydra imports this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class StackedLauncherConf:
    """``hydra.launcher``."""

    _target_: str = "hydra_plugins.chainrule_stacked.StackedLauncher"
    workers: int = -1  # processes; -1: one a core
    stack: int | None = None  # runs of a stack, at most; null: as many as suit the cache
    backend: str = "loky"  # processes of this machine; or dask, ray
    address: str | None = None  # of a running Dask scheduler or Ray cluster; null: start one here
    timeout: float | None = None  # seconds without a sign of life after which a run counts as hanging; null: never


@dataclass
class StackedSweeperConf:
    """``hydra.sweeper``."""

    _target_: str = "hydra_plugins.chainrule_stacked.StackedSweeper"
    params: dict[str, str] = field(default_factory=dict)  # overrides besides those typed
    max_batch_size: int | None = None  # jobs launched together
    zip: list[list[str]] = field(default_factory=list)  # groups of keys whose values go together
    random: int | None = None  # points drawn at random instead of all combinations
    random_seed: int = 0
    dry_run: bool = False  # list the jobs, train nothing


@dataclass
class StackedOptunaConf:
    """``hydra.sweeper``."""

    _target_: str = "hydra_plugins.chainrule_stacked.StackedOptunaSweeper"
    params: dict[str, str] = field(default_factory=dict)  # overrides besides those typed
    trials: int = 50  # settings to try
    batch: int = 16  # trials that are trained at once
    sampler: str = "tpe"  # or random, gp, cmaes, nsgaii, qmc
    sampler_seed: int = 0
    pruner: str = "none"  # or median, percentile, successive_halving, hyperband
    metrics: list[str] = field(default_factory=list)  # to optimise; none: the final loss
    directions: list[str] = field(default_factory=lambda: ["minimize"])  # or maximize, one for each metric
    study: str | None = None  # its name; null: one for this sweep
    storage: str | None = None  # where it lies, a URL or a file; null: in the directory of the sweep


@dataclass
class StackedCompareConf:
    """``hydra.sweeper``; ``hydra/sweeper=compare`` fills in what is empty here."""

    _target_: str = "hydra_plugins.chainrule_stacked.StackedCompareSweeper"
    params: dict[str, str] = field(default_factory=dict)  # overrides besides those typed
    contenders: list[str] = field(default_factory=list)  # "NAME: KEY=VALUE ..." each, unless a key has several values
    ablate: list[str] = field(default_factory=list)  # or additions, each alone and each left out
    targets: list[str] = field(default_factory=list)  # on which to compare, unless target=A,B names others
    two_classes: dict[str, str] = field(default_factory=dict)  # overrides for classifications with one output
    classes: dict[str, str] = field(default_factory=dict)  # likewise with several
    space: dict[str, str] = field(default_factory=dict)  # what is tuned: key to interval or list
    budget: int = 16  # points of the space that one tuning tries
    tuning_seeds: int = 2  # how many, with which each point is tried
    tunings: int | None = None  # independent ones of each contender on each target; null: 6, or 2 of each round
    seeds: int = 4  # fresh ones, with which the best point of each tuning is run
    metric: str = "loss"  # what is compared; or accuracy, r2, score
    until_decided: bool = False  # add rounds until it is known which contender is better
    max_runs: int = 50_000  # after which no further round begins
    max_minutes: float | None = None  # likewise
    random_seed: int = 0  # decides the points and the seeds
    dry_run: bool = False  # list the jobs, train nothing


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="chainrule")
ConfigStore.instance().store(group="hydra/sweeper", name="stacked", node=StackedSweeperConf, provider="chainrule")
ConfigStore.instance().store(group="hydra/sweeper", name="stacked_optuna", node=StackedOptunaConf, provider="chainrule")
ConfigStore.instance().store(
    group="hydra/sweeper", name="stacked_compare", node=StackedCompareConf, provider="chainrule"
)


class StackedLauncher(Launcher):
    """Trains the jobs of chainrule as stacks; those of other applications run one after the other."""

    def __init__(
        self, workers: int, stack: int | None, backend: str, address: str | None, timeout: float | None
    ) -> None:
        self._options = (workers, backend, address, timeout)
        self._stack = stack
        self.stack_launcher: Any = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare for a sweep."""
        from chainrule.sweep.execution.pool import Pool
        from chainrule.sweep.launcher import StackLauncher

        self.stack_launcher = StackLauncher(hydra_context, task_function, config, Pool(*self._options), self._stack)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a batch of jobs and return what became of them, in order."""
        from chainrule.sweep.grid import launch

        return launch(self.stack_launcher, job_overrides, initial_job_idx)


class StackedSweeper(Sweeper):
    """Runs every combination of values, or pairs, or random draws; all jobs are checked before the first."""

    def __init__(
        self,
        params: dict[str, str],
        max_batch_size: int | None,
        zip: list[list[str]],  # noqa: A002 - its name in the configuration
        random: int | None,
        random_seed: int,
        dry_run: bool,
    ) -> None:
        self._options = (
            dict(params),
            max_batch_size,
            [list(group) for group in zip],
            random,
            random_seed,
            dry_run,
        )
        self._grid: Any = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare for a sweep."""
        from chainrule.sweep.grid import GridOptions, GridSweep

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        stack_launcher = getattr(launcher, "stack_launcher", None)
        options = GridOptions(*self._options)
        self._grid = GridSweep(hydra_context, task_function, config, launcher, stack_launcher, options)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that overrides of the task describe."""
        return self._grid.sweep(arguments)


class StackedOptunaSweeper(Sweeper):
    """Searches by Optuna; the trials of a batch are trained as stacks."""

    def __init__(self, params: dict[str, str], **options: Any) -> None:
        self._params, self._options = dict(params), options
        self._search: Any = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare for a sweep."""
        from chainrule.config.task import is_own
        from chainrule.errors import ConfigurationError
        from chainrule.sweep.search import Search, SearchOptions

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        stack_launcher = getattr(launcher, "stack_launcher", None)
        if stack_launcher is None or not is_own(task_function):
            raise ConfigurationError("hydra/sweeper=stacked_optuna needs hydra/launcher=stacked, in chainrule.")
        lists = {name: tuple(self._options[name]) for name in ("metrics", "directions")}
        options = SearchOptions(**{**self._options, **lists})
        self._search = Search(hydra_context, config, stack_launcher, options, self._params)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the search that overrides of the task describe."""
        return self._search.sweep(arguments)


class StackedCompareSweeper(Sweeper):
    """Tunes the components of one group on several targets, and compares them with fresh seeds."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._comparison: Any = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare for a sweep."""
        from chainrule.config.task import is_own
        from chainrule.errors import ConfigurationError
        from chainrule.sweep.comparison import ComparisonSweep
        from chainrule.sweep.jobs.contenders import ComparisonOptions

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        stack_launcher = getattr(launcher, "stack_launcher", None)
        if stack_launcher is None or not is_own(task_function):
            raise ConfigurationError("hydra/sweeper=stacked_compare needs hydra/launcher=stacked, in chainrule.")
        mappings = {name: dict(self._options[name]) for name in ("params", "two_classes", "classes", "space")}
        lists = {name: tuple(self._options[name]) for name in ("contenders", "ablate", "targets")}
        # What a contender sets may refer to keys of its run, ${optimizer.lr}; Hydra has looked them up in the sweep.
        typed = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
        lists |= {name: tuple(typed[name]) for name in ("contenders", "ablate") if isinstance(typed[name], list)}
        options = ComparisonOptions(**{**self._options, **mappings, **lists})
        self._comparison = ComparisonSweep(hydra_context, config, stack_launcher, options)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the comparison that overrides of the task describe."""
        return self._comparison.sweep(arguments)
