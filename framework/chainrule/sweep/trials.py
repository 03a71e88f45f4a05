"""Sweeps whose next jobs follow from what came of the earlier ones: Optuna asks, stacks of runs answer."""

import importlib.util
import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

from chainrule.errors import ConfigurationError, RecordError, nearest
from chainrule.plugins import installed
from chainrule.records import Failure, Record, read, read_end
from chainrule.results import objective
from chainrule.settings import Settings
from chainrule.sweep import opening
from chainrule.sweep.composer import Composer
from chainrule.sweep.conductor import Conductor
from chainrule.sweep.jobs import Job
from chainrule.sweep.launcher import Stacked
from chainrule.sweep.plan import Checked
from chainrule.sweep.referee import PRUNERS, Referee, imported, looks
from chainrule.sweep.space import require_known_tags
from chainrule.sweeps import SEED

JOURNAL = "optuna.log"
SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "gp": "GPSampler",
    "cmaes": "CmaEsSampler",
    "nsgaii": "NSGAIISampler",
    "qmc": "QMCSampler",
}
_NEEDS = {"cmaes": "cmaes", "gp": "torch"}  # packages that Optuna imports for a sampler
_OF_RUN = ("epochs", "seconds")  # what a manifest has besides metrics
_OF_SWEEP = "chainrule.sweep"  # attribute of trials: the key of the sweep that they belong to
_INTERRUPTED = "chainrule.interrupted"  # attribute of the study: numbers of trials that have been asked again


@dataclass(frozen=True)
class Options:
    """How to search, see ``hydra.sweeper``.

    Attributes:
        trials: settings to try in this sweep.
        batch: of them at once.
        sampler: who suggests them.
        sampler_seed: from which suggestions follow.
        pruner: who gives trials up early.
        metrics: what is optimised: names of a record's metrics, ``epochs``, ``seconds`` or ``parameters``; empty for
            the final loss.
        directions: ``minimize`` or ``maximize`` each.
        study: name of the study; None for that of the sweep.
        storage: where the study lies, as Optuna's URL or a file; None for a file in the sweep's directory.
    """

    trials: int
    batch: int
    sampler: str
    sampler_seed: int
    pruner: str
    metrics: tuple[str, ...]
    directions: tuple[str, ...]
    study: str | None
    storage: str | None

    def __post_init__(self) -> None:
        known = {"sampler": SAMPLERS, "pruner": PRUNERS}
        for name, choices in known.items():
            value = getattr(self, name)
            if value not in choices:
                raise ConfigurationError(
                    f"hydra.sweeper.{name}={value} is unknown{nearest(value, choices)}; there is {', '.join(choices)}."
                )
        needed = _NEEDS.get(self.sampler)
        if needed and importlib.util.find_spec(needed) is None:
            raise ConfigurationError(f"hydra.sweeper.sampler={self.sampler} needs a package: pip install {needed}.")
        for direction in self.directions:
            if direction not in ("minimize", "maximize"):
                raise ConfigurationError(f"hydra.sweeper.directions must be minimize or maximize, not {direction}.")
        wanted = max(1, len(self.metrics))
        if len(self.directions) != wanted:
            raise ConfigurationError(f"hydra.sweeper.directions must have {wanted} entries, one for each metric.")
        if wanted > 1 and self.pruner != "none":
            raise ConfigurationError("hydra.sweeper.pruner must be none where several metrics are optimised.")
        if self.trials < 1 or self.batch < 1:
            raise ConfigurationError("hydra.sweeper.trials and hydra.sweeper.batch must be 1 or more.")


