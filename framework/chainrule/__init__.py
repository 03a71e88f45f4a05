"""chainrule: a laboratory for backpropagation experiments.

Everything that a notebook or a plugin needs is importable from here; names are loaded when first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from chainrule import moved

_HOMES = {
    "chainrule.analysis.outcomes": ("Outcomes", "SweepOutcomes"),
    "chainrule.errors": ("ChainruleError", "ConfigurationError", "PluginError", "RecordError"),
    "chainrule.components.contracts": (
        "Activation",
        "Array",
        "Initializer",
        "Loss",
        "Network",
        "Optimizer",
        "Rule",
        "Sampling",
        "Schedule",
        "Target",
        "Transform",
    ),
    "chainrule.components.random": ("Random",),
    "chainrule.components.stacking": ("sum_units",),
    "chainrule.engine.curves": ("Curves",),
    "chainrule.engine.network": ("Shape", "product"),
    "chainrule.engine.problem": ("Problem",),
    "chainrule.engine.reason": ("Reason",),
    "chainrule.estimators.estimators": ("Classifier", "Regressor"),
    "chainrule.notebook.components": ("component",),
    "chainrule.notebook.exchanging": ("export_onnx",),
    "chainrule.notebook.reading": ("load", "outcomes_of"),
    "chainrule.notebook.running": ("prepare", "run", "settings", "train"),
    "chainrule.notebook.runs": ("Run", "settings_of"),
    "chainrule.notebook.sweeping": ("compare", "resume", "search", "sweep"),
    "chainrule.notebook.swept": ("SweepResult",),
    "chainrule.notebook.tracing": ("gradient", "trace_step"),
    "chainrule.notebook.verifying": ("export", "verify"),
    "chainrule.records.faults": ("Fault",),
    "chainrule.records.outcome": ("Outcome",),
    "chainrule.records.result": ("Result",),
    "chainrule.records.run": ("Record",),
    "chainrule.records.settings": ("Settings",),
    "chainrule.records.sweep": ("Sweep",),
    "chainrule.records.tracked": ("TrackedRun", "TrackedRuns"),
    "chainrule.registry.declaring": ("plugin",),
    "chainrule.registry.instruments": (
        "Backward",
        "Course",
        "Curvature",
        "Finding",
        "Instrument",
        "Seen",
        "Stepped",
    ),
    "chainrule.registry.hookspecs": ("API_VERSION", "hookimpl"),
    "chainrule.runs.prepare": ("Prepared",),
    "chainrule.registry.watching": (
        "Begun",
        "Pages",
        "Progress",
        "Session",
        "Start",
        "SweepProgress",
        "Tracker",
        "Watcher",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)

moved.install(__name__)


class _Package(ModuleType):
    """This package: its attribute ``sweep`` is the function, also after an import of the package of that name."""

    @property
    def sweep(self) -> Any:
        return __getattr__("sweep")

    @sweep.setter
    def sweep(self, package: ModuleType) -> None:
        """Keep the function; ``from chainrule.sweep import ...`` does not look at this attribute."""


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # here, because it takes longer to import than this module

        return version(__name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return [*__all__, *globals()]
