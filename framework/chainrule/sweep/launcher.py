"""Runs the jobs of a sweep: as stacks if they are chainrule's own, else one by one."""

import logging
import os
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from chainrule.errors import ChainruleError, ConfigurationError, RecordError
from chainrule.files.words import resuming
from chainrule.records.kept import about
from chainrule.records.result import objective
from chainrule.records.run import Failure, Record, read_end
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.execution.pool import Pool
from chainrule.sweep.execution.pruning import TrialPruner
from chainrule.sweep.execution.worker import End
from chainrule.sweep.jobs.composer import Composer
from chainrule.sweep.jobs.job import Job
from chainrule.sweep.ledger import Ledger
from chainrule.sweep.resume import accepted

log = logging.getLogger(__name__)


def end_of(job: Job, done: JobReturn) -> Record | Failure:
    """Return the record or the failure of a job that Hydra ran."""
    try:
        return read_end(Path(job.directory))
    except RecordError as error:
        failure = done._return_value if isinstance(done._return_value, Exception) else error
        return Failure.of(Path(job.directory), failure, job.seed)


def _stacks(jobs: Sequence[Job], ledger: Ledger) -> list[set[int]]:
    """Return the numbers of jobs that were trained as one stack when the sweep broke off, and have a checkpoint."""
    if not ledger.resumed:
        return []
    numbers = {os.path.normpath(job.directory): job.number for job in jobs}
    stacks = []
    for job in jobs:
        runs = (about(Path(job.directory)) or {}).get("runs", [])
        with suppress(TypeError, KeyError):  # damaged: it will not be used
            places = {os.path.normpath(os.path.join(job.directory, run["directory"])) for run in runs}
            if places and places <= numbers.keys():
                stacks.append({numbers[place] for place in places})
    return stacks


class StackedReturn(JobReturn):
    """What became of a job. Its configuration is composed on demand, because thousands would fill the memory."""

    def __init__(self, job: Job, composer: Composer, end: Record | Failure) -> None:
        self.overrides = list(job.overrides)
        self.working_dir = os.getcwd()
        self.task_name = str(job.base.hydra["job"]["name"])
        self._job, self._composer = job, composer
        if isinstance(end, Failure):
            self.status, self._return_value = JobStatus.FAILED, ChainruleError(f"{job}: {end.sentence}")
        else:
            value = objective(end.manifest.metrics)[1]
            self.status, self._return_value = JobStatus.COMPLETED, float("nan") if value is None else value

    @property
    def cfg(self) -> DictConfig:  # type: ignore[override]
        """The configuration of the task."""
        config = self._composer.full(self._job)
        with open_dict(config):
            del config["hydra"]
        return config

    @property
    def hydra_cfg(self) -> DictConfig:  # type: ignore[override]
        """The configuration of Hydra."""
        config = self._composer.full(self._job)
        with open_dict(config):
            config.hydra.runtime.output_dir = self._job.directory
            for key in [key for key in config if key != "hydra"]:
                del config[key]
        return config


@dataclass(frozen=True)
class StackLauncher:
    """Runs jobs of one sweep.

    Attributes:
        context: Hydra's.
        task: what a job does.
        master: configuration of the sweep.
        pool: where stacks are trained.
        stack: runs of a stack, at most; None for as many as suit the cache.
    """

    context: HydraContext
    task: TaskFunction
    master: DictConfig
    pool: Pool
    stack: int | None

    def __post_init__(self) -> None:
        if self.stack is not None and self.stack < 1:
            raise ConfigurationError(f"hydra.launcher.stack must be 1 or more, not {self.stack}.")

    def run(
        self,
        jobs: Sequence[Job],
        plan: Plan,
        composer: Composer,
        ledger: Ledger,
        jobs_per_trial: int = 1,
        pruner: TrialPruner | None = None,
    ) -> Sequence[JobReturn]:
        """Run jobs that were checked, and return what became of them, in order.

        Jobs with a complete record from an interrupted attempt are not trained again.

        Args:
            jobs: what to run.
            plan: the same jobs in stacks.
            composer: composed the jobs.
            ledger: is told what becomes of them.
            jobs_per_trial: how many adjacent jobs are one trial, which must be in one stack.
            pruner: stops trials early.

        Raises:
            ChainruleError: they cannot all be trained; the sentence says how to resume.
        """
        returns: dict[int, JobReturn] = {}
        told: set[str] = set()
        by_number = {job.number: job for job in jobs}
        earlier = ledger.recorded(jobs)

        def commit(ends: Sequence[End], earlier: bool = False) -> None:
            ledger.end(ends, earlier=earlier)
            for number, end in ends:
                returns[number] = StackedReturn(by_number[number], composer, end)

        left = by_number.keys() - earlier.keys()
        together = [] if pruner else _stacks([job for job in jobs if job.number in left], ledger)
        cut = self.pool.cores, self.stack, lambda job: job.number in left, jobs_per_trial, pruner, together
        units = plan.units(*cut)
        for job in (job for unit in units for job in unit.jobs):
            earlier.pop(job.number, None)
        if earlier:
            commit(list(earlier.items()), earlier=True)
        try:
            told_of = "processor" in accepted(), ledger.suspects
            with closing(self.pool.run(units, ledger.progress, ledger.watch, *told_of)) as running:
                for ends in running:
                    commit(ends)
                    for note in ends.notes:
                        if note not in told:
                            log.warning(note)
                            told.add(note)
        except ChainruleError as error:
            raise ChainruleError(f"{error} `{resuming(ledger.sweep.directory)}` goes on.") from error
        if self.master.hydra.callbacks:
            for number in sorted(returns):
                self._call_back(composer, by_number[number], returns[number])
        alone = [job for job in jobs if job.alone and job.number not in earlier]
        for reason in dict.fromkeys(job.alone for job in alone):
            log.warning("%d jobs run one by one, because %s", sum(job.alone == reason for job in alone), reason)
        for job in alone:
            returns[job.number] = self._alone(composer.full(job))
            configure_log(self.master.hydra.hydra_logging, self.master.hydra.verbose)
            ledger.end([(job.number, end_of(job, returns[job.number]))], tracked=True)
        return [returns[job.number] for job in jobs]

    def run_foreign(self, lists: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        """Run jobs of another application one after the other, as Hydra's own launcher does."""
        log.info("Launching %d jobs locally", len(lists))
        returns = []
        for number, overrides in enumerate(lists, first):
            log.info("\t#%d : %s", number, " ".join(text for text in overrides if not text.startswith("hydra.")))
            config = self.context.config_loader.load_sweep_config(self.master, list(overrides))
            with open_dict(config):
                config.hydra.job.id = config.hydra.job.num = number
            returns.append(self._alone(config))
            configure_log(self.master.hydra.hydra_logging, self.master.hydra.verbose)
        return returns

    def prepare(self) -> None:
        """Do what every launcher of Hydra does first."""
        setup_globals()
        configure_log(self.master.hydra.hydra_logging, self.master.hydra.verbose)
        Path(str(self.master.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)

    def _alone(self, config: DictConfig) -> JobReturn:
        return run_job(
            hydra_context=self.context,
            task_function=self.task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )

    def _call_back(self, composer: Composer, job: Job, done: JobReturn) -> None:
        """Tell Hydra's callbacks about the start and the end of a job, both when its stack has ended."""
        config = composer.full(job)
        with open_dict(config):
            config.hydra.runtime.output_dir = job.directory
        outer = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(config)
        try:
            self.context.callbacks.on_job_start(config=config, task_function=self.task)
            self.context.callbacks.on_job_end(config=config, job_return=done)
        finally:
            HydraConfig.instance().cfg = outer
