"""Checks of backward rules."""

from collections.abc import Sequence
from itertools import count, pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import takes_out
from chainrule.components.contracts import Array, Rule
from chainrule.components.stacking import stack
from chainrule.testing import effects, methods, randomness, training
from chainrule.testing.comparing import digits
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import Call, Size
from chainrule.testing.subjects import Subject, as_columns, random_columns
from chainrule.testing.table import Check

_NETS = ((3, 4, 5, 2), (2, 5, 20, 3, 4, 2))  # for a rule that takes any widths
_WIDTHS = _NETS[0]
_SAMPLES = (1, 7, 16, 17, 40)  # BLAS sums in an order that depends on their number
# Number of the network, and samples.
_SIZES: tuple[Size, ...] = (*((0, samples) for samples in _SAMPLES), (1, 6))
_PARTS = ((0, 3, 8), (0, 101, 300))  # where samples are divided into two groups
_LEARNING_EPOCHS, _LEARNING_SEEDS = 60, range(3)
_LEARNED = 0.9  # largest share of the first loss that may be left


def init(subject: Subject) -> None:
    """``init`` returns finite floats without a run axis; they follow from the generator that it is given."""
    for rule in subject.variants:
        randomness.require_deterministic(
            subject.where("init"),
            lambda rng: dict(rule.init(rng, _widths(subject))),  # noqa: B023
        )
        state = rule.init(np.random.default_rng(0), _widths(subject))
        for name, array in state.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise FindingError(
                    f"{subject.where('init')}: {name!r} is {array!r}; it must be an array of finite floats."
                )


def shapes(subject: Subject) -> None:
    """``error`` is ``(runs, units, samples)``, ``gradient`` ``(runs, units, 1 + units before)``, in the same dtype."""
    methods.check_shapes(subject, _calls, _SIZES)


def buffers(subject: Subject) -> None:
    """A method that takes ``out`` fills it with what it returns without ``out``, and returns it."""
    methods.check_buffers(subject, _calls, _SIZES)


def pure(subject: Subject) -> None:
    """Weights, deltas, inputs and state are left alone, and nothing is kept between calls."""
    methods.check_purity(subject, _calls, _sizes_apart(subject)[:2])


def samples_apart(subject: Subject) -> None:
    """The error of a sample does not depend on other samples."""
    methods.check_samples(subject, _calls, _sizes_apart(subject))


def _sizes_apart(subject: Subject) -> list[Size]:
    """Return sizes where arrays of weights do not look as if their last axis counted samples."""
    others = {units + biases for units in _widths(subject) for biases in (0, 1)}
    return [(0, next(n for n in count(least) if n not in others)) for least in _SAMPLES[1:]]


def precision(subject: Subject) -> None:
    """Results in float32 are those in float64, up to rounding."""
    methods.check_precision(subject, _calls, (0, 40))


def effective(subject: Subject) -> None:
    """Every parameter changes ``init``, an error or a gradient."""

    def observe(rule: Any) -> bytes:
        calls = _calls(stack([rule], float), [rule], np.random.default_rng(0), (0, 7), float)
        return b"".join(
            [
                *(call.on(stack([rule], float)).tobytes() for call in calls),
                *(array.tobytes() for array in rule.init(np.random.default_rng(0), _widths(subject)).values()),
            ]
        )

    effects.require_effects(subject, observe)


def samples_add_up(subject: Subject) -> None:
    """``gradient`` of two groups of samples is the sum, not the mean, of those of each, if it adds up at all."""
    for rule in subject.variants:
        stacked = stack([rule], float)
        for start, middle, end in _PARTS:
            for call in _calls(stacked, [rule], np.random.default_rng(0), (0, end), float):
                if call.method == "gradient":
                    _require_sum(subject, rule, call, (slice(start, middle), slice(middle, end)))


def _require_sum(subject: Subject, rule: Any, call: Call, groups: tuple[slice, slice]) -> None:
    """Refuse a gradient that is not the sum over groups, but would be if it were multiplied by a power of their sizes.

    A rule that changes gradients in another way, such as by their norm or by what samples have in common, need not add
    up; but the order of samples must not matter to it.
    """
    layer, delta, inputs = call.arguments
    stacked, samples = stack([rule], float), delta.shape[-1]

    def of(part: Any) -> Array:
        result: Array = stacked.gradient(
            layer, as_columns(delta[..., part], float), as_columns(inputs[..., part], float)
        )
        return np.array(result)

    whole, parts = of(slice(None)), [of(group) for group in groups]
    sizes = [group.stop - group.start for group in groups]
    # The products and their sums: some units in the last place of the absolute terms.
    slack = 4 * samples * np.finfo(float).eps * (np.abs(delta) @ np.abs(inputs.mT) + np.abs(whole))

    def adds_up(power: float) -> bool:
        scaled = sum(part * (size / samples) ** power for part, size in zip(parts, sizes, strict=True))
        return bool((np.abs(whole - scaled) <= slack).all())

    if adds_up(0):
        return
    where = f"{subject.where('gradient')} of {samples} samples in layer {layer}"
    added = parts[0] + parts[1]
    at = np.unravel_index(int(np.argmax(np.abs(whole - added))), whole.shape)
    got, want = float(whole[at]), float(added[at])
    if adds_up(1) or adds_up(0.5):
        raise FindingError(
            f"{where} is divided by their number, or by its root ({rule}): {digits(got, want)} against "
            f"{digits(want, got)}, the sum of those of {sizes[0]} and of {sizes[1]}; add samples up, and the engine "
            "divides."
        )
    order = np.random.default_rng(1).permutation(samples)
    turned = of(order)
    # What adds in another order may be divided by something small afterwards.
    if not (np.abs(turned - whole) <= 1e-6 * (np.abs(whole) + np.abs(whole).max())).all():
        raise FindingError(
            f"{where} changes when the samples come in another order ({rule}), from {digits(got, float(turned[at]))} "
            f"to {digits(float(turned[at]), got)}; treat all samples alike."
        )