class Search:
    """One search.

    Args:
        context: Hydra's.
        master: configuration of the sweep.
        stacked: how jobs are run.
        options: how to search.
        params: overrides that the configuration adds to those typed.
    """

    def __init__(
        self,
        context: HydraContext,
        master: DictConfig,
        stacked: Stacked,
        options: Options,
        params: Mapping[str, str],
    ) -> None:
        self._params = [f"{key}={value}" for key, value in params.items()]
        self._optuna, self._options, self._stacked = imported(), options, stacked
        self._context, self._master = context, master

    def sweep(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Try as many settings as were asked for; return what became of the jobs, batch by batch.

        Args:
            typed: overrides of the task.

        Raises:
            ChainruleError: an override is wrong and nothing was trained, or runs failed.
        """
        parser = OverridesParser.create(self._context.config_loader)
        space = _Space(self._optuna, parser.parse_overrides([*self._params, *typed]))
        composer = opening.composer(self._context, self._master)
        corners = [composer.explained_job(number, overrides) for number, overrides in enumerate(space.corners())]
        checked = Checked(corners, installed())  # what is out of range anywhere is found before the first run
        self._require_metrics(corners)
        search = {"trials": self._options.trials, "space": space.texts, "seeds": space.seeds}
        conductor = opening.opened(self._master, composer.directory, corners, checked, search=search)
        returns: list[Sequence[JobReturn]] = []
        with self._stacked.engine, conductor.going_on(), warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            opening.save_master(self._master, composer.directory)
            study = self._study(composer.directory, conductor.sweep.manifest["key"], space)
            if opening.resumed():
                self._ask_again(study, space, conductor)
                self._recall(study, space, composer, conductor)
            while (ended := len(self._ended(study, conductor.sweep.manifest["key"]))) < self._options.trials:
                # An interruption may have left a part of a batch.
                count = min(self._options.trials - ended, self._options.batch - ended % self._options.batch)
                returns.append(self._batch(study, ended, count, space, composer, conductor))
            conductor.sweep.links["best trial"] = self._best(study)
            conductor.finish()
        conductor.raise_failures()
        return returns

    def _batch(
        self, study: Any, ended: int, count: int, space: "_Space", composer: Composer, conductor: Conductor
    ) -> Sequence[JobReturn]:
        """Ask for some trials, train their runs as stacks, and tell what came of them."""
        earlier, asked = len(self._ended(study)), []
        for place in range(count):
            # A sampler of its own for each: what it suggests follows from the past alone, also after an interruption.
            study.sampler = self._sampler(earlier + place)
            asked.append(study.ask(space.distributions))
            asked[-1].set_user_attr(_OF_SWEEP, conductor.sweep.manifest["key"])
        each = space.each
        lists = [overrides for trial in asked for overrides in space.lists(trial.params)]
        jobs, checked = self._add(lists, ended * each, space, composer, conductor)
        epochs = int(jobs[0].config["training"]["epochs"])
        referee = None
        if self._options.pruner != "none":
            states = self._optuna.trial.TrialState
            past = tuple(study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED)))
            owners = {job.number: asked[place // each].number for place, job in enumerate(jobs)}
            referee = Referee(self._options.pruner, past, owners, epochs)
        self._stacked.prepare()
        done = self._stacked.run(jobs, checked, composer, conductor, each, referee)
        for place, trial in enumerate(asked):
            self._tell(study, trial, jobs[place * each : (place + 1) * each], conductor, epochs)
        return done

    def _recall(self, study: Any, space: "_Space", composer: Composer, conductor: Conductor) -> None:
        """Take in the runs of trials that had an answer before the search was resumed."""
        count = space.each * len(self._ended(study, conductor.sweep.manifest["key"]))
        if count:
            lists = [job["overrides"] for job in conductor.sweep.manifest["jobs"][:count]]
            jobs, _ = self._add(lists, 0, space, composer, conductor)
            ends: dict[int, Record | Failure] = {}
            for job in jobs:
                with suppress(RecordError):
                    end = read_end(Path(job.directory))
                    if isinstance(end, Failure) or end.is_intact():
                        ends[job.number] = end
            conductor.end(list(ends.items()), earlier=True)
            lost = [job for job in jobs if job.number not in ends]
            if lost:  # or damaged since
                self._stacked.prepare()
                self._stacked.run(lost, Checked(lost, installed()), composer, conductor)

    def _add(
        self, lists: Sequence[list[str]], first: int, space: "_Space", composer: Composer, conductor: Conductor
    ) -> tuple[list[Job], Checked]:
        """Make jobs of override lists, the first of them with the number ``first``, and put them into the sweep."""
        jobs = [composer.explained_job(number, overrides) for number, overrides in enumerate(lists, first)]
        checked = Checked(jobs, installed())
        conductor.add(jobs, checked.trackers, checked.notes, expected=self._options.trials * space.each)
        return jobs, checked

    def _tell(self, study: Any, trial: Any, jobs: Sequence[Job], conductor: Conductor, epochs: int) -> None:
        """Tell the study what came of a trial: the median of each metric over its seeds."""
        states, outcomes = self._optuna.trial.TrialState, [conductor.outcome(job.number) for job in jobs]
        if any(outcome.reason == "failed" for outcome in outcomes):
            study.tell(trial, state=states.FAIL)
            return
        records = [read(Path(job.directory)) for job in jobs]
        if self._options.pruner != "none":
            curves = []
            for record in records:
                recorded = record.curves()
                losses = recorded.values[objective(record.manifest["metrics"])[0]]
                curves.append(dict(zip(recorded.epochs.tolist(), losses.tolist(), strict=True)))
            for epoch, value in looks(curves, epochs):
                trial.report(value, epoch)
        if any(outcome.reason == "pruned" for outcome in outcomes):
            study.tell(trial, state=states.PRUNED)
            return
        wanted = list(zip(self._options.metrics or ("",), self._options.directions, strict=True))
        values = [[_metric(record.manifest, *each) for record in records] for each in wanted]
        study.tell(trial, [statistics.median(column) for column in values])

    def _study(self, directory: Path, key: str, space: "_Space") -> Any:
        """Return the study, made if it is not there.

        Raises:
            ConfigurationError: it cannot be had, or is about something else.
        """
        name, storage = self._options.study or key, self._options.storage or str(directory / JOURNAL)
        try:
            place: Any = storage
            if "://" not in storage:
                journal = self._optuna.storages.journal
                place = self._optuna.storages.JournalStorage(journal.JournalFileBackend(storage))
            directions = list(self._options.directions)
            study = self._optuna.create_study(
                study_name=name, storage=place, directions=directions, load_if_exists=True
            )
        except Exception as error:  # of Optuna, SQLAlchemy, a driver of a database, the file system
            cause = next(iter(str(error).splitlines()), type(error).__name__)
            raise ConfigurationError(f"hydra.sweeper.storage={storage} cannot be used: {cause}") from error
        known = [direction.name.lower() for direction in study.directions]
        if known != directions:
            raise ConfigurationError(f"study {name} was begun with hydra.sweeper.directions={known}, not {directions}.")
        for trial in study.get_trials(deepcopy=False):
            for parameter in trial.distributions.keys() & space.distributions.keys():
                old, new = trial.distributions[parameter], space.distributions[parameter]
                try:
                    self._optuna.distributions.check_distribution_compatibility(old, new)
                except ValueError:
                    raise ConfigurationError(
                        f"study {name} was begun with {old} for {parameter}, not {new}: "
                        "choose another by hydra.sweeper.study."
                    ) from None
        return study

    def _require_metrics(self, corners: Sequence[Job]) -> None:
        """Make sure that every run will have what is to be optimised.

        Raises:
            ConfigurationError: one will not.
        """
        for job in corners:
            settings = Settings.from_config(job.config, installed())
            score = "r2" if settings.target.task == "regression" else "accuracy"
            parts = ["train", "validation"] if settings.data.validation else ["train"]
            known = [*(f"{part}/{name}" for part in parts for name in ("loss", score)), *_OF_RUN, "parameters"]
            for name in self._options.metrics:
                if name not in known:
                    raise ConfigurationError(
                        f"hydra.sweeper.metrics names {name}, which {job} does not have{nearest(name, known)}; "
                        f"it has {', '.join(known)}."
                    )

    def _sampler(self, ended: int) -> Any:
        (seed,) = np.random.SeedSequence([self._options.sampler_seed, ended]).generate_state(1)
        options: dict[str, Any] = {"seed": int(seed)}
        if self._options.sampler == "tpe":
            options |= {"constant_liar": True, "multivariate": True}  # for trials that are asked for at once
        if self._options.sampler == "nsgaii":
            options["population_size"] = self._options.batch
        return getattr(self._optuna.samplers, SAMPLERS[self._options.sampler])(**options)

    def _ended(self, study: Any, key: str | None = None) -> list[Any]:
        """Return the trials that have had an answer, of one sweep or of all."""
        interrupted = study.user_attrs.get(_INTERRUPTED, [])
        found = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and t.number not in interrupted]
        return [t for t in found if key in (None, t.user_attrs.get(_OF_SWEEP))]

    def _ask_again(self, study: Any, space: "_Space", conductor: Conductor) -> None:
        """Put the trials back into the queue that an interruption left without an answer."""
        key, states = conductor.sweep.manifest["key"], self._optuna.trial.TrialState
        for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            # In a study of its own, also one that was just being asked for.
            if trial.user_attrs.get(_OF_SWEEP, study.study_name) == key:
                study.set_user_attr(_INTERRUPTED, [*study.user_attrs.get(_INTERRUPTED, []), trial.number])
                study.tell(trial.number, state=states.FAIL)
                if trial.params.keys() == space.distributions.keys():
                    study.enqueue_trial(trial.params)

    def _best(self, study: Any) -> str:
        """Return the best settings in words."""
        states = self._optuna.trial.TrialState
        if not study.get_trials(deepcopy=False, states=(states.COMPLETE,)):
            return "none has come to its end"
        texts = [
            f"{', '.join(f'{key}={_text(value)}' for key, value in trial.params.items())}: "
            f"{', '.join(f'{value:.5g}' for value in trial.values)}"
            for trial in study.best_trials
        ]
        found = list(dict.fromkeys(texts))  # equal trials are one
        shown = found[:3]
        return "; ".join(shown) + (f"; and {len(found) - 3} that none of them beats" if len(found) > 3 else "")


class _Space:
    """What to search, from overrides.

    Attributes:
        distributions: of Optuna, by key.
        texts: what was typed, by key.
        seeds: each trial is trained with all of them.
    """

    def __init__(self, optuna: Any, overrides: Sequence[Override]) -> None:
        self._fixed: list[str] = []
        self.distributions: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self.seeds: list[str] = []
        for override in overrides:
            key = override.get_key_element()
            if not override.is_sweep_override():
                self._fixed.append(f"{key}={override.get_value_element_as_str()}")
            elif key == SEED:
                if override.is_interval_sweep():
                    raise ConfigurationError(f"{SEED} must have a list of values or a range, such as {SEED}=range(5).")
                self.seeds = list(dict.fromkeys(str(seed) for seed in override.sweep_string_iterator()))
            else:
                self.texts[key] = override.get_value_string()
                self.distributions[key] = _distribution(optuna.distributions, override)
        if not self.distributions:
            raise ConfigurationError("there is nothing to search: give a key several values or interval(LOW,HIGH).")

    @property
    def each(self) -> int:
        """How many jobs a trial has."""
        return len(self.seeds) or 1

    def lists(self, params: Mapping[str, Any]) -> list[list[str]]:
        """Return the overrides of a trial's jobs, one a seed."""
        chosen = [*self._fixed, *(f"{key}={_text(value)}" for key, value in params.items())]
        return [[*chosen, f"{SEED}={seed}"] for seed in self.seeds] or [chosen]

    def corners(self) -> list[list[str]]:
        """Return jobs that take each key to its ends, and to each of its choices."""
        ends = {
            key: list(d.choices) if hasattr(d, "choices") else [d.low, d.high] for key, d in self.distributions.items()
        }
        first = {key: values[0] for key, values in ends.items()}
        points = [first, *({**first, key: value} for key, values in ends.items() for value in values[1:])]
        return [self.lists(point)[0] for point in points]


def _distribution(distributions: Any, override: Override) -> Any:
    """Return Optuna's distribution for a key with several values."""
    value: Any = override.value()
    key, text = override.get_key_element(), override.get_value_string()
    try:
        if isinstance(value, IntervalSweep):
            require_known_tags(override)
            log = "log" in value.tags
            if "int" in value.tags:
                return distributions.IntDistribution(math.ceil(value.start or 0), math.floor(value.end or 0), log=log)
            return distributions.FloatDistribution(float(value.start or 0), float(value.end or 0), log=log)
        if isinstance(value, RangeSweep) and all(isinstance(v, int) for v in (value.start, value.stop, value.step)):
            numbers = list(value.range())
            return distributions.IntDistribution(int(min(numbers)), int(max(numbers)), step=abs(int(value.step)))
        return distributions.CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise ConfigurationError(f"{key}={text} cannot be searched: {error}") from None


def _metric(manifest: Mapping[str, Any], name: str, direction: str) -> float:
    """Return one number of a run: the worst there is if the run diverged, or the number is not finite."""
    known = {name: manifest[name] for name in _OF_RUN} | manifest["metrics"]
    known["parameters"] = manifest["network"]["parameters"]
    name = name or objective(manifest["metrics"])[0]
    value = known[name]
    if value is None or (manifest["reason"] == "diverged" and name in manifest["metrics"]):
        return math.inf if direction == "minimize" else -math.inf
    return float(value)


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
