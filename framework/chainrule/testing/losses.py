"""Checks of losses."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import takes_out
from chainrule.components.contracts import Array, Loss
from chainrule.components.parameters import parameters
from chainrule.components.stacking import stack
from chainrule.errors import agreeing, counted
from chainrule.registry.loaded import installed
from chainrule.testing import effects, methods, training
from chainrule.testing.comparing import digits
from chainrule.testing.differences import HUGE, differences, find_jump, settled, unfounded_overflow
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import Call, Size
from chainrule.testing.subjects import DTYPES, Subject, as_columns, random_columns, within
from chainrule.testing.table import Check

_SAMPLES = 200
_INSET = 0.01  # share of the prediction range left out at each end, where derivatives may be infinite
_FARTHEST = 1e3  # z at which paired forms must be finite
_MANY = 12  # outputs of a further network
_ERRORS = np.concatenate([np.geomspace(5, 1e8, 30), -np.geomspace(5, 1e8, 30)])  # far out


def declared(subject: Subject) -> None:
    """The declared ranges, ``one_hot``, ``min_outputs`` and paired output fit each other."""
    cls: Any = subject.cls
    for name in ("prediction_range", "target_range"):
        low, high = getattr(cls, name)
        if not low < high:
            raise FindingError(f"{cls.__qualname__}.{name} is {(low, high)}; it reads (lowest, highest).")
    if cls.outputs_per_target < 1:
        raise FindingError(f"{cls.__qualname__}.outputs_per_target is {cls.outputs_per_target}; it is 1 at least.")
    if cls.outputs_per_target > 1 and cls.point is Loss.point:
        raise FindingError(
            f"{cls.__qualname__} has {counted(cls.outputs_per_target, 'output')} per target and no point; say what "
            "it predicts."
        )
    if cls.min_outputs < 1:
        raise FindingError(f"{cls.__qualname__}.min_outputs is {cls.min_outputs}; a network has 1 output at least.")
    if cls.one_hot and (cls.min_outputs < 2 or cls.target_range[0] < 0 or cls.target_range[1] > 1):
        raise FindingError(
            f"{cls.__qualname__} declares one_hot, so min_outputs must be at least 2 and target_range within (0, 1), "
            f"not {cls.min_outputs} and {cls.target_range}."
        )
    replaced = [name for name in ("paired_value", "paired_delta") if getattr(cls, name) is not getattr(Loss, name)]
    if replaced and not cls.paired_output:
        raise FindingError(
            f"{cls.__qualname__} defines {' and '.join(replaced)}, but no paired_output; they go together."
        )


def shapes(subject: Subject) -> None:
    """Values are ``(runs, samples)``, gradients and deltas ``(runs, outputs, samples)``, of the dtype of the inputs."""
    methods.check_shapes(subject, _calls, _sizes(subject))


def buffers(subject: Subject) -> None:
    """A method that takes ``out`` fills it with what it returns without ``out``, and returns it."""
    methods.check_buffers(subject, _calls, _sizes(subject))


def pure(subject: Subject) -> None:
    """Methods leave their inputs alone and keep nothing between calls."""
    methods.check_purity(subject, _calls, _sizes(subject)[1:4])


def samples_apart(subject: Subject) -> None:
    """The loss of a sample does not depend on other samples, nor is it divided by their number."""
    methods.check_samples(subject, _calls, _sizes(subject)[2:])


def stacking(subject: Subject) -> None:
    """A run has the same bytes in a stack, in a stack that others have left, and alone."""
    methods.check_stacking(subject, _calls, _sizes(subject))


def precision(subject: Subject) -> None:
    """Results in float32 are those in float64, up to rounding."""
    methods.check_precision(subject, _calls, (max(2, _least(subject)), 80))


def effective(subject: Subject) -> None:
    """Every parameter changes a value, a gradient or a paired form."""
    size = (max(2, _least(subject)), 100)

    def observe(loss: Any) -> bytes:
        calls = _calls(stack([loss], float), [loss], np.random.default_rng(0), size, float)
        far = [call.mapped(lambda array: array * 30) for call in calls if not np.isfinite(loss.prediction_range).any()]
        return b"".join(call.on(loss).tobytes() for call in (*calls, *far))

    effects.require_effects(subject, observe)


def gradient(subject: Subject) -> None:
    """``gradient`` is the derivative of ``value``, which does not jump; at a kink it is between both sides."""
    for loss in subject.variants:
        _require_gradient(subject, loss, max(2, loss.min_outputs))
        _require_no_jump(subject, loss)
    _require_gradient(subject, subject.defaults[0], max(_MANY, _least(subject)))


def _require_gradient(subject: Subject, loss: Any, outputs: int) -> None:
    rng = np.random.default_rng(0)
    shape = (1, outputs, _SAMPLES)
    y_true = _truth(loss, rng, shape)
    y_pred = _predictions(loss, rng, shape)
    low, high = loss.prediction_range
    if not loss.one_hot:
        for number, end in enumerate(_ends(loss.target_range), _SAMPLES // 2):
            y_true[..., number] = end
    offsets = [0.0, *(getattr(loss, name) for name, p in parameters(subject.cls).items() if p.is_stackable)]
    offsets += [-offset for offset in offsets[1:]]
    for number, offset in enumerate(offsets):  # where a loss may have kinks
        edge = np.tile(y_true[..., number] + offset, loss.outputs_per_target)
        y_pred[..., number] = np.where((low < edge) & (edge < high), edge, y_pred[..., number])
    far = y_pred[..., -len(_ERRORS) :]
    far[...] = np.where((low < _ERRORS) & (high > _ERRORS), _ERRORS, far)
    wanted = loss.gradient(y_pred, y_true)
    for unit in range(y_pred.shape[1]):
        found = differences(lambda p: loss.value(p, y_true), y_pred, unit)
        truth = y_true[0, unit % outputs]
        _require_derivative(subject, "gradient", loss, wanted[0, unit], found, y_pred[0, unit], truth)


def _require_no_jump(subject: Subject, loss: Any) -> None:
    """Refuse a value that jumps when one prediction moves, and the others stay."""
    outputs = max(2, loss.min_outputs)
    rng = np.random.default_rng(1)
    truth, others = _truth(loss, rng, (1, outputs, 1)), _predictions(loss, rng, (1, outputs, 1))
    low, high = np.clip(loss.prediction_range, -8.0, 8.0)

    def along(places: Array) -> Array:
        y_pred = np.repeat(others, len(places), axis=-1)
        y_pred[0, 0] = places
        return np.asarray(loss.value(y_pred, np.repeat(truth, len(places), axis=-1))[0])

    inset = _INSET * (high - low)
    places = np.linspace(low + inset, high - inset, 4001)
    found = find_jump(along, places, along(places))
    if found:
        raise FindingError(
            f"{subject.where('value')} jumps by {found[1]:.3g} at y_pred = {found[0]:.6g}, y_true = "
            f"{truth[0, 0, 0]:.6g} ({loss}); no gradient sees that: make it continuous.",
            place=found[0],
            jump=found[1],
        )


def adds_up(subject: Subject) -> None:
    """The loss of several outputs is the sum of the losses of each."""
    for loss in subject.variants:
        _require_sum(subject, loss, 5, _SAMPLES)
    _require_sum(subject, subject.defaults[0], 8 * _MANY, 4)


def _require_sum(subject: Subject, loss: Any, outputs: int, samples: int) -> None:
    rng = np.random.default_rng(0)
    shape = (1, outputs, samples)
    y_true, y_pred = _truth(loss, rng, shape), _predictions(loss, rng, shape)
    together = loss.value(y_pred, y_true)
    apart = np.stack([loss.value(y_pred[:, k::outputs], y_true[:, [k]]) for k in range(outputs)])
    # The roundings of the sum, and some in the terms.
    slack = (outputs + 11) * np.finfo(float).eps * np.abs(apart).sum(axis=0)
    wrong = ~(np.abs(together - apart.sum(axis=0)) <= slack)
    if wrong.any():
        _, at = np.argwhere(wrong)[0]
        got, want = float(together[0, at]), float(apart[:, 0, at].sum())
        raise FindingError(
            f"{subject.where('value')} of {counted(outputs, 'output')} is {digits(got, want)}, but the losses of each "
            f"output add up to {digits(want, got)} ({loss}); add outputs with chainrule.sum_units, without a mean.",
            returned=got,
            expected=want,
        )


def finite(subject: Subject) -> None:
    """Within the declared ranges no prediction gives NaN, nor infinity where the loss fits into the dtype."""
    for variant in subject.variants:
        for dtype in DTYPES:
            loss = stack([variant], dtype)
            for truth in _ends(loss.target_range):
                for sign in (1, -1):
                    _require_finite(subject, loss, np.dtype(dtype), truth, sign)


def paired(subject: Subject) -> None:
    """``paired_value`` and ``paired_delta`` equal the loss and its delta through the paired output activation."""
    rng = np.random.default_rng(0)
    output = _paired_output(subject)
    least = max(2, _least(subject), output.min_units)
    for loss, outputs in (*((loss, least) for loss in subject.variants), (subject.defaults[0], max(_MANY, least))):
        shape = (1, outputs, _SAMPLES)
        z, y_true = rng.uniform(-6, 6, size=shape), _truth(loss, rng, shape)
        a = output.forward(z)
        pairs = {
            "paired_value": (loss.paired_value(z, y_true)[:, None], loss.value(a, y_true)[:, None]),
            "paired_delta": (loss.paired_delta(z, a, y_true), output.backward(loss.gradient(a, y_true), z, a)),
        }
        for method, (actual, expected) in pairs.items():
            # At |z| = 6 the unpaired form loses e^6 = 400 units in the last place in 1 - a, far less than 1e-10.
            wrong = ~(np.abs(actual - expected) <= 1e-10 * (1 + np.abs(expected)))
            if wrong.any():
                run, unit, at = np.argwhere(wrong)[0]
                raise FindingError(
                    f"{subject.where(method)} returns {actual[run, unit, at]:.9g} at z = {z[0, unit, at]:.6g}, but by "
                    f"way of output={output.name} it is {expected[run, unit, at]:.9g} ({loss}); both must be one loss.",
                    z=z[0, unit, at],
                    returned=actual[run, unit, at],
                    expected=expected[run, unit, at],
                )


def paired_finite(subject: Subject) -> None:
    """The paired forms are finite for every ``|z|`` up to 1000, and ``paired_delta`` is the derivative there too."""
    line = np.linspace(-_FARTHEST, _FARTHEST, 401)
    for loss in subject.variants:
        output = _paired_output(subject)
        units = max(2, loss.min_outputs, output.min_units)
        y_true = _truth(loss, np.random.default_rng(0), (1, units, len(line)))
        for dtype in DTYPES:
            z = np.stack([np.roll(line, 50 * unit) for unit in range(units)])[None].astype(dtype)
            stacked, truth = stack([loss], dtype), y_true.astype(dtype)
            delta = stacked.paired_delta(z, output.forward(z), truth)
            for method, result in (("paired_value", stacked.paired_value(z, truth)), ("paired_delta", delta)):
                if not np.isfinite(result).all():
                    at = int(np.argwhere(~np.isfinite(result))[0][-1])
                    raise FindingError(
                        f"{subject.where(method)} is {result[..., at].ravel()} at z = {z[0, :, at]} in "
                        f"{np.dtype(dtype)}; use a form in which nothing overflows.",
                        z=z[0, 0, at],
                    )
        z = z.astype(float)
        delta = loss.paired_delta(z, output.forward(z), y_true)
        for unit in range(units):
            found = differences(lambda p: loss.paired_value(p, y_true), z, unit)  # noqa: B023 - used at once
            _require_derivative(subject, "paired_delta", loss, delta[0, unit], found, z[0, unit], y_true[0, unit])


def trained(subject: Subject) -> None:
    """A short training has the same bytes in a stack and alone."""
    for components in subject.stacks:
        loss = components[-1]
        output = output_for(subject)
        units = max(2, loss.min_outputs, output.min_units)
        low, high = np.clip(loss.target_range, -3.0, 3.0)
        target = training.Random(outputs=units, low_value=low, high_value=high, one_hot=loss.one_hot)
        training.check_alone("loss", components, target=target, output=output)


def cause(subject: Subject) -> None:
    """Demand that there is none of the faults that show in many checks."""
    methods.require_no_cause(subject, _calls, _sizes(subject))


def _calls(loss: Any, components: Sequence[Any], rng: np.random.Generator, size: Size, dtype: DTypeLike) -> list[Call]:
    runs, (outputs, samples) = len(components), size
    shape, values = (runs, *size), (runs, samples)
    y_true = as_columns(_truth(loss, rng, shape), dtype)
    y_pred = as_columns(_predictions(loss, rng, shape), dtype)
    calls = [Call("value", (y_pred, y_true), values), Call("gradient", (y_pred, y_true), y_pred.shape)]
    calls.append(Call("point", (y_pred,), shape))
    if loss.paired_output:
        z = random_columns(rng, runs, outputs, samples, dtype)
        calls.append(Call("paired_value", (z, y_true), values))
        calls.append(Call("paired_delta", (z, y_pred, y_true), shape))
    return calls


def _sizes(subject: Subject) -> list[Size]:
    least = _least(subject)
    sizes = [(least, 1), (max(2, least), 2), (max(3, least), 7), (max(10, least), 3)]
    return [*sizes, (max(129, least), 5), (max(200, least), 1), (least, 256)]


def _least(subject: Subject) -> int:
    return int(subject.cls.min_outputs)  # type: ignore[attr-defined]


def _truth(loss: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw true values that the loss admits: if it is one-hot, classes and shares that add up to 1."""
    if not loss.one_hot:
        return within(loss.target_range, rng, shape, 0.0)
    y = rng.exponential(size=shape)
    y = y / y.sum(axis=1, keepdims=True)
    classes = (y == y.max(axis=1, keepdims=True)).astype(float)
    return np.asarray(np.where(rng.random((shape[0], 1, shape[2])) < 0.5, y, classes))


