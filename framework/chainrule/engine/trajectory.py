"""The trajectory of a run: its parameters at some epochs, kept while it trains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.layers import States, taken

_MOST_BYTES = 64_000_000  # that the points of one run take


@dataclass(frozen=True)
class Trajectory:
    """Parameters of one run at some of its measured epochs; the first and the last one are among them.

    Attributes:
        epochs: epochs of the points, ``(points,)``, evenly spread over those that were measured.
        theta: the parameters that were measured then, ``(points, parameters)``.
        states: what activations kept then, one entry a point: arrays ``(1, units, 1)`` by layer and group.
    """

    epochs: Array
    theta: Array
    states: tuple[States, ...]


@dataclass(frozen=True)
class Snapshot:
    """The runs of a stack that were still training at an epoch, and copies of their parameters and states."""

    epoch: int
    runs: Array
    theta: Array
    states: States

    def row(self, run: int) -> int:
        """Return at which place the run is."""
        return int(np.searchsorted(self.runs, run))


class Snapshots:
    """Keeps at most so many points of each run of a stack, evenly spread, however long the runs train.

    Every measured epoch is kept at first. Whenever there are too many, every other one is forgotten, and from then on
    only every other one is kept. So the points of a run do not depend on the other runs of its stack.

    Args:
        limit: the most points of a run beside the last one; fewer are kept of very many parameters.
        parameters: how many parameters a run has.
        itemsize: bytes of one of them.
    """

    def __init__(self, limit: int, parameters: int, itemsize: int) -> None:
        self._limit = max(2, min(limit, _MOST_BYTES // max(1, parameters * itemsize)))
        self._points: list[Snapshot] = []
        self._every, self._seen = 1, 0

    def measured(self, epoch: int, runs: Array, theta: Array, states: States) -> None:
        """Note the ``runs`` (indices, ascending) that still train, with their parameters and states."""
        if self._seen % self._every == 0:
            self._points.append(Snapshot(epoch, runs, theta.copy(), taken(states, np.arange(len(runs)))))
        self._seen += 1
        if len(self._points) > self._limit:
            self._points = self._points[::2]
            self._every *= 2

    def state(self) -> tuple[tuple[int, int], tuple[Snapshot, ...]]:
        """Return what has been seen so far: how it is spread, and the points, which do not change any more."""
        return (self._every, self._seen), tuple(self._points)

    def restore(self, spread: tuple[int, int], points: Sequence[Snapshot]) -> None:
        """Go on from a state."""
        self._every, self._seen = spread
        self._points = list(points)

    def trajectory(self, run: int, epoch: int, theta: Array, states: States) -> Trajectory:
        """Return the trajectory of a run that ends now.

        Args:
            run: its index.
            epoch: how many epochs it has trained.
            theta: its parameters now, ``(parameters,)``.
            states: what its activations keep now.
        """
        earlier = [(point, np.array([point.row(run)])) for point in self._points if point.epoch < epoch]
        return Trajectory(
            epochs=np.array([*(point.epoch for point, _ in earlier), epoch]),
            theta=np.concatenate([*(point.theta[row] for point, row in earlier), theta[None]]),
            states=(*(taken(point.states, row) for point, row in earlier), states),
        )
