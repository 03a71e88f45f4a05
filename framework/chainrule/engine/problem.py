"""The loss of one training step and its predictions, for optimizers that ask for more than a gradient."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.random import Random
from chainrule.engine.backprop import Backprop, Batch, mean_loss


class Problem:
    """The mean loss of a step's batch, wherever its parameters are moved to.

    An optimizer that names ``problem`` in ``update`` may change ``theta``, evaluate, and change it again. Each
    evaluation counts in the metrics of a run, so that methods can be compared at equal cost.

    Args:
        backprop: gradients of the batch; it holds ``theta``.
        batch: the samples of the step.
        evaluations: how often each run has evaluated more than one gradient a step, and losses: ``(2, runs)``.
    """

    def __init__(self, backprop: Backprop, batch: Batch, evaluations: Array) -> None:
        self._backprop, self._batch, self._evaluations = backprop, batch, evaluations
        self._rng: Random | None = backprop.rng  # of gradients
        self._kept: Sequence[dict[str, Array]] = list(backprop.forward.states.values())  # what they change

    def gradient(self, runs: Array | None = None) -> Array:
        """Evaluate the gradient at ``theta`` as it is now, into the buffer of ``grad``, and return it.

        Args:
            runs: which runs need it, bool ``(runs, 1)``; None for all. It is evaluated for all and counted for these.
                If it is random, the others draw nothing, and their gradients stay what they were.

        Returns:
            An array ``(runs, parameters)``.
        """
        self._count(0, runs)
        if self._rng is None or runs is None:
            return self._gradient()
        before = self._backprop.grad.copy()
        with self._only(runs, self._rng):
            grad = self._gradient()
        np.copyto(grad, before, where=~runs)
        return grad

    def loss(self, runs: Array | None = None) -> Array:
        """Evaluate the mean loss at ``theta`` as it is now; return it, ``(runs, 1)``.

        Args:
            runs: which runs need it, bool ``(runs, 1)``; None for all. It is evaluated for all and counted for these.
                If layers are not the same in training as measured, the loss of the others is NaN.
        """
        self._count(1, runs)
        rng = self._backprop.forward.rng
        if rng is None or runs is None:
            return self._loss()
        with self._only(runs, rng):
            values = self._loss()
        values[~runs] = np.nan
        return values

    @contextmanager
    def _only(self, runs: Array, rng: Random) -> Iterator[None]:
        """Let only these runs draw, and change what is kept from evaluation to evaluation."""
        before = [{name: array.copy() for name, array in arrays.items()} for arrays in self._kept]
        with rng.only(runs):
            yield
        others = ~runs[:, 0]
        for arrays, earlier in zip(self._kept, before, strict=True):
            for name, array in earlier.items():
                arrays[name][others] = array[others]

    def _gradient(self) -> Array:
        return self._backprop(self._batch)

    def _loss(self) -> Array:
        forward = self._backprop.forward
        forward.forward(self._batch.first)
        return mean_loss(forward, self._backprop.loss, self._batch.truth)[:, None]

    def jacobians(self) -> Iterator[Array]:
        """Evaluate the derivatives of the predictions at ``theta`` as it is now, output by output.

        Each output counts as one gradient, since it takes a backward pass. ``theta`` must stay until the last one. The
        buffer of ``grad`` is left alone.

        Yields:
            For each output an array ``(runs, samples, parameters)``: a row for each sample of the batch, multiplied by
            the root of its weight where samples have weights.

        Raises:
            ConfigurationError: the backward rule gives other gradients than the derivatives.
        """
        forward = self._backprop.forward
        forward.forward(self._batch.first)
        for output in range(forward.shape.widths[-1]):
            self._count(0, None)
            yield self._backprop.jacobian(self._batch, output)

    def _count(self, row: int, runs: Array | None) -> None:
        self._evaluations[row] += 1 if runs is None else runs[:, 0]