def stacking(subject: Subject) -> None:
    """A run has the same bytes in a stack, in a stack that others have left, and alone, with parameters of its own."""
    methods.check_stacking(subject, _calls, _SIZES)


def learns(subject: Subject) -> dict[str, float]:
    """The training loss of a small network falls by at least a tenth in 60 epochs."""
    widths = _widths(subject)
    target = training.Teacher(inputs=widths[0], outputs=widths[-1])
    worst = 0.0
    for rule in subject.combinations:
        for seed in _LEARNING_SEEDS:
            losses = training.losses(
                training.settings(rule=rule, hidden=widths[1:-1], target=target, epochs=_LEARNING_EPOCHS, batch_size=1),
                seed,
            )
            worst = max(worst, losses[-1] / losses[0])
            if not np.isfinite(losses[-1]):
                raise FindingError(
                    f"With {rule} the training loss becomes {losses[-1]} within {_LEARNING_EPOCHS} epochs (network "
                    f"{widths}, seed {seed}); look at what is divided by, and at the size of errors and gradients."
                )
            if not losses[-1] < _LEARNED * losses[0]:
                raise FindingError(
                    f"With {rule} the training loss goes from {losses[0]:.6g} to {losses[-1]:.6g} in "
                    f"{_LEARNING_EPOCHS} epochs (network {widths}, seed {seed}); it must fall; look at the signs.",
                    first=losses[0],
                    last=losses[-1],
                )
    return {"left": worst}


def trained(subject: Subject) -> None:
    """A short training has the same bytes in a stack and alone."""
    widths = _widths(subject)
    target = training.Random(inputs=widths[0], outputs=widths[-1])
    for components in subject.stacks:
        training.check_alone("rule", components, hidden=widths[1:-1], target=target)


def _widths(subject: Subject) -> tuple[int, ...]:
    return subject.cls.widths or _WIDTHS  # type: ignore[attr-defined]


def cause(subject: Subject) -> None:
    """Demand that there is none of the faults that show in many checks."""
    methods.require_no_cause(subject, _calls, _SIZES)


def _calls(rule: Any, components: Sequence[Any], rng: np.random.Generator, size: Size, dtype: DTypeLike) -> list[Call]:
    """Return a call of each method that the rule replaces, for each layer that it is asked about."""
    runs, (net, samples) = len(components), size
    widths = rule.widths or _NETS[net]
    weights = [np.empty((runs, 0, 0), dtype)]
    weights += [rng.normal(size=(runs, units, before)).astype(dtype) for before, units in pairwise(widths)]
    deltas = [random_columns(rng, runs, units, samples, dtype, 1.0) for units in (0, *widths[1:])]
    state = _state(components, widths, dtype)
    calls = []
    if type(rule).error is not Rule.error:
        for layer in range(1, len(widths) - 1):
            calls.append(Call("error", (layer, weights, deltas, state), (runs, widths[layer], samples)))
    if type(rule).gradient is not Rule.gradient:
        for layer, (before, units) in enumerate(pairwise(widths), 1):
            inputs = random_columns(rng, runs, 1 + before, samples, dtype, 1.0)
            inputs[:, 0] = 1
            calls.append(Call("gradient", (layer, deltas[layer], inputs), (runs, units, 1 + before), has_samples=False))
    return calls


def _state(components: Sequence[Any], widths: Sequence[int], dtype: DTypeLike) -> dict[str, Any]:
    """Return the fixed state of each run's own rule, stacked as the engine does."""
    own = [rule.init(np.random.default_rng([7, run]), widths) for run, rule in enumerate(components)]
    return {name: np.stack([state[name] for state in own]).astype(dtype) for name in own[0]}


def _replaced(subject: Subject, names: Sequence[str]) -> list[Any]:
    return [getattr(subject.cls, name) for name in names if getattr(subject.cls, name) is not getattr(Rule, name)]


def _replaces_nothing(subject: Subject) -> str:
    return "" if _replaced(subject, ("error", "gradient")) else "it replaces neither error nor gradient"


def _no_error(subject: Subject) -> str:
    return "" if _replaced(subject, ("error",)) else "it does not replace error"


def _no_gradient(subject: Subject) -> str:
    return "" if _replaced(subject, ("gradient",)) else "it does not replace gradient"


def _no_buffers(subject: Subject) -> str:
    return "" if any(map(takes_out, _replaced(subject, ("error", "gradient")))) else "no method takes out"


CHECKS = (
    Check(init),
    Check(pure, _replaces_nothing),  # before others, because others would hide that calls are counted
    Check(shapes, _replaces_nothing),
    Check(buffers, _no_buffers),
    Check(precision, _replaces_nothing),
    Check(effective, effects.without_parameters),
    Check(samples_apart, _no_error),
    Check(samples_add_up, _no_gradient),
    Check(stacking, _replaces_nothing),
    Check(learns),
    Check(trained),
)
