"""The rate against the curvature of the loss, and plateaus at saddles and at minima."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt, Interval, doc

from chainrule.errors import counted
from chainrule.registry.instruments import Course, Finding, Instrument, Stepped


@dataclass(frozen=True)
class RateAboveCurvature(Instrument):
    """The learning rate of gradient descent is above ``2 / lambda_max``: steps along that direction grow.

    ``lambda_max`` is the largest eigenvalue of the Hessian of the mean loss, measured where the loss is last finite and
    where it first rises. It is stated of a run that has not learned, only where a step is ``theta <- theta - lr g``,
    and only if the loss did not fall since: gradient descent often goes on well a little above that rate (Cohen et al.
    2021, ICLR).
    """

    source: ClassVar[str] = (
        "LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, section 5.1, eq. 38: gradient descent on a quadratic "
        "diverges from 2 / lambda_max on"
    )
    follows: ClassVar[tuple[str, ...]] = ("input_scale",)
    cures: ClassVar[tuple[str, ...]] = ("rate/10", "rate/100", "standardized", "clip", "adam")

    factor: Annotated[float, Gt(0), doc("rate times lambda_max, at least")] = 2.0

    def stepped(self, step: Stepped) -> dict[str, Any]:
        """Return the rate of a step of plain descent; NaN for any other step."""
        rate = step.rate
        if rate is None:
            return {"rate": np.nan}
        expected = step.before - rate * step.grad
        near = np.abs(step.after - expected) <= 1e-5 * np.abs(step.after - step.before) + 1e-12
        return {"rate": rate if bool(near.all()) else np.nan}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State the first of the two points at which the rate is too high."""
        if course.has_learned:
            return
        losses = np.interp(course.epochs, course.curves.epochs, course.loss)
        finite = np.isfinite(losses)
        places = np.flatnonzero(finite)
        if not len(places) or not len(course.stepped.get("rate", ())):
            return
        rises = np.flatnonzero(np.diff(losses[places]) > 0)
        candidates = dict.fromkeys([*(int(places[place]) for place in rises[:1]), int(places[-1])])
        for place in candidates:
            # Not every point has a step that is seen: the last one until then counts.
            seen = np.searchsorted(course.step_epochs[1:], course.epochs[place], side="right")
            rate = float(course.stepped["rate"][seen])
            later = losses[place + 1 :]
            falls = len(later) > 0 and finite[-1] and later[-1] < losses[place]
            falls = falls or (len(later) == 0 and place > 0 and losses[place] < losses[place - 1])
            if not np.isfinite(rate) or falls:
                continue
            curvature = course.curvature(place)
            if curvature.largest * rate > self.factor:
                yield Finding(
                    "the learning rate is above 2 / lambda_max",
                    f"the rate is {rate:.3g}, and steps grow above {self.factor:g} / lambda_max = "
                    f"{self.factor / curvature.largest:.3g} after {counted(course.epochs[place], 'epoch')} "
                    f"(lambda_max = {curvature.largest:.3g}, {curvature.how})",
                    int(course.epochs[place]),
                    {"rate": rate, "bound": self.factor / curvature.largest, "lambda_max": curvature.largest},
                )
                return


@dataclass(frozen=True)
class Plateau(Instrument):
    """The loss has stopped falling: at a saddle, where a direction of negative curvature leads down, or at a minimum.

    The medians of the last two quarters of the curve are compared. A rise may be ten times as large as a fall, because
    steps with few samples are noisy. The smallest eigenvalue of the Hessian at the end decides. A plateau begins where
    the loss comes within ``near`` of its last median. It is stated of a run that has not learned.
    """

    source: ClassVar[str] = (
        "its own, calibrated by experiments/diagnosis (SageMaker Debugger, LossNotDecreasing, has 0.1 % over 10 "
        "steps); that negative curvature makes a saddle: Dauphin et al. 2014, NeurIPS, who give no threshold"
    )
    follows: ClassVar[tuple[str, ...]] = (
        "output_range", "input_scale", "loss_mismatch", "identical_units", "rate_above_curvature",
        "exploding_gradients", "dead_units", "saturated_units", "vanishing_gradients", "update_size", "oscillation",
        "noise_floor",
    )  # fmt: skip
    cures: ClassVar[tuple[str, ...]] = ("other seed", "wider", "adam", "rate*10", "initializer", "activation")

    change: Annotated[float, Gt(0), doc("relative fall of the loss between the last two quarters, at most")] = 0.05
    near: Annotated[float, Gt(0), doc("relative distance of the loss at the onset from that of the end")] = 0.1
    negative: Annotated[float, Interval(gt=0, lt=1), doc("-lambda_min / lambda_max of a saddle, at least")] = 1e-3

    def findings(self, course: Course) -> Iterator[Finding]:
        """State where the loss stopped, and what the Hessian says there."""
        losses, epochs, quarter = course.loss, course.curves.epochs, len(course.loss) // 4
        if course.has_learned or quarter < 3 or not np.isfinite(losses[-2 * quarter :]).all():
            return
        before, after = median(losses[-2 * quarter : -quarter].tolist()), median(losses[-quarter:].tolist())
        change = (before - after) / max(abs(before), np.finfo(float).tiny)
        if not -10 * self.change <= change <= self.change:
            return
        near = np.abs(losses - after) <= self.near * abs(after)
        place = int(near.argmax())
        curvature = course.curvature(len(course.epochs) - 1)
        is_saddle = -curvature.smallest > self.negative * max(curvature.largest, 0)
        is_saddle = is_saddle and curvature.smallest < 0
        yield Finding(
            "a plateau at a saddle" if is_saddle else "a plateau at a minimum",
            f"from the last quarter but one to the last, the loss {'falls' if change >= 0 else 'rises'} by "
            f"{abs(change):.2g} of its value, to {after:.3g} (threshold {self.change:g}); at the end the eigenvalues "
            f"{curvature.how} go from {curvature.smallest:.2g} to {curvature.largest:.2g}, and the gradient has the "
            f"norm {curvature.gradient:.2g}",
            int(epochs[place]),
            {
                "change": change,
                "lambda_min": curvature.smallest,
                "lambda_max": curvature.largest,
                "gradient": curvature.gradient,
            },
        )
