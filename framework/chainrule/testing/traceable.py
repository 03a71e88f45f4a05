"""Whether formulas can be recorded, so that machine code trains them; advice, no demand."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.components.contracts import Component
from chainrule.errors import ConfigurationError
from chainrule.runs.execute import why_plain
from chainrule.runs.prepare import prepare
from chainrule.testing import training
from chainrule.testing.findings import FindingError
from chainrule.testing.losses import output_for
from chainrule.testing.networks import widths_of
from chainrule.testing.subjects import Subject
from chainrule.testing.table import Check


def traceable(subject: Subject) -> None:
    """Advice: the formulas can be recorded, so that machine code can do the steps; where they cannot, NumPy does."""
    # Where they cannot, the check does not apply, and says why.


def reason_of(subject: Subject) -> str:
    """Return why NumPy trains runs with a component, a sentence that names the line; "" if machine code can.

    It is asked of a step of a small network with the component, and the defaults otherwise.
    """
    if subject.untraceable is None:
        reasons = (_why(subject.kind, one) for one in subject.defaults)
        subject.untraceable = next(filter(None, reasons), "")
    return subject.untraceable


def _why(kind: str, component: Component) -> str:
    if kind not in _PARTS:
        return ""
    try:
        with np.errstate(all="ignore"):
            return why_plain(prepare(training.settings(**_PARTS[kind](component))))
    except (ConfigurationError, FindingError) as error:
        return f"It fits no small network: {error}"


def _activation(one: Any) -> dict[str, Any]:
    return {"activation": one, "hidden": (max(3, one.min_units),), "batch_size": one.min_samples}


def _loss(one: Any) -> dict[str, Any]:
    output = output_for(Subject(type(one)))
    units = max(one.min_outputs, output.min_units)
    low, high = np.clip(one.target_range, -3.0, 3.0)
    target = training.Random(outputs=units, low_value=low, high_value=high, one_hot=one.one_hot)
    return {"loss": one, "output": output, "target": target}


def _rule(one: Any) -> dict[str, Any]:
    widths = widths_of(type(one))
    return {"rule": one, "hidden": widths[1:-1], "target": training.Random(inputs=widths[0], outputs=widths[-1])}


_PARTS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "activation": _activation,
    "loss": _loss,
    "optimizer": lambda one: {"optimizer": one},
    "transform": lambda one: {"transforms": (one,)},
    "rule": _rule,
}  # settings that take part in a step; the others are asked once an epoch, or before training
KINDS = tuple(_PARTS)
CHECK = Check(traceable, lambda subject: reason_of(subject).rstrip("."))
