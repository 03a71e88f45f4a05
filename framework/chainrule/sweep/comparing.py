"""Comparisons: each contender is tuned on each target, then the tuned ones are run with fresh seeds."""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

from chainrule.contest import Contest, least_seeds
from chainrule.plugins import installed
from chainrule.sweep import contenders, listing, opening
from chainrule.sweep.composer import Composer
from chainrule.sweep.conductor import Conductor
from chainrule.sweep.contenders import Options
from chainrule.sweep.jobs import Job
from chainrule.sweep.launcher import Stacked
from chainrule.sweep.plan import Checked
from chainrule.sweeps import metric


class Comparing:
    """One comparison.

    Args:
        context: Hydra's.
        master: configuration of the sweep.
        stacked: how jobs are run.
        options: how to compare.
    """

    def __init__(self, context: HydraContext, master: DictConfig, stacked: Stacked, options: Options) -> None:
        self._context, self._master, self._stacked, self._options = context, master, stacked, options

    def sweep(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Tune, compare, and return what became of the jobs of both rounds.

        Args:
            typed: overrides of the task.

        Raises:
            ChainruleError: an override is wrong and nothing was trained, or runs failed.
        """
        composer = opening.composer(self._context, self._master)
        parser = OverridesParser.create(self._context.config_loader)
        plan = contenders.plan(parser, composer, self._options, typed)
        final = plan.tuned([0] * len(plan.contest.cells))  # of the first points, as long as the best are unknown
        rounds = [plan.tuning(), final] if plan.contest.tuning_runs else [final]
        if self._options.dry_run:
            jobs = self._jobs([overrides for each in rounds for overrides in each], 0, composer)
            print(listing.text(jobs, Checked(jobs, installed()), self._stacked))
            if len(rounds) > 1:
                print(f"the last {len(final)} runs would have the settings that the others show to be best")
            return []
        self._stacked.engine.start_early(plan.contest.runs)
        jobs = self._jobs(rounds[0], 0, composer)
        checked = Checked(jobs, installed())
        comparison = plan.contest.to_manifest()
        conductor = opening.opened(self._master, composer.directory, jobs, checked, comparison=comparison)
        with self._stacked.engine, conductor.going_on():
            opening.save_master(self._master, composer.directory)
            returns = [self._run(jobs, checked, composer, conductor, plan.contest)]
            if len(rounds) > 1:
                jobs = self._jobs(plan.tuned(_best(plan.contest, conductor)), len(jobs), composer)
                returns.append(self._run(jobs, Checked(jobs, installed()), composer, conductor, plan.contest))
            conductor.finish()
        conductor.raise_failures(f"; `chainrule resume {composer.directory}` tries them again")
        return returns

    def _run(
        self, jobs: Sequence[Job], checked: Checked, composer: Composer, conductor: Conductor, contest: Contest
    ) -> Sequence[JobReturn]:
        notes, least = list(checked.notes), least_seeds(len(contest.contenders), len(contest.targets))
        if contest.seeds < least:
            notes.append(
                f"{contest.seeds} seeds cannot separate {len(contest.contenders)} contenders on "
                f"{len(contest.targets)} target{'s' * (len(contest.targets) > 1)}, whatever comes out: take {least}."
            )
        conductor.add(jobs, checked.trackers, notes, expected=contest.runs)
        self._stacked.prepare()
        return self._stacked.run(jobs, checked, composer, conductor)

    def _jobs(self, lists: Sequence[list[str]], first: int, composer: Composer) -> list[Job]:
        return [composer.explained_job(number, overrides) for number, overrides in enumerate(lists, first)]


def _best(contest: Contest, conductor: Conductor) -> list[int]:
    """Return the place of the best point of each contender on each target; of equal ones the first."""
    watched = metric(conductor.outcomes)
    found = []
    for cell in contest.cells:
        medians = contest.medians(*cell, lambda number: conductor.outcome(number).value(watched))
        found.append(medians.index(min(medians)))
    return found
