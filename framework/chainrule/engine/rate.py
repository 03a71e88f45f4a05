"""Learning rates that a schedule changes from epoch to epoch."""

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.stacking import take
from chainrule.engine.layers import filling
from chainrule.engine.network import require_run_axis
from chainrule.engine.stack import Stack


class Rate:
    """The learning rates of a stack, or another field of its optimizer, changed from epoch to epoch by a schedule.

    Attributes:
        optimizer: a copy of the stack's optimizer; its learning rates are changed in place.
        field: which of its fields is changed.
        curve: name of their curve: ``learning_rate``, or that of the other field.
    """

    def __init__(self, stack: Stack, state: dict[str, Array] | None = None) -> None:
        self.field = field = stack.schedule.of or str(stack.optimizer.rate)
        self.curve = "learning_rate" if field == stack.optimizer.rate else field
        self._stack, self._lr = stack, getattr(stack.optimizer, field)
        self.optimizer = take(stack.optimizer, np.arange(len(self._lr)))
        self._used = getattr(self.optimizer, field)
        self._state = stack.schedule.init(self._lr) if state is None else state
        require_run_axis(f"schedule={stack.schedule.name}", self._state, len(self._lr))
        self._fill = filling(stack.schedule.rate)

    def set(self, epoch: int) -> Array:
        """Set the rates of the epoch that follows ``epoch`` trained ones, and return them, ``(runs,)``."""
        self._fill(self._lr, epoch, max(self._stack.epochs, 1), self._state, out=self._used)
        rates: Array = self._used[:, 0]
        return rates

    def measured(self, loss: Array, epoch: int) -> None:
        """Pass the measured losses, ``(runs,)``, to the schedule."""
        self._stack.schedule.measured(loss[:, None], epoch, self._state)

    def states(self, runs: Array) -> dict[str, Array]:
        """Return the states of the schedules of the chosen runs."""
        return {name: array[runs] for name, array in self._state.items()}
