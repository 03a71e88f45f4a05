"""What chainrule-yesterday provides."""

from chainrule import Activation, Initializer, Loss, Optimizer, Rule, Schedule, Target, Tracker, Watcher, hookimpl
from chainrule.watchers import Session

from .activation import PenalizedTanh
from .initializer import Semiorthogonal
from .loss import Pinball
from .optimizer import SignDescent
from .rule import ClippedError
from .schedule import SearchThenConverge
from .target import Parity
from .tracker import Spreadsheet
from .watcher import Bell

CHAINRULE_API = 1  # the version of the plugin interface that this is written for


@hookimpl
def chainrule_activations() -> list[type[Activation]]:
    """Register the activation."""
    return [PenalizedTanh]


@hookimpl
def chainrule_initializers() -> list[type[Initializer]]:
    """Register the initializer."""
    return [Semiorthogonal]


@hookimpl
def chainrule_losses() -> list[type[Loss]]:
    """Register the loss."""
    return [Pinball]


@hookimpl
def chainrule_optimizers() -> list[type[Optimizer]]:
    """Register the optimizer."""
    return [SignDescent]


@hookimpl
def chainrule_rules() -> list[type[Rule]]:
    """Register the rule."""
    return [ClippedError]


@hookimpl
def chainrule_schedules() -> list[type[Schedule]]:
    """Register the schedule."""
    return [SearchThenConverge]


@hookimpl
def chainrule_targets() -> list[type[Target]]:
    """Register the target."""
    return [Parity]


@hookimpl
def chainrule_trackers() -> list[type[Tracker]]:
    """Register the tracker."""
    return [Spreadsheet]


@hookimpl
def chainrule_watchers(session: Session) -> list[Watcher]:
    """Watch where a person sits at the terminal."""
    return [Bell()] if session.interactive else []
