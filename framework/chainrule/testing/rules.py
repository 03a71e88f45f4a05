"""Checks of backward rules."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from chainrule.components.arguments import asked, takes_out
from chainrule.components.contracts import Array, Rule
from chainrule.components.stacking import stack
from chainrule.testing import effects, methods, randomness, training
from chainrule.testing.comparing import digits, require_same
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import Call, Size
from chainrule.testing.networks import Course, Larger, calls_of, widths_of
from chainrule.testing.subjects import DTYPES, RUNS, Subject, as_columns
from chainrule.testing.table import Check

# Number of the network, and samples, in whose number BLAS sums in another order.
_SIZES: tuple[Size, ...] = (*((0, samples) for samples in (1, 7, 16, 17, 40)), (1, 6))
_GROUPS = ((3, 8), (101, 300))  # samples of a first group, and least number of samples with a second one
_LEARNING_EPOCHS, _LEARNING_SEEDS = 60, range(3)
_LEARNED = 0.9  # largest share of the first loss that may be left
_STEPS = 64  # in which a rule adapts; some things happen late
_FEW_STEPS = 12  # after which a parameter shows
_REPLACING = ("error", "gradient", "gradients")


def init(subject: Subject) -> None:
    """``init`` returns finite floats without a run axis; they follow from the generator that it is given."""
    for rule in subject.variants:
        randomness.require_deterministic(
            subject.where("init"),
            lambda rng: dict(rule.init(rng, widths_of(subject.cls))),  # noqa: B023 - used at once
        )
        state = rule.init(np.random.default_rng(0), widths_of(subject.cls))
        for name, array in state.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise FindingError(
                    f"{subject.where('init')}: {name!r} is {array!r}; it must be an array of finite floats."
                )


def shapes(subject: Subject) -> None:
    """``error`` is ``(runs, units, samples)``, a gradient ``(runs, units, 1 + units before)``, in the same dtype."""
    methods.check_shapes(subject, calls_of, _SIZES)


def buffers(subject: Subject) -> None:
    """A method that takes ``out`` fills it with what it returns without ``out``, and returns it."""
    methods.check_buffers(subject, calls_of, _SIZES)


def pure(subject: Subject) -> None:
    """Weights, deltas, inputs and state are left alone, and nothing is kept between calls."""
    methods.check_purity(subject, calls_of, _sizes_apart(subject)[:2])


def samples_apart(subject: Subject) -> None:
    """The error of a sample does not depend on other samples."""
    methods.check_samples(subject, calls_of, _sizes_apart(subject))


def _sizes_apart(subject: Subject) -> list[Size]:
    return [(0, _apart(subject, samples)) for _, samples in _SIZES[1:-1]]


def _apart(subject: Subject, least: int) -> int:
    """Return a number of samples with which no array of weights looks as if its last axis counted them."""
    others = {units + biases for units in widths_of(subject.cls) for biases in (0, 1)}
    return next(n for n in count(least) if n not in others)


def precision(subject: Subject) -> None:
    """Results in float32 are those in float64, up to rounding."""
    methods.check_precision(subject, calls_of, (0, 40))


def effective(subject: Subject) -> None:
    """Every parameter changes ``init``, an error, a gradient or what ``adapt`` makes of the state."""
    random = "gradients" in _methods(subject) and not _not_random(subject)

    def observe(rule: Any) -> bytes:
        stacked, course = stack([rule], float), Course([rule], float)
        calls = calls_of(stacked, [rule], np.random.default_rng(0), (0, 7), float)
        found = [*course.state.values(), *(call.on(stacked) for call in calls)]
        found += [course.gradients()] if random else []
        seen = b"".join(array.tobytes() for array in found)
        if "adapt" in _methods(subject):
            for step in range(1, _FEW_STEPS + 1):
                course.step(step)
        return seen + b"".join(array.tobytes() for array in course.state.values())

    effects.require_effects(subject, observe)


def samples_add_up(subject: Subject) -> None:
    """A gradient of two groups of samples is the sum, not the mean, of those of each, if it adds up at all."""
    for rule in subject.variants:
        stacked = stack([rule], float)
        for first, least in _GROUPS:
            samples = _apart(subject, least)
            for call in calls_of(stacked, [rule], np.random.default_rng(0), (0, samples), float):
                if call.method != "error":
                    _require_sum(subject, rule, call, (slice(0, first), slice(first, samples)))


def _require_sum(subject: Subject, rule: Any, call: Call, groups: tuple[slice, slice]) -> None:
    """Refuse a gradient that is not the sum over groups, but would be if it were multiplied by a power of their sizes.

    A rule that changes gradients in another way, such as by their norm or by what samples have in common, need not add
    up; but the order of samples must not matter to it.
    """
    stacked, samples = stack([rule], float), groups[1].stop

    def of(part: Any) -> Array:
        return np.array(_of_samples(call, part, samples).on(stacked))

    whole, parts = of(slice(None)), [of(group) for group in groups]
    sizes = [group.stop - group.start for group in groups]
    slack = _slack(call, whole, samples)

    def adds_up(power: float) -> bool:
        scaled = sum(part * (size / samples) ** power for part, size in zip(parts, sizes, strict=True))
        return bool((np.abs(whole - scaled) <= slack).all())

    if adds_up(0):
        return
    where = f"{subject.where(call.method)} of {samples} samples"
    where += f" in layer {call.arguments[0]}" if call.method == "gradient" else ""
    added = parts[0] + parts[1]
    at = np.unravel_index(int(np.argmax(np.abs(whole - added))), whole.shape)
    got, want = float(whole[at]), float(added[at])
    if adds_up(1) or adds_up(0.5):
        raise FindingError(
            f"{where} is divided by their number, or by its root ({rule}): {digits(got, want)} against "
            f"{digits(want, got)}, the sum of those of {sizes[0]} and of {sizes[1]}; add samples up, and the engine "
            "divides."
        )
    turned = of(np.random.default_rng(1).permutation(samples))
    # What adds in another order may be divided by something small afterwards.
    if not (np.abs(turned - whole) <= 1e-6 * (np.abs(whole) + np.abs(whole).max())).all():
        raise FindingError(
            f"{where} changes when the samples come in another order ({rule}), from {digits(got, float(turned[at]))} "
            f"to {digits(float(turned[at]), got)}; treat all samples alike."
        )


def _of_samples(call: Call, part: Any, samples: int) -> Call:
    """Return the call with some of its samples; no layer has as many units as there are."""

    def chosen(array: Array) -> Array:
        fits = array.ndim == 3 and array.shape[-1] == samples
        return as_columns(array[..., part], array.dtype) if fits else array.copy()

    return call.mapped(chosen)


def _slack(call: Call, whole: Array, samples: int) -> Array:
    """Return how far sums over samples may lie apart."""
    eps = float(np.finfo(float).eps)
    if call.method == "gradients":  # which computes more than products
        return np.asarray(1e4 * eps * (1 + np.abs(whole).max()))
    _, delta, inputs = call.arguments
    # The products and their sums: some units in the last place of the absolute terms.
    return np.asarray(4 * samples * eps * (np.abs(delta) @ np.abs(inputs.mT) + np.abs(whole)))


def stacking(subject: Subject) -> None:
    """A run has the same bytes in a stack, in a stack that others have left, and alone, with parameters of its own."""
    methods.check_stacking(subject, calls_of, _SIZES)


def adapts(subject: Subject) -> None:
    """``adapt`` changes finite arrays of the state in place, and nothing else; it returns None."""
    for components in subject.stacks:
        for dtype in DTYPES:
            course = Course(components, dtype)
            before = {name: array.copy() for name, array in course.state.items()}
            arrays = dict(course.state)
            for step in range(1, _STEPS + 1):
                returned, given_ = course.step(step, protected=True)
                if returned is not None:
                    raise FindingError(
                        f"{subject.where('adapt')} returns {type(returned).__name__}, which nobody reads; change the "
                        "arrays of state in place and return nothing."
                    )
                _require_state(subject, course, arrays, given_)
            if before and all(before[name].tobytes() == array.tobytes() for name, array in course.state.items()):
                raise FindingError(
                    f"{subject.where('adapt')} leaves the state as it was in {_STEPS} steps ({components[-1]}); change "
                    "its arrays in place: B += ..., not B = B + ..."
                )


def adapts_apart(subject: Subject) -> None:
    """``adapt`` has the same bytes in a stack, in a stack that others have left, alone, and beside another training."""
    few, half = np.array([RUNS - 2, 1]), _STEPS // 2
    for components in subject.stacks:
        for dtype in DTYPES:
            together, beside = Course(components, dtype), Course(components[::-1], dtype, seed=9)
            for step in range(1, half + 1):
                together.step(step)
                beside.step(step)
            left = together.left(few)
            for step in range(half + 1, _STEPS + 1):
                together.step(step)
                left.step(step)
            for run, component in enumerate(components):
                alone = Course([component], dtype, runs=[run])
                for step in range(1, _STEPS + 1):
                    alone.step(step)
                _require_run(subject, together, run, alone, 0, f"is not that of the run alone ({component})")
            for place, run in enumerate(few):
                _require_run(subject, together, int(run), left, place, "is another when others have left the stack")


def seeded(subject: Subject) -> None:
    """Randomness comes from ``rng`` only: equal generators give equal numbers, others give others."""
    for components in subject.stacks:

        def draws(rng: np.random.Generator, rule: Any = components[-1]) -> dict[str, Array]:
            course = Course([rule], float, generators=[rng])
            found = {"gradients": course.gradients()} if "gradients" in _methods(subject) else {}
            if "adapt" in _methods(subject):
                for step in range(1, 4):
                    course.step(step)
            return {**found, **{name: array.copy() for name, array in course.state.items()}}

        where = subject.where(" and ".join(name for name in _methods(subject) if name in ("gradients", "adapt")))
        randomness.require_deterministic(where, draws)
        if randomness.uses_generator(draws):
            randomness.require_other_seeds_to_differ(where, draws)


def learns(subject: Subject) -> dict[str, float]:
    """The training loss of a small network falls by at least a tenth in 60 epochs."""
    widths = widths_of(subject.cls)
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
    """A short training has the same bytes in a stack and alone; also with several pieces, if the rule takes them."""
    cls: Any = subject.cls
    widths = widths_of(cls)
    parts: dict[str, Any] = {"hidden": widths[1:-1], "target": training.Random(inputs=widths[0], outputs=widths[-1])}
    for components in subject.stacks:
        training.check_alone("rule", components, **parts)
        if cls.takes_pieces:
            training.check_alone("rule", components, **parts, activation=Larger(), output=Larger())


def _require_run(subject: Subject, one: Course, run: int, other: Course, place: int, what: str) -> None:
    for name, array in one.state.items():
        require_same(
            array[[run]],
            other.state[name][[place]],
            f"{subject.where('adapt')}: {name!r} of run {run} {what}",
            "use elementwise formulas, chainrule.sum_units and chainrule.product, and keep everything in state",
        )


def _require_state(subject: Subject, course: Course, arrays: dict[str, Array], given_: list[Array]) -> None:
    where = subject.where("adapt")
    if list(course.state) != list(arrays) or any(course.state[name] is not array for name, array in arrays.items()):
        raise FindingError(f"{where} puts other arrays into state; change those of init in place: B += ...")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise FindingError(f"{where} makes {name!r} infinite or NaN within {_STEPS} steps of numbers of size 1.")
        if any(np.shares_memory(array, one) for one in given_):
            raise FindingError(f"{where} keeps an array that it is given in {name!r}; copy it.")


def cause(subject: Subject) -> None:
    """Demand that there is none of the faults that show in many checks."""
    methods.require_no_cause(subject, calls_of, _SIZES)


def _replaced(subject: Subject, names: Sequence[str]) -> list[Any]:
    return [getattr(subject.cls, name) for name in names if getattr(subject.cls, name) is not getattr(Rule, name)]


def _methods(subject: Subject) -> list[str]:
    """Return the names of the methods that the rule defines."""
    return [name for name in (*_REPLACING, "adapt") if getattr(subject.cls, name) is not getattr(Rule, name)]


def _replaces_nothing(subject: Subject) -> str:
    return "" if _replaced(subject, _REPLACING) else "it replaces neither error nor gradient nor gradients"


def _no_error(subject: Subject) -> str:
    return "" if _replaced(subject, ("error",)) else "it does not replace error"


def _no_gradient(subject: Subject) -> str:
    return "" if _replaced(subject, ("gradient", "gradients")) else "it replaces neither gradient nor gradients"


def _no_adapt(subject: Subject) -> str:
    return "" if "adapt" in _methods(subject) else "it does not adapt"


def _not_random(subject: Subject) -> str:
    asks = any("rng" in asked(subject.cls, name) for name in ("gradients", "adapt"))
    return "" if asks else "it does not ask for rng"


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
    Check(adapts, _no_adapt),
    Check(adapts_apart, _no_adapt),
    Check(seeded, _not_random),
    Check(learns),
    Check(trained),
)
