"""What type checkers see of names that are loaded when first used."""

from chainrule.errors import ChainruleError, ConfigurationError, PluginError, RecordError
from chainrule.hookspecs import API_VERSION, hookimpl
from chainrule.interface import component, run, trace_step
from chainrule.kinds import Activation, Array, Initializer, Loss, Optimizer, Rule, Schedule, Target, Tracker, sum_units
from chainrule.network import product
from chainrule.watchers import Watcher

__all__ = [
    "API_VERSION",
    "Activation",
    "Array",
    "ChainruleError",
    "ConfigurationError",
    "Initializer",
    "Loss",
    "Optimizer",
    "PluginError",
    "RecordError",
    "Rule",
    "Schedule",
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
