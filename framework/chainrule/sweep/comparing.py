"""Comparisons: each contender is tuned on each target, then the tuned ones are run with fresh seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

from chainrule.contest import Contest, least_seeds
from chainrule.errors import ChainruleError, ConfigurationError, nearest
from chainrule.kinds import GROUPS
from chainrule.plugins import installed
from chainrule.settings import Settings, flat
from chainrule.sweep import listing, opening, space
from chainrule.sweep.composer import Composer
from chainrule.sweep.conductor import Conductor
from chainrule.sweep.jobs import Job
from chainrule.sweep.launcher import Stacked
from chainrule.sweep.plan import Checked
from chainrule.sweeps import SEED, metric

TARGET = "target"
_MEASURED = (SEED, TARGET, "data", "loss")  # what decides what a loss is about, rather than how small it gets
COMPARED = [group for group in GROUPS if group not in (*_MEASURED, "tracking")]
_MOST = 5000  # seeds of a target
_OF_TARGET, _OF_COMPARISON = 2 * _MOST, 10**6  # seeds that are kept for one target, and for one comparison


@dataclass(frozen=True)
class Options:
    """How to compare, see ``hydra.sweeper``.

    Attributes:
        params: overrides that the configuration adds to those typed.
        targets: on which to compare, unless overrides say others.
        two_classes: overrides for classifications with one output, unless they are typed.
        classes: likewise for classifications with several outputs.
        space: key to interval or list: what is tuned, unless an override gives it one value.
        budget: points of the space, tried for each contender on each target.
        tuning_seeds: with which each point is tried.
        seeds: with which the tuned contenders are compared.
        random_seed: from which points and seeds follow.
        dry_run: whether jobs are listed instead of run.
    """

    params: Mapping[str, str]
    targets: tuple[str, ...]
    two_classes: Mapping[str, str]
    classes: Mapping[str, str]
    space: Mapping[str, str]
    budget: int
    tuning_seeds: int
    seeds: int
    random_seed: int
    dry_run: bool

    def __post_init__(self) -> None:
        for name, least in {"budget": 1, "tuning_seeds": 1, "seeds": 2, "random_seed": 0}.items():
            value, most = getattr(self, name), _MOST if "seeds" in name else None
            if value < least or (most and value > most):
                wanted = f"between {least} and {most}" if most else f"{least} or more"
                raise ConfigurationError(f"hydra.sweeper.{name} must be {wanted}, not {value}.")


class Comparing:
    """One comparison.

    Args:
        context: Hydra's.
        master: configuration of the sweep.
        stacked: how jobs are run.
        options: how to compare.
    """

    def __init__(self, context: HydraContext, master: DictConfig, stacked: Stacked, options: Options) -> None:
        self._parser = OverridesParser.create(context.config_loader)
        self._context, self._master, self._stacked, self._options = context, master, stacked, options

    def sweep(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Tune, compare, and return what became of the jobs of both rounds.

        Args:
            typed: overrides of the task.

        Raises:
            ChainruleError: an override is wrong and nothing was trained, or runs failed.
        """
        composer = opening.composer(self._context, self._master)
        plan = self._plan(self._parser.parse_overrides(list(typed)), composer)
        first = plan.tuning() or plan.tuned([0] * len(plan.contest.fields))
        if self._options.dry_run:
            standing_in = plan.tuned([0] * len(plan.contest.fields)) if plan.contest.tuning_runs else []
            jobs = self._jobs([*first, *standing_in], 0, composer)
            print(listing.text(jobs, Checked(jobs, installed()), self._stacked))
            if standing_in:
                print(f"the last {len(standing_in)} runs would have the settings that the others show to be best")
            return []
        self._stacked.engine.start_early(plan.contest.runs)
        jobs = self._jobs(first, 0, composer)
        checked = Checked(jobs, installed())
        comparison = plan.contest.to_manifest()
        conductor = opening.opened(self._master, composer.directory, jobs, checked, comparison=comparison)
        with self._stacked.engine, conductor.going_on():
            opening.save_master(self._master, composer.directory)
            returns = [self._run(jobs, checked, composer, conductor, plan.contest)]
            if plan.contest.tuning_runs:
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

    def _plan(self, overrides: Sequence[Override], composer: Composer) -> "_Plan":
        """Return what is to be done.

        Raises:
            ConfigurationError: contenders are missing, or something makes them incomparable.
        """
        assumed = {key: f"{key}={value}" for key, value in self._options.params.items()}
        fixed: dict[str, str] = {}
        several: dict[str, list[str]] = {}
        for override in overrides:
            key = override.get_key_element()
            fixed.pop(key, None)  # the last of one key counts
            several.pop(key, None)
            if override.is_sweep_override():
                several[key] = list(dict.fromkeys(override.sweep_string_iterator())) if key in GROUPS else []
            else:
                fixed[key] = f"{key}={override.get_value_element_as_str()}"
        targets = several.pop(TARGET, None) or [fixed.pop(TARGET, "").partition("=")[2]]
        targets = targets if targets != [""] else list(dict.fromkeys(self._options.targets))
        _require_comparable(fixed, several, targets)
        ((group, contenders),) = several.items()
        tuned = {key: text for key, text in self._options.space.items() if key not in fixed}
        parsed = self._parser.parse_overrides(_texts(tuned))
        for override in parsed:
            _require_tunable(override, group)
        fixed = {key: text for key, text in assumed.items() if key not in (group, *tuned)} | fixed
        of_target = {
            target: self._of_target([*fixed.values(), f"{group}={contenders[0]}", f"{TARGET}={target}"], composer)
            for target in targets
        }
        bases = {
            (target, contender): [*fixed.values(), *of_target[target], f"{group}={contender}", f"{TARGET}={target}"]
            for target in targets
            for contender in contenders
        }
        keys = {
            contender: self._keys(bases[targets[0], contender], f"{group}={contender}", list(tuned), composer)
            for contender in contenders
        }
        unknown = [key for key in tuned if all(key not in known for known in keys.values())]
        points = space.spread(parsed, self._options.budget if tuned else 1, self._options.random_seed)
        if unknown:  # which Hydra explains
            composer.explained_job(0, [*bases[targets[0], contenders[0]], points[0][unknown[0]]])
        contest = Contest(
            group=group,
            contenders=tuple(contenders),
            targets=tuple(targets),
            space=tuned,
            points=len(points),
            tuning_seeds=self._options.tuning_seeds,
            seeds=self._options.seeds,
        )
        lists = [[point[key] for key in keys[c] if key in point] for c in contenders for point in points]
        own = [lists[c * len(points) : (c + 1) * len(points)] for c in range(len(contenders))]
        return _Plan(contest, list(bases.values()), own, self._options.random_seed * _OF_COMPARISON)

    def _of_target(self, overrides: Sequence[str], composer: Composer) -> list[str]:
        """Return the overrides that fit output and loss to a target, but for those that are typed."""
        job = composer.explained_job(0, overrides)
        try:
            target = Settings.from_config(job.config, installed()).target
            task, outputs = target.task, target.outputs  # a table reads its file
        except ChainruleError as error:
            raise ConfigurationError(f"{job}: {error} Nothing was trained.") from error
        if task == "regression":
            return []
        fitting = self._options.two_classes if outputs == 1 else self._options.classes
        given = {override.partition("=")[0] for override in overrides}
        return [text for text in _texts(fitting) if text.partition("=")[0] not in given]

    def _keys(self, overrides: Sequence[str], contender: str, keys: Sequence[str], composer: Composer) -> list[str]:
        """Return those keys that a contender has.

        Raises:
            ConfigurationError: it has none of them.
        """
        known = flat(composer.explained_job(0, overrides).config)
        found = [key for key in keys if key in known]
        if keys and not found:
            raise ConfigurationError(
                f"{contender} has none of the keys that are tuned, {', '.join(keys)}: name one of its own by "
                "--space KEY=INTERVAL (hydra.sweeper.space)."
            )
        return found


