"""The task that Hydra runs for each job, with any launcher and in any process."""

import math
import sys
from collections.abc import Iterator
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
from chainrule.config.settings import settings_from_config, tracker_from_config
from chainrule.errors import ChainruleError, RecordError, sentence
from chainrule.files import paths
from chainrule.records.result import objective
from chainrule.records.run import Failure, Membership, require_free
from chainrule.records.settings import seed_in
from chainrule.records.sweep import read_sweep
from chainrule.registry.aside import Aside
from chainrule.registry.registry import installed
from chainrule.registry.watching import Session, Watchers
from chainrule.runs.contained import contained
from chainrule.runs.execute import Task, execute
from chainrule.runs.prepare import prepare

_overwriting: ContextVar[bool] = ContextVar("overwriting", default=False)
_OF_HYDRA = ("config.yaml", "hydra.yaml", "overrides.yaml")  # what it leaves in the directory of each job


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
    is_refused = True  # until its settings and its data are known to be right
    try:
        values = resolved(config)
        tracker, prepared = tracker_from_config(values, registry), prepare(settings_from_config(values, registry))
        session = Session(interactive=sys.stdout.isatty(), of_sweep=of_sweep)
        is_refused = False
        # The tracker comes first, because other watchers show the links that it adds.
        aside = Aside(tracker)
        watchers = Watchers([aside, *registry.watchers(session)])
        ((result, record),) = execute(
            [Task(prepared, directory, tracker, context.overrides.task)], watchers, registry, overwrite=overwrite
        )
    except (Exception, SystemExit) as error:
        if of_sweep:
            failure = Failure.of(directory, error, seed_in(values))
            failure.write()
            if isinstance(error, SystemExit):  # of a plugin, which must not end the sweep
                raise ChainruleError(failure.sentence) from error
        elif isinstance(error, ChainruleError):
            if is_refused:
                _clear(directory)
            sys.exit(f"chainrule: {error}")
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


def _clear(directory: Path) -> None:
    """Remove the directory of a run that was refused, unless there is more in it than Hydra leaves.

    So are those above it that are then empty, as far as they lie in the folder where the command was started.
    """
    files = [path for path in directory.rglob("*") if not path.is_dir()]
    if any(path.stat().st_size if path.suffix == ".log" else path.name not in _OF_HYDRA for path in files):
        return
    above = [folder for folder in directory.parents if paths.started() in folder.parents]
    with suppress(OSError):  # something else is in there
        for path in files:
            path.unlink()
        for folder in [*{path.parent: None for path in files if path.parent != directory}, directory, *above]:
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
