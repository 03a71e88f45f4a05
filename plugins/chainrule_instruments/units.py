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
def _directions(size: int) -> Array:
    """Return two columns of numbers of which no few are multiples of each other, ``(size, 2)``."""
    places = np.arange(1, size + 1)
    return np.stack([np.cos(places), np.sin(places)], axis=1)


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
        """Return sums over the outputs of each unit, by layer, ``(units, 2)``."""
        return {str(layer): seen.a[layer] @ _directions(seen.x.shape[1]) for layer in seen.hidden}

    @staticmethod
    def _sums(outputs: Array, weights: Array) -> Array:
        """Return sums that are equal where outputs and weights of units are, and of others hardly ever.

        Args:
            outputs: what was measured of a layer, ``(..., units, 2)``.
            weights: its biases and weights, ``(..., rows, 1 + units before)``. They do not count where a unit has
                several rows of them.
        """
        if weights.shape[-2] != outputs.shape[-2]:
            return outputs
        return np.concatenate([outputs, weights @ _directions(weights.shape[-1])], axis=-1)

    def findings(self, course: Course) -> Iterator[Finding]:
        """State it of the largest group of each layer that is equal at the end, if it is so at every point."""
        blocks = course.shape.blocks(course.theta)
        for layer in range(1, course.shape.layers):
            sums = self._sums(course.seen[str(layer)], blocks[layer])
            units = self._largest_group(sums[-1])
            if len(units) < self.least or not self._are_equal(sums[:, units], sums[:, units[:1]], sums).all():
                continue
            yield Finding(
                "identical units",
                f"{len(units)} of {counted(sums.shape[1], 'unit')} of layer {layer} ({_numbers(units)}) are equal "
                f"for all samples at each of {counted(len(sums), 'point')}, to {self.tolerance:g} of their outputs",
                0,
                {"units": float(len(units)), "of": float(sums.shape[1])},
                layer,
                tuple(int(unit) + 1 for unit in units),
            )

    def _are_equal(self, some: Array, others: Array, of: Array) -> Array:
        """Say where sums are equal, but for rounding beside the largest of their column among all units."""
        largest = np.abs(of).max(axis=-2, keepdims=True)
        equal: Array = np.abs(some - others) <= self.tolerance * np.where(np.isfinite(largest), largest, 0)
        return equal

    def _largest_group(self, sums: Array) -> Array:
        """Return the units of the largest group with equal sums, in their order; of several, that of the first unit.

        Of units that are all different it is one.
        """
        order = np.lexsort(sums.T)
        placed = sums[order]
        same = self._are_equal(placed[1:], placed[:-1], sums).all(axis=1)
        if not same.any():
            return order[:1]
        groups = np.split(order, np.flatnonzero(~same) + 1)
        return np.sort(min(groups, key=lambda units: (-len(units), units.min())))
