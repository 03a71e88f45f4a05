"""How well a run has learned: one number for all losses, and the number that counts as learned."""

from numbers import Real

import numpy as np

from chainrule.errors import ConfigurationError
from chainrule.records.result import Result

GOAL = 0.9  # skill at which a run has learned, unless another is given


def skill(result: Result) -> float:
    """Return how much better predictions are than the best constant: 1 is perfect, 0 no better. Of validation samples.

    It is R2; of classes, what the accuracy is above the share of the largest class, by what it could be. Without
    validation samples it is that of the training samples. What is not finite counts as minus infinity.
    """
    part = "validation" if "validation" in result.samples.parts else "train"
    if result.settings.target.resolved_task == "regression":
        value = result.metrics[f"{part}/r2"]
    else:
        _, y = result.samples.raw(result.samples.parts[part])
        shares = y.mean(axis=1) if len(y) > 1 else np.array([y.mean(), 1 - y.mean()])
        largest = float(shares.max())
        value = (result.metrics[f"{part}/accuracy"] - largest) / (1 - largest) if largest < 1 else 1.0
    return value if np.isfinite(value) and result.reason != "diverged" else -np.inf


def require_goal(goal: float) -> None:
    """Refuse a goal that no run, or every run, has.

    Raises:
        ConfigurationError: it is not above 0 and at most 1.
    """
    if not isinstance(goal, Real) or not 0 < goal <= 1:
        shown = f"{goal:g}" if isinstance(goal, Real) else repr(goal)
        raise ConfigurationError(
            f"The goal must be above 0 and at most 1, not {shown}: it is R2, or accuracy above the largest class."
        )
