"""Demands on every method that maps arrays to an array, for components of any kind."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import takes_out
from chainrule.components.contracts import Array
from chainrule.components.stacking import stack, take
from chainrule.engine.network import columns
from chainrule.testing.comparing import require_close, require_same, require_single
from chainrule.testing.findings import FindingError
from chainrule.testing.randomness import global_states
from chainrule.testing.subjects import DTYPES, RUNS, Subject, as_columns, take_runs

Size = tuple[int, ...]

_MANY_RUNS = 300  # of a large stack; a sweep has stacks of 256 at most
_STACKS = (2, 16, 17, 32, 33, 64, 65, 100, 128, 129, 256, 257)  # sizes of stacks that are parts of it
_MANY_SAMPLES = 4100
_BATCHES = (*range(1, 70), 96, 100, 127, 128, 129, 200, 255, 256, 257, 500, 512, 1000, 1024, 2000, 2048, 4096)
_ULPS = 8 * float(np.finfo(np.float32).eps)  # by which arguments are moved to see how much rounding matters
_CALLS = 128  # after which a method must still give what it gave at first
_SMALL = 4  # how many of the sizes are tried with every setting of the parameters


@dataclass(frozen=True)
class Call:
    """A method and arguments drawn for it.

    Attributes:
        method: its name.
        arguments: arrays with a leading run axis, lists or dicts of these, and what else the method takes.
        shape: shape that the result must have.
        has_samples: whether the last axis of the result counts samples.
    """

    method: str
    arguments: tuple[Any, ...]
    shape: tuple[int, ...]
    has_samples: bool = True

    def on(self, component: Any, **keywords: Any) -> Any:
        """Call the method of ``component``."""
        return getattr(component, self.method)(*self.arguments, **keywords)

    def mapped(self, change: Callable[[Array], Array]) -> "Call":
        """Return the call with every array changed."""
        return Call(self.method, _mapped(change, self.arguments), self.shape, self.has_samples)

    def arrays(self) -> list[Array]:
        """Return every array among the arguments."""
        found: list[Array] = []
        _mapped(lambda array: found.append(array) or array, self.arguments)  # type: ignore[func-returns-value]
        return found


# Draws calls for a stack of components.
Draw = Callable[[Any, Sequence[Any], np.random.Generator, Size, DTypeLike], list[Call]]


def _mapped(change: Callable[[Array], Array], argument: Any) -> Any:
    if isinstance(argument, np.ndarray):
        return change(argument)
    if isinstance(argument, dict):
        return {key: _mapped(change, value) for key, value in argument.items()}
    if isinstance(argument, list | tuple):
        return type(argument)(_mapped(change, value) for value in argument)
    return argument


def check_shapes(subject: Subject, draw: Draw, sizes: Iterable[Size]) -> None:
    """Demand arrays of the right shape and dtype, for one run and for several."""
    for runs in (1, RUNS):
        for components, calls, dtype in _each(subject, draw, sizes, runs):
            for call in calls:
                result = call.on(stack(components, dtype))
                require_array(subject.where(call.method), result, call.shape, dtype)


def check_buffers(subject: Subject, draw: Draw, sizes: Iterable[Size]) -> None:
    """Demand that ``out`` is filled with the bytes of the result, and returned."""
    for components, calls, dtype in _each(subject, draw, sizes, RUNS):
        stacked = stack(components, dtype)
        for call in calls:
            where = subject.where(call.method)
            if not takes_out(getattr(type(stacked), call.method)):
                continue
            expected = call.on(stacked).copy()
            buffers = [np.full(call.shape, np.nan, dtype)]
            if len(call.shape) == 3:  # as activations lie under their row of ones
                under_ones = columns(call.shape[0], 1 + call.shape[1], call.shape[2], dtype)[:, 1:]
                under_ones[...] = np.nan
                buffers.append(under_ones)
            for buffer in buffers:
                if call.on(stacked, out=buffer) is not buffer:
                    raise FindingError(f"{where} does not return the buffer given as out; fill it and return it.")
                what = f"{where} fills out with something else than it returns without out"
                require_same(buffer, expected, what, "fill all of out")


def check_purity(subject: Subject, draw: Draw, sizes: Iterable[Size]) -> None:
    """Demand that inputs are left alone, and that equal inputs give equal bytes whatever was computed in between."""
    sizes, first_stack = list(sizes), subject.stacks[0]
    for call in draw(stack(first_stack, float), first_stack, np.random.default_rng(3), sizes[0], float):
        _require_no_chance(subject.where(call.method), stack(first_stack, float), call)
        _require_no_count(subject.where(call.method), stack(first_stack, float), call)
    for components, calls, dtype in _each(subject, draw, sizes, RUNS):
        stacked, other = stack(components, dtype), stack(components[::-1], dtype)
        kept = [call.mapped(_copied) for call in calls]
        first = [read_only(call).on(stacked) for call in calls]
        before = [result.copy() for result in first]
        for call in kept:
            elsewhere = call.mapped(lambda array: (array * 0.5).astype(array.dtype))
            elsewhere.on(stacked)
            elsewhere.on(other)
        for call, copy, result, earlier in reversed(list(zip(calls, kept, first, before, strict=True))):
            where = subject.where(call.method)
            require_same(result, earlier, f"a later call changes what {where} returned earlier", _KEEP_NOTHING)
            again = copy.on(stacked)
            require_same(again, earlier, f"{where} gives something else for the same input later", _KEEP_NOTHING)
            for array, original in zip(call.arrays(), copy.arrays(), strict=True):
                require_same(array, original, f"{where} changes its input", "compute into an array of its own")
            _require_no_cache(where, stacked, copy)


_KEEP_NOTHING = "keep nothing between calls: no buffer, no cache, no attribute"


def _copied(array: Array) -> Array:
    return take_runs(array, np.arange(len(array)))


def _changed(array: Array) -> Array:
    """Return other values, but the same in the first samples."""
    result = _copied(array)
    if result.ndim == 3:
        result[..., result.shape[-1] // 2 :] *= 0.5
    return result


def _refilled(array: Array) -> Array:
    array[...] = _changed(array)
    return array


def _require_no_place(where: str, component: Any, call: Call) -> None:
    """Refuse results that follow from which arrays are given."""
    same = call.mapped(_copied)
    same.on(component)
    require_same(
        same.mapped(_refilled).on(component).copy(),
        call.mapped(_changed).on(component),
        f"{where} gives something else when the same arrays hold other values, as if it cached results by id",
        _KEEP_NOTHING,
    )


def _require_no_cache(where: str, component: Any, call: Call) -> None:
    """Refuse results that follow from which arrays are given, or from a part of what is in them."""
    _require_no_place(where, component, call)
    fresh = call.mapped(_changed)
    expected = fresh.on(component)
    few = np.arange(RUNS // 2)
    require_close(
        fresh.mapped(lambda array: take_runs(array, few)).on(take(component, few)),
        expected[few],
        f"{where} gives other arrays the results of earlier ones of the same shape",
        _KEEP_NOTHING,
    )
    if call.has_samples:
        samples = call.shape[-1]

        def turned(array: Array) -> Array:
            fits = array.ndim == 3 and array.shape[-1] == samples
            return as_columns(np.roll(array, 1, axis=-1), array.dtype) if fits else array

        require_close(
            np.roll(fresh.mapped(turned).on(component), -1, axis=-1),
            expected,
            f"{where} gives a sample other values when samples are in another order",
            f"compute each sample from its own column, and {_KEEP_NOTHING}",
        )


def _require_no_chance(where: str, component: Any, call: Call) -> None:
    states = global_states()
    call.on(component)
    if global_states() != states:
        raise FindingError(f"{where} draws from a global generator, so that a run does not follow from its seed.")


def _require_no_count(where: str, component: Any, call: Call) -> None:
    first = call.on(component).copy()
    for _ in range(_CALLS):
        again = call.on(component)
    require_same(again, first, f"{where} gives something else after {_CALLS} calls", _KEEP_NOTHING)


def check_samples(subject: Subject, draw: Draw, sizes: Iterable[Size]) -> None:
    """Demand that a sample has the same values beside NaN in another, and in a batch of any size."""
    sizes = list(sizes)
    for components, calls, dtype in _each(subject, draw, sizes, 2):
        for call in calls:
            if call.has_samples:
                _require_own_sample(subject, stack(components, dtype), call)
    components = subject.stacks[0][-2:]
    large = (*sizes[0][:-1], _MANY_SAMPLES)
    for call in draw(stack(components, float), components, np.random.default_rng(3), large, float):
        if call.has_samples:
            _require_any_number(subject, stack(components, float), call)


def check_precision(subject: Subject, draw: Draw, size: Size) -> None:
    """Demand that results in float32 are those in float64 up to rounding, and that these have more digits."""
    rng = np.random.default_rng(3)
    for components in subject.cases:
        single = stack(components, np.float32)
        for call in draw(single, components, rng, size, np.float32):
            where, double = subject.where(call.method), doubled(single)
            wide = call.mapped(_as_double)
            expected = wide.on(double).copy()
            doubt = np.zeros(expected.shape)
            for _ in range(2):  # what rounding of the inputs does
                moved = wide.mapped(lambda array: _moved(array, _ULPS, rng))
                doubt = np.maximum(doubt, np.abs(moved.on(double) - expected))
            require_single(where, call.on(single), expected, doubt, f"{components[-1]}")
            _require_digits(where, double, wide)


def _require_digits(where: str, double: Any, call: Call) -> None:
    """Refuse results that do not feel what float64 can say but float32 cannot."""
    rng = np.random.default_rng(4)
    expected = call.on(double).copy()
    moved, nudged = (
        call.mapped(lambda array, share=share: _moved(array, share, rng)).on(double).copy()  # type: ignore[misc]
        for share in (_ULPS, 1e-10)
    )
    feels = np.abs(moved - expected) > 1e-9 * np.abs(expected)
    if feels.mean() > 0.1 and (nudged == expected)[feels].mean() > 0.5:
        raise FindingError(
            f"{where} computes in float32 inside: in float64 a change of 1e-10 of its inputs does not change its "
            "result, though one of 1e-6 does. Keep the dtype of the inputs."
        )


def doubled(component: Any) -> Any:
    """Return a stacked component with its float fields in float64."""
    double = object.__new__(type(component))
    for name, value in vars(component).items():
        object.__setattr__(double, name, value.astype(float) if isinstance(value, np.ndarray) else value)
    return double


def _as_double(array: Array) -> Array:
    return as_columns(array, float) if array.ndim == 3 else array.astype(float)


def _moved(array: Array, share: float, rng: np.random.Generator) -> Array:
    moved: Array = array * (1 + share * rng.choice([-1, 1], array.shape))
    return moved


def require_no_cause(subject: Subject, draw: Draw, sizes: Sequence[Size]) -> None:
    """Demand that there is none of the faults that show in many checks, in each as something else."""
    for runs, size in ((1, sizes[0]), (1, sizes[1]), (RUNS, sizes[0]), (RUNS, sizes[1])):
        components = subject.stacks[0][-runs:]
        component = stack(components, float)
        for call in draw(component, components, np.random.default_rng(3), size, float):
            where = subject.where(call.method)
            _require_no_chance(where, component, call)
            result = call.on(component)
            if isinstance(result, np.ndarray):
                require_axes(where, result, call.shape)
                if runs == RUNS and result.shape == call.shape:
                    _require_no_place(where, component, call)
                    _require_digits(where, component, call)


def require_axes(where: str, result: Array, shape: tuple[int, ...]) -> None:
    """Refuse a result that lacks an axis of length 1."""
    if result.ndim < len(shape) and result.size == math.prod(shape):
        raise FindingError(
            f"{where} loses an axis of length 1: it returns {result.shape} instead of {shape}, as np.squeeze and sums "
            "without keepdims do; keep all axes, also those of a single run, unit or sample."
        )


def check_stacking(subject: Subject, draw: Draw, sizes: Iterable[Size]) -> None:
    """Demand that a run has the same bytes in a stack, in what is left of the stack, and alone."""
    few = np.array([RUNS - 2, 1])
    sizes = list(sizes)
    _require_any_stack(subject, draw, sizes[1])
    for components, calls, dtype in _each(subject, draw, sizes, RUNS):
        stacked = stack(components, dtype)
        for call in calls:
            where = subject.where(call.method)
            together = call.on(stacked).copy()
            for run, component in enumerate(components):
                own = call.mapped(lambda array, run=run: take_runs(array, np.array([run])))  # type: ignore[misc]
                require_same(
                    own.on(stack([component], dtype)),
                    together[[run]],
                    f"{where} gives run {run} of a stack other bytes than the run alone ({component}, {_size(call)})",
                    _STACKING_ADVICE,
                )
            left = call.mapped(lambda array: take_runs(array, few))
            require_same(
                left.on(take(stacked, few)),
                together[few],
                f"{where} gives runs {few.tolist()} other bytes when the others have left the stack ({_size(call)})",
                _STACKING_ADVICE,
            )


def _require_any_stack(subject: Subject, draw: Draw, size: Size) -> None:
    """Refuse other bytes of a run in a large stack, and in parts of it of many sizes."""
    components = [subject.stacks[0][run % RUNS] for run in range(_MANY_RUNS)]
    stacked = stack(components, float)
    for call in draw(stacked, components, np.random.default_rng(3), size, float):
        whole = call.on(stacked).copy()
        parts = [*map(np.arange, _STACKS), *([run] for run in (0, 1, RUNS - 1, 2 * RUNS, _MANY_RUNS - 1))]
        for runs in map(np.array, parts):
            require_same(
                call.mapped(lambda array, runs=runs: take_runs(array, runs)).on(take(stacked, runs)),  # type: ignore[misc]
                whole[runs],
                f"{subject.where(call.method)} gives a run in a stack of {_MANY_RUNS} other bytes than in one of "
                f"{len(runs)} ({_size(call)})",
                _STACKING_ADVICE,
            )


_STACKING_ADVICE = (
    "use elementwise formulas (but no x ** field: for a run alone, NumPy squares where it is 2), chainrule.sum_units "
    "for sums over units and chainrule.product for products, and let float fields broadcast"
)


def read_only(call: Call) -> Call:
    """Return the call with all arrays read-only."""

    def protect(array: Array) -> Array:
        view = array.view()
        view.flags.writeable = False
        return view

    return call.mapped(protect)


def require_array(where: str, result: Any, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Refuse anything but an array of this shape and dtype."""
    if not isinstance(result, np.ndarray):
        raise FindingError(f"{where} returns {type(result).__name__}, not an array {shape}.")
    require_axes(where, result, shape)
    if result.shape != shape:
        raise FindingError(
            f"{where} returns an array of shape {result.shape}, not {shape}; (runs, units, samples) is the order."
        )
    if result.dtype != dtype:
        raise FindingError(
            f"{where} returns {result.dtype} for {np.dtype(dtype)} inputs; plain Python numbers keep the dtype, NumPy "
            "scalars and arrays of float64 do not."
        )


