"""The task that Hydra runs for each job, with any launcher and in any process."""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode, TaskFunction
from omegaconf import DictConfig

from chainrule.config.compose import resolved
from chainrule.config.fitting import fitted
from chainrule.config.settings import pictures_from_config, settings_from_config, tracker_from_config
from chainrule.config.templates import plain
from chainrule.errors import ChainruleError, ConfigurationError, RecordError, ending, in_a_line, sentence
from chainrule.files import paths
from chainrule.files.atomic import write_whole
from chainrule.files.yaml_text import dump
from chainrule.records.manifest import FAILURE
from chainrule.records.result import objective
from chainrule.records.run import Failure, Membership, require_free
from chainrule.records.settings import Settings, seed_in
from chainrule.records.sweep import read_sweep
from chainrule.registry.aside import Aside
from chainrule.registry.blame import blamed
from chainrule.registry.loaded import installed
from chainrule.registry.watching import Session, Watchers
from chainrule.runs.contained import contained
from chainrule.runs.execute import Task, execute
from chainrule.runs.prepare import prepare

_overwriting: ContextVar[bool] = ContextVar("overwriting", default=False)
# What Hydra leaves in the directory of each job, and of a sweep.
_OF_HYDRA = ("config.yaml", "hydra.yaml", "overrides.yaml", "multirun.yaml")


def is_overwriting() -> bool:
    """Say whether a record that lies in the directory of a run is to be replaced."""
    return _overwriting.get()


@contextmanager
def overwriting(is_wanted: bool) -> Iterator[None]:
    """Let the runs of this block replace records, or not."""
    token = _overwriting.set(is_wanted)
    try:
        yield
    finally:
        _overwriting.reset(token)


def train(config: DictConfig) -> float:
    """Train one run and return its final loss, which a sweeper minimises; NaN if it is not finite."""
    context = HydraConfig.get()
    with paths.started_in(Path(context.runtime.cwd)), contained():  # a job may have a working directory of its own
        return _train(config, context)


def _train(config: DictConfig, context: HydraConf) -> float:
    directory, of_sweep = Path(context.runtime.output_dir), context.mode == RunMode.MULTIRUN
    member = _member(directory, context) if of_sweep else None
    overwrite = is_overwriting() or member is not None  # the ledger of its sweep has seen that the place is free
    if not overwrite:
        require_free(directory)
    registry = installed()
    values: dict[str, Any] = {}
    settings: Settings | None = None
    is_refused = True  # until its settings, data and pictures are known to be right
    try:
        values = resolved(config)
        found = fitted(values, registry)
        _name_in_file(config, found, directory, context)
        tracker, settings = tracker_from_config(values, registry), settings_from_config(values, registry)
        prepared = prepare(settings)
        pictures = pictures_from_config(values)
        session = Session(interactive=sys.stdout.isatty(), of_sweep=of_sweep, pictures=pictures)
        # The tracker comes first, because other watchers show the links that it adds.
        aside = Aside(tracker)
        watchers = Watchers([aside, *registry.watchers(session)])
        is_refused = False
        run = Task(prepared, directory, tracker, context.overrides.task, pictures)
        ((result, record),) = execute([run], watchers, registry, overwrite=overwrite)
    except (Exception, SystemExit) as error:
        if of_sweep and is_refused and _is_first_of_hydra(context):
            clear(Path(context.runtime.cwd, context.sweep.dir).absolute())
        elif of_sweep:
            failure = Failure.of(directory, error, seed_in(values), blamed(error, registry, settings))
            failure.write()
            if isinstance(error, SystemExit):  # of a plugin, which must not end the sweep
                raise ChainruleError(failure.sentence) from error
        elif said := blamed(error, registry, settings):
            Failure.of(directory, error, seed_in(values), said).write()
            more = "" if isinstance(error, ChainruleError) else f"; the traceback is in {directory / FAILURE}"
            sys.exit(f"chainrule: {in_a_line(said)}{more}.")
        elif isinstance(error, ChainruleError | MemoryError | OSError):
            if is_refused:
                clear(directory)
            sys.exit(f"chainrule: {in_a_line(ending(error))}")
        elif isinstance(error, SystemExit):
            sys.exit(f"chainrule: a plugin ended the run: {sentence(error)}.")
        raise
    watchers.tell("runs_recorded", [replace(record, member=member) if of_sweep else record])
    if of_sweep:
        aside.settle()  # this process may be another than that of the sweep, and end with this job
    else:
        watchers.tell("finished", record)
    value = objective(result.metrics)[1]
    return value if value is not None and math.isfinite(value) else math.nan


def require_place(directory: Path, context: HydraConf) -> None:
    """Check that a run may leave its record in its directory: it is free, or what is there may be replaced.

    Raises:
        ConfigurationError: it holds what is to stay.
    """
    if is_overwriting():
        return
    try:
        require_free(directory)
    except ConfigurationError:  # of a job of a sweep that is resumed, what is not complete is trained again
        if context.mode != RunMode.MULTIRUN or _member(directory, context) is None:
            raise


def _is_first_of_hydra(context: HydraConf) -> bool:
    """Say whether nothing was trained before in a sweep that Hydra's own sweeper and launcher run, job after job."""
    chosen = getattr(context.runtime, "choices", {})
    own = chosen.get("hydra/launcher") == chosen.get("hydra/sweeper") == "basic"
    return own and context.job.num == 0


def _name_in_file(
    config: DictConfig, found: Mapping[str, Mapping[str, Any]], directory: Path, context: HydraConf
) -> None:
    """Put what stands for ``auto`` into the file of the configuration that Hydra has written already."""
    if not found:
        return
    file = directory / str(context.output_subdir) / _OF_HYDRA[0]
    if file.is_file():
        write_whole(file, dump({**plain(config), **found}).encode(), synced=False)


def clear(directory: Path) -> None:
    """Remove the directory of a run or a sweep that was refused, unless there is more in it than Hydra leaves.

    So are those above it that are then empty, as far as they lie in the folder where the command was started.
    """
    files = [path for path in directory.rglob("*") if not path.is_dir()]
    if any(path.stat().st_size if path.suffix == ".log" else path.name not in _OF_HYDRA for path in files):
        return
    above = [folder for folder in directory.parents if paths.started() in folder.parents]
    within = sorted((path for path in directory.rglob("*") if path.is_dir()), reverse=True)  # the innermost first
    with suppress(OSError):  # something else is in there
        for path in files:
            path.unlink()
        for folder in [*within, directory, *above]:
            if folder != paths.started():
                folder.rmdir()


def _member(directory: Path, context: HydraConf) -> Membership | None:
    """Return the place of a job in the sweep that Hydra names; None if the sweep has no record."""
    try:
        return read_sweep(Path(context.runtime.cwd, context.sweep.dir)).members().get(directory.absolute())
    except RecordError:
        return None


def is_own(function: TaskFunction) -> bool:
    """Say whether a task is chainrule's, rather than that of another application of Hydra."""
    return function is train
