"""When runs stop, and with which parameters."""

from collections.abc import Mapping

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.layers import States, taken
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
        converged = values["train/loss"] <= self._tolerance
        plateau = epoch - self._best_epoch >= self._patience
        if finite.all() and not (converged | plateau).any():  # as at most points
            return [None] * len(finite)
        return [
            Reason.DIVERGED if not ok else Reason.CONVERGED if done else Reason.PLATEAU if stuck else None
            for ok, done, stuck in zip(finite, converged, plateau, strict=True)
        ]

    def state(self) -> dict[str, Array]:
        """Return what the decisions follow from, besides settings, as copies by name."""
        return {"best": self._best.copy(), "best_epoch": self._best_epoch.copy()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from what :meth:`state` returned."""
        self._best[:], self._best_epoch[:] = state["best"], state["best_epoch"]

    def take(self, runs: Array) -> "Stopping":
        """Return the state of the chosen runs."""
        chosen = object.__new__(Stopping)
        chosen.__dict__ = {name: array[runs] for name, array in self.__dict__.items()}
        return chosen


class Best:
    """Keeps the parameters of the best measured epoch, for runs that end with them: Keras' ``restore_best_weights``.

    What activations keep beside parameters is part of them.
    """

    def __init__(self, stack: Stack) -> None:
        self._wanted = stack.restore_best
        self._loss = np.full(len(stack.theta), np.inf)
        self._epoch = np.full(len(stack.theta), -1)
        everybody = np.arange(len(stack.theta))
        self._theta = stack.theta.copy() if stack.restore_best.any() else stack.theta
        self._states = taken(stack.states, everybody) if stack.restore_best.any() else stack.states

    def measured(self, epoch: int, watched: Array, theta: Array, states: States) -> None:
        """Keep the parameters of the runs whose loss is smaller than ever before.

        Args:
            epoch: how many epochs have been trained.
            watched: the loss, ``(runs,)``.
            theta: the parameters that it was measured at, ``(runs, parameters)``.
            states: the arrays of activations that it was measured with.
        """
        better = self._wanted & (watched < self._loss)
        if better.any():
            self._loss[better], self._epoch[better], self._theta[better] = watched[better], epoch, theta[better]
            for place, arrays in states.items():
                for name, array in arrays.items():
                    self._states[place][name][better] = array[better]

    def end(self, row: int, theta: Array, states: States) -> tuple[Array, States, int | None]:
        """Return the parameters and states that a run ends with, and the epoch of the best, if it wants them.

        Args:
            row: the run.
            theta: the last parameters of all runs.
            states: the last arrays of activations of all runs.
        """
        run = np.array([row])
        if self._epoch[row] < 0:  # not wanted, or no loss was a number
            return theta[row], taken(states, run), None
        return self._theta[row], taken(self._states, run), int(self._epoch[row])

    def state(self) -> tuple[dict[str, Array], States]:
        """Return the best losses and epochs, and if a run wants them parameters, as copies by name; and the states."""
        arrays = {"loss": self._loss.copy(), "epoch": self._epoch.copy()}
        if not self._wanted.any():
            return arrays, {}
        return arrays | {"theta": self._theta.copy()}, taken(self._states, np.arange(len(self._loss)))

    def restore(self, arrays: Mapping[str, Array], states: States) -> None:
        """Go on from what :meth:`state` returned."""
        self._loss[:], self._epoch[:] = arrays["loss"], arrays["epoch"]
        if "theta" in arrays:
            self._theta[:], self._states = arrays["theta"], taken(states, np.arange(len(self._loss)))

    def take(self, runs: Array) -> "Best":
        """Return the state of the chosen runs."""
        chosen = object.__new__(Best)
        arrays = {name: array for name, array in self.__dict__.items() if name != "_states"}
        chosen.__dict__ = {name: array[runs] for name, array in arrays.items()}
        chosen._states = taken(self._states, runs)
        return chosen
