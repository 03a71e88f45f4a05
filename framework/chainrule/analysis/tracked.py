"""Runs that a tracker keeps as outcomes: which of them count, what is a setting, what is a repetition."""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chainrule.analysis.guesses import (
    Roles,
    guessed_direction,
    guessed_metric,
    guessed_seeds,
    known_metric,
    number,
    roles,
)
from chainrule.analysis.outcomes import Outcomes
from chainrule.engine.reason import Reason
from chainrule.errors import ConfigurationError, agreeing, listed, nearest
from chainrule.records.outcome import Outcome
from chainrule.records.tracked import Status, TrackedRun, TrackedRuns

NO_SEED = "none"
_UNSET = ("", "None", "null")  # what a seed is logged as where there is none
_REASONS = {Status.FINISHED: Reason.FINISHED, Status.FAILED: Reason.FAILED, Status.KILLED: Reason.PRUNED}


@dataclass(frozen=True)
class Choices:
    """What a person says about runs; the rest is guessed.

    Attributes:
        metric: by which they are compared.
        maximize: whether large values of it are good.
        seed: the parameter that is the seed, or several separated by commas; ``none`` if the runs have none.
        settings: the parameters that make a setting; no others do.
    """

    metric: str | None = None
    maximize: bool | None = None
    seed: str | None = None
    settings: tuple[str, ...] | None = None


class TrackedOutcomes(Outcomes):
    """The outcomes of the runs of an experiment that a tracker keeps.

    Args:
        source: the runs.
        outcomes: of those that count.
        metric: by which they are compared.
        maximize: whether large values of the metric are good.
        parameters: what their parameters are.
        notes: what was assumed, what was left out, and what counts as the worst, in sentences.
    """

    def __init__(
        self,
        source: TrackedRuns,
        outcomes: Iterable[Outcome],
        metric: str,
        maximize: bool,
        parameters: Roles,
        notes: Sequence[str],
    ) -> None:
        super().__init__(outcomes, metric, maximize)
        self.source, self.parameters, self.notes = source, parameters, tuple(notes)

    @property
    def which(self) -> str:
        """Which value of the metric is compared: a tracker has the last one that was logged."""
        return "last logged"


def tracked_outcomes(source: TrackedRuns, choices: Choices) -> TrackedOutcomes:
    """Return the outcomes of the runs of an experiment.

    Runs that have not ended, those that others are nested in, and finished ones without the metric are left out. A run
    that failed, was killed before it had the metric, or whose metric is not finite counts as the worst. Of runs with
    equal settings and equal seed the newest counts.

    Args:
        source: the runs.
        choices: what a person says about them.

    Raises:
        ConfigurationError: a choice is wrong, or one is needed that was not made.
    """
    if not source.runs:
        raise ConfigurationError(f"The experiment {source.experiment!r} at {source.place} has no runs.")
    metric, maximize, about_metric = _objective(source.runs, choices)
    seeds, about_seeds = _seeds(source.runs, choices.seed)
    kept, left_out = _kept(source.runs, metric, set(seeds))
    if not kept:
        raise ConfigurationError(f"No run of the experiment {source.experiment!r} can be ranked: {_counted(left_out)}.")
    telling = _telling(kept, seeds)
    used = [_seed(run, telling) for run in kept]
    values, always = _values(kept, metric, seeds)
    parameters = _chosen(values, choices.settings) if choices.settings is not None else roles(values, used)
    settings = [{name: values[name][place] for name in parameters.settings} for place in range(len(kept))]
    known = [not any(own[name] is None for name in always & own.keys()) for own in settings]
    runs = [each for each, is_known in zip(zip(kept, used, settings, strict=True), known, strict=True) if is_known]
    left_out["failed or killed before they had their parameters"] = len(kept) - len(runs)
    outcomes = _newest([_outcome(place, *each, metric) for place, each in enumerate(runs)])
    left_out["followed by a newer run with the same settings and seed"] = len(runs) - len(outcomes)
    notes = [about_metric, about_seeds, *_about(parameters, left_out, outcomes, metric)]
    return TrackedOutcomes(source, outcomes, metric, maximize, parameters, notes)


