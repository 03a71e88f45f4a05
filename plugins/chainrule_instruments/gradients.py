"""Gradients that vanish or explode on their way from the last layer to the first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt, doc

from chainrule.engine.reason import Reason
from chainrule.errors import counted
from chainrule.registry.instruments import Backward, Course, Finding, Instrument, Seen


@dataclass(frozen=True)
class VanishingGradients(Instrument):
    """The gradient of the first layer is far smaller than that of the last, and small: the first one hardly learns.

    The norms of the gradients by the weights are compared. It is stated where this lasts to the end of a run that has
    not learned.
    """

    source: ClassVar[str] = (
        "AutoTrainer (Zhang, Zhai, Ma & Shen 2021, ICSE): first to last below 1e-3, and first below 1e-4, in runs that "
        "do not converge; there of a batch"
    )
    cures: ClassVar[tuple[str, ...]] = ("activation", "norm", "initializer", "adam", "shallower")
    follows: ClassVar[tuple[str, ...]] = (
        "output_range", "loss_mismatch", "identical_units", "dead_units", "saturated_units", "input_scale",
    )  # fmt: skip

    ratio: Annotated[float, Gt(0), doc("norm of the first layer's gradient to that of the last, at most")] = 1e-3
    least: Annotated[float, Gt(0), doc("norm of the first layer's gradient, at most")] = 1e-4

    def measured(self, seen: Seen, *, backward: Backward) -> dict[str, Any]:
        """Return the norms of the gradients by layer."""
        return {"norms": backward.norms}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it where it lasts to the end."""
        found = course.seen["norms"]
        if course.has_learned or found.shape[1] < 2:
            return
        first, last = found[:, 0], found[:, -1]
        place = course.since((first < self.ratio * last) & (first < self.least))
        if place is None:
            return
        share = float(first[-1] / last[-1])
        yield Finding(
            "gradients vanish",
            f"the gradient of layer 1 has the norm {first[-1]:.2g} at the end, {share:.2g} of that of layer "
            f"{found.shape[1]} (below {self.ratio:g}, and itself below {self.least:g})",
            int(course.epochs[place]),
            {"norm": float(first[-1]), "ratio": share},
            layer=1,
        )


@dataclass(frozen=True)
class ExplodingGradients(Instrument):
    """The loss became infinite or NaN, or the first layer's gradient is far larger than the last's.

    The second is stated of a run that has not learned, if it is so at half of the points at least.
    """

    source: ClassVar[str] = (
        "AutoTrainer (Zhang, Zhai, Ma & Shen 2021, ICSE): first to last above 70 in runs that do not converge, or not "
        "finite; half of the points is its own, calibrated by experiments/diagnosis"
    )
    cures: ClassVar[tuple[str, ...]] = ("rate/10", "rate/100", "clip", "standardized", "norm", "initializer")
    follows: ClassVar[tuple[str, ...]] = ("rate_above_curvature", "input_scale")

    ratio: Annotated[float, Gt(0), doc("norm of the first layer's gradient to that of the last, at least")] = 70.0

    def measured(self, seen: Seen, *, backward: Backward) -> dict[str, Any]:
        """Return the norms of the gradients by layer."""
        return {"norms": backward.norms}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State that it diverged, and the first point at which the ratio is passed."""
        found = course.seen["norms"]
        if course.reason is Reason.DIVERGED or not np.isfinite(course.loss[-1]):
            finite = np.flatnonzero(np.isfinite(course.loss))
            onset = int(course.curves.epochs[finite[-1]]) if len(finite) else 0
            last = float(course.loss[finite[-1]]) if len(finite) else float("nan")
            known = found[np.isfinite(found).all(axis=1)]
            norm = float(known[-1].max()) if len(known) else float("nan")
            yield Finding(
                "the run diverges",
                f"the loss is {last:.3g} after {counted(onset, 'epoch')} and not finite at the next point; the "
                f"largest norm of a layer's gradient that was finite is {norm:.3g}",
                onset,
                {"loss": last, "norm": norm},
            )
            return
        if course.has_learned or found.shape[1] < 2:
            return
        ratios = np.where(found[:, -1] > 0, found[:, 0] / found[:, -1], 0.0)
        above = np.flatnonzero(ratios > self.ratio)
        if 2 * len(above) >= len(ratios):
            yield Finding(
                "gradients explode",
                f"the gradient of layer 1 is up to {ratios.max():.3g} times that of layer {found.shape[1]}, and above "
                f"{self.ratio:g} times at {len(above)} of {counted(len(ratios), 'point')}",
                int(course.epochs[above[0]]),
                {"ratio": float(ratios.max()), "points": float(len(above))},
                layer=1,
            )
