"""Checks of activations."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import asked, takes_out
from chainrule.components.contracts import Activation, Array
from chainrule.components.stacking import stack
from chainrule.errors import agreeing, counted
from chainrule.testing import activated, effects, methods, training
from chainrule.testing.differences import HUGE, STEP, differences, find_jump, settled, unfounded_overflow
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import Call, Size
from chainrule.testing.subjects import DTYPES, Subject, as_columns, random_columns
from chainrule.testing.table import Check

_POINTS = 300  # at which derivatives are compared, for each variant
_FINE = 2e-3  # distance of the points between which undeclared kinks are sought
_FAR = 32.0  # how far from 0
_SUSPECTS = 8  # places of the largest second differences that are looked at more closely
_SMALLEST_KINK = 1e-4  # change of slope below which a kink does not matter
_WIDE = (4, 70, 200)  # units of further layers on which derivatives are compared
_FEW_POINTS = 6  # on these, and of these units at most


def shapes(subject: Subject) -> None:
    """``forward`` returns ``a (runs, units, samples)``, ``slope`` and ``backward`` arrays like ``z``, in its dtype."""
    methods.check_shapes(subject, _calls, _sizes(subject))


def buffers(subject: Subject) -> None:
    """A method that takes ``out`` fills it with what it returns without ``out``, and returns it."""
    methods.check_buffers(subject, _calls, _sizes(subject))


def pure(subject: Subject) -> None:
    """Methods leave their inputs alone and keep nothing between calls."""
    methods.check_purity(subject, _calls, _sizes(subject)[1:4])


def samples_apart(subject: Subject) -> None:
    """The values of a sample do not depend on other samples."""
    methods.check_samples(subject, _calls, _sizes(subject)[2:])


def stacking(subject: Subject) -> None:
    """A run has the same bytes in a stack, in a stack that others have left, and alone."""
    methods.check_stacking(subject, _calls, _sizes(subject))


def precision(subject: Subject) -> None:
    """Results in float32 are those in float64, up to rounding."""
    methods.check_precision(subject, _calls, (max(3, _least(subject)), 80))


def effective(subject: Subject) -> None:
    """Every parameter changes ``forward`` or ``backward``, or a short training where ``forward`` asks for more."""
    if set(asked(subject.cls, "forward")) - {"out"}:
        effects.require_effects(subject, lambda one: activated.curves(subject, one))
        return
    units = max(_least(subject), 3)

    def observe(activation: Any) -> bytes:
        rows = activation.pieces * units
        points = np.concatenate([_points(rows)[..., :100], [[[0.0]] * rows]], axis=-1)
        a = np.asarray(activation.forward(points))
        return bytes(a.tobytes() + np.asarray(activation.backward(np.ones_like(a), points, a)).tobytes())

    effects.require_effects(subject, observe)


def gradient(subject: Subject) -> None:
    """``backward`` and ``slope`` agree with central differences of ``forward``, away from kinks, on any layer."""
    least = _least(subject)
    for activation in subject.variants:
        _require_gradient(subject, activation, _points(activation.pieces * max(least, 3)))
    usual = subject.defaults[0]
    for units in {least, *(max(least, units) for units in _WIDE)}:
        points = 2 * np.random.default_rng(2).normal(size=(1, usual.pieces * units, _FEW_POINTS))
        _require_gradient(subject, usual, points)


def _require_gradient(subject: Subject, activation: Any, points: Array) -> None:
    z = _away_from_kinks(activation, points)
    if _has_slope(subject):  # first, because backward may follow from it
        slope = activation.slope(z, activation.forward(z))
        _compare(subject, activation, z, np.ones_like(z), "slope", slope)
    grad_a = np.random.default_rng(1).normal(size=np.shape(activation.forward(z)))
    _compare(subject, activation, z, grad_a, "backward", _backward(activation, z, grad_a))


def kinks(subject: Subject) -> None:
    """``kinks`` lists every place where the slope of ``forward`` jumps; its value jumps nowhere."""
    for activation in (*subject.settings, *subject.edges, *(components[0] for components in subject.stacks)):
        for row in _rows_of_first(subject, activation):
            _require_no_other_kink(subject, activation, _least(subject), row)
    for unit in (2, 4):
        _require_no_other_kink(subject, subject.defaults[0], max(_least(subject), 5), unit)


def _require_no_other_kink(subject: Subject, activation: Any, units: int, unit: int) -> None:
    """Refuse what bends or jumps when one of several units, or one of its pieces, moves, and the others stay."""
    declared = np.array(activation.kinks)
    along, elsewhere = (_line(activation, units, unit, seed) for seed in (2, 3))
    allowed, points = declared, np.arange(-_FAR, _FAR, _FINE)
    values = along(points)
    while found := _undeclared_kink(along, points, values, allowed):
        place, jump = found
        if activation.pieces * units == 1 or _bends(elsewhere, place):
            raise FindingError(
                f"{subject.where('forward')} has a kink at z = {place:.6g}, where its slope changes by {jump:.3g} "
                f"({activation}); declare it in kinks.",
                z=place,
                jump=jump,
            )
        allowed = np.append(allowed, place)  # it lies elsewhere when the other units do: it is a kink between units
    leap = find_jump(along, points, values)
    if leap and not np.any(np.abs(declared - leap[0]) < _FINE):
        raise FindingError(
            f"{subject.where('forward')} jumps by {leap[1]:.3g} at z = {leap[0]:.6g} of unit {unit} ({activation}); no "
            "gradient sees that: make it continuous.",
            z=leap[0],
            jump=leap[1],
        )


def _line(activation: Any, units: int, unit: int, seed: int) -> Callable[[Array], Array]:
    """Return a sum of the outputs as a function of the ``z`` of one unit, or of one of its pieces."""
    weights = _factors(units)

    def along(t: Array) -> Array:
        z = _moved(activation, units, unit, seed, t)
        return np.asarray((weights * activation.forward(z)[0]).sum(axis=0))

    return along


def _factors(units: int) -> Array:
    """Return positive numbers by which outputs are multiplied before they are added, ``(units, 1)``."""
    return np.random.default_rng(1).uniform(0.5, 1, size=(units, 1))


def _moved(activation: Any, units: int, unit: int, seed: int, values: Array) -> Array:
    """Return ``z (1, rows, samples)`` in which one row has these values, and the others stay."""
    others = np.random.default_rng(seed).normal(size=(activation.pieces * units, 1))
    z: Array = np.repeat(others, len(values), axis=1)[None]
    z[0, unit] = values
    return z


def _rows_of_first(subject: Subject, activation: Any) -> list[int]:
    """Return the rows of ``z`` that belong to the first unit of the smallest layer, one for each piece."""
    return [piece * _least(subject) for piece in range(activation.pieces)]


def _bends(along: Callable[[Array], Array], place: float) -> bool:
    """Return whether the slope jumps near a place."""
    points = place + _FINE * 1e-2 * np.arange(-5, 6)
    return bool(_jumps(along(points), points, np.zeros(0), 0.0).max() >= _SMALLEST_KINK)


def slope_at_kinks(subject: Subject) -> None:
    """At a declared kink the value does not jump, and the slope is a one-sided derivative or lies between them."""
    for activation in subject.variants:
        declared = np.array([kink for kink in activation.kinks if kink not in activation.jumps], float)
        for row in _rows_of_first(subject, activation):
            leap = _jump_at(_line(activation, _least(subject), row, 2), declared) if declared.size else None
            if leap and np.any(np.abs(declared - leap[0]) < _FINE):
                raise FindingError(
                    f"{subject.where('forward')} jumps by {leap[1]:.3g} at its kink z = {leap[0]:.6g} ({activation}); "
                    "no gradient sees that: make it continuous, or declare it in jumps if it is published so.",
                    z=leap[0],
                    jump=leap[1],
                )
            for kink in activation.kinks:
                _require_one_side(subject, activation, row, kink)


def _require_one_side(subject: Subject, activation: Any, row: int, kink: float) -> None:
    """Refuse a slope at a kink, along one row of ``z``, that lies outside of the slopes on both sides."""
    units, step = _least(subject), STEP * max(1.0, abs(kink))
    line = kink + step * np.array([-4, -2, -1, 1, 2, 4])
    a = _line(activation, units, row, 2)(line)
    sides = np.array([(a[2] - a[1]) / (line[2] - line[1]), (a[4] - a[3]) / (line[4] - line[3])])
    wide = np.array([(a[1] - a[0]) / (line[1] - line[0]), (a[5] - a[4]) / (line[5] - line[4])])
    # The error of a one-sided quotient grows with the step; three times its own change is a safe bound.
    doubt = 3 * np.abs(wide - sides).max() + 1e-9 * (1 + np.abs(a).max())
    for z in {kink, -kink} if kink == 0 else {kink}:
        point = _moved(activation, units, row, 2, np.array([z]))
        slope = float(_backward(activation, point, _factors(units)[None])[0, row, 0])
        if not sides.min() - doubt <= slope <= sides.max() + doubt:
            left, right, slope = (value / _factors(units)[0, 0] for value in (*sides, slope))
            raise FindingError(
                f"{subject.where('backward')} has the slope {slope:.6g} at the kink z = {z:g}, but forward has "
                f"{left:.6g} to the left and {right:.6g} to the right ({activation}); take one of them or a value "
                "between.",
                z=z,
                slope=slope,
                left=left,
                right=right,
            )


def finite(subject: Subject) -> None:
    """No input gives NaN, nor infinity where the function fits into the dtype."""
    for activation in subject.variants:
        for dtype in DTYPES:
            for sign in (1, -1):
                _require_finite(subject, stack([activation], dtype), np.dtype(dtype), sign)


def in_range(subject: Subject) -> None:
    """Every output lies in ``range``."""
    units = max(_least(subject), 2)
    rng = np.random.default_rng(0)
    line = np.concatenate([np.linspace(-2000, 2000, 4001), np.linspace(-4, 4, 4001), 4 * rng.normal(size=400)])
    for activation in subject.variants:
        low, high = activation.range
        if not low < high:
            raise FindingError(f"{subject.cls.__qualname__}.range is {(low, high)}; it reads (lowest, highest).")
        for dtype in DTYPES:
            rows = range(activation.pieces * units)
            z = np.stack([np.roll(line, 997 * row) for row in rows])[None].astype(dtype)
            a = stack([activation], dtype).forward(z)
            # Rounding may carry a value over a limit by some units in the last place.
            slack = 4 * float(np.finfo(dtype).eps) * max(1.0, *(abs(end) for end in (low, high) if np.isfinite(end)), 0)
            if not (low - slack <= a.min() and a.max() <= high + slack):
                raise FindingError(
                    f"{subject.where('forward')} gives values from {a.min():.9g} to {a.max():.9g}, but range is "
                    f"[{low:.9g}, {high:.9g}] ({activation}); correct range.",
                    lowest=a.min(),
                    highest=a.max(),
                )


def trained(subject: Subject) -> None:
    """A short training as hidden and as output activation has the same bytes in a stack and alone."""
    for components in subject.stacks:
        training.check_alone("activation", components, units=_least(subject) + 1)
        training.check_alone("output", components, units=_least(subject) + 1)


def cause(subject: Subject) -> None:
    """Demand that there is none of the faults that show in many checks."""
    methods.require_no_cause(subject, _calls, _sizes(subject))


def _calls(
    activation: Any, components: Sequence[Any], rng: np.random.Generator, size: Size, dtype: DTypeLike
) -> list[Call]:
    runs, (units, samples) = len(components), size
    z = random_columns(rng, runs, activation.pieces * units, samples, dtype)
    grad_a = random_columns(rng, runs, units, samples, dtype)
    a = activation.forward(z)
    methods.require_axes(f"{type(activation).__qualname__}.forward", a, grad_a.shape)
    a = as_columns(a, dtype)
    calls = [Call("forward", (z,), grad_a.shape), Call("backward", (grad_a, z, a), z.shape)]
    if type(activation).slope is not Activation.slope:
        calls.append(Call("slope", (z, a), z.shape))
    return calls


def _sizes(subject: Subject) -> list[Size]:
    least = _least(subject)
    sizes = [(least, 1), (max(2, least), 2), (max(3, least), 7), (max(10, least), 3)]
    return [*sizes, (max(129, least), 5), (max(200, least), 1), (max(2, least), 256)]


def _least(subject: Subject) -> int:
    return int(subject.cls.min_units)  # type: ignore[attr-defined]


def _has_slope(subject: Subject) -> bool:
    return subject.cls.slope is not Activation.slope  # type: ignore[attr-defined]


def _backward(activation: Any, z: Array, grad_a: Array) -> Array:
    return np.asarray(activation.backward(grad_a, z, activation.forward(z)))


def _points(units: int) -> Array:
    """Return ``(1, units, samples)`` points of all sizes, most of them where activations bend."""
    rng = np.random.default_rng(0)
    scale = rng.choice(
        [0.01, 0.5, 2.0, 6.0, 30.0, 300.0, 1e4], p=[0.1, 0.2, 0.4, 0.15, 0.09, 0.03, 0.03], size=(1, 1, _POINTS)
    )
    return np.asarray(scale * rng.normal(size=(1, units, _POINTS)))


def _away_from_kinks(activation: Any, z: Array) -> Array:
    for kink in activation.kinks:
        clearance = 4 * STEP * max(1.0, abs(kink))
        z = np.where(np.abs(z - kink) < clearance, kink + 2 * clearance, z)
    return z


def _compare(subject: Subject, activation: Any, z: Array, grad_a: Array, method: str, actual: Array) -> None:
    """Compare ``actual`` with the derivative, by each row of ``z``, of the sum of ``grad_a forward(z)`` over units."""
    units = z.shape[1]
    for unit in dict.fromkeys(range(0, units, max(1, units // _FEW_POINTS))):
        factors = grad_a[0]
        if method == "slope":  # each unit by itself only
            factors = np.where(np.arange(z.shape[1])[:, None] == unit, factors, 0.0)

        def terms(point: Array, factors: Array = factors) -> Array:
            return np.asarray(factors * activation.forward(point)[0])

        found, fine = differences(terms, z, unit), differences(terms, z, unit, STEP)
        wrong = found.contradicts(actual[0, unit], units > 1) & fine.contradicts(actual[0, unit], units > 1)
        wrong &= ~(np.isnan(actual[0, unit]) & (np.abs(z[0]).max(axis=0) > 100))  # which is another check's
        if wrong.any():
            # A very large or small z hides the cause: show the wrong point nearest to 1.
            at = min(np.flatnonzero(wrong), key=lambda i: abs(abs(z[0, unit, i]) - 1))
            got, want, place = actual[0, unit, at], found.central[at], z[0, unit, at]
            factor = f"grad_a = {grad_a[0, unit % grad_a.shape[1], at]:.6g}, " if method == "backward" else ""
            raise FindingError(
                f"{subject.where(method)} returns {got:.9g} at z = {place:.6g} ({factor}{activation}), but the "
                f"central difference of forward is {want:.9g}; {int(wrong.sum())} of "
                f"{counted(wrong.size, 'point')} {agreeing(wrong.size, 'differs', 'differ')} by "
                "more than rounding explains. Correct the derivative.",
                z=place,
                returned=got,
                expected=want,
            )


def _jump_at(along: Callable[[Array], Array], places: Array) -> tuple[float, float] | None:
    points = np.linspace(-4, 4, 41)
    return find_jump(along, points, along(points), places)


def _undeclared_kink(
    along: Callable[[Array], Array], points: Array, values: Array, declared: Array
) -> tuple[float, float] | None:
    """Return where the slope jumps, and by how much: one-sided differences stay apart there as points come closer."""
    jumps = _jumps(values, points, declared, 2 * _FINE)
    peaks = jumps.copy()
    for _ in range(_SUSPECTS):
        at = int(np.argmax(peaks))
        first = peaks[at]
        if first < _SMALLEST_KINK:
            return None
        peaks[max(0, at - 2) : at + 3] = 0
        centre, distance, last = points[at + 1], _FINE, first
        for _ in range(3):  # a smooth function's jump falls with the distance, to a thousandth here
            near = centre + distance * np.linspace(-1.5, 1.5, 31)
            distance /= 10
            close = _jumps(along(near), near, declared, 0.0)
            centre, last = near[int(np.argmax(close)) + 1], close.max()
        # Within the last window, where even a steep edge is nearly straight, it falls to a tenth as well.
        coarse = _jumps(along(near[::10]), near[::10], declared, 0.0).max()
        if last > 0.1 * first and last > 0.3 * coarse:
            return float(centre), float(last)
    return None


def _jumps(values: Array, points: Array, declared: Array, clearance: float) -> Array:
    slopes = np.diff(values) / np.diff(points)
    jumps = np.nan_to_num(np.abs(np.diff(slopes)), nan=0.0, posinf=0.0)
    for kink in declared:
        jumps[np.abs(points[1:-1] - kink) <= clearance] = 0
    return jumps


def _require_finite(subject: Subject, activation: Any, dtype: np.dtype[Any], sign: int) -> None:
    info = np.finfo(dtype)
    grown = np.geomspace(1e-3, float(info.max) * 0.99, 400 if dtype == np.float32 else 2600)
    line = sign * np.concatenate([[0.0, float(info.smallest_subnormal), float(info.tiny)], grown]).astype(dtype)
    pieces, units = activation.pieces, max(_least(subject), 2)
    for others in (-1, 0, 1):  # other units have the opposite sign, are 0, or are equal
        z = as_columns(np.stack([line, *([others * line] * (pieces * units - 1))])[None], dtype)
        a = np.array(activation.forward(z))
        grad_z = np.array(activation.backward(np.ones_like(a), z, a))
        huge = np.abs(z[0]) > HUGE
        stops = np.stack([settled(line) for line in grad_z[0]])
        # With several pieces, a row of a depends on several of z.
        huge_a = huge if pieces == 1 else np.broadcast_to(huge.any(axis=0), a[0].shape)
        finite_a = np.isfinite(a[0]) if pieces == 1 else np.isfinite(a[0]).all(axis=0)
        backward_bad = np.where(huge, stops, _undue(grad_z, dtype)) & finite_a
        for method, result, bad in (("forward", a, _undue(a, dtype) & ~huge_a), ("backward", grad_z, backward_bad)):
            if bad.any():
                unit, at = np.argwhere(bad)[0]
                raise FindingError(
                    f"{subject.where(method)} gives {result[0, unit, at]} at z = {z[0, unit, at]:g} in {dtype}, "
                    "though the function itself is finite there; use a form in which nothing overflows.",
                    z=z[0, unit, at],
                )


def _undue(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return where ``values (1, units, points)`` are NaN or unfoundedly infinite; points grow from the 4th on."""
    undue: Array = np.isnan(values[0])
    for unit, line in enumerate(values[0]):
        undue[unit, 3:] |= unfounded_overflow(line[3:], dtype)
    return undue


def _no_buffers(subject: Subject) -> str:
    cls: Any = subject.cls
    taking = takes_out(cls.forward) or takes_out(cls.backward) or takes_out(cls.slope)
    return "" if taking else "no method takes out"


def _no_kinks(subject: Subject) -> str:
    return "" if any(activation.kinks for activation in subject.variants) else "no kinks are declared"


_ALONE = (
    Check(pure),  # first, because others would hide that calls are counted
    Check(shapes),
    Check(buffers, _no_buffers),
    Check(gradient),
    Check(precision, activated.is_random),
    Check(kinks),
    Check(slope_at_kinks, _no_kinks),
    Check(finite),
    Check(in_range),
    Check(samples_apart),
    Check(stacking),
    Check(trained),
)
CHECKS = (
    *(Check(activated.with_defaults(check.function), check.unless) for check in _ALONE),
    Check(effective, effects.without_parameters),
    Check(activated.field_gradients, activated.learns_nothing),
    Check(activated.learned, activated.learns_nothing),
    Check(activated.random_in_training, activated.is_not_random),
    Check(activated.gradient_in_training, activated.is_the_same_in_training),
)
