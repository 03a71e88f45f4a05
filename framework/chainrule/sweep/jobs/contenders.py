"""The overrides of a comparison's jobs: contenders differ in what they are, and in nothing else."""

import functools
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.config_loader import ConfigLoader

from chainrule.config.limits import require_runs
from chainrule.config.settings import TRACKING, settings_from_config
from chainrule.errors import ChainruleError, ConfigurationError, counted, nearest
from chainrule.records.comparison import Comparison, Round
from chainrule.records.settings import flat
from chainrule.records.sweep import SEED
from chainrule.registry.kinds import GROUPS
from chainrule.registry.loaded import installed
from chainrule.sweep.jobs import space
from chainrule.sweep.jobs.axes import Axis, read_axes
from chainrule.sweep.jobs.composer import Composer
from chainrule.sweep.jobs.job import wrong_with

TARGET = "target"
_OF_ITS_OWN = f"{TARGET}."  # how keys begin that a target has
_LOSS = "loss"
_MEASURED = (SEED, TARGET, "data", _LOSS)  # what decides the meaning of a loss, rather than its size
COMPARED = [group for group in GROUPS if group not in (*_MEASURED, TRACKING)]
METRICS = {_LOSS: ("regression", "classification"), "score": ("regression", "classification")} | {
    "accuracy": ("classification",),
    "r2": ("regression",),
}  # what can be compared, and of which tasks
_EXAMPLE = "as in activation=tanh,relu"
_MOST = 5000  # seeds with which a target is tuned or compared
_OF_TARGET, _OF_COMPARISON = 2 * _MOST, 10**6  # seeds that are reserved for one target, and for one comparison


@dataclass(frozen=True)
class ComparisonOptions:
    """How to compare, see ``hydra.sweeper``.

    Attributes:
        params: overrides that the configuration adds to those typed.
        contenders: settings with a name, such as ``slow: optimizer=adam optimizer.beta2=0.99``.
        ablate: additions, such as ``optimizer=adam``: each alone and each left out are compared.
        targets: on which to compare, unless overrides name others.
        two_classes: overrides for classifications with one output, unless they are typed.
        classes: likewise for classifications with several outputs.
        space: key to interval or list: what is tuned, unless an override gives it one value.
        budget: points of the space that one tuning tries.
        tuning_seeds: number of seeds with which each point is tried.
        tunings: number of independent tunings of each contender on each target, or of each round where there are
            rounds; None for 6, or 2.
        seeds: number of fresh seeds with which the best point of each tuning is run.
        metric: one of :data:`METRICS`.
        until_decided: whether rounds follow until it is known which contender is better.
        max_runs: after which no further round begins.
        max_minutes: likewise; None for no such limit.
        random_seed: decides the points and the seeds.
        dry_run: whether jobs are listed instead of run.
    """

    params: Mapping[str, str]
    contenders: tuple[str, ...]
    ablate: tuple[str, ...]
    targets: tuple[str, ...]
    two_classes: Mapping[str, str]
    classes: Mapping[str, str]
    space: Mapping[str, str]
    budget: int
    tuning_seeds: int
    tunings: int | None
    seeds: int
    metric: str
    until_decided: bool
    max_runs: int
    max_minutes: float | None
    random_seed: int
    dry_run: bool

    def __post_init__(self) -> None:
        for name in ("budget", "tuning_seeds", "tunings", "seeds", "max_runs", "max_minutes", "random_seed"):
            value, least = getattr(self, name), 0 if name in ("max_minutes", "random_seed") else 1
            if value is not None and not value >= least:  # which NaN is not either
                raise ConfigurationError(f"hydra.sweeper.{name} must be {least} or more, not {value}.")
        if self.metric not in METRICS:
            raise ConfigurationError(
                f"hydra.sweeper.metric={self.metric} cannot be compared{nearest(self.metric, METRICS)}: "
                f"there are {', '.join(METRICS)}."
            )
        if self.at_once > self.most_tunings:
            name = "tuning_seeds" if self.tuning_seeds > self.seeds else "seeds"
            raise ConfigurationError(
                f"hydra.sweeper.tunings={self.at_once} and hydra.sweeper.{name}={getattr(self, name)} need "
                f"{counted(self.at_once * getattr(self, name), 'seed')} for each target, but there are {_MOST}."
            )
        if self.at_once * self.seeds < 2 and not self.until_decided:
            raise ConfigurationError("hydra.sweeper.seeds must be 2 or more where hydra.sweeper.tunings is 1.")

    @property
    def at_once(self) -> int:
        """Number of tunings of the first round."""
        return self.tunings or (2 if self.until_decided else 6)

    @property
    def most_tunings(self) -> int:
        """Number of tunings of all rounds for which there are seeds."""
        return _MOST // max(self.tuning_seeds, self.seeds)


