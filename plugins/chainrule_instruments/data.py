"""Data that the network, its output or its loss do not fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt, Interval, doc

from chainrule.errors import counted
from chainrule.registry.instruments import Backward, Course, Finding, Instrument, Seen


@dataclass(frozen=True)
class OutputRange(Instrument):
    """The range of the output's activation does not reach the true values, so that no weights can.

    The least mean square error of any output within the range is divided by the variance of the true values.
    """

    source: ClassVar[str] = "its own: what is possible follows from the activation's range; 1 % is chosen"
    cures: ClassVar[tuple[str, ...]] = ("output",)

    share: Annotated[float, Interval(gt=0, lt=1), doc("least error that is possible, to the variance, at least")] = 0.01

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it of all outputs together."""
        if course.settings.loss.outputs_per_target != 1:
            return
        low, high = course.activation(course.shape.layers).range
        if np.isneginf(low) and np.isposinf(high):
            return
        y = course.y.astype(float)
        missed = y - np.clip(y, low, high)
        error, variance = float((missed**2).sum()), float(((y - y.mean(axis=1, keepdims=True)) ** 2).sum())
        outside = int(np.count_nonzero(missed.any(axis=0)))
        if error > self.share * variance and error > 0:
            share = error / variance if variance > 0 else float("inf")
            yield Finding(
                "the output cannot reach the true values",
                f"outputs lie in [{low:g}, {high:g}], and the true values of {outside} of "
                f"{counted(y.shape[1], 'sample')} outside, from {y.min():.3g} to {y.max():.3g}: the least error "
                f"possible is {share:.3g} of their variance (threshold {self.share:g})",
                0,
                {"share": share, "outside": float(outside), "low": float(y.min()), "high": float(y.max())},
                layer=course.shape.layers,
            )


@dataclass(frozen=True)
class InputScale(Instrument):
    """Inputs are far from a mean of 0 and a deviation of 1, or of very different scales.

    The condition number of their second moments, with the input 1 of the bias, bounds how fast gradient descent
    converges on a linear layer.
    """

    source: ClassVar[str] = (
        "its own, calibrated by experiments/diagnosis; that means of 0 and equal variances make descent fast, and a "
        "bad condition number slow: LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, sections 4.3, 5.1 and 5.3"
    )
    cures: ClassVar[tuple[str, ...]] = ("standardized", "adam", "norm")

    condition: Annotated[float, Gt(1), doc("condition number of the second moments, at least")] = 1e4
    size: Annotated[float, Gt(0), doc("root mean square of an input, at least")] = 10.0

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it if an input is large and the condition is bad."""
        x = course.x.astype(float)
        sizes = np.sqrt((x**2).mean(axis=1))
        worst = int(sizes.argmax())
        if not sizes[worst] > self.size:
            return
        whole = np.concatenate([np.ones((1, x.shape[1])), x])
        eigenvalues = np.linalg.eigvalsh(whole @ whole.T / x.shape[1])
        kept = eigenvalues[eigenvalues > 1e-12 * eigenvalues[-1]]  # an input that is constant has none of its own
        condition = float(kept[-1] / kept[0])
        if condition > self.condition:
            yield Finding(
                "inputs are badly scaled",
                f"input {worst + 1} has a root mean square of {sizes[worst]:.3g}, and the second moments of the inputs "
                f"a condition number of {condition:.2g} (thresholds {self.size:g} and {self.condition:g})",
                0,
                {"condition": condition, "size": float(sizes[worst])},
                layer=1,
                units=(worst + 1,),
            )


@dataclass(frozen=True)
class LossMismatch(Instrument):
    """Loss and output do not fit: samples that are badly wrong have hardly any delta, because the output's slope is 0.

    Of the outputs of a classification that are off by more than a half, those are counted whose ``delta`` (eq. 4) is
    less than ``slope`` times ``a - y``, which it would be for the loss that the output is paired with.
    """

    source: ClassVar[str] = (
        "its own, calibrated by experiments/diagnosis; cross-entropy and squared error are compared by Golik, Doetsch "
        "& Ney 2013, Interspeech"
    )
    cures: ClassVar[tuple[str, ...]] = ("output", "initializer")

    slope: Annotated[float, Interval(gt=0, lt=1), doc("|delta| to |a - y|, at most")] = 0.1
    share: Annotated[float, Interval(gt=0, le=1), doc("share of the badly wrong outputs, at least")] = 0.5
    wrong: Annotated[float, Interval(gt=0, lt=1), doc("share of samples with a badly wrong output, at least")] = 0.05

    def measured(self, seen: Seen, *, backward: Backward) -> dict[str, Any]:
        """Return shares: of samples that are badly wrong, and of their outputs that are flat."""
        loss, output = seen.settings.loss, seen.a[-1]
        if seen.settings.target.resolved_task != "classification" or output.shape != seen.y.shape:
            return {"wrong": 0.0, "flat": 0.0}
        if loss.paired_output == seen.settings.output.name:
            return {"wrong": 0.0, "flat": 0.0}
        off = np.abs(output - seen.y)
        is_wrong = off > 0.5
        if not is_wrong.any():
            return {"wrong": 0.0, "flat": 0.0}
        flat = np.abs(backward.delta[-1])[is_wrong] < self.slope * off[is_wrong]
        return {"wrong": float(is_wrong.any(axis=0).mean()), "flat": float(flat.mean())}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it where it lasts to the end."""
        wrong, flat = course.seen["wrong"], course.seen["flat"]
        place = course.since((wrong > self.wrong) & (flat > self.share))
        if place is not None:
            loss, output = course.settings.loss.name, course.settings.output.name
            yield Finding(
                "loss and output do not fit",
                f"{wrong[-1]:.0%} of the samples have an output that is off by more than 0.5, and {flat[-1]:.0%} of "
                f"these outputs a delta below {self.slope:g} of the error with loss={loss} and output={output} "
                f"(thresholds {self.wrong:.0%} and {self.share:.0%})",
                int(course.epochs[place]),
                {"wrong": float(wrong[-1]), "flat": float(flat[-1])},
                layer=course.shape.layers,
            )
