"""The schedule search_then_converge."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, doc
from chainrule import Array, Schedule


@dataclass(frozen=True)
class SearchThenConverge(Schedule):
    """``lr / (1 + epoch / tau)``: almost constant for ``tau`` epochs, then falling like ``1 / epoch``.

    Darken and Moody (1990), Note on learning rate schedules for stochastic optimization, NIPS 3.
    """

    tau: Annotated[float, Gt(0), doc("epochs after which the rate is half of what it was")] = 50.0

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        """Return ``lr / (1 + epoch / tau)``."""
        rate: Array = lr / (1 + epoch / self.tau)
        return rate