@dataclass(frozen=True)
class Contender:
    """What is compared with others.

    Attributes:
        name: by which it is told from others.
        values: what it sets, key to override.
    """

    name: str
    values: Mapping[str, str]

    def base(self, common: Sequence[str]) -> list[str]:
        """Return overrides with those of the contender in the place of others of the same keys."""
        return [text for text in common if text.partition("=")[0] not in self.values] + list(self.values.values())


@dataclass(frozen=True)
class ComparisonJobs:
    """The overrides of all jobs.

    Attributes:
        comparison: what is compared; its rounds are not used, because there are more and more.
        bases: what the jobs of one contender on one target have in common, target by target.
        points: returns the points of a tuning on a target, key to override, from the numbers of both.
        keys: the tuned keys that each contender has.
        seed: the first one.
    """

    comparison: Comparison
    bases: Sequence[Sequence[str]]
    points: Callable[[int, int], Sequence[Mapping[str, str]]]
    keys: Sequence[Sequence[str]]
    seed: int

    def tuning(self, round_: Round, tunings: range) -> list[list[str]]:
        """Return the overrides of the jobs that tune in a round.

        Args:
            round_: which contenders take part.
            tunings: numbers of its tunings.
        """
        points, count = self.comparison.points, self.comparison.tuning_seeds
        return [
            [*self._point(*cell, tuning, point), self._seed(cell[0], _MOST + tuning * count + number)]
            for cell in self.comparison.cells_of(round_)
            for tuning in tunings
            for point in range(points if points > 1 else 0)
            for number in range(count)
        ]

    def tuned(self, round_: Round, tunings: range, best: Sequence[Sequence[int]]) -> list[list[str]]:
        """Return the overrides of the jobs of the tuned contenders in a round.

        Args:
            round_: which contenders take part.
            tunings: numbers of its tunings.
            best: place of the best point of each tuning, for each contender on each target.
        """
        count = self.comparison.seeds
        return [
            [*self._point(*cell, tuning, point), self._seed(cell[0], tuning * count + number)]
            for cell, places in zip(self.comparison.cells_of(round_), best, strict=True)
            for tuning, point in zip(tunings, places, strict=True)
            for number in range(count)
        ]

    def _point(self, target: int, contender: int, tuning: int, point: int) -> list[str]:
        values = self.points(target, tuning)[point]
        base = self.bases[target * len(self.comparison.contenders) + contender]
        return [*base, *(values[key] for key in self.keys[contender])]

    def _seed(self, target: int, number: int) -> str:
        return f"{SEED}={self.seed + _OF_TARGET * target + number}"


