"""The loss of one training step, for optimizers that ask for more than its gradient."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.random import Random
from chainrule.engine.backprop import Backprop, Batch, mean_loss
from chainrule.engine.layers import States


class Problem:
    """The mean loss of a step's batch, wherever its parameters are moved to.

    An optimizer that names ``problem`` in ``update`` may change ``theta``, evaluate, and change it again. Each
    evaluation counts in the metrics of a run, so that methods can be compared at equal cost.

    Args:
        backprop: gradients of the batch; it holds ``theta``.
        batch: the samples of the step.
        evaluations: how often each run has evaluated more than one gradient a step, and losses: ``(2, runs)``.
        rng: what layers draw from at each evaluation; None if they are the same in training as measured.
        states: what layers keep, which an evaluation may change.
    """

    def __init__(
        self,
        backprop: Backprop,
        batch: Batch,
        evaluations: Array,
        rng: Random | None = None,
        states: States | None = None,
    ) -> None:
        self._backprop, self._batch, self._evaluations, self._rng = backprop, batch, evaluations, rng
        self._kept = [array for arrays in (states or {}).values() for array in arrays.values()]

    def gradient(self, runs: Array | None = None) -> Array:
        """Evaluate the gradient at ``theta`` as it is now, into the buffer of ``grad``, and return it.

        Args:
            runs: which runs need it, bool ``(runs, 1)``; None for all. It is evaluated for all and counted for these.
                If layers are random in training, only these draw; the others keep the gradient that they have.

        Returns:
            An array ``(runs, parameters)``.
        """
        self._count(0, runs)
        if self._rng is None or runs is None:
            return self._backprop(self._batch)
        before = self._backprop.grad.copy()
        with self._only(runs, self._rng):
            grad = self._backprop(self._batch)
        np.copyto(grad, before, where=~runs)
        return grad

    def loss(self, runs: Array | None = None) -> Array:
        """Evaluate the mean loss at ``theta`` as it is now; return it, ``(runs, 1)``.

        Args:
            runs: which runs need it, bool ``(runs, 1)``; None for all. It is evaluated for all and counted for these.
                If layers are random in training, only these draw; the loss of the others is NaN.
        """
        self._count(1, runs)
        if self._rng is None or runs is None:
            return self._loss()
        with self._only(runs, self._rng):
            values = self._loss()
        values[~runs] = np.nan
        return values

    @contextmanager
    def _only(self, runs: Array, rng: Random) -> Iterator[None]:
        """Let only these runs draw and change what layers keep."""
        before = [array.copy() for array in self._kept]
        with rng.of(runs[:, 0]):
            yield
        for array, earlier in zip(self._kept, before, strict=True):
            np.copyto(array, earlier, where=~runs[:, :, None])

    def _loss(self) -> Array:
        forward = self._backprop.forward
        forward.forward(self._batch.first)
        return mean_loss(forward, self._backprop.loss, self._batch.truth)[:, None]

    def _count(self, row: int, runs: Array | None) -> None:
        self._evaluations[row] += 1 if runs is None else runs[:, 0]
