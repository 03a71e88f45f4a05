"""From the command line of a multirun to its sweep: which jobs, checked all, then run by the launcher."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from chainrule.errors import ConfigurationError
from chainrule.plugins import installed
from chainrule.sweep import listing, opening, space
from chainrule.sweep.composer import Composer
from chainrule.sweep.conductor import Conductor
from chainrule.sweep.jobs import Job, require_own_places
from chainrule.sweep.launcher import Stacked, StackedReturn, end_of
from chainrule.sweep.plan import Checked


@dataclass(frozen=True)
class Options:
    """How a sweep is spanned, see ``hydra.sweeper``.

    Attributes:
        params: overrides that the configuration adds to those typed.
        max_batch_size: jobs that are launched together, at most; None for all.
        zip: groups of keys whose values go together.
        random: how many points to draw at random; None for all combinations.
        random_seed: from which the draws follow.
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
class Sweeper:
    """Runs one sweep.

    Attributes:
        context: Hydra's.
        task: what a job does.
        master: configuration of the sweep.
        launcher: of Hydra, for jobs that are not trained as stacks.
        stacked: runs jobs as stacks; None where another launcher was chosen.
        options: how the sweep is spanned.
    """

    context: HydraContext
    task: TaskFunction
    master: DictConfig
    launcher: Launcher
    stacked: Stacked | None
    options: Options

    def sweep(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Run all jobs and return what became of them, batch by batch.

        Args:
            typed: overrides of the task.

        Raises:
            ChainruleError: an override or a job is wrong and nothing was trained, or runs failed.
        """
        if opening.is_own(self.task):
            return self._own(typed)
        lists = self._lists(typed)
        for overrides in lists:  # so that a wrong one is found before the first is run
            self.context.config_loader.load_sweep_config(self.master, list(overrides))
        opening.save_master(self.master, Path(str(self.master.hydra.sweep.dir)))
        returns = []
        for first, batch in self._batches(lists):
            returns.append(self.launcher.launch(batch, initial_job_idx=first))
            for done in returns[-1]:
                _ = done.return_value  # raises what the job raised
        return returns

    def _own(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        former, composer = opening.resumed(), opening.composer(self.context, self.master)
        lists = [list(job["overrides"]) for job in former.manifest["jobs"]] if former else self._lists(typed)
        if self.stacked and not self.options.dry_run:
            self.stacked.engine.start_early(len(lists))
        jobs = [composer.explained_job(number, overrides) for number, overrides in enumerate(lists)]
        require_own_places([job.directory for job in jobs])
        checked = Checked(jobs, installed())
        if self.options.dry_run:
            print(listing.text(jobs, checked, self.stacked))
            return []
        conductor = opening.opened(self.master, composer.directory, jobs, checked)
        with self.stacked.engine if self.stacked else nullcontext(), conductor.going_on():
            opening.save_master(self.master, composer.directory)
            conductor.add(jobs, checked.trackers, checked.notes)
            returns = [
                self._launch(jobs[first : first + len(batch)], checked, composer, conductor)
                for first, batch in self._batches(lists)
            ]
            conductor.finish()
        conductor.raise_failures(f"; `chainrule resume {composer.directory}` tries them again")
        return returns

    def _launch(
        self, jobs: Sequence[Job], checked: Checked, composer: Composer, conductor: Conductor
    ) -> Sequence[JobReturn]:
        if self.stacked:
            self.stacked.prepare()
            return self.stacked.run(jobs, checked, composer, conductor)
        earlier = {job.number: record for job in jobs if (record := conductor.finished(job))}
        conductor.end(list(earlier.items()), earlier=True)
        returns: list[JobReturn] = []
        for is_earlier, group in groupby(jobs, lambda job: job.number in earlier):
            part = list(group)  # of consecutive numbers, which is what a launcher can number
            if is_earlier:
                returns += [StackedReturn(job, composer, earlier[job.number]) for job in part]
                continue
            returns += self.launcher.launch([list(job.overrides) for job in part], initial_job_idx=part[0].number)
            ends = [(job.number, end_of(job, done)) for job, done in zip(part, returns[-len(part) :], strict=True)]
            conductor.end(ends, tracked=True)
        return returns

    def _lists(self, typed: Sequence[str]) -> list[list[str]]:
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        params = [f"{key}={value}" for key, value in self.options.params.items()]
        return space.lists(
            parser.parse_overrides([*params, *typed]),
            pairs=self.options.zip,
            draws=self.options.random,
            draw_seed=self.options.random_seed,
        )

    def _batches(self, lists: Sequence[list[str]]) -> Iterator[tuple[int, Sequence[list[str]]]]:
        size = self.options.max_batch_size or len(lists) or 1
        for first in range(0, len(lists), size):
            yield first, lists[first : first + size]


def launch(stacked: Stacked, lists: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
    """Run a batch of jobs for a sweeper that is not ours.

    Args:
        stacked: how.
        lists: overrides of each job.
        first: number of the first job.

    Raises:
        ConfigurationError: an override or a job is wrong; nothing was trained.
    """
    stacked.prepare()
    if not opening.is_own(stacked.task):
        return stacked.run_foreign(lists, first)
    composer = opening.composer(stacked.context, stacked.master)
    jobs = [composer.explained_job(number, overrides) for number, overrides in enumerate(lists, first)]
    checked = Checked(jobs, installed())
    conductor = opening.opened(stacked.master, composer.directory, jobs, checked, goes_on=first > 0)
    with stacked.engine, conductor.going_on():
        conductor.add(jobs, checked.trackers, checked.notes)
        returns = stacked.run(jobs, checked, composer, conductor)
        conductor.finish()
    return returns
