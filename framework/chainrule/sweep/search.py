"""Searches: Optuna suggests the next settings from the results of earlier ones, and stacks of runs try them."""

import importlib.util
import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

from chainrule.analysis.meaning import differing
from chainrule.config.limits import require_runs
from chainrule.config.settings import settings_from_config
from chainrule.engine.reason import Reason
from chainrule.errors import ConfigurationError, RecordError, counted, listed, nearest
from chainrule.files.atomic import write_whole
from chainrule.files.reading import require_unlinked
from chainrule.records.manifest import RunManifest
from chainrule.records.outcome import Measured
from chainrule.records.result import objective
from chainrule.records.run import Failure, Record, read_record
from chainrule.records.sweep import FOLD, SEED, SearchEntry
from chainrule.registry.loaded import installed
from chainrule.sweep import resume
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.execution.pruning import PRUNERS, TrialPruner, imported, looks
from chainrule.sweep.jobs.axes import Axis, read_axes
from chainrule.sweep.jobs.composer import Composer
from chainrule.sweep.jobs.job import Job
from chainrule.sweep.launcher import StackLauncher
from chainrule.sweep.ledger import Ledger

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
_OF_RUN = ("epochs", "seconds")  # fields of a manifest that can be optimised, besides metrics
_OF_SWEEP = "chainrule.sweep"  # attribute of trials: the key of the sweep that they belong to
_INTERRUPTED = "chainrule.interrupted"  # attribute of the study: numbers of interrupted trials, which are tried again
_AGAIN = "chainrule.again"  # attribute of trials that are tried again: the number of the one that was asked at first


