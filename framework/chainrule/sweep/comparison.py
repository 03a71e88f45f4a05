"""Comparisons: each contender is tuned on each target, then the tuned ones are run with fresh seeds.

That is one round. With ``until_decided`` further rounds follow, of those contenders about which something is undecided.
"""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

from chainrule.analysis.comparison import shortage_of
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import ConfigurationError, counted
from chainrule.records.comparison import Comparison, Round
from chainrule.records.timing import read_timing, write_timing
from chainrule.registry.loaded import installed
from chainrule.sweep import dry_run, resume
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.jobs.composer import Composer
from chainrule.sweep.jobs.contenders import ComparisonJobs, ComparisonOptions, comparison_jobs
from chainrule.sweep.jobs.job import Job
from chainrule.sweep.launcher import StackLauncher
from chainrule.sweep.ledger import Ledger
from chainrule.sweep.timing import measure


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
        self._began = time.monotonic()

    def sweep(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Tune, compare, and return what became of the jobs.

        Args:
            typed: overrides of the task.

        Raises:
            ChainruleError: an override is wrong and nothing was trained, or runs failed.
        """
        composer = resume.composer(self._context, self._master)
        planned = comparison_jobs(self._context.config_loader, composer, self._options, typed)
        first, tunings = planned.comparison.every_round[0], planned.comparison.tunings_of(0)
        if planned.comparison.until_decided and planned.comparison.runs > self._options.max_runs:
            raise ConfigurationError(
                f"The first round has {counted(planned.comparison.runs, 'run')}, more than --max-runs "
                f"{self._options.max_runs} (hydra.sweeper.max_runs) allows."
            )
        # With the first points, until the best are known.
        final = planned.tuned(first, tunings, [[0] * len(tunings)] * len(planned.comparison.cells))
        if self._options.dry_run:
            lists = [*planned.tuning(first, tunings), *final]
            print(dry_run.text(jobs := _jobs(composer, lists, 0), Plan(jobs, installed()), self._launcher))
            if len(lists) > len(final):
                print(f"the last {counted(len(final), 'run')} would use the best settings of the others")
            if self._options.until_decided:
                print("further rounds like this one would follow, of contenders about which something is undecided")
            return []
        self._launcher.pool.start_early(planned.comparison.runs)
        jobs = _jobs(composer, planned.tuning(first, tunings) or final, 0)
        plan = Plan(jobs, installed())
        ledger = resume.open_ledger(self._master, composer.directory, jobs, plan, comparison=planned.comparison)
        with self._launcher.pool, ledger.working():
            resume.save_master(self._master, composer.directory)
            returns = self._run(planned, composer, ledger)
            if read_timing(ledger.sweep.directory) is None:  # once, so that the report of a resumed one stays the same
                write_timing(ledger.sweep.directory, measure(ledger.sweep, installed(), self._launcher.stack))
            ledger.finish()
        ledger.raise_failures(resume.advice(composer.directory))
        return returns

    def _run(self, planned: ComparisonJobs, composer: Composer, ledger: Ledger) -> list[Sequence[JobReturn]]:
        """Run all rounds: those that are recorded, then those that are needed."""
        returns: list[Sequence[JobReturn]] = []
        numbers = 0
        for place in self._places(ledger):
            comparison = _comparison(ledger)
            round_, tunings = comparison.every_round[place], comparison.tunings_of(place)
            notes = [_introduction(comparison, place)]
            tuning = planned.tuning(round_, tunings)
            if tuning:
                returns.append(self._train(_jobs(composer, tuning, numbers), composer, ledger, notes))
                numbers, notes = numbers + len(tuning), []
            tuned = planned.tuned(round_, tunings, _best(comparison, place, ledger))
            returns.append(self._train(_jobs(composer, tuned, numbers), composer, ledger, notes))
            numbers += len(tuned)
        return returns

    def _places(self, ledger: Ledger) -> Iterator[int]:
        """Yield the place of each round; a further one is put into the record when it is needed."""
        for place in itertools.count():
            if place == len(_comparison(ledger).every_round):
                further = self._further(ledger)
                if not further:
                    return
                ledger.sweep = ledger.sweep.write(comparison=further.to_entry())
            yield place

    def _train(
        self, jobs: Sequence[Job], composer: Composer, ledger: Ledger, notes: Sequence[str]
    ) -> Sequence[JobReturn]:
        plan = Plan(jobs, installed())
        ledger.add(jobs, plan.trackers, [*plan.notes, *filter(None, notes)], expected=_comparison(ledger).runs)
        self._launcher.prepare()
        return self._launcher.run(jobs, plan, composer, ledger)

    def _further(self, ledger: Ledger) -> Comparison | None:
        """Return the comparison with one more round; None if all is decided, or a limit would be exceeded.

        A round is half as large as all before it, so that the data are not looked at all the time.
        """
        comparison, found = _comparison(ledger), SweepOutcomes(ledger.sweep, ledger.outcomes).comparison
        if not comparison.until_decided or not found or not found.undecided:
            return None
        so_far, cost = comparison.most_tunings, comparison.runs_of(Round(found.undecided, 1))
        affordable = [(self._options.max_runs - comparison.runs) // cost, self._options.most_tunings - so_far]
        if self._options.max_minutes is not None:
            seconds = time.monotonic() - self._began
            left = 60 * self._options.max_minutes - seconds
            affordable.append(math.floor(left / seconds * comparison.runs / cost))
        tunings = min(max(comparison.tunings, so_far // 2), *affordable)
        round_ = Round(found.undecided, tunings)
        return replace(comparison, rounds=(*comparison.rounds, round_)) if tunings > 0 else None


def _comparison(ledger: Ledger) -> Comparison:
    comparison = ledger.sweep.comparison
    assert comparison is not None
    return comparison


def _jobs(composer: Composer, lists: Sequence[list[str]], first: int) -> list[Job]:
    return [composer.explained_job(number, overrides) for number, overrides in enumerate(lists, first)]


def _introduction(comparison: Comparison, place: int) -> str:
    """Say what a person should know before a round."""
    if place == 0:
        return shortage_of(comparison)
    names = [comparison.contenders[contender] for contender in comparison.every_round[place].contenders]
    first = comparison.tunings_of(place).start
    unit = "tunings" if comparison.tuning_runs else "seeds"
    return f"after {first} {unit} it is not decided which of {', '.join(names)} is better: {unit} go on"


def _best(comparison: Comparison, place: int, ledger: Ledger) -> list[list[int]]:
    """Return the place of the best point of each tuning in a round, for each contender on each target.

    Of equal ones it is the first.
    """
    metric, best = SweepOutcomes(ledger.sweep, ledger.outcomes).metric, []
    for cell in comparison.cells_of(comparison.every_round[place]):
        medians = [
            comparison.medians(*cell, tuning, lambda number: ledger.outcome(number).value(metric))
            for tuning in comparison.tunings_of(place)
        ]
        best.append([each.index(min(each)) if each else 0 for each in medians])
    return best
