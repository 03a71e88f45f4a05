"""Stopping trials early: Optuna's pruners, asked by the process that trains a stack."""

import importlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.trainer import Pruner
from chainrule.errors import ConfigurationError

PRUNERS = {
    "none": "NopPruner",
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "successive_halving": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
}
_LOOKS = 20  # epochs at which a trial may be stopped, at most


@dataclass(frozen=True)
class TrialPruner:
    """Decides which runs of a stack to stop early. It is pickled and asked in the process that trains the stack.

    Trials are compared by the median loss of their seeds, and all runs of a trial stop together. A trial is compared
    with those that had ended before this stack began and with those of the stack. So the decision does not depend on
    how fast other processes are; it depends on how many there are, because the stacks do. The loss decides, whatever
    metric is optimised, because no other metric is known while a run trains.

    Attributes:
        pruner: a name of ``PRUNERS``.
        past: trials that have ended, as Optuna keeps them.
        trials: number of the trial of each job.
        epochs: how many a run trains, at most.
    """

    pruner: str
    past: tuple[Any, ...]
    trials: Mapping[int, int]
    epochs: int

    def for_stack(self, numbers: Sequence[int]) -> Pruner:
        """Return the pruner of a stack of jobs, given by their numbers in the order of the stack."""
        optuna = imported()
        # Hyperband draws its brackets from this name: another name would change the results of searches.
        study = optuna.create_study(study_name="referee", pruner=optuna_pruner(self.pruner))
        study.add_trials(self.past)
        trial_of = [self.trials[number] for number in numbers]
        asked = {trial: study.ask() for trial in dict.fromkeys(trial_of)}
        due = _due(self.epochs)

        def decide(epoch: int, active: Array, losses: Array) -> Array:
            stopped = np.zeros(len(active), bool)
            if not due(epoch):
                return stopped
            owners = np.array([trial_of[run] for run in active])
            for number in np.unique(owners):
                mine, trial = owners == number, asked[int(number)]
                trial.report(float(np.median(losses[mine])), epoch)
                if trial.should_prune():
                    stopped[mine] = True
            return stopped

        return decide


def looks(curves: Sequence[Mapping[int, float]], epochs: int) -> Iterator[tuple[int, float]]:
    """Yield what the pruner of a trial saw: epoch and median loss.

    Args:
        curves: epoch to loss, of each of its seeds.
        epochs: how many a run trains, at most.
    """
    due = _due(epochs)
    for epoch in sorted({epoch for curve in curves for epoch in curve}):
        if due(epoch):
            yield epoch, statistics.median(curve[epoch] for curve in curves if epoch in curve)


def optuna_pruner(name: str) -> Any:
    """Return a pruner of Optuna with its usual settings."""
    options = {"percentile": {"percentile": 25.0}}.get(name, {})
    return getattr(imported().pruners, PRUNERS[name])(**options)


def imported() -> Any:
    """Return the package Optuna, made quiet.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        optuna = importlib.import_module("optuna")
    except ImportError:
        raise ConfigurationError(
            "hydra/sweeper=stacked_optuna needs Optuna, which is not installed: pip install 'chainrule[optuna]'."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _due(epochs: int) -> Any:
    """Return a function that says whether to look at an epoch; epochs must be asked in ascending order."""
    stride, following = max(1, epochs // _LOOKS), [max(1, epochs // _LOOKS)]

    def due(epoch: int) -> bool:
        if epoch < following[0]:
            return False
        following[0] = epoch + stride
        return True

    return due
