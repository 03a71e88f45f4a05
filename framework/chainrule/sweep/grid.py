"""Sweeps over combinations, pairs or random draws: all jobs are checked, then run by the launcher."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from chainrule.config.task import clear, is_own
from chainrule.errors import ConfigurationError
from chainrule.registry.loaded import installed
from chainrule.sweep import dry_run, resume
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.jobs import space
from chainrule.sweep.jobs.axes import read_axes
from chainrule.sweep.jobs.composer import Composer
from chainrule.sweep.jobs.job import Job, require_own_places
from chainrule.sweep.launcher import StackedReturn, StackLauncher, end_of
from chainrule.sweep.ledger import Ledger


@dataclass(frozen=True)
class GridOptions:
    """What a sweep runs, see ``hydra.sweeper``.

    Attributes:
        params: overrides that the configuration adds to those typed.
        max_batch_size: jobs that are launched together, at most; None for all.
        zip: groups of keys whose values go together.
        random: how many points to draw at random; None for all combinations.
        random_seed: decides the draws.
        dry_run: whether jobs are listed instead of run.
    """

    params: dict[str, str]
    max_batch_size: int | None
    zip: list[list[str]]
    random: int | None
    random_seed: int
    dry_run: bool

    def __post_init__(self) -> None:
        if self.max_batch_size is not None and self.max_batch_size < 1:
            raise ConfigurationError(f"hydra.sweeper.max_batch_size must be 1 or more, not {self.max_batch_size}.")


@dataclass(frozen=True)
class GridSweep:
    """Runs one sweep.

    Attributes:
        context: Hydra's.
        task: what a job does.
        master: configuration of the sweep.
        launcher: of Hydra, for jobs that are not trained as stacks.
        stack_launcher: runs jobs as stacks; None if another launcher was chosen.
        options: what the sweep runs.
    """

    context: HydraContext
    task: TaskFunction
    master: DictConfig
    launcher: Launcher
    stack_launcher: StackLauncher | None
    options: GridOptions

    def sweep(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Run all jobs and return what became of them, batch by batch.

        Args:
            typed: overrides of the task.

        Raises:
            ChainruleError: an override or a job is wrong and nothing was trained, or runs failed.
        """
        if is_own(self.task):
            return self._own(typed)
        lists = self._lists(typed)
        for overrides in lists:  # finds a wrong one before the first is run
            self.context.config_loader.load_sweep_config(self.master, list(overrides))
        resume.save_master(self.master, Path(str(self.master.hydra.sweep.dir)))
        returns = []
        for first, batch in self._batches(lists):
            returns.append(self.launcher.launch(batch, initial_job_idx=first))
            for done in returns[-1]:
                _ = done.return_value  # raises what the job raised
        return returns

    def _own(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        former, composer = resume.resumed(), resume.composer(self.context, self.master)
        lists = [list(job.overrides) for job in former.manifest.jobs] if former else self._lists(typed)
        if self.stack_launcher and not self.options.dry_run:
            self.stack_launcher.pool.start_early(len(lists))
        jobs = [composer.explained_job(number, overrides) for number, overrides in enumerate(lists)]
        require_own_places([job.directory for job in jobs])
        plan = Plan(jobs, installed())
        if self.options.dry_run:
            print(dry_run.text(jobs, plan, self.stack_launcher))
            return []
        ledger = resume.open_ledger(self.master, composer.directory, jobs, plan)
        with self.stack_launcher.pool if self.stack_launcher else nullcontext(), ledger.working():
            resume.save_master(self.master, composer.directory)
            ledger.add(jobs, plan.trackers, plan.notes)
            returns = [
                self._launch(jobs[first : first + len(batch)], plan, composer, ledger)
                for first, batch in self._batches(lists)
            ]
            ledger.finish()
        ledger.raise_failures(resume.advice(composer.directory))
        return returns

    def _launch(self, jobs: Sequence[Job], plan: Plan, composer: Composer, ledger: Ledger) -> Sequence[JobReturn]:
        if self.stack_launcher:
            self.stack_launcher.prepare()
            return self.stack_launcher.run(jobs, plan, composer, ledger)
        earlier = ledger.recorded(jobs)
        ledger.end(list(earlier.items()), earlier=True)
        returns: list[JobReturn] = []
        for is_earlier, group in groupby(jobs, lambda job: job.number in earlier):
            part = list(group)  # consecutive numbers, because a launcher is given the first one only
            if is_earlier:
                returns += [StackedReturn(job, composer, earlier[job.number]) for job in part]
                continue
            returns += self.launcher.launch([list(job.overrides) for job in part], initial_job_idx=part[0].number)
            ends = [(job.number, end_of(job, done)) for job, done in zip(part, returns[-len(part) :], strict=True)]
            ledger.end(ends, tracked=True)
        return returns

    def _lists(self, typed: Sequence[str]) -> list[list[str]]:
        params = [f"{key}={value}" for key, value in self.options.params.items()]
        return space.lists(
            read_axes(self.context.config_loader, [*params, *typed]),
            pairs=self.options.zip,
            draws=self.options.random,
            draw_seed=self.options.random_seed,
        )

    def _batches(self, lists: Sequence[list[str]]) -> Iterator[tuple[int, Sequence[list[str]]]]:
        size = self.options.max_batch_size or len(lists) or 1
        for first in range(0, len(lists), size):
            yield first, lists[first : first + size]


def launch(launcher: StackLauncher, lists: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
    """Run a batch of jobs for a sweeper of Hydra or of others.

    Args:
        launcher: runs them.
        lists: overrides of each job.
        first: number of the first job.

    Raises:
        ConfigurationError: an override or a job is wrong; nothing was trained.
    """
    launcher.prepare()
    if not is_own(launcher.task):
        return launcher.run_foreign(lists, first)
    composer = resume.composer(launcher.context, launcher.master)
    try:
        jobs = [composer.explained_job(number, overrides) for number, overrides in enumerate(lists, first)]
        plan = Plan(jobs, installed())
    except ConfigurationError:
        if first == 0:
            clear(composer.directory)  # which Hydra has made already
        raise
    ledger = resume.open_ledger(launcher.master, composer.directory, jobs, plan, continues=first > 0)
    with launcher.pool, ledger.working():
        ledger.add(jobs, plan.trackers, plan.notes)
        returns = launcher.run(jobs, plan, composer, ledger)
        ledger.finish()
    return returns