def _objective(runs: Sequence[TrackedRun], choices: Choices) -> tuple[str, bool, str]:
    """Return the metric that ranks the runs, whether large values of it are good, and a sentence about it."""
    names = [name for run in runs for name in run.metrics]
    metric = known_metric(choices.metric, names) if choices.metric else guessed_metric(names)
    maximize = guessed_direction(metric) if choices.maximize is None else choices.maximize
    sentence = f"Ranked by {metric}{'' if choices.metric else ', assumed'}: "
    sentence += f"{'larger' if maximize else 'smaller'} values are better"
    return metric, maximize, sentence + (", assumed from its name." if choices.maximize is None else ".")


def _seeds(runs: Sequence[TrackedRun], chosen: str | None) -> tuple[tuple[str, ...], str]:
    """Return the parameters that are seeds, and a sentence about them."""
    known = list(dict.fromkeys(name for run in runs for name in run.parameters))
    if chosen == NO_SEED:
        return (), "Runs have no seed: those with equal settings are repetitions."
    if chosen is not None:
        seeds = tuple(chosen.split(","))
        for name in seeds:
            if name not in known:
                raise ConfigurationError(
                    f"No run has a parameter {name!r}{nearest(name, known)} to be the seed; "
                    f"{NO_SEED!r} says that there is none."
                )
        return seeds, f"Seed: {' and '.join(seeds)}."
    seeds = guessed_seeds(known)
    if not seeds:
        return (), "No parameter is called like a seed: runs with equal settings are repetitions (assumed)."
    return seeds, f"Seed: {' and '.join(seeds)}, assumed from the name."


def _kept(runs: Sequence[TrackedRun], metric: str, seeds: set[str]) -> tuple[list[TrackedRun], Counter[str]]:
    """Return the runs that count, with the parameters of the runs that they are nested in, and why others do not."""
    by_key = {run.key: run for run in runs}
    parents = {run.parent for run in runs}
    measured = {key for run in runs if metric in run.metrics for key in _above(run, by_key)}
    kept, left_out = [], Counter[str]()
    for run in runs:
        if run.key in parents and (metric not in run.metrics or run.key in measured):
            left_out[f"parents without {metric}" if metric not in run.metrics else "parents of runs that count"] += 1
        elif run.status == Status.RUNNING:
            left_out["still running"] += 1
        elif run.status == Status.FINISHED and metric not in run.metrics:
            left_out[f"finished without {metric}"] += 1
        else:
            kept.append(_inheriting(run, by_key, seeds))
    return kept, left_out


def _values(runs: Sequence[TrackedRun], metric: str, seeds: Sequence[str]) -> tuple[dict[str, list[Any]], set[str]]:
    """Return the values of each parameter but the seeds, and the parameters that all runs with the metric have.

    A run that broke off before it had one of these has the value that all others have, if it is the same; else None.
    """
    values, always = {}, set()
    for name in dict.fromkeys(name for run in runs for name in run.parameters if name not in seeds):
        own = [number(run.parameters[name]) if name in run.parameters else None for run in runs]
        measured = {value for run, value in zip(runs, own, strict=True) if metric in run.metrics}
        if measured and None not in measured:
            always.add(name)
            usual = measured.pop() if len(measured) == 1 else None
            own = [usual if value is None else value for value in own]
        values[name] = own
    return values, always


def _above(run: TrackedRun, by_key: Mapping[str, TrackedRun]) -> Iterator[str]:
    """Yield the keys of the runs that a run is nested in, the nearest first."""
    passed, key = {run.key}, run.parent
    while key is not None and key in by_key and key not in passed:
        yield key
        passed.add(key)
        key = by_key[key].parent


def _inheriting(run: TrackedRun, by_key: Mapping[str, TrackedRun], seeds: set[str]) -> TrackedRun:
    """Return a run that has no parameters but a seed with those of the nearest run above it that has some."""
    if set(run.parameters) - seeds:
        return run
    above = (by_key[key].parameters for key in _above(run, by_key))
    found = next((parameters for parameters in above if set(parameters) - seeds), {})
    return replace(run, parameters={**found, **run.parameters})


