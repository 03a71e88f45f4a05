"""Learning-rate schedules: the constant rate, formulas of the epoch, and one that watches the loss."""

from collections.abc import Sequence

from chainrule.components.contracts import Schedule
from chainrule.registry.hookspecs import hookimpl
from chainrule_schedules.annealing import Constant, Cosine, Exponential, Step, WarmupCosine
from chainrule_schedules.one_cycle import OneCycle
from chainrule_schedules.plateau import ReduceOnPlateau
from chainrule_schedules.warm_restarts import WarmRestarts


@hookimpl
def chainrule_schedules() -> Sequence[type[Schedule]]:
    """Return the schedules of this package."""
    return [Constant, Step, Exponential, Cosine, WarmupCosine, OneCycle, WarmRestarts, ReduceOnPlateau]