def comparison_jobs(
    loader: ConfigLoader, composer: Composer, options: ComparisonOptions, typed: Sequence[str]
) -> ComparisonJobs:
    """Return the overrides of the jobs of a comparison.

    Args:
        loader: Hydra's.
        composer: of the sweep.
        options: how to compare.
        typed: overrides of the task.

    Raises:
        ConfigurationError: contenders are missing, or something makes them incomparable.
    """
    fixed, several = _read(read_axes(loader, typed))
    named = several.pop(TARGET, None)
    if named and not (several or options.contenders or options.ablate):
        raise ConfigurationError(
            f"{TARGET}={','.join(named)} says on what to compare, and there are no contenders: give another key "
            f"several values, {_EXAMPLE}."
        )
    targets = named or list(dict.fromkeys(options.targets))
    group, contenders = _contenders(loader, options, fixed, several)
    if not targets:
        raise ConfigurationError("There are no targets: write target=A,B (hydra.sweeper.targets).")
    shared = set.intersection(*(set(contender.values) for contender in contenders))  # set by all of them
    tuned = {
        key: text for key, text in options.space.items() if key not in fixed and ("." not in key or key not in shared)
    }
    axes = read_axes(loader, _texts(tuned))
    for axis in axes:
        _require_tunable(axis, shared, options.metric)
    decided = {*shared, *tuned, *fixed, *_brought(fixed, options, composer)}
    assumed = {key: value for key, value in options.params.items() if key not in decided}
    common = [*_texts(assumed), *(text for key, text in fixed.items() if not key.startswith(_OF_ITS_OWN))]
    bases = []
    for target, theirs in zip(targets, _of_targets(targets, fixed, composer), strict=True):
        chosen = [f"{TARGET}={target}", *theirs]
        fitting = _fitting([*contenders[0].base(common), *chosen], options, composer)
        own = [f"{key}={value}" for key, value in fitting.items() if key not in decided]
        bases += [[*contender.base([*common, *own]), *chosen] for contender in contenders]
    keys = [
        [key for key in _keys(base, tuned, composer) if key not in contender.values]
        for base, contender in zip(bases, contenders, strict=False)
    ]
    for key in tuned:
        if not any(key in known or key in each.values for known, each in zip(keys, contenders, strict=True)):
            composer.explained_job(0, [*bases[0], space.spread(axes, 1, "")[0][key]])  # raises the error
    for contender, known in zip(contenders, keys, strict=True):
        if tuned and not known and not contender.values.keys() & tuned.keys():
            raise ConfigurationError(
                f"{' '.join(contender.values.values())} has none of the keys that are tuned, {', '.join(tuned)}: name "
                "one of its own by --space KEY=INTERVAL (hydra.sweeper.space)."
            )
    tunes = tuned and options.budget > 1
    each = options.at_once * (options.tuning_seeds * options.budget * bool(tunes) + options.seeds)
    require_runs(len(bases) * each, "lower --budget, --tunings, --tuning-seeds or --seeds, or name fewer --targets")

    @functools.cache
    def points(target: int, tuning: int) -> list[dict[str, str]]:
        number = tuning if tunes else 0  # without tuning there is one point for all
        return space.spread(axes, options.budget if tunes else 1, f"{options.random_seed} {target} {number}")

    return ComparisonJobs(
        comparison=Comparison(
            group=group,
            contenders=tuple(contender.name for contender in contenders),
            targets=tuple(targets),
            space=tuned,
            points=options.budget if tunes else 1,
            tuning_seeds=options.tuning_seeds,
            seeds=options.seeds if tunes else 1,
            tunings=options.at_once if tunes else options.at_once * options.seeds,
            metric=options.metric,
            until_decided=options.until_decided,
        ),
        bases=bases,
        points=points,
        keys=keys,
        seed=options.random_seed * _OF_COMPARISON,
    )


