"""The samples of an epoch, in batches."""

import numpy as np

from chainrule.engine.backprop import separate
from chainrule.engine.stack import Stack


class Epoch:
    """The training samples of an epoch, shuffled for each run and cut into batches; each epoch refills the buffers.

    Attributes:
        parts: a list of the full batches, and a list of the partial batch if there is one. A batch is a pair: ``x``
            under a row of ones and ``y``, each ``(runs, units, samples)``.
    """

    def __init__(self, stack: Stack, batch_size: int) -> None:
        self._shuffles = stack.shuffles
        x, y = separate(stack.train, stack.shape.widths[0])
        # Shuffling moves whole samples, so each one is contiguous; BLAS reads the transposed views without a copy.
        self._x, self._y = (np.ascontiguousarray(part.mT) for part in (x, y))
        runs, samples, _ = self._x.shape
        self._orders = np.empty((runs, samples), np.intp)
        self._first = np.arange(runs)[:, None] * samples  # index of each run's first sample among all runs' samples
        count, rest = divmod(samples, batch_size)
        self._buffers = [
            tuple(np.empty((number, runs, size, part.shape[2]), part.dtype) for part in (self._x, self._y))
            for number, size in ((count, batch_size), (1, rest))
            if size
        ]
        self.parts = [list(zip(x.mT, y.mT, strict=True)) for x, y in self._buffers]

    def shuffle(self) -> None:
        """Put the samples of every run into a new random order, drawn from its own generator."""
        runs, samples = self._orders.shape
        for order, rng in zip(self._orders, self._shuffles, strict=True):
            order[:] = rng.permutation(samples)
        self._orders += self._first
        start = 0
        for buffers in self._buffers:
            count, _, size, _ = buffers[0].shape
            end = start + count * size
            chosen = self._orders[:, start:end].reshape(runs, count, size).swapaxes(0, 1)
            for part, buffer in zip((self._x, self._y), buffers, strict=True):
                # "clip" fills the buffer without a copy in between; no index is out of range.
                part.reshape(runs * samples, -1).take(chosen, axis=0, out=buffer, mode="clip")
            start = end