@dataclass(frozen=True)
class _Plan:
    """The overrides of all jobs.

    Attributes:
        contest: their numbers.
        bases: what the jobs of one contender on one target have in common, in the order of the jobs.
        points: overrides of each point, for each contender.
        seed: the first one.
    """

    contest: Contest
    bases: Sequence[Sequence[str]]
    points: Sequence[Sequence[Sequence[str]]]
    seed: int

    def tuning(self) -> list[list[str]]:
        """Return the overrides of the jobs that tune, of which there are none where nothing is to be chosen."""
        if not self.contest.tuning_runs:
            return []
        return [
            [*base, *point, f"{SEED}={self.seed + _OF_TARGET * target + _MOST + number}"]
            for base, (target, contender) in zip(self.bases, self.contest.fields, strict=True)
            for point in self.points[contender]
            for number in range(self.contest.tuning_seeds)
        ]

    def tuned(self, best: Sequence[int]) -> list[list[str]]:
        """Return the overrides of the jobs of the tuned contenders.

        Args:
            best: place of the point that each contender has on each target.
        """
        return [
            [*base, *self.points[contender][point], f"{SEED}={self.seed + _OF_TARGET * target + number}"]
            for base, point, (target, contender) in zip(self.bases, best, self.contest.fields, strict=True)
            for number in range(self.contest.seeds)
        ]