@dataclass(frozen=True)
class SearchOptions:
    """How to search, see ``hydra.sweeper``.

    Attributes:
        trials: settings to try in this sweep.
        batch: trials that are trained at once.
        sampler: a name of ``SAMPLERS``; it suggests the settings.
        sampler_seed: decides the suggestions.
        pruner: a name of ``PRUNERS``; it stops trials early.
        metrics: what is optimised: names of a record's metrics, ``epochs``, ``seconds`` or ``parameters``; empty for
            the final loss.
        directions: ``minimize`` or ``maximize`` for each metric.
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
                    f"hydra.sweeper.{name}={value} is unknown{nearest(value, choices)}; "
                    f"choose one of {', '.join(choices)}."
                )
        require_runs(self.trials, "lower hydra.sweeper.trials")
        needed = _NEEDS.get(self.sampler)
        if needed and importlib.util.find_spec(needed) is None:
            raise ConfigurationError(f"hydra.sweeper.sampler={self.sampler} needs a package: pip install {needed}.")
        for direction in self.directions:
            if direction not in ("minimize", "maximize"):
                raise ConfigurationError(f"hydra.sweeper.directions must be minimize or maximize, not {direction}.")
        wanted = max(1, len(self.metrics))
        if len(self.directions) != wanted:
            raise ConfigurationError(
                f"hydra.sweeper.directions must have {counted(wanted, 'entry')}, one for each metric."
            )
        if wanted > 1 and self.pruner != "none":
            raise ConfigurationError("hydra.sweeper.pruner must be none where several metrics are optimised.")
        if self.trials < 1 or self.batch < 1:
            raise ConfigurationError("hydra.sweeper.trials and hydra.sweeper.batch must be 1 or more.")


class Search:
    """One search.

    Args:
        context: Hydra's.
        master: configuration of the sweep.
        launcher: runs the jobs.
        options: how to search.
        params: overrides that the configuration adds to those typed.
    """

    def __init__(
        self,
        context: HydraContext,
        master: DictConfig,
        launcher: StackLauncher,
        options: SearchOptions,
        params: Mapping[str, str],
    ) -> None:
        self._params = [f"{key}={value}" for key, value in params.items()]
        self._optuna, self._options, self._launcher = imported(), options, launcher
        self._context, self._master = context, master

    def sweep(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Try as many settings as were asked for; return what became of the jobs, batch by batch.

        Args:
            typed: overrides of the task.

        Raises:
            ChainruleError: an override is wrong and nothing was trained, or runs failed.
        """
        space = _Space(self._optuna, read_axes(self._context.config_loader, [*self._params, *typed]))
        composer = resume.composer(self._context, self._master)
        corners = [composer.explained_job(number, overrides) for number, overrides in enumerate(space.corners())]
        plan = Plan(corners, installed())  # finds values out of range before the first run
        self._require_metrics(corners)
        search = SearchEntry(trials=self._options.trials, space=space.texts, seeds=space.seeds)
        ledger = resume.open_ledger(self._master, composer.directory, corners, plan, search=search)
        returns: list[Sequence[JobReturn]] = []
        place, key = composer.directory, ledger.sweep.manifest.key
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            shared = self._study(place, key, space) if self._options.storage else None  # refused before files are made
            for context in (self._launcher.pool, ledger.working()):
                stack.enter_context(context)
            resume.save_master(self._master, place)
            study = self._study(place, key, space) if shared is None else shared
            if resume.resumed():
                self._ask_again(study, space, ledger)
                self._recall(study, space, composer, ledger)
            while (ended := len(self._ended(study, ledger.sweep.manifest.key))) < self._options.trials:
                # An interruption may have left a part of a batch, which comes first.
                count = min(self._options.trials - ended, self._options.batch - ended % self._options.batch)
                returns.append(self._batch(study, ended, count, space, composer, ledger))
            ledger.sweep.links["best trial"] = self._best(study)
            ledger.finish()
        ledger.raise_failures()
        return returns

    def _batch(
        self, study: Any, ended: int, count: int, space: "_Space", composer: Composer, ledger: Ledger
    ) -> Sequence[JobReturn]:
        """Ask for some trials, train their runs as stacks, and tell the study the results."""
        earlier, asked = len(self._ended(study)), []
        for place in range(count):
            # Each trial has a sampler of its own, so that suggestions depend on earlier trials only, resumed or not.
            study.sampler = self._sampler(earlier + place)
            asked.append(study.ask(space.distributions))
            asked[-1].set_user_attr(_OF_SWEEP, ledger.sweep.manifest.key)
        asked.sort(key=_place)  # as they were asked for at first
        each = space.jobs_per_trial
        lists = [overrides for trial in asked for overrides in space.lists(trial.params)]
        jobs, plan = self._add(lists, ended * each, space, composer, ledger)
        epochs = int(jobs[0].config["training"]["epochs"])
        pruner = None
        if self._options.pruner != "none":
            states = self._optuna.trial.TrialState
            past = tuple(study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED)))
            owners = {job.number: asked[place // each].number for place, job in enumerate(jobs)}
            pruner = TrialPruner(self._options.pruner, past, owners, epochs)
        self._launcher.prepare()
        done = self._launcher.run(jobs, plan, composer, ledger, each, pruner)
        for place, trial in enumerate(asked):
            self._tell(study, trial, jobs[place * each : (place + 1) * each], ledger, epochs)
        return done

    def _recall(self, study: Any, space: "_Space", composer: Composer, ledger: Ledger) -> None:
        """Enter the runs of trials that ended before the search was resumed."""
        count = space.jobs_per_trial * len(self._ended(study, ledger.sweep.manifest.key))
        if count:
            lists = [job.overrides for job in ledger.sweep.manifest.jobs[:count]]
            jobs, _ = self._add(lists, 0, space, composer, ledger)
            ends: dict[int, Record | Failure] = {}
            for job in jobs:
                with suppress(RecordError):
                    end = ledger.sweep.end(job.number)
                    if isinstance(end, Failure) or end.is_intact():
                        ends[job.number] = end
            ledger.end(list(ends.items()), earlier=True)
            lost = [job for job in jobs if job.number not in ends]
            if lost:  # missing, or damaged since
                self._launcher.prepare()
                self._launcher.run(lost, Plan(lost, installed()), composer, ledger)

    def _add(
        self, lists: Sequence[list[str]], first: int, space: "_Space", composer: Composer, ledger: Ledger
    ) -> tuple[list[Job], Plan]:
        """Make jobs of override lists, numbered from ``first``, and put them into the sweep."""
        jobs = [composer.explained_job(number, overrides) for number, overrides in enumerate(lists, first)]
        plan = Plan(jobs, installed())
        ledger.add(jobs, plan.trackers, plan.notes, expected=self._options.trials * space.jobs_per_trial)
        return jobs, plan

    def _tell(self, study: Any, trial: Any, jobs: Sequence[Job], ledger: Ledger, epochs: int) -> None:
        """Tell the study the result of a trial: the median of each metric over its seeds."""
        states, outcomes = self._optuna.trial.TrialState, [ledger.outcome(job.number) for job in jobs]
        if any(outcome.reason == Reason.FAILED for outcome in outcomes):
            study.tell(trial, state=states.FAIL)
            return
        records = [read_record(Path(job.directory)) for job in jobs]
        if self._options.pruner != "none":
            curves = []
            for record in records:
                recorded = record.curves()
                losses = recorded.values[objective(record.manifest.metrics)[0]]
                curves.append(dict(zip(recorded.epochs.tolist(), losses.tolist(), strict=True)))
            for epoch, value in looks(curves, epochs):
                trial.report(value, epoch)
        if any(outcome.reason == Reason.PRUNED for outcome in outcomes):
            study.tell(trial, state=states.PRUNED)
            return
        wanted = list(zip(self._options.metrics or ("",), self._options.directions, strict=True))
        values = [[_metric(record.manifest, *each) for record in records] for each in wanted]
        study.tell(trial, [statistics.median(column) for column in values])

    def _study(self, directory: Path, key: str, space: "_Space") -> Any:
        """Return the study; create it if it does not exist.

        Raises:
            ConfigurationError: the storage cannot be used, or the study searches something else.
        """
        name, storage = self._options.study or key, self._options.storage or str(directory / JOURNAL)
        if not self._options.storage:
            # Nobody else works on this sweep, so who holds the lock was killed; Optuna would wait for half a minute.
            for lock in directory.glob(f"{JOURNAL}.lock*"):
                lock.unlink(missing_ok=True)
            require_unlinked(Path(storage), directory)
            _cut_broken_line(Path(storage))
        try:
            place: Any = storage
            if "://" not in storage:
                journal = self._optuna.storages.journal
                place = self._optuna.storages.JournalStorage(journal.JournalFileBackend(storage))
            directions = list(self._options.directions)
            try:  # creating one that is there would add to the storage
                study = self._optuna.load_study(study_name=name, storage=place)
            except KeyError:
                study = self._optuna.create_study(
                    study_name=name, storage=place, directions=directions, load_if_exists=True
                )
        except Exception as error:  # from Optuna, SQLAlchemy, a database driver or the file system
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
        """Check that every run will have the metrics to optimise, and that they are about the same.

        Raises:
            ConfigurationError: a run will not, or they are not.
        """
        measured = []
        for job in corners:
            settings = settings_from_config(job.config, installed())
            measured.append(Measured.of(settings.to_config()))
            score = "r2" if settings.target.resolved_task == "regression" else "accuracy"
            data = settings.data
            kept = {"validation": data.has_validation, "test": data.test}
            parts = ["train", *(part for part, is_kept in kept.items() if is_kept)]
            known = [f"{part}/{name}" for part in parts for name in ("loss", score)]
            known += ["best_loss", "best_epoch", *_OF_RUN, "parameters"]
            for name in self._options.metrics:
                if name not in known:
                    raise ConfigurationError(
                        f"hydra.sweeper.metrics names {name}, which {job} does not have{nearest(name, known)}; "
                        f"it has {', '.join(known)}."
                    )
        self._require_meaning(measured, f"{'validation' if data.has_validation else 'train'}/{score}")

    def _require_meaning(self, measured: Sequence[Measured], score: str) -> None:
        """Refuse to optimise what measures different things from trial to trial."""
        losses = list(differing(each.loss for each in measured).values())
        targets = list(differing(each.target for each in measured).values())
        wanted = self._options.metrics or ("the final loss",)
        is_about_loss = any(name.endswith("loss") for name in wanted)
        if len(targets) > 1 and any("/" in name or name.endswith("loss") for name in wanted):
            raise ConfigurationError(
                f"{wanted[0]} of runs on {listed(targets)} cannot be compared, because they learn different things: "
                "search on one target."
            )
        if len(losses) > 1 and is_about_loss:
            raise ConfigurationError(
                f"Losses with {listed(losses)} measure different things, so that the smallest is not the best: "
                f"hydra.sweeper.metrics=[{score}] hydra.sweeper.directions=[maximize] searches for the score."
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
        """Return the trials that have ended, of one sweep or of all."""
        interrupted = study.user_attrs.get(_INTERRUPTED, [])
        found = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and t.number not in interrupted]
        return [t for t in found if key in (None, t.user_attrs.get(_OF_SWEEP))]

    def _ask_again(self, study: Any, space: "_Space", ledger: Ledger) -> None:
        """Queue the trials again that an interruption left without a result."""
        key, states = ledger.sweep.manifest.key, self._optuna.trial.TrialState
        # A kill here, or when the queue was asked, has left trials that are queued already.
        queued = {_place(trial) for trial in study.get_trials(deepcopy=False, states=(states.WAITING,))}
        for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            # A trial may lack the attribute if it was just asked for: it is ours if the study is this sweep's own.
            if trial.user_attrs.get(_OF_SWEEP, study.study_name) == key:
                study.set_user_attr(_INTERRUPTED, [*study.user_attrs.get(_INTERRUPTED, []), trial.number])
                params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
                if params.keys() == space.distributions.keys() and _place(trial) not in queued:
                    study.enqueue_trial(params, user_attrs={_AGAIN: _place(trial)})
                study.tell(trial.number, state=states.FAIL)

    def _best(self, study: Any) -> str:
        """Return the best settings in words."""
        states = self._optuna.trial.TrialState
        if not study.get_trials(deepcopy=False, states=(states.COMPLETE,)):
            return "no trial was completed"
        texts = [
            f"{', '.join(f'{key}={_text(value)}' for key, value in trial.params.items())}: "
            f"{', '.join(f'{value:.5g}' for value in trial.values)}"
            for trial in study.best_trials
        ]
        found = list(dict.fromkeys(texts))  # equal trials are shown once
        shown = found[:3]
        return "; ".join(shown) + (f"; and {len(found) - 3} more on the Pareto front" if len(found) > 3 else "")


def _place(trial: Any) -> int:
    """Return the number of a trial, or of the one that it tries again, which was asked for at first."""
    return int(trial.user_attrs.get(_AGAIN, trial.number))


def _cut_broken_line(journal: Path) -> None:
    """Remove the end of a journal that a kill has left in the middle of a line: what is added would be lost with it."""
    with suppress(FileNotFoundError):
        content = journal.read_bytes()
        if content and not content.endswith(b"\n"):
            write_whole(journal, content[: content.rfind(b"\n") + 1])


class _Space:
    """The settings to search, read from overrides.

    Attributes:
        distributions: Optuna's distribution of each key.
        texts: the values of each key as typed.
        seeds: each trial is trained with all of them.
    """

    def __init__(self, optuna: Any, axes: Sequence[Axis]) -> None:
        self._fixed: list[str] = []
        self.distributions: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self.seeds: list[str] = []
        for axis in axes:
            if not axis.varies:
                self._fixed.append(str(axis))
            elif axis.key == SEED:
                if axis.interval:
                    raise ConfigurationError(f"{SEED} must have a list of values or a range, such as {SEED}=range(5).")
                self.seeds = list(dict.fromkeys(axis.values))
            elif axis.key == FOLD:
                raise ConfigurationError(f"{FOLD} cannot be searched: give it one value, or search with several seeds.")
            else:
                self.texts[axis.key] = axis.text
                self.distributions[axis.key] = _distribution(optuna.distributions, axis)
        if not self.distributions:
            raise ConfigurationError("there is nothing to search: give a key several values or interval(LOW,HIGH).")

    @property
    def jobs_per_trial(self) -> int:
        """How many jobs a trial has: one per seed."""
        return len(self.seeds) or 1

    def lists(self, params: Mapping[str, Any]) -> list[list[str]]:
        """Return the overrides of a trial's jobs, one a seed."""
        chosen = [*self._fixed, *(f"{key}={_text(value)}" for key, value in params.items())]
        return [[*chosen, f"{SEED}={seed}"] for seed in self.seeds] or [chosen]

    def corners(self) -> list[list[str]]:
        """Return the overrides of jobs that set each key to its ends, or to each of its choices."""
        ends = {
            key: list(d.choices) if hasattr(d, "choices") else [d.low, d.high] for key, d in self.distributions.items()
        }
        first = {key: values[0] for key, values in ends.items()}
        points = [first, *({**first, key: value} for key, values in ends.items() for value in values[1:])]
        return [self.lists(point)[0] for point in points]


def _distribution(distributions: Any, axis: Axis) -> Any:
    """Return Optuna's distribution for a key with several values."""
    interval, numbers = axis.interval, axis.numbers
    try:
        if interval and interval.whole:
            return distributions.IntDistribution(math.ceil(interval.low), math.floor(interval.high), log=interval.log)
        if interval:
            return distributions.FloatDistribution(interval.low, interval.high, log=interval.log)
        if numbers:
            step = abs(numbers[1] - numbers[0]) if len(numbers) > 1 else 1
            return distributions.IntDistribution(min(numbers), max(numbers), step=step)
        return distributions.CategoricalDistribution(list(axis.values))
    except ValueError as error:
        raise ConfigurationError(f"{axis} cannot be searched: {error}") from None


def _metric(manifest: RunManifest, name: str, direction: str) -> float:
    """Return one number of a run; the worst possible one if the run diverged or the number is not finite."""
    metrics = manifest.metrics
    known = {**{name: manifest[name] for name in _OF_RUN}, **metrics, "parameters": manifest.network.parameters}
    name = name or objective(metrics)[0]
    value = known.get(name)  # no loss of the run was finite, if it has no best one
    if value is None or (manifest.reason == Reason.DIVERGED and name in metrics):
        return math.inf if direction == "minimize" else -math.inf
    return float(value)


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
