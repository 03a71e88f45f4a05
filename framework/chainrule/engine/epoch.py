"""The samples of epochs, in batches."""

from typing import Any

import numpy as np

from chainrule.compiled.shuffling import Asked, Shuffler, shuffles_as_numpy
from chainrule.components.arguments import given
from chainrule.components.contracts import Array
from chainrule.engine.backprop import separate
from chainrule.engine.stack import Stack
from chainrule.errors import ConfigurationError, PluginError

_DRAWN = 4 * 2**20  # bytes of the epochs that are drawn at once, with samples that samplings make


class Epoch:
    """The samples of epochs, chosen for each run by its sampling and cut into batches.

    Several epochs can be drawn at once, since samplings see nothing that training changes. What is drawn are rows of
    ``x`` and ``y``, which :meth:`fill` copies into buffers for NumPy, and which machine code reads itself.

    Args:
        stack: the runs.
        batch_size: samples of a batch.
        by_machine_code: whether random orders are drawn by machine code, from the same streams and with the same bits.

    Attributes:
        x, y: the samples of all runs, one after the other, and behind them those that samplings have made:
            ``(rows, units)``, ``x`` with a one in front. Other arrays take their place when the first sample is made.
        orders: the rows of each run in the epochs that are drawn, ``(runs, epochs, samples)``.
        ahead: how many epochs can be drawn at once.
        parts: a list of the full batches, and a list of the partial batch if there is one. A batch is a pair: ``x``
            under a row of ones and ``y``, each ``(runs, units, samples)``.
    """

    def __init__(self, stack: Stack, batch_size: int, by_machine_code: bool = False) -> None:
        # Sampling moves whole samples, so each one is contiguous; BLAS reads the transposed views without a copy.
        x, y = (np.ascontiguousarray(part.mT) for part in separate(stack.train, stack.shape.widths[0]))
        runs, samples, _ = x.shape
        self._samplings, self._epochs = stack.samplings, max(stack.epochs, 1)
        outputs = stack.shape.widths[-1] // stack.loss.outputs_per_target
        self._have_weights = y.shape[2] > outputs  # which lie beside the outputs, and go with the samples
        asks = [
            given(sampling, "epoch", target=fresh.target, fresh=fresh)
            for sampling, fresh in zip(stack.samplings, stack.fresh, strict=True)
        ]
        shown = [(_read_only(of_x[:, 1:]), _read_only(of_y[:, :outputs])) for of_x, of_y in zip(x, y, strict=True)]
        self._runs = list(zip(asks, stack.shuffles, shown, strict=True))
        self.x, self.y = (part.reshape(runs * samples, -1) for part in (x, y))
        per_epoch = runs * samples * (np.dtype(np.intp).itemsize + self.x[0].nbytes + self.y[0].nbytes)
        self.ahead = max(1, _DRAWN // per_epoch)
        self.orders = np.empty((runs, min(self.ahead, self._epochs), samples), np.intp)
        self.ahead = self.orders.shape[1]
        self._first = np.empty((runs, self.ahead, 1), np.intp)  # the row of the sample with the number 0
        count, rest = divmod(samples, batch_size)
        self._buffers = [
            tuple(np.empty((number, runs, size, part.shape[2]), part.dtype) for part in (x, y))
            for number, size in ((count, batch_size), (1, rest))
            if size
        ]
        self._filled = -1
        self._shuffler: Shuffler | None = None
        kinds = {type(rng.bit_generator) for rng in stack.shuffles}
        if by_machine_code and self._are_shuffled() and all(shuffles_as_numpy(kind, samples) for kind in kinds):
            self._shuffler = Shuffler(stack.shuffles, self.orders, range(0, runs * samples, samples))
        self.parts = [list(zip(of_x.mT, of_y.mT, strict=True)) for of_x, of_y in self._buffers]

    def draw(self, epoch: int, count: int = 1) -> None:
        """Let the sampling of each run choose the samples of so many epochs, which follow ``epoch`` trained ones.

        Args:
            epoch: how many epochs have been trained.
            count: how many epochs, ``ahead`` at most.

        Raises:
            ConfigurationError: samples have weights, and a sampling makes samples of its own.
            PluginError: a sampling returns neither as many samples as there are, nor as many of their numbers.
        """
        runs, _, samples = self.orders.shape
        self._filled = -1
        if self._shuffler:
            self._shuffler(count)
            return
        self._first[:] = np.arange(0, runs * samples, samples)[:, None, None]
        for run, (ask, rng, (x, y)) in enumerate(self._runs):
            for place, order in enumerate(self.orders[run, :count]):
                chosen = ask(rng, x, y, epoch + place, self._epochs)
                if isinstance(chosen, tuple):
                    self._make(run, place, chosen)
                elif isinstance(chosen, np.ndarray) and chosen.shape == order.shape and chosen.dtype.kind in "iu":
                    order[:] = chosen
                else:
                    got = f"{chosen.dtype} {chosen.shape}" if isinstance(chosen, np.ndarray) else type(chosen).__name__
                    self._refuse(run, f"{got}, not x and y nor {samples} whole numbers")
        orders = self.orders[:, :count]
        if orders.min() < 0 or orders.max() >= samples:
            self._refuse_numbers(orders)
        orders += self._first[:, :count]

    def _are_shuffled(self) -> bool:
        """Say whether samplings ask for a random order of all samples in every epoch, and for nothing else.

        They are asked with samples and an epoch of which they can know nothing but shapes: what they answer then, and
        without having tried to know more, they answer for all.
        """
        asked = Asked(self.orders.shape[2])
        try:
            return all(
                asked.is_order(
                    ask(asked, asked.unknown(x.shape), asked.unknown(y.shape), asked.unknown(()), self._epochs)
                )
                for ask, _, (x, y) in self._runs
            )
        except Exception:  # whatever a sampling does with what is no generator, no array and no number
            return False

    def fill(self, place: int) -> None:
        """Copy the samples of the drawn epoch of this place, from 0, into the buffers of the batches."""
        if place == self._filled:
            return
        self._filled, start = place, 0
        for buffers in self._buffers:
            count, runs, size, _ = buffers[0].shape
            end = start + count * size
            chosen = self.orders[:, place, start:end].reshape(runs, count, size).swapaxes(0, 1)
            for part, buffer in zip((self.x, self.y), buffers, strict=True):
                # "clip" fills the buffer without a copy in between; no index is out of range.
                part.take(chosen, axis=0, out=buffer, mode="clip")
            start = end

    def _make(self, run: int, place: int, made: tuple[Any, ...]) -> None:
        """Keep the samples that the sampling of a run has made for the drawn epoch of this place."""
        x, y = self._runs[run][2]
        if [np.shape(part) for part in made] != [x.shape, y.shape]:
            wrong = " and ".join(str(np.shape(part)) for part in made)
            self._refuse(run, f"arrays of shape {wrong}, not {x.shape} and {y.shape}")
        if self._have_weights:
            raise ConfigurationError(
                f"sampling={self._samplings[run].name} makes samples of its own, which have no weights: choose a "
                "sampling that makes none, or do without weights of samples or classes."
            )
        runs, _, samples = self.orders.shape
        rows = runs * samples
        if len(self.x) == rows:
            self.x, self.y = (np.concatenate([part, *[part] * self.ahead]) for part in (self.x, self.y))
            self.ahead = 1  # from the next time on: what samplings make takes more memory than numbers
        first = rows * (1 + place) + run * samples
        self.x[first : first + samples, 1:], self.y[first : first + samples] = made
        self.orders[run, place] = np.arange(samples)
        self._first[run, place] = first

    def _refuse_numbers(self, orders: Array) -> None:
        samples = orders.shape[2]
        outside = (orders < 0) | (orders >= samples)
        run = int(np.flatnonzero(outside.any(axis=(1, 2)))[0])
        number = orders[run][outside[run]][0]
        self._refuse(run, f"the number {number}; samples have numbers from 0 to {samples - 1}")

    def _refuse(self, run: int, what: str) -> None:
        raise PluginError(f"{type(self._samplings[run]).__qualname__}.epoch returned {what}.")


def _read_only(part: Array) -> Array:
    part = part.view()
    part.flags.writeable = False
    return part