def _best(contest: Contest, conductor: Conductor) -> list[int]:
    """Return the place of the best point of each contender on each target; of equal ones the first."""
    watched = metric(conductor.outcomes)
    found = []
    for field in contest.fields:
        medians = contest.medians(*field, lambda number: conductor.outcome(number).value(watched))
        found.append(medians.index(min(medians)))
    return found


def _require_comparable(fixed: Mapping[str, str], several: Mapping[str, Sequence[str]], targets: Sequence[str]) -> None:
    """Refuse what leaves nothing to compare, or makes losses incomparable."""
    example = "as in activation=tanh,relu"
    if SEED in fixed or SEED in several:
        raise ConfigurationError(f"{SEED} is for the comparison to vary: --seeds (hydra.sweeper.seeds) says how many.")
    for key in several:
        if key in _MEASURED:
            raise ConfigurationError(f"{key} cannot be compared: it changes what the final loss measures.")
        if key not in COMPARED:
            raise ConfigurationError(
                f"{key} has several values, but contenders are values of one group{nearest(key, COMPARED)}: "
                f"{', '.join(COMPARED)}. Numbers are tuned by --space KEY=VALUES (hydra.sweeper.space)."
            )
    if not several:
        raise ConfigurationError(f"There are no contenders: give one group several values, {example}.")
    if len(several) > 1:
        raise ConfigurationError(
            f"{' and '.join(several)} have several values, but contenders are values of one group, {example}; "
            "another can be tuned by --space (hydra.sweeper.space)."
        )
    ((group, contenders),) = several.items()
    if len(contenders) < 2:
        raise ConfigurationError(f"{group}={','.join(contenders)} is no choice: give it several values, {example}.")
    if not targets:
        raise ConfigurationError("There are no targets: write target=A,B (hydra.sweeper.targets).")


def _require_tunable(override: Override, group: str) -> None:
    """Refuse a key of the space that would make losses incomparable, or has one value only."""
    key = override.get_key_element()
    if key.partition(".")[0] in _MEASURED:
        raise ConfigurationError(f"{key} cannot be tuned: it changes what the final loss measures.")
    if key == group:
        raise ConfigurationError(f"{key} cannot be tuned: its values are the contenders.")
    if not override.is_sweep_override():
        raise ConfigurationError(
            f"{key}={override.get_value_element_as_str()} is one value; to be tuned it needs several, such as "
            f"{key}=tag(log,interval(1e-4,1))."
        )


def _texts(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]
