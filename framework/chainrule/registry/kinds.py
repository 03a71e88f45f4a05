"""The kinds of components that plugins provide. CONTRIBUTING.md lists where else a new kind must be entered."""

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.components.contracts import (
    Activation,
    Component,
    Initializer,
    Loss,
    Optimizer,
    Rule,
    Sampling,
    Schedule,
    Target,
    Transform,
)
from chainrule.registry.instruments import Instrument
from chainrule.registry.watching import Tracker


@dataclass(frozen=True)
class Kind:
    """One row of the table.

    Attributes:
        name: used in errors and listings.
        plural: of the name.
        contract: abstract class that its components derive from.
        groups: configuration groups that choose one of them, or several; empty where no run has a choice.
        many: whether a run has a list of them, ``GROUP=[A,B]``.
    """

    name: str
    plural: str
    contract: type[Component]
    groups: Sequence[str]
    many: bool = False

    @property
    def hook(self) -> str:
        """Name of the plugin hook that returns its components."""
        return f"chainrule_{self.plural}"


_ROWS = (
    Kind("activation", "activations", Activation, ("activation", "output", "norm")),
    Kind("loss", "losses", Loss, ("loss",)),
    Kind("optimizer", "optimizers", Optimizer, ("optimizer",)),
    Kind("transform", "transforms", Transform, ("transforms",), many=True),
    Kind("schedule", "schedules", Schedule, ("schedule",)),
    Kind("target", "targets", Target, ("target",)),
    Kind("sampling", "samplings", Sampling, ("sampling",)),
    Kind("initializer", "initializers", Initializer, ("initializer",)),
    Kind("rule", "rules", Rule, ("rule",)),
    Kind("tracker", "trackers", Tracker, ("tracking",)),
    Kind("instrument", "instruments", Instrument, ()),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ROWS}
GROUPS: dict[str, Kind] = {group: kind for kind in _ROWS for group in kind.groups}
