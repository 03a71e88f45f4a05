"""Many runs, as the command trains them: sweeps, searches, comparisons, and how they are finished."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Never

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.config.given import given_again, with_data
from chainrule.errors import ConfigurationError, nearest
from chainrule.files import paths
from chainrule.files.in_memory import giving
from chainrule.files.words import texts
from chainrule.notebook import surroundings
from chainrule.notebook.components import registry
from chainrule.notebook.runs import Run
from chainrule.notebook.swept import SweepResult
from chainrule.records.sweep import SWEEP, Sweep, read_sweep
from chainrule.registry.watching import Watcher


def sweep(
    *overrides: str,
    data: Any = None,
    directory: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    zip: Iterable[Sequence[str]] | None = None,  # noqa: A002 - its name in the configuration
    random: int | None = None,
    random_seed: int | None = None,
    **unknown: Never,
) -> SweepResult:
    """Train every combination of values, as ``chainrule -m`` does: with records, a report and the tracker.

    Args:
        overrides: as on the command line, e.g. ``"optimizer=adam,lion"`` and ``"seed=range(20)"``.
        data: what is learned, as of :func:`run`.
        directory: where its record is written; by default below ``multirun``.
        overwrite: whether a sweep that lies there is replaced.
        quiet: whether no progress and no summary are shown.
        zip: groups of keys whose values go together.
        random: how many points are drawn at random, instead of all combinations.
        random_seed: decides which.
        unknown: other options of ``hydra.sweeper`` are overrides.

    Returns:
        What became of the runs.

    Raises:
        ConfigurationError: an override or an option is wrong, or the directory holds a sweep already.
        ChainruleError: a run failed; the others are recorded, and :func:`load` gives them.
    """
    groups = None if zip is None else list(zip)
    if groups and any(isinstance(group, str) for group in groups):
        raise ConfigurationError(f"zip is a list of lists of keys, such as [['seed', 'data.noise']], not {zip!r}.")
    options: dict[str, Any] = {"zip": groups, "random": random, "random_seed": random_seed}
    _refuse(unknown, "sweep", options)
    return _swept(overrides, [], options, data, directory, overwrite, quiet)


def search(
    *overrides: str,
    data: Any = None,
    directory: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    budget: int | None = None,
    batch: int | None = None,
    sampler: str | None = None,
    sampler_seed: int | None = None,
    pruner: str | None = None,
    metrics: str | Sequence[str] | None = None,
    directions: str | Sequence[str] | None = None,
    study: str | None = None,
    storage: str | None = None,
    **unknown: Never,
) -> SweepResult:
    """Search good settings by Optuna, as ``chainrule -m hydra/sweeper=stacked_optuna`` does.

    Args:
        overrides: as on the command line; a space is ``"optimizer.lr=interval(0.01,1)"`` or
            ``"optimizer.lr=tag(log,interval(1e-4,1))"``, and ``"seed=range(3)"`` tries each point with three seeds.
        data: what is learned, as of :func:`run`.
        directory: where its record is written; by default below ``multirun``.
        overwrite: whether a sweep that lies there is replaced.
        quiet: whether no progress and no summary are shown.
        budget: how many points of the space are tried, ``hydra.sweeper.trials``; by default 50.
        batch: how many of them are trained at once.
        sampler: suggests the points: ``tpe``, ``random``, ``gp``, ``cmaes``, ``nsgaii`` or ``qmc``.
        sampler_seed: decides its suggestions.
        pruner: stops runs early: ``median``, ``percentile``, ``successive_halving`` or ``hyperband``.
        metrics: what is optimised; by default the final loss.
        directions: ``minimize`` or ``maximize``, for each of them.
        study: name of the study in the storage.
        storage: where the study lies, a URL or a file; by default in the directory of the sweep.
        unknown: what has another name is refused.

    Returns:
        What became of the runs.

    Raises:
        ChainruleError: as :func:`sweep`; or Optuna is not installed.
    """
    options: dict[str, Any] = {
        "budget": budget,
        "batch": batch,
        "sampler": sampler,
        "sampler_seed": sampler_seed,
        "pruner": pruner,
        "metrics": _listed(metrics),
        "directions": _listed(directions),
        "study": study,
        "storage": storage,
    }
    if "trials" in unknown:
        raise ConfigurationError("search has no option trials: in Python it is budget, as it is of compare.")
    _refuse(unknown, "search", options)
    options["trials"] = options.pop("budget")
    return _swept(overrides, ["hydra/sweeper=stacked_optuna"], options, data, directory, overwrite, quiet)


def compare(
    *overrides: str,
    data: Any = None,
    directory: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    targets: str | Sequence[str] | None = None,
    budget: int | None = None,
    tuning_seeds: int | None = None,
    tunings: int | None = None,
    seeds: int | None = None,
    metric: str | None = None,
    max_runs: int | None = None,
    max_minutes: float | None = None,
    random_seed: int | None = None,
    contenders: str | Sequence[str] | None = None,
    ablate: str | Sequence[str] | None = None,
    space: Mapping[str, str] | None = None,
    until_decided: bool | None = None,
    **unknown: Never,
) -> SweepResult:
    """Compare the choices of one group, as ``chainrule compare`` does: is one better than another?

    Args:
        overrides: the contenders, e.g. ``"optimizer=adam,lion"``, and values for all of them.
        data: what is learned, as of :func:`run`.
        directory: where its record is written; by default below ``multirun``.
        overwrite: whether a sweep that lies there is replaced.
        quiet: whether no progress and no summary are shown.
        targets: functions and data sets to compare on: ``"sine,wine"`` or ``["sine", "wine"]``.
        budget: how many points of the space one tuning tries.
        tuning_seeds: with how many seeds each point is tried.
        tunings: how many independent tunings each contender has on each target.
        seeds: with how many fresh seeds the best point of each tuning is run.
        metric: what is compared: ``loss``, ``accuracy``, ``r2`` or ``score``.
        max_runs: where a comparison with ``until_decided`` ends undecided.
        max_minutes: likewise.
        random_seed: decides points and seeds.
        contenders: settings with a name, such as ``"slow: optimizer=adam optimizer.lr=1e-4"``.
        ablate: additions, each of which is compared alone and left out.
        space: further keys that are tuned, such as ``{"optimizer.beta1": "interval(0.5,0.99)"}``.
        until_decided: whether rounds follow until each pair is decided.
        unknown: what has another name is refused.

    Returns:
        What became of the runs; the answer is its ``comparison``.

    Raises:
        ChainruleError: as :func:`sweep`.
    """
    from chainrule.sweep.jobs.options import comparison_overrides  # here, because Hydra is slow to import

    limits = {"max_runs": max_runs, "max_minutes": max_minutes}
    options: dict[str, Any] = {
        "budget": budget,
        "tuning_seeds": tuning_seeds,
        "tunings": tunings,
        "seeds": seeds,
        "metric": metric,
        **limits,
        "random_seed": random_seed,
        "contenders": _listed(contenders),
        "ablate": _listed(ablate),
        "space": space,
        "until_decided": until_decided,
    }
    _refuse(unknown, "compare", ("targets", *options))
    if space is not None and not isinstance(space, Mapping):
        raise ConfigurationError(
            f"space maps keys to values, such as {{'optimizer.lr': '0.1,1'}}, and is not {space!r}."
        )
    for name, limit in limits.items():
        if limit is not None and not until_decided:
            raise ConfigurationError(f"{name} needs until_decided=True, which it limits.")
    told = comparison_overrides(overrides, targets, options)
    return _swept(told, ["hydra/sweeper=compare"], {}, data, directory, overwrite, quiet)


def resume(
    directory: str | Path,
    *overrides: str,
    data: Any = None,
    accept: str | Sequence[str] | None = None,
    allow: str | Sequence[str] = (),
    quiet: bool = False,
) -> SweepResult | Run:
    """Finish a run, a sweep or a comparison that broke off, as ``chainrule resume`` does.

    Args:
        directory: of its record. What was declared by ``@chainrule.plugin`` must be declared again, and unchanged.
        overrides: of a run, ``"training.epochs=N"`` to train it for longer than was meant at first.
        data: those that it was given, if it was; other data are refused.
        accept: of a sweep, ``"plugin"`` to go on although a plugin has changed, as after an error in it was mended;
            ``"processor"`` to go on with another processor, whose numbers may differ in their last bits; or both in a
            list. What has a complete record stays, and the records say which run had which.
        allow: words of the recorded command that could run a program or reach a server, such as a ``tracking.uri``.
        quiet: whether no progress and no summary are shown.

    Returns:
        What became of the runs of a sweep; or the run.

    Raises:
        ChainruleError: the directory holds neither, its runs would not be comparable, or runs failed.
        OSError: the folder in which it was started is no longer there.
    """
    from chainrule.sweep.resume import ACCEPTED, require_own, require_plugins, resuming

    accepted, allow = texts(accept or ()), texts(allow)
    if not ACCEPTED.keys() >= {*accepted}:
        raise ConfigurationError(f"accept={accept!r} is unknown: it is None, or of {', '.join(ACCEPTED)}.")
    place = paths.named(directory).absolute()
    if not (place / SWEEP).exists():
        return _resume_run(place, overrides, data, accepted, allow, quiet)
    recorded = read_sweep(place)
    if overrides:
        raise ConfigurationError(f"{place} holds a sweep, whose runs stay what they are: leave out {overrides[0]}.")
    require_own(recorded, allow)
    registry()
    require_plugins(recorded)
    again = giving(given_again(recorded.directory, recorded.manifest.arguments, data))
    with again, chdir(recorded.manifest.working_directory), resuming(recorded, accepted):
        return _run_command(recorded.manifest.arguments, recorded.directory, quiet)


def _resume_run(
    directory: Path, overrides: Sequence[str], data: Any, accept: Sequence[str], allow: Sequence[str], quiet: bool
) -> Run:
    from chainrule.sweep.resume_run import BrokenRun

    run = BrokenRun(directory)
    if accept:
        raise ConfigurationError("accept is for sweeps: a run whose plugin has changed is trained anew.")
    run.require_own(allow)
    plugins = registry()
    folder = chdir(run.working_directory) if run.working_directory else nullcontext()
    with giving(given_again(directory, run.overrides, data)), folder:
        result, record = run.finish(overrides, plugins, plugins.watchers(surroundings.of_runs(quiet, run.pictures)))
    return Run.of(result, record)


def _listed(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Return an option that is a list of texts; None stays what it is."""
    return None if value is None else texts(value)


