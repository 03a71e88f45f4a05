"""chainrule: a laboratory for backpropagation experiments.

Everything that a notebook or a plugin needs is importable from here; names are loaded when first used.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "chainrule.errors": ("ChainruleError", "ConfigurationError", "PluginError", "RecordError"),
    "chainrule.hookspecs": ("API_VERSION", "hookimpl"),
    "chainrule.interface": ("component", "run", "trace_step"),
    "chainrule.kinds": (
        "Activation",
        "Array",
        "Initializer",
        "Loss",
        "Optimizer",
        "Rule",
        "Schedule",
        "Target",
        "Tracker",
        "sum_units",
    ),
    "chainrule.network": ("product",),
    "chainrule.outcomes": ("Outcome",),
    "chainrule.records": ("Record",),
    "chainrule.sweeps": ("Sweep",),
    "chainrule.watchers": ("Session", "Watcher"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # here, because it takes longer to import than this module

        return version(__name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return [*__all__, *globals()]
