"""Demands on every method that maps arrays to an array, for components of any kind."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import takes_out
from chainrule.components.contracts import Array
from chainrule.components.stacking import stack, take
from chainrule.engine.network import columns
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import DTYPES, RUNS, Subject, take_runs

Size = tuple[int, ...]


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
    advice = "keep nothing between calls: no buffer, no cache, no attribute"
    for components, calls, dtype in _each(subject, draw, sizes, RUNS):
        stacked, other = stack(components, dtype), stack(components[::-1], dtype)
        kept = [call.mapped(lambda array: take_runs(array, np.arange(len(array)))) for call in calls]
        first = [read_only(call).on(stacked) for call in calls]
        before = [result.copy() for result in first]
        for call in kept:
            elsewhere = call.mapped(lambda array: (array * 0.5).astype(array.dtype))
            elsewhere.on(stacked)
            elsewhere.on(other)
        for call, copy, result, earlier in reversed(list(zip(calls, kept, first, before, strict=True))):
            where = subject.where(call.method)
            require_same(result, earlier, f"a later call changes what {where} returned earlier", advice)
            require_same(copy.on(stacked), earlier, f"{where} gives something else for the same input later", advice)
            for array, original in zip(call.arrays(), copy.arrays(), strict=True):
                require_same(array, original, f"{where} changes its input", "compute into an array of its own")


def check_samples(subject: Subject, draw: Draw, sizes: Iterable[Size]) -> None:
    """Demand that the values of a sample do not depend on the other samples: NaN in one must stay there."""
    for components, calls, dtype in _each(subject, draw, sizes, 2):
        for call in calls:
            if call.has_samples:
                _require_own_sample(subject, stack(components, dtype), call)


def check_stacking(subject: Subject, draw: Draw, sizes: Iterable[Size]) -> None:
    """Demand that a run has the same bytes in a stack, in what is left of the stack, and alone."""
    few = np.array([RUNS - 2, 1])
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
    if result.shape != shape:
        raise FindingError(
            f"{where} returns an array of shape {result.shape}, not {shape}; (runs, units, samples) is the order."
        )
    if result.dtype != dtype:
        raise FindingError(
            f"{where} returns {result.dtype} for {np.dtype(dtype)} inputs; plain Python numbers keep the dtype, NumPy "
            "scalars and arrays of float64 do not."
        )


def require_same(actual: Array, expected: Array, what: str, advice: str) -> None:
    """Refuse other bytes than expected; ``what`` says what is wrong, ``advice`` what to do."""
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        raise FindingError(
            f"{what}: {actual.dtype} {actual.shape} instead of {expected.dtype} {expected.shape}; {advice}."
        )
    if actual.tobytes() == expected.tobytes():
        return
    bits = f"u{actual.itemsize}"
    differ = actual.copy(order="C").view(bits) != expected.copy(order="C").view(bits)
    index = tuple(int(i) for i in np.argwhere(differ)[0])
    found, wanted = actual[index], expected[index]
    raise FindingError(
        f"{what}: {found!r} instead of {wanted!r} at {list(index)}, and {int(differ.sum())} of {differ.size} values "
        f"differ; {advice}.",
        found=found,
        wanted=wanted,
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


def _size(call: Call) -> str:
    return f"array {call.shape[1:]}"


def _each(
    subject: Subject, draw: Draw, sizes: Iterable[Size], runs: int
) -> Iterator[tuple[tuple[Any, ...], list[Call], DTypeLike]]:
    """Yield components, the calls drawn for them, and the dtype, for every stack, dtype and size."""
    for components in subject.stacks:
        for dtype in DTYPES:
            for size in sizes:
                part = components[:runs]
                yield part, draw(stack(part, dtype), part, np.random.default_rng(3), size, dtype), dtype