class _Keeper(Watcher):
    """Keeps what a sweep came to, with the links that other watchers have added."""

    kept: tuple[Sweep, SweepOutcomes] | None = None

    def sweep_finished(self, sweep: Sweep, outcomes: SweepOutcomes) -> None:
        self.kept = sweep, outcomes


def _swept(
    overrides: Sequence[str],
    sweeper: Sequence[str],
    options: Mapping[str, Any],
    data: Any,
    directory: str | Path | None,
    overwrite: bool,
    quiet: bool,
) -> SweepResult:
    """Run a sweep, and return what became of it."""
    from chainrule.config import compose
    from chainrule.config.application import OVERWRITE
    from chainrule.sweep.jobs.options import sweeper_overrides

    place = paths.named(directory or f"multirun/{datetime.now():%Y-%m-%d/%H-%M-%S-%f}").absolute()
    registry()
    own = [*sweeper_overrides(options), f"hydra.sweep.dir={compose.quoted(str(place))}"]
    told, frame = with_data(overrides, data)
    with giving(frame):
        words = ["-m", *sweeper, *told, *own, *([OVERWRITE] if overwrite else [])]
        return _run_command(words, place, quiet)


def _run_command(arguments: Sequence[str], directory: Path, quiet: bool) -> SweepResult:
    from chainrule.config import application, compose
    from chainrule.sweep.resume import watched

    keeper = _Keeper()
    try:
        with surroundings.kept(), watched(surroundings.of_sweeps(quiet), keeper):
            application.run(arguments)
    except Exception as error:
        if not compose.is_composition_error(error):
            raise
        raise compose.explained(error) from None
    return SweepResult(*keeper.kept) if keeper.kept else SweepResult.read(directory)


def _refuse(unknown: Mapping[str, Any], function: str, options: Iterable[str]) -> None:
    """Refuse keywords that a function does not have."""
    known = (*options, "directory", "overwrite", "quiet")
    for name in unknown:
        raise ConfigurationError(f"{function} has no option {name}{nearest(name, known)}: {', '.join(known)}.")
