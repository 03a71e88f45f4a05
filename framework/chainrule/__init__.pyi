"""What type checkers see of names that are loaded when first used."""

from chainrule.analysis.outcomes import Outcomes, SweepOutcomes
from chainrule.components.contracts import (
    Activation,
    Array,
    Initializer,
    Loss,
    Network,
    Optimizer,
    Rule,
    Sampling,
    Schedule,
    Target,
    Transform,
)
from chainrule.components.random import Random
from chainrule.components.stacking import sum_units
from chainrule.engine.curves import Curves
from chainrule.engine.network import Shape, product
from chainrule.engine.problem import Problem
from chainrule.engine.reason import Reason
from chainrule.errors import ChainruleError, ConfigurationError, PluginError, RecordError
from chainrule.estimators.estimators import Classifier, Regressor
from chainrule.notebook.components import component
from chainrule.notebook.exchanging import export_onnx
from chainrule.notebook.reading import load, outcomes_of
from chainrule.notebook.running import prepare, run, settings, train
from chainrule.notebook.runs import Run, settings_of
from chainrule.notebook.sweeping import compare, resume, search, sweep
from chainrule.notebook.swept import SweepResult
from chainrule.notebook.tracing import gradient, trace_step
from chainrule.notebook.verifying import export, verify
from chainrule.records.faults import Fault
from chainrule.records.outcome import Outcome
from chainrule.records.result import Result
from chainrule.records.run import Record
from chainrule.records.settings import Settings
from chainrule.records.sweep import Sweep
from chainrule.records.tracked import TrackedRun, TrackedRuns
from chainrule.registry.declaring import plugin
from chainrule.registry.hookspecs import API_VERSION, hookimpl
from chainrule.registry.instruments import Backward, Course, Curvature, Finding, Instrument, Seen, Stepped
from chainrule.registry.watching import Begun, Pages, Progress, Session, Start, SweepProgress, Tracker, Watcher
from chainrule.runs.prepare import Prepared

__version__: str
__all__ = [
    "API_VERSION",
    "Activation",
    "Array",
    "Backward",
    "Begun",
    "ChainruleError",
    "Classifier",
    "ConfigurationError",
    "Course",
    "Curvature",
    "Curves",
    "Fault",
    "Finding",
    "Initializer",
    "Instrument",
    "Loss",
    "Network",
    "Optimizer",
    "Outcome",
    "Outcomes",
    "Pages",
    "PluginError",
    "Prepared",
    "Problem",
    "Progress",
    "Random",
    "Reason",
    "Record",
    "RecordError",
    "Regressor",
    "Result",
    "Rule",
    "Run",
    "Sampling",
    "Schedule",
    "Seen",
    "Session",
    "Settings",
    "Shape",
    "Start",
    "Stepped",
    "Sweep",
    "SweepOutcomes",
    "SweepProgress",
    "SweepResult",
    "Target",
    "TrackedRun",
    "TrackedRuns",
    "Tracker",
    "Transform",
    "Watcher",
    "compare",
    "component",
    "export",
    "export_onnx",
    "gradient",
    "hookimpl",
    "load",
    "outcomes_of",
    "plugin",
    "prepare",
    "product",
    "resume",
    "run",
    "search",
    "settings",
    "settings_of",
    "sum_units",
    "sweep",
    "trace_step",
    "train",
    "verify",
]
