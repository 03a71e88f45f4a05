"""A control: one run of a stack is trained alone for a while, and must have the same losses."""

import logging
from collections.abc import Iterator

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.stack import STACKED
from chainrule.records.result import Result
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare

_SHARE = 10  # the control trains a tenth of the epochs,
_LEAST = 64  # but so many steps at least, if the run has them

log = logging.getLogger(__name__)


def compare_alone(result: Result) -> Iterator[str]:
    """Train a run of a stack again, alone and for a tenth of its epochs, and say if its losses are others.

    They are if something couples runs, such as a norm over all of them; then no result of the stack is what the run
    has alone. It costs about a twentieth of the time of the stack.
    """
    settings = result.settings
    samples = result.samples.train.shape[1]
    steps = -(-samples // min(settings.training.batch_size or samples, samples))
    limit = max(-(-settings.training.epochs // _SHARE), -(-_LEAST // steps))

    def prune(epoch: int, active: Array, watched: Array) -> Array:
        return np.full(len(active), epoch >= limit)

    try:
        (alone,) = train_stack([prepare(settings)], prune=prune)
    except Exception:
        log.debug("the control of %s failed", settings.title, exc_info=True)
        return
    points = min(len(alone.curves.epochs), len(result.curves.epochs))
    for name, values in alone.curves.values.items():
        if values[:points].tobytes() != result.curves.values[name][:points].tobytes():
            used = dict.fromkeys(component.name for group, component in settings.components() if group in STACKED)
            yield (
                "A run that was trained alone as a control has other losses than in its stack, so something couples "
                f"runs, such as a sum over all of them in one of {', '.join(used)}. No result of this sweep can be "
                "trusted; `chainrule check` finds what it is."
            )
            return
