"""Curves: what was measured while a run trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from chainrule.components.contracts import Array


@dataclass(frozen=True)
class Curves:
    """The curves of one run.

    Attributes:
        epochs: epoch of each point, shape ``(points,)``; 0 is the state before training.
        values: name of the curve, e.g. ``train/loss``, to its float64 values, shape ``(points,)``.
    """

    epochs: Array
    values: Mapping[str, Array]

    @property
    def best(self) -> int | None:
        """Place of the smallest loss, of validation if there is one, of equal ones first; None if none is finite."""
        watched = self._watched
        return int(watched.argmin()) if len(watched) and np.isfinite(watched.min()) else None

    def at_best(self, name: str) -> Array:
        """Return what a curve had at the best epoch so far, ``(points,)``: what a run that ends there restores."""
        watched = self._watched
        lowest = np.minimum.accumulate(watched)
        improves = np.append(True, watched[1:] < lowest[:-1])[: len(watched)]
        values: Array = self.values[name][np.maximum.accumulate(np.where(improves, np.arange(len(watched)), 0))]
        return values

    @property
    def _watched(self) -> Array:
        """The loss that is to be small, ``(points,)``; infinite where it is not finite."""
        watched = self.values.get("validation/loss", self.values["train/loss"])
        return np.where(np.isfinite(watched), watched, np.inf)

    def then(self, later: "Curves") -> "Curves":
        """Return these curves with those of the epochs that follow, which have the same names."""
        values = {name: np.concatenate([own, later.values[name]]) for name, own in self.values.items()}
        return Curves(np.concatenate([self.epochs, later.epochs]), values)

    def thinned(self, name: str, limit: int) -> list[tuple[int, float]]:
        """Return at most ``limit`` points ``(epoch, value)`` of a curve, evenly spread.

        The first, the last, the smallest and the largest finite value are always among them; ``limit`` is at least 4.
        """
        values = self.values[name]
        if len(values) <= limit - 2:
            return list(zip(self.epochs.tolist(), values.tolist(), strict=True))
        chosen, finite = _spread(len(values), limit - 2), np.flatnonzero(np.isfinite(values))
        if finite.size:
            chosen |= {int(finite[values[finite].argmin()]), int(finite[values[finite].argmax()])}
        kept = np.array(sorted(chosen))
        return list(zip(self.epochs[kept].tolist(), values[kept].tolist(), strict=True))


@lru_cache(maxsize=64)  # runs of a sweep have as many points
def _spread(count: int, limit: int) -> frozenset[int]:
    """Return at most ``limit`` of the numbers below ``count``, evenly spread, the first and the last among them."""
    return frozenset(np.linspace(0, count - 1, limit).round().astype(int).tolist())


def due_epochs(epochs: int, every: int) -> list[int]:
    """Return the epochs at which a run is measured: 0, every ``every``-th, and the last."""
    return [*range(0, epochs, every), epochs]


class History:
    """Collects the curves of a stack, from which runs leave one by one.

    Args:
        runs: how many runs the stack starts with.
        due: the epochs at which every run that is still training is measured.
        names: names of the curves.
    """

    def __init__(self, runs: int, due: Sequence[int], names: Sequence[str]) -> None:
        self._epochs = np.array(due)
        self._values = {name: np.full((len(due), runs), np.nan) for name in names}
        self._points = np.zeros(runs, int)

    def add(self, runs: Array, values: Mapping[str, Array]) -> None:
        """Add one point for each of ``runs`` (indices); ``values`` holds one array of that length per curve."""
        points = self._points[runs]
        for name, column in values.items():
            self._values[name][points, runs] = column
        self._points[runs] = points + 1

    def state(self) -> tuple[Array, dict[str, Array]]:
        """Return how many points each run has, and the values of each curve so far, ``(points, runs)``, as copies."""
        most = int(self._points.max(initial=0))
        return self._points.copy(), {name: values[:most].copy() for name, values in self._values.items()}

    def restore(self, points: Array, curves: Mapping[str, Array]) -> None:
        """Go on from what :meth:`state` returned."""
        self._points[:] = points
        for name, values in curves.items():
            self._values[name][: len(values)] = values

    def curves(self, run: int) -> Curves:
        """Return the curves of one run so far."""
        points = self._points[run]
        return Curves(self._epochs[:points], {name: one_nan(v[:points, run]) for name, v in self._values.items()})


def one_nan(values: Array) -> Array:
    """Return a copy in which every NaN has the same bits; otherwise they depend on the processor's instruction."""
    copy = values.copy()
    copy[np.isnan(copy)] = np.nan
    return copy
