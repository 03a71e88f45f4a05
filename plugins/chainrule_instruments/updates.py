"""Updates beside the weights that they change."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt, doc

from chainrule.registry.instruments import Course, Finding, Instrument, Stepped


@dataclass(frozen=True)
class UpdateSize(Instrument):
    """The updates of a layer are far too small or large beside its parameters, in a run that has not learned.

    The norm of what a step changes is divided by the norm of the parameters before it. Updates are too small if they
    are so at all steps seen: at a minimum they become small, too. They are too large if their median is.
    """

    source: ClassVar[str] = (
        "Karpathy, CS231n, Neural Networks 3: about 1e-3; the factors of 1000 and 100 around it are its own, "
        "calibrated by experiments/diagnosis (SageMaker Debugger, WeightUpdateRatio, has 1e-8 and 10)"
    )
    cures: ClassVar[tuple[str, ...]] = ("rate*10", "rate*100", "rate/10", "rate/100", "adam")
    follows: ClassVar[tuple[str, ...]] = (
        "output_range", "input_scale", "loss_mismatch", "identical_units", "rate_above_curvature",
        "exploding_gradients", "dead_units", "saturated_units", "vanishing_gradients",
    )  # fmt: skip

    small: Annotated[float, Gt(0), doc("largest ratio of update to parameters, at least")] = 1e-6
    large: Annotated[float, Gt(0), doc("median ratio of update to parameters, at most")] = 1e-1

    def stepped(self, step: Stepped) -> dict[str, Any]:
        """Return the ratio of each layer, ``(layers,)``."""
        return {"ratios": step.norms(step.after - step.before) / step.norms(step.before)}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State the layers that are farthest out on either side."""
        ratios = course.stepped.get("ratios")
        if ratios is None or course.has_learned:
            return
        known = [column[np.isfinite(column)] for column in ratios.T]
        if not any(map(len, known)):
            return
        largest = np.array([column.max() if len(column) else np.inf for column in known])
        rising = [len(column) and column.max() > self.large for column in known]  # or the median is not, either
        medians = np.array([np.median(c) if above else -np.inf for c, above in zip(known, rising, strict=True)])
        low, high = int(largest.argmin()), int(medians.argmax())
        if largest[low] < self.small:
            yield Finding(
                "updates are far too small",
                f"no step seen changes layer {low + 1} by more than {largest[low]:.2g} of its norm (threshold "
                f"{self.small:g}, {len(ratios)} of the steps)",
                int(course.step_epochs[0]),
                {"ratio": float(largest[low])},
                low + 1,
            )
        if medians[high] > self.large:
            yield Finding(
                "updates are far too large",
                f"a step changes layer {high + 1} by {medians[high]:.2g} of its norm in the median "
                f"(threshold {self.large:g}, {len(ratios)} of the steps)",
                int(course.step_epochs[np.flatnonzero(ratios[:, high] > self.large)[0]]),
                {"ratio": float(medians[high])},
                high + 1,
            )
