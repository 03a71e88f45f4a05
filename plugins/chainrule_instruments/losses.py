"""What the curves of the losses say: oscillation, overfitting, the noise floor, too few epochs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt, Interval, doc

from chainrule.components.contracts import Array
from chainrule.engine.reason import Reason
from chainrule.engine.weights import classes_of
from chainrule.registry.instruments import Course, Finding, Instrument, Seen

_MOST = 1500  # samples whose distances are taken


@dataclass(frozen=True)
class Oscillation(Instrument):
    """The training loss goes up and down instead of down.

    Over the second half of the curve, pairs of neighbouring turning points are counted that differ by more than
    ``size`` of the loss.
    """

    source: ClassVar[str] = "AutoTrainer (Zhang et al. 2021, ICSE): 3 % and 20 % of the epochs, there of the accuracy"
    cures: ClassVar[tuple[str, ...]] = ("rate/10", "rate/100", "cosine", "larger batch", "adam")

    size: Annotated[float, Gt(0), doc("relative difference of neighbouring turning points, at least")] = 0.03
    share: Annotated[float, Interval(gt=0, le=1), doc("pairs of these to points of the curve, at least")] = 0.2

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it with its first turning point of the whole curve."""
        losses, epochs = course.loss, course.curves.epochs
        later = losses[len(losses) // 2 :]
        if len(later) < 5 or not np.isfinite(later).all():
            return
        turns = np.flatnonzero(np.diff(later)[1:] * np.diff(later)[:-1] < 0) + 1
        scale = np.median(np.abs(later)) or 1.0
        swings = np.abs(np.diff(later[turns])) / scale
        pairs = int(np.count_nonzero(swings > self.size)) / 2
        if pairs < self.share * len(later):
            return
        whole = np.diff(losses)
        first = np.flatnonzero(whole > self.size * np.abs(losses[:-1]))
        swing = float(np.median(swings))
        yield Finding(
            "the loss oscillates",
            f"in the second half it turns {len(turns)} times within {len(later)} points, by {swing:.0%} of its value "
            f"in the median (thresholds {self.size:.0%}, and {self.share:.0%} of the points)",
            int(epochs[first[0]]) if len(first) else int(epochs[len(losses) // 2]),
            {"turns": float(len(turns)), "points": float(len(later)), "swing": swing},
        )


@dataclass(frozen=True)
class Overfitting(Instrument):
    """The validation loss rises while the training loss falls.

    The generalization loss ``GL = 100 (E_va / E_opt - 1)`` compares the last validation loss with the smallest one.
    """

    source: ClassVar[str] = "Prechelt 1998, Early Stopping - But When?: GL above 5; twice the training loss is its own"
    cures: ClassVar[tuple[str, ...]] = ("l2", "dropout", "more samples", "narrower", "restore_best")

    gl: Annotated[float, Gt(0), doc("generalization loss in per cent, at least")] = 5.0
    gap: Annotated[float, Gt(1), doc("last validation loss to last training loss, at least")] = 2.0

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
        if gl > self.gl and gap > self.gap and course.loss[-1] < course.loss[best]:
            yield Finding(
                "overfitting",
                f"the validation loss was {finite[best]:.3g} after {course.curves.epochs[best]} epochs and is "
                f"{validation[-1]:.3g} at the end, GL = {gl:.3g} (threshold {self.gl:g}), and {gap:.3g} times the "
                f"training loss (threshold {self.gap:g})",
                int(course.curves.epochs[best]),
                {"gl": gl, "gap": gap, "best": float(finite[best])},
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
    squares = (x**2).sum(axis=0)
    distances = squares[:, None] + squares[None] - 2 * x.T @ x
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    return float(((y - y[:, nearest]) ** 2).sum(axis=0).mean() / 2)


@dataclass(frozen=True)
class NoiseFloor(Instrument):
    """The error on the training samples is that of their noise: nothing more can be learned from them.

    The noise is ``data.noise`` where the settings say it, and else estimated from nearest neighbours, which counts what
    changes between them as noise, too. Only of a regression.
    """

    source: ClassVar[str] = "Pi & Peterson 1994, Neural Computation 6: the delta test; the factors are its own"
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
        with np.errstate(all="ignore"):
            return {"error": float(((settings.loss.point(seen.a[-1][None])[0] - seen.y) ** 2).sum(axis=0).mean())}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it from the point on at which the error came down to the noise."""
        errors = course.seen["error"]
        if not np.isfinite(errors[-1]) or course.y.shape[1] < 10:
            return
        known = course.settings.data.noise
        is_known = known > 0 and not course.settings.target.standardized
        noise = known**2 * course.y.shape[0] if is_known else delta_test(course.x, course.y)
        variance = float(course.y.astype(float).var(axis=1).sum())
        with np.errstate(all="ignore"):
            place = course.since(errors <= self.factor * noise)
        if place is None or noise < self.least * variance:
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
    """The training loss was still falling when training ended, and there was something left to learn.

    The median of the last eighth of the curve is compared with that of the eighth before. What is left is the mean
    square error by the variance of the true values; of classes, the share of samples that are wrong.
    """

    source: ClassVar[str] = "its own; SageMaker Debugger, LossNotDecreasing, has 0.1 % for a loss that falls"
    cures: ClassVar[tuple[str, ...]] = ("epochs*5", "rate*10", "adam")

    fall: Annotated[float, Interval(gt=0, lt=1), doc("relative fall of the loss, at least")] = 0.02
    left: Annotated[float, Interval(gt=0, lt=1), doc("what is left to learn, at least")] = 0.05

    def measured(self, seen: Seen) -> dict[str, Any]:
        """Return what is left to learn on the training samples."""
        settings, y = seen.settings, seen.y.astype(float)
        with np.errstate(all="ignore"):
            given = settings.loss.point(seen.a[-1][None])[0]
            if settings.target.resolved_task == "classification":
                return {"left": float((classes_of(given.T) != classes_of(y.T)).mean())}
            return {"left": float(((given - y) ** 2).sum() / ((y - y.mean(axis=1, keepdims=True)) ** 2).sum())}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it at the end of a run that had its epochs."""
        losses, epochs = course.loss, course.curves.epochs
        eighth = max(len(losses) // 8, 1)
        left = float(course.seen["left"][-1])
        if course.reason is not Reason.EPOCHS or len(losses) < 2 or left < self.left:
            return
        if not np.isfinite(losses[-2 * eighth :]).all():
            return
        before, after = np.median(losses[-2 * eighth : -eighth]), np.median(losses[-eighth:])
        fall = float((before - after) / before) if before > 0 else 0.0
        if fall > self.fall:
            yield Finding(
                "too few epochs",
                f"the loss fell by {fall:.0%} from the last eighth but one of training to the last, to {after:.3g} "
                f"(threshold {self.fall:.0%}), and {left:.0%} is left to learn (threshold {self.left:.0%})",
                int(epochs[-1]),
                {"fall": fall, "loss": float(after), "left": left},
            )