def _contenders(
    loader: ConfigLoader, options: ComparisonOptions, fixed: Mapping[str, str], several: Mapping[str, Sequence[str]]
) -> tuple[str, list[Contender]]:
    """Return the contenders, and what they are called together.

    Raises:
        ConfigurationError: there are none, or fewer than two, or something makes them incomparable.
    """
    ways = {"several values": several, "--contender": options.contenders, "--ablate": options.ablate}
    used = [way for way, given in ways.items() if given]
    if len(used) > 1:
        raise ConfigurationError(f"Contenders are given by {' and by '.join(used)}: use one of these ways.")
    named = [_named(loader, text) for text in options.contenders] or _ablation(loader, options.ablate)
    if named and len({each.name for each in named}) < max(2, len(named)):
        raise ConfigurationError("--contender needs at least two contenders, each with a name of its own.")
    own = {key: value for each in named for key, value in each.values.items()}
    _require_comparable(fixed, own, several, options.metric)
    if named:
        return "contender", named
    ((key, values),) = several.items()
    return key, [Contender(value, {key: f"{key}={value}"}) for value in values]


def _named(loader: ConfigLoader, text: str) -> Contender:
    name, colon, rest = text.partition(":")
    words = _words(rest)
    if not colon or not name.strip() or not all("=" in word for word in words):
        raise ConfigurationError(
            f"--contender {text!r} is not NAME: KEY=VALUE ..., such as 'slow: optimizer=adam optimizer.beta2=0.99'."
        )
    return Contender(name.strip(), _values(loader, words))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise ConfigurationError(f"{text.strip()!r} has a quotation mark without another.") from None


def _ablation(loader: ConfigLoader, additions: Sequence[str]) -> list[Contender]:
    """Return contenders with no addition, each alone, all but each, and all."""
    each = {text: _values(loader, _words(text)) for text in dict.fromkeys(additions)}
    found = {"none": {}, **{f"only {text}": values for text, values in each.items() if len(each) > 1}}
    if len(each) > 2:  # of two, all but one is the other one
        for text in each:
            others = [values for other, values in each.items() if other != text]
            found[f"without {text}"] = {key: value for values in others for key, value in values.items()}
    found["all"] = {key: value for values in each.values() for key, value in values.items()}
    return [Contender(name, values) for name, values in found.items()] if each else []


def _values(loader: ConfigLoader, words: Sequence[str]) -> dict[str, str]:
    axes = read_axes(loader, words)
    for axis in axes:
        if axis.varies:
            raise ConfigurationError(f"{axis} has several values; of a contender each key has one.")
    return {axis.key: str(axis) for axis in axes}


