"""The samples of an epoch, in batches."""

from typing import Any

import numpy as np

from chainrule.components.arguments import given
from chainrule.components.contracts import Array
from chainrule.engine.backprop import separate
from chainrule.engine.stack import Stack
from chainrule.errors import ConfigurationError, PluginError


class Epoch:
    """The samples of an epoch, chosen for each run by its sampling and cut into batches; each one refills the buffers.

    Attributes:
        parts: a list of the full batches, and a list of the partial batch if there is one. A batch is a pair: ``x``
            under a row of ones and ``y``, each ``(runs, units, samples)``.
        buffers: of each part, ``x`` and ``y`` of all batches: ``(batches, runs, samples, units)``.
    """

    def __init__(self, stack: Stack, batch_size: int) -> None:
        x, y = separate(stack.train, stack.shape.widths[0])
        # Sampling moves whole samples, so each one is contiguous; BLAS reads the transposed views without a copy.
        self._x, self._y = (np.ascontiguousarray(part.mT) for part in (x, y))
        runs, samples, _ = self._x.shape
        self._samplings, self._epochs = stack.samplings, max(stack.epochs, 1)
        outputs = stack.shape.widths[-1] // stack.loss.outputs_per_target
        self._have_weights = self._y.shape[2] > outputs  # which lie beside the outputs, and go with the samples
        asks = [
            given(sampling, "epoch", target=fresh.target, fresh=fresh)
            for sampling, fresh in zip(stack.samplings, stack.fresh, strict=True)
        ]
        shown = [(_read_only(x[:, 1:]), _read_only(y[:, :outputs])) for x, y in zip(self._x, self._y, strict=True)]
        self._runs = list(zip(asks, stack.shuffles, shown, strict=True))
        self._changed: tuple[Array, Array] | None = None  # like x and y, with the samples that samplings have made
        self._orders = np.empty((runs, samples), np.intp)
        self._first = np.arange(runs)[:, None] * samples  # index of each run's first sample among all runs' samples
        count, rest = divmod(samples, batch_size)
        self.buffers = [
            tuple(np.empty((number, runs, size, part.shape[2]), part.dtype) for part in (self._x, self._y))
            for number, size in ((count, batch_size), (1, rest))
            if size
        ]
        self.parts = [list(zip(x.mT, y.mT, strict=True)) for x, y in self.buffers]

    def draw(self, epoch: int) -> None:
        """Let the sampling of each run choose the samples of the epoch that follows ``epoch`` trained ones.

        Raises:
            ConfigurationError: samples have weights, and a sampling makes samples of its own.
            PluginError: a sampling returns neither as many samples as there are, nor as many of their numbers.
        """
        runs, samples = self._orders.shape
        for run, (ask, rng, (x, y)) in enumerate(self._runs):
            self._order(run, ask(rng, x, y, epoch, self._epochs))
        if self._orders.min() < 0 or self._orders.max() >= samples:
            self._refuse_numbers()
        self._orders += self._first
        start = 0
        for buffers in self.buffers:
            count, _, size, _ = buffers[0].shape
            end = start + count * size
            chosen = self._orders[:, start:end].reshape(runs, count, size).swapaxes(0, 1)
            for part, buffer in zip(self._changed or (self._x, self._y), buffers, strict=True):
                # "clip" fills the buffer without a copy in between; no index is out of range.
                part.reshape(runs * samples, -1).take(chosen, axis=0, out=buffer, mode="clip")
            start = end

    def _order(self, run: int, chosen: Any) -> None:
        """Keep what the sampling of a run has chosen: numbers of its samples, or samples of its own."""
        order = self._orders[run]
        if isinstance(chosen, tuple):
            x, y = self._runs[run][2]
            if [np.shape(part) for part in chosen] != [x.shape, y.shape]:
                wrong = " and ".join(str(np.shape(part)) for part in chosen)
                self._refuse(run, f"arrays of shape {wrong}, not {x.shape} and {y.shape}")
            if self._have_weights:
                raise ConfigurationError(
                    f"sampling={self._samplings[run].name} makes samples of its own, which have no weights: choose a "
                    "sampling that makes none, or do without weights of samples or classes."
                )
            self._changed = self._changed or (self._x.copy(), self._y.copy())
            self._changed[0][run, :, 1:], self._changed[1][run] = chosen
            order[:] = np.arange(len(order))
            return
        if not isinstance(chosen, np.ndarray) or chosen.shape != order.shape or chosen.dtype.kind not in "iu":
            got = f"{chosen.dtype} {chosen.shape}" if isinstance(chosen, np.ndarray) else type(chosen).__name__
            self._refuse(run, f"{got}, not x and y nor {len(order)} whole numbers")
        if self._changed:
            self._changed[0][run], self._changed[1][run] = self._x[run], self._y[run]
        order[:] = chosen

    def _refuse_numbers(self) -> None:
        samples = self._orders.shape[1]
        outside = (self._orders < 0) | (self._orders >= samples)
        run = int(np.flatnonzero(outside.any(axis=1))[0])
        number = self._orders[run][outside[run]][0]
        self._refuse(run, f"the number {number}; samples have numbers from 0 to {samples - 1}")

    def _refuse(self, run: int, what: str) -> None:
        raise PluginError(f"{type(self._samplings[run]).__qualname__}.epoch returned {what}.")


def _read_only(part: Array) -> Array:
    part = part.view()
    part.flags.writeable = False
    return part
