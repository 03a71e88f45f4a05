"""What Hydra runs: one job, by whatever launcher, in whatever process."""

import sys
from pathlib import Path

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from chainrule import compose, paths
from chainrule.errors import ChainruleError
from chainrule.plugins import installed
from chainrule.records import Failure, sentence
from chainrule.results import objective
from chainrule.runs import Crowd, Task, execute, prepare
from chainrule.watchers import Session


def train(config: DictConfig) -> float:
    """Train one run; the number returned is what a sweeper minimises."""
    context = HydraConfig.get()
    with paths.started_in(Path(context.runtime.cwd)):  # a job may have a working directory of its own
        return _train(config, context)


def _train(config: DictConfig, context: HydraConf) -> float:
    directory, of_sweep = Path(context.runtime.output_dir), context.mode == RunMode.MULTIRUN
    registry = installed()
    try:
        prepared = prepare(compose.settings_of(config))
        session = Session(interactive=sys.stdout.isatty(), of_sweep=of_sweep)
        # The tracker comes before those who show the links that it leaves.
        crowd = Crowd([prepared.settings.tracking, *registry.watchers(session)])
        ((result, record),) = execute([Task(prepared, directory, context.overrides.task)], crowd, registry)
    except (Exception, SystemExit) as error:
        if of_sweep:
            failure = Failure.of(directory, error)
            failure.write()
            if isinstance(error, SystemExit):  # of a plugin, which has no right to end the sweep
                raise ChainruleError(failure.sentence) from error
        elif isinstance(error, ChainruleError):
            sys.exit(f"chainrule: {error}")
        elif isinstance(error, SystemExit):
            sys.exit(f"chainrule: a plugin ended the run: {sentence(error)}.")
        raise
    crowd.tell("runs_recorded", [record])
    if not of_sweep:
        crowd.tell("finished", record)
    value = objective(result.metrics)[1]
    return float("nan") if value is None else value
