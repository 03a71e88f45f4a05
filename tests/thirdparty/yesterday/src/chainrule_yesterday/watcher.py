"""The watcher bell."""

from collections.abc import Sequence

from chainrule import Watcher
from chainrule.outcomes import Outcome
from chainrule.records import Record
from chainrule.sweeps import Sweep


class Bell(Watcher):
    """Rings the bell of the terminal when a run or a sweep has ended."""

    def finished(self, record: Record) -> None:
        """Ring for a run."""
        self._ring()

    def sweep_finished(self, sweep: Sweep, outcomes: Sequence[Outcome]) -> None:
        """Ring for a sweep."""
        self._ring()

    def _ring(self) -> None:
        print("\a", end="", flush=True)