def _read(typed: Sequence[Axis]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return overrides with one value, and the keys that have several; of one key the last counts.

    The target is always among the latter.
    """
    fixed: dict[str, str] = {}
    several: dict[str, list[str]] = {}
    for axis in typed:
        fixed.pop(axis.key, None)
        several.pop(axis.key, None)
        if axis.interval or len(set(axis.values)) > 1 or (axis.varies and "." not in axis.key):
            several[axis.key] = list(dict.fromkeys(axis.values))
        elif axis.key == TARGET:
            several[axis.key] = list(axis.values)
        else:
            fixed[axis.key] = axis.overrides[0]
    return fixed, several


def _brought(fixed: Mapping[str, str], options: ComparisonOptions, composer: Composer) -> list[str]:
    """Return the keys with assumed values that a typed group sets itself, as an experiment does."""
    groups = [text for key, text in fixed.items() if "." not in key]
    before, after = (flat(composer.explained_job(0, overrides).config) for overrides in ([], groups))
    changed = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    assumed = {**options.params, **options.two_classes, **options.classes}
    return [key for key in assumed if any(f"{other}.".startswith(f"{key}.") for other in changed)]


def _of_targets(targets: Sequence[str], fixed: Mapping[str, str], composer: Composer) -> list[list[str]]:
    """Return the overrides about targets that each target has: ``target.path`` is one of a table and not of a function.

    Raises:
        ConfigurationError: no target has the key of one.
    """
    wanted = {key: text for key, text in fixed.items() if key.startswith(_OF_ITS_OWN)}
    if not wanted:
        return [[] for _ in targets]
    known = [flat(composer.explained_job(0, [f"{TARGET}={target}"]).config) for target in targets]
    for key, text in wanted.items():
        if not any(key in keys for keys in known):
            composer.explained_job(0, [f"{TARGET}={targets[-1]}", text])  # raises the error
    return [[text for key, text in wanted.items() if key in keys] for keys in known]


def _fitting(overrides: Sequence[str], options: ComparisonOptions, composer: Composer) -> Mapping[str, str]:
    """Return the output and the loss that fit a target, by their keys; empty if the usual ones fit."""
    job = composer.explained_job(0, overrides)
    try:
        target = settings_from_config(job.config, installed()).target
        task, outputs = target.resolved_task, target.outputs  # a table reads its file
    except ChainruleError as error:
        raise ConfigurationError(f"{wrong_with(job, error)} Nothing was trained.") from error
    if task not in METRICS[options.metric]:
        raise ConfigurationError(
            f"{target.name} is a {task} and has no {options.metric}: --metric score (hydra.sweeper.metric) takes "
            "accuracy or R2, as fits each target."
        )
    if task == "regression":
        return {}
    return options.two_classes if outputs == 1 else options.classes


def _keys(overrides: Sequence[str], keys: Mapping[str, str], composer: Composer) -> list[str]:
    """Return those keys that a configuration has."""
    known = flat(composer.explained_job(0, overrides).config)
    return [key for key in keys if key in known]


def _require_comparable(
    fixed: Mapping[str, str], named: Mapping[str, str], several: Mapping[str, Sequence[str]], metric: str
) -> None:
    """Refuse overrides that leave nothing to compare, or make losses or scores incomparable."""
    if SEED in {*fixed, *named, *several}:
        raise ConfigurationError(
            f"{SEED} cannot be set, because a comparison varies it: --seeds (hydra.sweeper.seeds) says how many."
        )
    for key in (*named, *several):
        root = key.lstrip("+").partition(".")[0]
        _require_meaning(key, root, metric, "compared")
        groups = [*COMPARED, _LOSS] if metric != _LOSS else COMPARED
        if root == TRACKING or (root == key and key not in groups):
            hint = "" if root in GROUPS else nearest(key, groups)  # what is spelt right is not meant otherwise
            raise ConfigurationError(
                f"{key} cannot be compared{hint}: contenders are values of one key, such as "
                f"{', '.join(groups)}, network.hidden or training.batch_size."
            )
    if named:
        return
    if not several:
        raise ConfigurationError(f"There are no contenders: give one key several values, {_EXAMPLE}.")
    if len(several) > 1:
        raise ConfigurationError(
            f"{' and '.join(several)} have several values, but contenders are values of one key, {_EXAMPLE}; "
            "another can be tuned by --space (hydra.sweeper.space), and several go together by --contender."
        )
    ((key, values),) = several.items()
    if len(values) < 2:
        typed = f"{key}={','.join(values)}" if values else f"{key}, an interval,"
        raise ConfigurationError(f"{typed} is no choice: give it several values, {_EXAMPLE}.")


def _require_meaning(key: str, root: str, metric: str, verb: str) -> None:
    """Refuse a key that changes what a loss, or a score, measures."""
    if root == _LOSS and metric == _LOSS:
        raise ConfigurationError(
            f"{key} cannot be {verb}: it changes what the final loss measures. --metric score (hydra.sweeper.metric) "
            "compares R2 or accuracy instead."
        )
    if root in _MEASURED and root != _LOSS:
        raise ConfigurationError(f"{key} cannot be {verb}: it changes what the final {metric} measures.")


def _require_tunable(axis: Axis, compared: Collection[str], metric: str) -> None:
    """Refuse a key of the space that would make losses incomparable, or has one value only."""
    _require_meaning(axis.key, axis.key.partition(".")[0], metric, "tuned")
    if axis.key in compared:
        raise ConfigurationError(f"{axis.key} cannot be tuned: its values are the contenders.")
    if not axis.varies:
        raise ConfigurationError(
            f"{axis} is one value; to be tuned it needs several, such as {axis.key}=tag(log,interval(1e-4,1))."
        )


def _texts(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]
