"""Units that say nothing, and units that say the same."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Array
from chainrule.errors import agreeing, counted
from chainrule.registry.instruments import Course, Finding, Instrument, Seen


def _numbers(units: Array) -> str:
    shown = ", ".join(str(unit + 1) for unit in units[:8])
    return shown if len(units) <= 8 else f"{shown} ..."


def _silent(course: Course, layer: int, held: Array, share: float) -> tuple[Array, int] | None:
    """Return which units are silent at the end, and since when that many; None if they are too few.

    Args:
        course: of the run.
        layer: the layer.
        held: where a unit is silent, ``(points, units)``.
        share: of the units of the layer that must be silent.
    """
    units = np.flatnonzero(held[-1]) if len(held) and not course.has_learned else np.empty(0, int)
    if not len(units) or len(units) < share * held.shape[1]:
        return None
    place = course.since(np.asarray(held[:, units].all(axis=1)))
    return None if place is None else (units, int(course.epochs[place]))


@dataclass(frozen=True)
class DeadUnits(Instrument):
    """Units of a hidden layer whose output is the same number for every training sample: nothing reaches them.

    A ReLU that is negative everywhere is one. Such units stay as they are, because their slope is 0. They are stated of
    a run that has not learned: many can do with fewer units.
    """

    source: ClassVar[str] = (
        "SageMaker Debugger, DeadRelu: more than 50 % of the ReLUs of a layer are active for less than 1 % of the "
        "samples; here at least 50 % for none"
    )
    follows: ClassVar[tuple[str, ...]] = ("input_scale", "rate_above_curvature", "exploding_gradients")
    cures: ClassVar[tuple[str, ...]] = ("activation", "initializer", "rate/10", "wider", "other seed", "norm")

    share: Annotated[float, Interval(gt=0, le=1), doc("share of the units of a layer, at least")] = 0.5

    def measured(self, seen: Seen) -> dict[str, Any]:
        """Return the smallest and the largest output of each unit, by layer."""
        return {str(layer): seen.ends[layer] for layer in seen.hidden}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it of each layer where it lasts to the end."""
        for layer in range(1, course.shape.layers):
            ends = course.seen[str(layer)]
            low, high = course.activation(layer).range
            is_bounded = np.isfinite(low) and np.isfinite(high)
            found = None if is_bounded else _silent(course, layer, ends[:, :, 0] == ends[:, :, 1], self.share)
            if found:
                units, onset = found
                number = len(units)
                whole = f"{number} of {ends.shape[1]} units"
                if number == ends.shape[1]:
                    whole = agreeing(number, "the unit", "all units")
                yield Finding(
                    "dead units",
                    f"{whole} of layer {layer} ({_numbers(units)}) {agreeing(number, 'gives', 'give')} the same "
                    f"output for all samples, with a range of 0 (threshold: {self.share:.0%} of the layer)",
                    onset,
                    {"units": float(len(units)), "of": float(ends.shape[1])},
                    layer,
                    tuple(int(unit) + 1 for unit in units),
                )