def _require_own_sample(subject: Subject, component: Any, call: Call) -> None:
    samples = call.shape[-1]
    spoilt = samples // 2

    def spoil(array: Array) -> Array:
        array = take_runs(array, np.arange(len(array)))
        if array.ndim == 3 and array.shape[-1] == samples:
            array[..., spoilt] = np.nan
        return array

    expected, result = call.on(component).copy(), call.mapped(spoil).on(component)
    rest = np.arange(samples) != spoilt
    require_same(
        result[..., rest],
        expected[..., rest],
        f"{subject.where(call.method)} mixes samples: a NaN in sample {spoilt} changes others",
        "compute each sample from its own column, without sums or means over the last axis",
    )


def _require_any_number(subject: Subject, component: Any, call: Call) -> None:
    """Refuse other values of a sample in batches of other sizes."""
    whole, samples = call.on(component).copy(), call.shape[-1]
    for number in _BATCHES:

        def first(array: Array, number: int = number) -> Array:
            fits = array.ndim == 3 and array.shape[-1] == samples
            return as_columns(array[..., :number], array.dtype) if fits else array

        where = (
            f"{subject.where(call.method)} gives a sample in a batch of {number} other values than in one of {samples}"
        )
        advice = "neither divide by the number of samples, nor let it decide anything"
        require_close(call.mapped(first).on(component), whole[..., :number], where, advice)


def _size(call: Call) -> str:
    return f"array {call.shape[1:]}"


def _each(
    subject: Subject, draw: Draw, sizes: Iterable[Size], runs: int
) -> Iterator[tuple[tuple[Any, ...], list[Call], DTypeLike]]:
    """Yield components, the calls drawn for them, and the dtype, for every stack, dtype and size.

    The largest sizes are tried with the first stacks only.
    """
    sizes = list(sizes)
    for number, components in enumerate(subject.cases):
        for dtype in DTYPES:
            for size in sizes if number < len(subject.stacks) else sizes[:_SMALL]:
                part = components[:runs]
                yield part, draw(stack(part, dtype), part, np.random.default_rng(3), size, dtype), dtype
