"""Random numbers of a training: one generator a run, so that a run in a stack draws what it draws alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from chainrule.components.contracts import Array


class Random:
    """What a component that asks for ``rng`` draws from while it is trained.

    Each method returns an array ``(runs, *shape)``, and each run's part is drawn from its own generator.

    Args:
        generators: one for each run.
        dtype: dtype of the numbers that are not whole.
    """

    def __init__(self, generators: Sequence[np.random.Generator], dtype: DTypeLike) -> None:
        self._generators: tuple[np.random.Generator | None, ...] = tuple(generators)
        self._dtype: Any = np.dtype(dtype)

    @contextmanager
    def of(self, runs: Array) -> Iterator[None]:
        """Let only these ``runs`` draw, bool ``(runs,)``; the numbers of the others are 0, and not random."""
        everybody = self._generators
        self._generators = tuple(rng if run else None for rng, run in zip(everybody, runs, strict=True))
        try:
            yield
        finally:
            self._generators = everybody

    def normal(self, *shape: int) -> Array:
        """Return numbers of mean 0 and standard deviation 1."""
        return self._filled(lambda rng, row: rng.standard_normal(dtype=self._dtype, out=row), shape, self._dtype)

    def uniform(self, *shape: int) -> Array:
        """Return numbers between 0 and 1, 1 excluded."""
        return self._filled(lambda rng, row: rng.random(dtype=self._dtype, out=row), shape, self._dtype)

    def bernoulli(self, p: ArrayLike, *shape: int) -> Array:
        """Return True with probability ``p``, which broadcasts: a number, or an array such as a field of a stack."""
        drawn: Array = self.uniform(*shape) < p
        return drawn

    def integers(self, low: int, high: int, *shape: int) -> Array:
        """Return whole numbers from ``low`` to ``high``, ``high`` excluded."""

        def fill(rng: np.random.Generator, row: Array) -> None:
            row[:] = rng.integers(low, high, len(row))

        return self._filled(fill, shape, np.dtype(np.int64))

    def _filled(
        self, fill: Callable[[np.random.Generator, Array], object], shape: Sequence[int], dtype: np.dtype[Any]
    ) -> Array:
        drawn = np.zeros((len(self._generators), *shape), dtype)
        rows = drawn.reshape(len(drawn), -1)
        for rng, row in zip(self._generators, rows, strict=True):
            if rng is not None:
                fill(rng, row)
        return drawn
