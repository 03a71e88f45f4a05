"""Sweeps whose next jobs follow from what came of the earlier ones: Optuna asks, stacks of runs answer."""

import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

from chainrule.compose import register
from chainrule.errors import ChainruleError, ConfigurationError, nearest
from chainrule.records import read
from chainrule.results import objective
from chainrule.sweep import opening
from chainrule.sweep.composer import Composer
from chainrule.sweep.conductor import Conductor
from chainrule.sweep.jobs import Job
from chainrule.sweep.launcher import Stacked
from chainrule.sweep.plan import Checked
from chainrule.sweep.referee import PRUNERS, Referee, imported, looks
from chainrule.sweep.space import SEED

JOURNAL = "optuna.log"
SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "gp": "GPSampler",
    "cmaes": "CmaEsSampler",
    "nsgaii": "NSGAIISampler",
    "qmc": "QMCSampler",
}
_OF_SWEEP, _ENDED = "chainrule.sweep", "chainrule.ended"  # attributes of trials


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
    """

    def __init__(self, context: HydraContext, master: DictConfig, stacked: Stacked, options: Options) -> None:
        self._optuna, self._options, self._stacked = imported(), options, stacked
        self._context, self._master = context, master

    def sweep(self, typed: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Try as many settings as were asked for; return what became of the jobs, batch by batch.

        Args:
            typed: overrides of the task.

        Raises:
            ChainruleError: an override is wrong and nothing was trained, or runs failed.
        """
        space = _Space(self._optuna, OverridesParser.create(self._context.config_loader).parse_overrides(list(typed)))
        composer = opening.composer(self._context, self._master)
        corners = [composer.explained_job(number, overrides) for number, overrides in enumerate(space.corners())]
        checked = Checked(corners, register())  # what is out of range anywhere is found before the first run
        conductor = opening.opened(self._master, composer.directory, corners, checked)
        returns: list[Sequence[JobReturn]] = []
        with self._stacked.engine, conductor.going_on(), warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            opening.save_master(self._master, composer.directory)
            study = self._study(composer.directory, conductor.sweep.manifest["key"])
            if opening.resumed():
                self._ask_again(study, conductor)
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
        each = len(space.seeds) or 1
        lists = [overrides for trial in asked for overrides in space.lists(trial.params)]
        jobs = [composer.explained_job(ended * each + place, overrides) for place, overrides in enumerate(lists)]
        checked = Checked(jobs, register())
        conductor.add(jobs, checked.trackers, checked.notes, expected=self._options.trials * each)
        epochs = int(jobs[0].config["training"]["epochs"])
        referee = None
        if self._options.pruner != "none":
            states = self._optuna.trial.TrialState
            past = tuple(study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED)))
            owners = {job.number: asked[place // each].number for place, job in enumerate(jobs)}
            referee = Referee(self._options.pruner, self._options.directions[0], past, owners, epochs)
        self._stacked.prepare()
        done = self._stacked.run(jobs, checked, composer, conductor, each, referee)
        for place, trial in enumerate(asked):
            self._tell(study, trial, jobs[place * each : (place + 1) * each], conductor, epochs)
        return done

    def _tell(self, study: Any, trial: Any, jobs: Sequence[Job], conductor: Conductor, epochs: int) -> None:
        """Tell the study what came of a trial: the median of each metric over its seeds."""
        states, outcomes = self._optuna.trial.TrialState, [conductor.outcome(job.number) for job in jobs]
        trial.set_user_attr(_ENDED, True)
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
        if all(outcome.reason == "pruned" for outcome in outcomes):
            study.tell(trial, state=states.PRUNED)
            return
        names = self._options.metrics or ("",)
        values = [[_metric(record.manifest, name) for record in records] for name in names]
        study.tell(trial, [statistics.median(column) for column in values])

    def _study(self, directory: Path, key: str) -> Any:
        storage: Any = self._options.storage or str(directory / JOURNAL)
        if "://" not in storage:
            journal = self._optuna.storages.journal
            storage = self._optuna.storages.JournalStorage(journal.JournalFileBackend(storage))
        return self._optuna.create_study(
            study_name=self._options.study or key,
            storage=storage,
            directions=list(self._options.directions),
            load_if_exists=True,
        )

    def _sampler(self, ended: int) -> Any:
        options: dict[str, Any] = {"seed": self._options.sampler_seed + ended}
        if self._options.sampler == "tpe":
            options |= {"constant_liar": True, "multivariate": True}  # for trials that are asked for at once
        return getattr(self._optuna.samplers, SAMPLERS[self._options.sampler])(**options)

    def _ended(self, study: Any, key: str | None = None) -> list[Any]:
        """Return the trials that have had an answer, of one sweep or of all."""
        found = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and t.user_attrs.get(_ENDED)]
        return [t for t in found if key in (None, t.user_attrs.get(_OF_SWEEP))]

    def _ask_again(self, study: Any, conductor: Conductor) -> None:
        """Put the trials back into the queue that an interruption left without an answer."""
        key, states = conductor.sweep.manifest["key"], self._optuna.trial.TrialState
        for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            if trial.user_attrs.get(_OF_SWEEP) == key:
                study.tell(trial.number, state=states.FAIL)
                study.enqueue_trial(trial.params)

    def _best(self, study: Any) -> str:
        """Return the best settings in words."""
        states = self._optuna.trial.TrialState
        if not study.get_trials(deepcopy=False, states=(states.COMPLETE,)):
            return "none has come to its end"
        found = study.best_trials
        shown = [
            f"{', '.join(f'{key}={_text(value)}' for key, value in trial.params.items())}: "
            f"{', '.join(f'{value:.5g}' for value in trial.values)}"
            for trial in found[:3]
        ]
        return "; ".join(shown) + (f"; and {len(found) - 3} that none of them beats" if len(found) > 3 else "")


class _Space:
    """What to search, from overrides.

    Attributes:
        distributions: of Optuna, by key.
        seeds: each trial is trained with all of them.
    """

    def __init__(self, optuna: Any, overrides: Sequence[Override]) -> None:
        self._fixed: list[str] = []
        self.distributions: dict[str, Any] = {}
        self.seeds: list[str] = []
        for override in overrides:
            key = override.get_key_element()
            if not override.is_sweep_override():
                self._fixed.append(f"{key}={override.get_value_element_as_str()}")
            elif key == SEED:
                self.seeds = [str(seed) for seed in override.sweep_string_iterator()]
            else:
                self.distributions[key] = _distribution(optuna.distributions, override)
        if not self.distributions:
            raise ConfigurationError("there is nothing to search: give a key several values or interval(LOW,HIGH).")

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


def _metric(manifest: Mapping[str, Any], name: str) -> float:
    """Return one number of a run, infinite where it is not finite."""
    known = {name: manifest[name] for name in ("epochs", "seconds")} | manifest["metrics"]
    known["parameters"] = manifest["network"]["parameters"]
    name = name or objective(manifest["metrics"])[0]
    if name not in known:
        raise ChainruleError(f"hydra.sweeper.metrics names {name}, which no run has{nearest(name, known)}.")
    value = known[name]
    diverged = manifest["reason"] == "diverged" and name.endswith("loss")
    return math.inf if value is None or diverged else float(value)


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
