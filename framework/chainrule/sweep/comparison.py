"""Comparisons: each contender is tuned on each target, then the tuned ones are run with fresh seeds."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

from chainrule.analysis.comparison import shortage_of
from chainrule.analysis.ranking import compared_metric
from chainrule.records.comparison import Comparison
from chainrule.registry.registry import installed
from chainrule.sweep import dry_run, resume
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.jobs.composer import Composer
from chainrule.sweep.jobs.contenders import ComparisonOptions, comparison_jobs
from chainrule.sweep.jobs.job import Job
from chainrule.sweep.launcher import StackLauncher
from chainrule.sweep.ledger import Ledger


class ComparisonSweep:
    """One comparison.

    Args:
        context: Hydra's.
        master: configuration of the sweep.
        launcher: runs the jobs.
        options: how to compare.
    """

    def __init__(
        self, context: HydraContext, master: DictConfig, launcher: StackLauncher, options: ComparisonOptions
    ) -> None:
        self._context, self._master, self._launcher, self._options = context, master, launcher, options

    def sweep(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Tune, compare, and return what became of the jobs of both rounds.

        Args:
            typed: overrides of the task.

        Raises:
            ChainruleError: an override is wrong and nothing was trained, or runs failed.
        """
        composer = resume.composer(self._context, self._master)
        planned = comparison_jobs(self._context.config_loader, composer, self._options, typed)
        comparison = planned.comparison
        # With the first points, until the best are known.
        final = planned.tuned([[0] * comparison.tunings] * len(comparison.cells))
        rounds = [planned.tuning(), final] if comparison.tuning_runs else [final]
        if self._options.dry_run:
            jobs = self._jobs([overrides for each in rounds for overrides in each], 0, composer)
            print(dry_run.text(jobs, Plan(jobs, installed()), self._launcher))
            if len(rounds) > 1:
                print(f"the last {len(final)} runs would use the best settings of the others")
            return []
        self._launcher.pool.start_early(comparison.runs)
        jobs = self._jobs(rounds[0], 0, composer)
        plan = Plan(jobs, installed())
        ledger = resume.open_ledger(self._master, composer.directory, jobs, plan, comparison=comparison)
        with self._launcher.pool, ledger.working():
            resume.save_master(self._master, composer.directory)
            returns = [self._run(jobs, plan, composer, ledger, comparison)]
            if len(rounds) > 1:
                jobs = self._jobs(planned.tuned(_best(comparison, ledger)), len(jobs), composer)
                returns.append(self._run(jobs, Plan(jobs, installed()), composer, ledger, comparison))
            ledger.finish()
        ledger.raise_failures(f"; `chainrule resume {composer.directory}` tries them again")
        return returns

    def _run(
        self, jobs: Sequence[Job], plan: Plan, composer: Composer, ledger: Ledger, comparison: Comparison
    ) -> Sequence[JobReturn]:
        notes, shortage = list(plan.notes), shortage_of(comparison)
        if shortage:
            notes.append(shortage)
        ledger.add(jobs, plan.trackers, notes, expected=comparison.runs)
        self._launcher.prepare()
        return self._launcher.run(jobs, plan, composer, ledger)

    def _jobs(self, lists: Sequence[list[str]], first: int, composer: Composer) -> list[Job]:
        return [composer.explained_job(number, overrides) for number, overrides in enumerate(lists, first)]


def _best(comparison: Comparison, ledger: Ledger) -> list[list[int]]:
    """Return the place of the best point of each tuning of each contender on each target; the first of equal ones."""
    metric = compared_metric(ledger.outcomes)
    found = []
    for cell in comparison.cells:
        medians = [
            comparison.medians(*cell, tuning, lambda number: ledger.outcome(number).value(metric))
            for tuning in range(comparison.tunings)
        ]
        found.append([each.index(min(each)) for each in medians])
    return found
