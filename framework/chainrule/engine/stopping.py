"""When runs stop."""

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.reason import Reason
from chainrule.engine.stack import Stack


class Stopping:
    """Decides from the measured values which runs stop."""

    def __init__(self, stack: Stack) -> None:
        self._tolerance, self._patience = stack.tolerance, stack.patience
        self._best = np.full(len(stack.theta), np.inf)
        self._best_epoch = np.zeros(len(stack.theta))

    def reasons(self, epoch: int, values: dict[str, Array], watched: Array) -> list[Reason | None]:
        """Return the reason for each run that stops now, and None for the others.

        Args:
            epoch: how many epochs have been trained.
            values: losses and gradient norms, each ``(runs,)``.
            watched: the loss that must improve, ``(runs,)``.
        """
        better = watched < self._best
        self._best[better] = watched[better]
        self._best_epoch[better] = epoch
        finite = np.logical_and.reduce([np.isfinite(column) for column in values.values()])
        plateau = epoch - self._best_epoch >= self._patience
        return [
            Reason.DIVERGED if not ok else Reason.CONVERGED if done else Reason.PLATEAU if stuck else None
            for ok, done, stuck in zip(finite, values["train/loss"] <= self._tolerance, plateau, strict=True)
        ]

    def take(self, runs: Array) -> "Stopping":
        """Return the state of the chosen runs."""
        chosen = object.__new__(Stopping)
        chosen.__dict__ = {name: array[runs] for name, array in self.__dict__.items()}
        return chosen
