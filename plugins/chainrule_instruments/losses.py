"""What the curves of the losses say: oscillation, overfitting, the noise floor, too few epochs."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Array
from chainrule.engine.reason import Reason
from chainrule.errors import counted
from chainrule.registry.instruments import Course, Finding, Instrument, Seen

_MOST = 500  # samples whose distances are taken


@dataclass(frozen=True)
class Oscillation(Instrument):
    """The training loss goes up and down instead of down.

    Over the second half of the curve, pairs of neighbouring turning points are counted that differ by more than
    ``size`` of the loss of the best constant prediction: the scale on which R2 and accuracy have the size 1. What is
    small beside that is no illness, however large it is beside a loss near 0.
    """

    source: ClassVar[str] = (
        "AutoTrainer (Zhang, Zhai, Ma & Shen 2021, ICSE): 3 % of the accuracy, pairs of extremes to 20 % of the epochs"
    )
    cures: ClassVar[tuple[str, ...]] = ("rate/10", "rate/100", "cosine", "larger batch", "adam")
    follows: ClassVar[tuple[str, ...]] = ("input_scale", "rate_above_curvature", "exploding_gradients")

    size: Annotated[float, Gt(0), doc("difference of neighbouring turning points to the constant's loss, at least")] = (
        0.03
    )
    share: Annotated[float, Interval(gt=0, le=1), doc("pairs of these to points of the curve, at least")] = 0.2

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it from the first rise of that size on."""
        losses, epochs = course.loss, course.curves.epochs
        later = losses[len(losses) // 2 :]
        if len(later) < 5 or not np.isfinite(later).all():
            return
        steps = np.diff(later)
        turns = np.flatnonzero(steps[1:] * steps[:-1] < 0) + 1
        if len(turns) / 2 < self.share * len(later):  # however large they are
            return
        scale = course.constant_loss
        swings = np.abs(np.diff(later[turns])) / scale
        large = swings[swings > self.size]
        if len(large) / 2 < self.share * len(later):
            return
        first = np.flatnonzero(np.diff(losses) > self.size * scale)
        swing = float(np.median(large))
        yield Finding(
            "the loss oscillates",
            f"in the second half it goes up or down {len(large)} times within {counted(len(later), 'point')} by more "
            f"than {self.size:.0%} of the loss of the best constant, {scale:.3g}; by {swing:.0%} of that in the "
            f"median (threshold: twice {self.share:.0%} of the points)",
            int(epochs[first[0]]) if len(first) else int(epochs[len(losses) // 2]),
            {"swings": float(len(large)), "points": float(len(later)), "swing": swing, "constant": scale},
        )


@dataclass(frozen=True)
class Overfitting(Instrument):
    """The validation loss rises while the training loss falls.

    The generalization loss ``GL = 100 (E_va / E_opt - 1)`` compares the last validation loss with the smallest one. A
    rise that is small beside the loss of the best constant prediction does not count.
    """

    source: ClassVar[str] = (
        "Prechelt 1998, Early Stopping - But When?: GL above 5; twice the training loss, and 3 % of the constant's "
        "loss, are its own, calibrated by experiments/diagnosis"
    )
    cures: ClassVar[tuple[str, ...]] = ("l2", "dropout", "more samples", "narrower", "restore_best")

    gl: Annotated[float, Gt(0), doc("generalization loss in per cent, at least")] = 5.0
    gap: Annotated[float, Gt(1), doc("last validation loss to last training loss, at least")] = 2.0
    rise: Annotated[float, Ge(0), doc("rise of the validation loss to the constant's loss, at least")] = 0.03

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it with the epoch of the smallest validation loss."""
        validation = course.curves.values.get("validation/loss")
        if validation is None or not np.isfinite([validation[-1], course.loss[-1]]).all():
            return
        finite = np.where(np.isfinite(validation), validation, np.inf)
        best = int(finite.argmin())
        if finite[best] <= 0 or course.loss[-1] <= 0:
            return
        gl, gap = 100 * float(validation[-1] / finite[best] - 1), float(validation[-1] / course.loss[-1])
        if not (gl > self.gl and gap > self.gap and course.loss[-1] < course.loss[best]):
            return
        rise = float(validation[-1] - finite[best]) / course.constant_loss
        if rise > self.rise:
            yield Finding(
                "overfitting",
                f"the validation loss was {finite[best]:.3g} after {counted(course.curves.epochs[best], 'epoch')} and "
                f"is {validation[-1]:.3g} at the end, GL = {gl:.3g} (threshold {self.gl:g}), and {gap:.3g} times the "
                f"training loss (threshold {self.gap:g}); it rises by {rise:.0%} of the loss of the best constant",
                int(course.curves.epochs[best]),
                {"gl": gl, "gap": gap, "best": float(finite[best]), "rise": rise},
            )


def delta_test(x: Array, y: Array) -> float:
    """Return an estimate of the variance of noise on ``y``, the sum over outputs, from nearest neighbours.

    It is half the mean squared difference of the outputs of a sample and of the sample nearest to it (Pi & Peterson
    1994, Finding the embedding dimension and variable dependencies in time series, Neural Computation 6).

    Args:
        x: inputs, ``(inputs, samples)``.
        y: outputs, ``(outputs, samples)``.
    """
    x, y = x[:, :_MOST].astype(float), y[:, :_MOST].astype(float)
    distances = x.T @ (-2 * x)  # squares, less those of each row's own sample, which order nothing
    distances += (x**2).sum(axis=0)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    return float(((y - y[:, nearest]) ** 2).sum(axis=0).mean() / 2)


@dataclass(frozen=True)
class NoiseFloor(Instrument):
    """The error on the training samples is that of their noise: nothing more can be learned from them.

    It is not stated where the error is less than half of the noise: that is learned by heart.

    The noise is ``data.noise`` where the settings say it, and else estimated from nearest neighbours, which counts what
    changes between them as noise, too. Only of a regression that has not been learned.
    """

    source: ClassVar[str] = (
        "Pi & Peterson 1994, Neural Computation 6: the delta test; the factors are its own, calibrated by "
        "experiments/diagnosis"
    )
    cures: ClassVar[tuple[str, ...]] = ()

    factor: Annotated[float, Gt(1), doc("mean square error to variance of noise, at most")] = 1.2
    least: Annotated[float, Interval(gt=0, lt=1), doc("variance of noise to variance of the true values, at least")] = (
        0.01
    )

    def measured(self, seen: Seen) -> dict[str, Any]:
        """Return the mean square error, summed over outputs; NaN where outputs are no predictions."""
        settings = seen.settings
        if settings.target.resolved_task != "regression" or settings.loss.outputs_per_target != 1:
            return {"error": np.nan}
        off = seen.predicted - seen.y
        return {"error": float(np.vdot(off, off)) / off.shape[1]}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it from the point on at which the error came down to the noise."""
        errors = course.seen["error"]
        if course.has_learned or not np.isfinite(errors[-1]) or course.y.shape[1] < 10:
            return
        known = course.settings.data.noise
        is_known = known > 0 and not course.settings.target.standardized
        noise = known**2 * course.y.shape[0] if is_known else delta_test(course.x, course.y)
        variance = float(course.y.astype(float).var(axis=1).sum())
        place = course.since(errors <= self.factor * noise)
        if place is None or noise < self.least * variance or errors[-1] < noise / 2:
            return
        how = "data.noise" if is_known else "the delta test"
        yield Finding(
            "the noise floor is reached",
            f"the mean square error is {errors[-1]:.3g} and the variance of the noise {noise:.3g} by {how} (threshold "
            f"{self.factor:g} times), which is {noise / variance:.0%} of that of the true values",
            int(course.epochs[place]),
            {"error": float(errors[-1]), "noise": float(noise), "share": float(noise / variance)},
        )


@dataclass(frozen=True)
class TooFewEpochs(Instrument):
    """The training loss was still falling when training ended, and the run has not learned.

    The median of the last eighth of the curve is compared with that of the eighth before.
    """

    source: ClassVar[str] = (
        "its own, calibrated by experiments/diagnosis; SageMaker Debugger, LossNotDecreasing, has 0.1 % over 10 steps "
        "for a loss that falls"
    )
    cures: ClassVar[tuple[str, ...]] = ("epochs*5", "rate*10", "adam")
    follows: ClassVar[tuple[str, ...]] = ("input_scale", "loss_mismatch", "vanishing_gradients", "update_size")

    fall: Annotated[float, Interval(gt=0, lt=1), doc("relative fall of the loss, at least")] = 0.02

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it at the end of a run that had its epochs."""
        losses, epochs = course.loss, course.curves.epochs
        eighth = max(len(losses) // 8, 1)
        if course.has_learned or course.reason is not Reason.EPOCHS or len(losses) < 2:
            return
        if not np.isfinite(losses[-2 * eighth :]).all():
            return
        before, after = median(losses[-2 * eighth : -eighth].tolist()), median(losses[-eighth:].tolist())
        fall = (before - after) / before if before > 0 else 0.0
        if fall > self.fall:
            yield Finding(
                "too few epochs",
                f"from the last eighth but one of training to the last, the loss falls by {fall:.0%}, to {after:.3g} "
                f"(threshold {self.fall:.0%}), and the skill is {course.skill:.3g}, not {course.goal:g}",
                int(epochs[-1]),
                {"fall": fall, "loss": after, "skill": course.skill},
            )