@dataclass(frozen=True)
class SaturatedUnits(Instrument):
    """Units of a bounded activation that stay at one end of its range for every training sample.

    A unit counts if its output varies by less than ``spread`` of the width of the range, and lies within it of an end.
    They are stated of a run that has not learned.
    """

    source: ClassVar[str] = (
        "SageMaker Debugger, SaturatedActivation: more than 50 % of a layer, where the slope is below 1e-7; the width "
        "of 1 % is its own, calibrated by experiments/diagnosis"
    )
    follows: ClassVar[tuple[str, ...]] = ("input_scale", "rate_above_curvature", "exploding_gradients")
    cures: ClassVar[tuple[str, ...]] = ("standardized", "initializer", "activation", "rate/10", "norm", "other seed")

    share: Annotated[float, Interval(gt=0, le=1), doc("share of the units of a layer, at least")] = 0.5
    spread: Annotated[float, Interval(gt=0, lt=1), doc("part of the range that outputs stay within")] = 0.01

    def measured(self, seen: Seen) -> dict[str, Any]:
        """Return the smallest and the largest output of each unit, by layer."""
        return {str(layer): seen.ends[layer] for layer in seen.hidden}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it of each layer where it lasts to the end."""
        for layer in range(1, course.shape.layers):
            low, high = course.activation(layer).range
            if not (np.isfinite(low) and np.isfinite(high)):
                continue
            ends, width = course.seen[str(layer)], self.spread * (high - low)
            held = (ends[:, :, 1] <= low + width) | (ends[:, :, 0] >= high - width)
            found = _silent(course, layer, held, self.share)
            if found:
                units, onset = found
                spread = float((ends[-1, units, 1] - ends[-1, units, 0]).max())
                yield Finding(
                    "saturated units",
                    f"{len(units)} of {counted(ends.shape[1], 'unit')} of layer {layer} ({_numbers(units)}) "
                    f"{agreeing(len(units), 'stays', 'stay')} at an end of [{low:g}, {high:g}] for all samples, within "
                    f"{spread:.2g} (thresholds: {self.spread:.0%} of the range, {self.share:.0%} of the layer)",
                    onset,
                    {"units": float(len(units)), "of": float(ends.shape[1]), "spread": spread},
                    layer,
                    tuple(int(unit) + 1 for unit in units),
                )


@functools.lru_cache(maxsize=32)
def _directions(size: int) -> tuple[Array, float]:
    """Return numbers of which no few are multiples of each other, ``(size,)``, and the sum of their sizes."""
    directions = np.cos(np.arange(1, size + 1))
    return directions, float(np.abs(directions).sum())


@dataclass(frozen=True)
class IdenticalUnits(Instrument):
    """Units of a hidden layer with equal weights and outputs from the start to the end: symmetry is never broken.

    Units with equal weights into them and out of them have equal gradients, and stay equal. Units that are silent, each
    with weights of its own, do not count.
    """

    source: ClassVar[str] = (
        "Goodfellow, Bengio & Courville 2016, Deep Learning, section 8.4: units with the same inputs must begin with "
        "other parameters; they give no threshold, the tolerance is its own: rounding"
    )
    cures: ClassVar[tuple[str, ...]] = ("initializer",)

    tolerance: Annotated[float, Ge(0), doc("largest difference of outputs, relative to the largest of them")] = 1e-9
    least: Annotated[int, Gt(1), doc("units that are equal, at least")] = 2

    def measured(self, seen: Seen) -> dict[str, Any]:
        """Return, by layer, the number of the first unit that each unit is equal to, ``(units,)``."""
        blocks = seen.blocks(seen.theta)
        return {str(layer): self._groups(seen.a[layer], blocks[layer]) for layer in seen.hidden}

    def _groups(self, outputs: Array, weights: Array) -> Array:
        """Compare weights, and outputs only where these are equal: samples are many."""
        known = weights if len(weights) == len(outputs) else outputs
        directions, length = _directions(known.shape[1])
        with np.errstate(all="ignore"):
            keys = known @ directions  # of equal units they are equal, of others hardly ever
            order = keys.argsort(kind="stable")
            keys = keys[order]
            same = keys[1:] - keys[:-1] <= self._allowed(known) * length
        if not same.any():
            return np.arange(len(order))
        whole = np.concatenate([weights, outputs], axis=1) if known is weights else outputs
        allowed = self._allowed(whole)
        for place in np.flatnonzero(same):
            one, other = whole[order[place]], whole[order[place + 1]]
            same[place] = np.abs(one - other).max(initial=0.0) <= allowed
        group = np.append(0, np.cumsum(~same))[: len(order)]
        leaders = np.full(len(order), len(order))
        np.minimum.at(leaders, group, order)
        first = np.empty(len(order), int)
        first[order] = leaders[group]
        return first

    def _allowed(self, known: Array) -> float:
        largest = np.abs(known).max(initial=0.0)
        return float(self.tolerance * largest) if np.isfinite(largest) else 0.0

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it of each layer in which units are equal at every point after the start."""
        for layer in range(1, course.shape.layers):
            groups = course.seen[str(layer)]
            last = groups[-1]
            sizes = np.bincount(last, minlength=groups.shape[1])
            leader = int(sizes.argmax())
            units = np.flatnonzero(last == leader)
            constant = len(units) < self.least
            place = None if constant else course.since((groups[:, units] == groups[:, units[:1]]).all(axis=1))
            if place != 0:
                continue
            yield Finding(
                "identical units",
                f"{len(units)} of {counted(groups.shape[1], 'unit')} of layer {layer} ({_numbers(units)}) are equal "
                f"for all samples at each of {counted(len(groups), 'point')}, to {self.tolerance:g} of their outputs",
                0,
                {"units": float(len(units)), "of": float(groups.shape[1])},
                layer,
                tuple(int(unit) + 1 for unit in units),
            )