def _telling(runs: Sequence[TrackedRun], seeds: Sequence[str]) -> tuple[str, ...]:
    """Return the seeds without those that tell no more runs apart than the ones before them."""
    telling: tuple[str, ...] = ()
    for name in seeds:
        more = (*telling, name)
        if not telling or len({_seed(run, more) for run in runs}) > len({_seed(run, telling) for run in runs}):
            telling = more
    return telling


def _seed(run: TrackedRun, seeds: Sequence[str]) -> int | str | None:
    """Return the seed of a run, of several seeds all in one text; None if it is unknown."""
    found = [run.parameters[name] for name in seeds if run.parameters.get(name, "") not in _UNSET]
    if not found:
        return None
    single = number(found[0])
    return single if len(seeds) == 1 and isinstance(single, int) else ", ".join(found)


def _chosen(values: Mapping[str, Sequence[Any]], settings: Sequence[str]) -> Roles:
    for name in settings:
        if name not in values:
            raise ConfigurationError(f"No run has a parameter {name!r}{nearest(name, values)} to be a setting.")
    constants = {name: own[0] for name, own in values.items() if name not in settings and len(set(own)) == 1}
    apart = {name: "others were chosen" for name in values if name not in settings and name not in constants}
    return Roles(tuple(settings), constants, apart)


def _outcome(place: int, run: TrackedRun, seed: int | str | None, settings: Mapping[str, Any], metric: str) -> Outcome:
    metrics = {name: value if _is_finite(value) else None for name, value in run.metrics.items()}
    own = {name: "not set" if value is None else value for name, value in settings.items()}
    reason, error = _REASONS[run.status], ""
    if run.status == Status.FAILED:
        error = "failed"
    elif metric not in run.metrics:
        reason, error = Reason.FAILED, f"killed without {metric}"
    elif metrics[metric] is None:
        reason, error = Reason.DIVERGED, f"{metric} not finite"
    return Outcome(place, run.key, own, seed, reason, metrics, error)


def _is_finite(value: float) -> bool:
    """Return whether a metric is a number; databases of MLflow keep infinity as the largest one."""
    return math.isfinite(value) and abs(value) < sys.float_info.max


def _newest(outcomes: Sequence[Outcome]) -> list[Outcome]:
    found: dict[Any, Outcome] = {}
    for outcome in outcomes:
        seed = ("unknown", outcome.number) if outcome.seed is None else ("seed", outcome.seed)
        found[seed, tuple(outcome.settings.items())] = outcome
    return sorted(found.values(), key=lambda outcome: outcome.number)


def _about(parameters: Roles, left_out: Counter[str], outcomes: Sequence[Outcome], metric: str) -> Iterator[str]:
    """Yield sentences about parameters that make no setting, and about runs that do not count as they are."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in parameters.apart.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield f"No setting, because {reason}: {', '.join(names)}."
    meaning = [name for name in parameters.settings if _decides_meaning(name, metric)]
    if meaning:
        varies = f"{listed(meaning)} {agreeing(len(meaning), 'varies', 'vary')}"
        yield (
            f"{metric} may measure different things, because {varies}: then settings that differ in that cannot be "
            "compared by it."
        )
    if len({outcome.title for outcome in outcomes}) == len(outcomes) > 1:
        yield (
            "No two runs have equal settings, so that chance cannot be told from effects. If one of "
            f"{', '.join(parameters.settings)} is no setting, name the others by --settings (settings=)."
        )
    if +left_out:
        yield f"Left out: {_counted(left_out)}."
    lost = Counter(outcome.error for outcome in outcomes if outcome.error)
    if lost:
        yield f"Counted as the worst: {_counted(lost)}."
    killed = sum(outcome.reason == Reason.PRUNED for outcome in outcomes)
    if killed:
        yield f"Killed, which the table of runs calls pruned, and counted with the last {metric} ({killed})."


def _decides_meaning(parameter: str, metric: str) -> bool:
    """Say whether a parameter of a run is called like a target, or for a loss like a loss."""
    root = parameter.partition(".")[0].lower()
    return root == "target" or (root == "loss" and metric.lower().endswith("loss"))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what} ({count})" for what, count in counts.items() if count)