def _predictions(loss: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw what a network may give for true values of this shape ``(runs, outputs, samples)``."""
    runs, outputs, samples = shape
    return within(loss.prediction_range, rng, (runs, outputs * loss.outputs_per_target, samples), _INSET)


def _require_derivative(
    subject: Subject, method: str, loss: Any, actual: Array, found: Any, place: Array, y_true: Array
) -> None:
    """Refuse what lies neither near the central difference nor between the one-sided ones."""
    wrong = found.contradicts(actual, True)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        name = "y_pred" if method == "gradient" else "z"
        raise FindingError(
            f"{subject.where(method)} returns {actual[at]:.9g} at {name} = {place[at]:.6g}, y_true = {y_true[at]:.6g} "
            f"({loss}), but the central difference of the value is {found.central[at]:.9g}; {int(wrong.sum())} of "
            f"{counted(wrong.size, 'point')} {agreeing(wrong.size, 'differs', 'differ')} by more than rounding "
            "explains. Correct the derivative.",
            place=place[at],
            y_true=y_true[at],
            returned=actual[at],
            expected=found.central[at],
        )


def _ends(interval: tuple[float, float]) -> list[float]:
    low, high = np.clip(interval, -3.0, 3.0)
    return [float(low), float((low + high) / 2), float(high)]


def _require_finite(subject: Subject, loss: Any, dtype: np.dtype[Any], truth: float, sign: int) -> None:
    """Refuse NaN and unfounded infinity on points that grow, or approach a finite end of the range, by one factor."""
    info = np.finfo(dtype)
    end = loss.prediction_range[sign > 0]
    bounded = bool(np.isfinite(end))
    if bounded:
        other = loss.prediction_range[sign < 0]
        width = min(1.0, end - other if sign > 0 else other - end) if np.isfinite(other) else 1.0
        gaps = np.geomspace(0.5, 1e-30, 100)
        line = np.array([end, *(end - sign * width * gaps)], dtype)
        line = np.clip(line, *loss.prediction_range)
    else:
        line = sign * np.geomspace(1e-3, float(info.max) / 8, 400 if dtype == np.float32 else 2600).astype(dtype)
    units = max(loss.min_outputs, 1)
    y_pred = as_columns(np.repeat(line[None, None], units * loss.outputs_per_target, axis=1), dtype)
    y_true = as_columns(np.full((1, units, len(line)), truth if not loss.one_hot else 1 / units), dtype)
    if loss.one_hot:
        y_true[0, 0], y_true[0, 1:] = truth, (1 - truth) / (units - 1)
    results = {"value": loss.value(y_pred, y_true)[0], "gradient": loss.gradient(y_pred, y_true)[0, 0]}
    huge = np.abs(line) > HUGE
    for method, result in results.items():
        bad = np.isnan(result)
        if not bounded:
            stops = settled(result) & np.isfinite(results["value"]) if method == "gradient" else np.zeros_like(huge)
            bad = np.where(huge, stops, bad | unfounded_overflow(result, dtype))
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise FindingError(
                f"{subject.where(method)} is {result[at]} at y_pred = {line[at]:g}, y_true = {truth:g} in {dtype}, "
                "though the loss is finite there; use a form in which nothing overflows and 0 * log 0 counts 0.",
                y_pred=line[at],
                y_true=truth,
            )


def _paired_output(subject: Subject) -> Any:
    name = subject.cls.paired_output  # type: ignore[attr-defined]
    registry = installed()
    if name not in registry.names("activation"):
        raise FindingError(
            f"{subject.cls.__qualname__}.paired_output is {name!r}, but no activation of that name is installed."
        )
    return registry.find("activation", name)()


def output_for(subject: Subject) -> Any:
    """Return an installed activation whose values the loss takes."""
    cls: Any = subject.cls
    if cls.paired_output:
        return _paired_output(subject)
    registry = installed()
    usual = training.settings().output
    for activation in (type(usual), *(registry.find("activation", name) for name in registry.names("activation"))):
        if any(p.default is dataclasses.MISSING for p in parameters(activation).values()):
            continue
        output: Any = activation()
        if cls.prediction_range[0] <= output.range[0] and output.range[1] <= cls.prediction_range[1]:
            return output
    raise FindingError(
        f"{cls.__qualname__}.prediction_range is {cls.prediction_range}, but no installed activation stays within it; "
        "provide one."
    )


def _no_buffers(subject: Subject) -> str:
    cls: Any = subject.cls
    return "" if takes_out(cls.gradient) or takes_out(cls.paired_delta) else "no method takes out"


def _not_paired(subject: Subject) -> str:
    return "" if subject.cls.paired_output else "no paired output is declared"  # type: ignore[attr-defined]


def _coupled(subject: Subject) -> str:
    cls: Any = subject.cls
    return "outputs belong together" if cls.min_outputs > 1 or cls.one_hot else ""


CHECKS = (
    Check(declared),
    Check(pure),  # before others, because others would hide that calls are counted
    Check(shapes),
    Check(buffers, _no_buffers),
    Check(gradient),
    Check(precision),
    Check(effective, effects.without_parameters),
    Check(adds_up, _coupled),
    Check(finite),
    Check(paired, _not_paired),
    Check(paired_finite, _not_paired),
    Check(samples_apart),
    Check(stacking),
    Check(trained),
)
