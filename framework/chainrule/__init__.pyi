"""What type checkers see of names that are loaded when first used."""

from chainrule.errors import ChainruleError, ConfigurationError, PluginError, RecordError
from chainrule.hookspecs import API_VERSION, hookimpl
from chainrule.interface import component, run, trace_step
from chainrule.kinds import Activation, Array, Initializer, Loss, Optimizer, Rule, Schedule, Target, Tracker, sum_units
from chainrule.network import product
from chainrule.outcomes import Outcome
from chainrule.records import Record
from chainrule.sweeps import Sweep
from chainrule.watchers import Session, Watcher

__version__: str
__all__ = [
    "API_VERSION",
    "Activation",
    "Array",
    "ChainruleError",
    "ConfigurationError",
    "Initializer",
    "Loss",
    "Optimizer",
    "Outcome",
    "PluginError",
    "Record",
    "RecordError",
    "Rule",
    "Schedule",
    "Session",
    "Sweep",
    "Target",
    "Tracker",
    "Watcher",
    "component",
    "hookimpl",
    "product",
    "run",
    "sum_units",
    "trace_step",
]
