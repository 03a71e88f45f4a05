"""Arrays that formulas receive in place of NumPy's while they are recorded.

A formula receives :class:`Traced` instead of NumPy's arrays, and runs once. Each ufunc (NEP 13) and each function of
NumPy (NEP 18) that it calls becomes a statement on a tape. Numbers are not there yet, so a formula that looks at one
cannot be traced; only float fields of components, whose values are known, may be looked at.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.compiled.recording import Recording, is_known, plain, roots_of
from chainrule.compiled.tape import Kind, Tape, View
from chainrule.compiled.untraceable import Untraceable


class Traced(Recording):
    """An array that also records functions of NumPy, such as ``np.where``."""

    def __array_function__(self, function: Any, types: Any, arguments: Any, keywords: Any) -> Any:
        handler = _FUNCTIONS.get(function)
        if handler is not None:
            return handler(self, *arguments, **keywords)
        try:
            values = [plain(each) for each in arguments]
            named = {name: plain(each) for name, each in keywords.items()}
        except Untraceable:
            raise Untraceable(f"calls {function.__module__}.{function.__name__}, which is not recorded") from None
        return function(*values, **named)  # of fields alone, whose numbers are known


@contextmanager
def recorded(tape: Tape) -> Iterator[None]:
    """Record what is done in this context as a step, rather than as what is done once."""
    tape.is_setup = False
    yield
    tape.is_setup = True


def _where(own: Recording, condition: Any, *values: Any) -> Recording:
    if len(values) != 2:
        raise Untraceable("asks where an array is true")
    operands, dtypes = zip(*map(own.operand, values), strict=True)
    mask: Any = condition if isinstance(condition, Recording) else own.captured(np.asarray(condition))
    if mask.dtype != np.dtype(bool):
        mask = np.not_equal(mask, 0)
    boolean = np.dtype(bool)
    dtype = boolean if all(d == boolean for d in dtypes) else np.add.resolve_dtypes((*dtypes, None))[-1]
    shapes = [each.dims for each in (mask.view, *operands) if isinstance(each, View)]
    dims = np.broadcast_shapes(*shapes)
    known = None
    if all(is_known(each) for each in (condition, *values)):
        known = np.where(*(each.known if isinstance(each, Recording) else each for each in (condition, *values)))
    made = own.new(dims, dtype, known, roots_of((condition, *values)))
    cast = tuple(own.cast(each, dtype) for each in operands)
    own.record(Kind.EACH, "where", made, (mask.view, *cast), None, dtype, dims)
    return made


def _filled(value: Any) -> Callable[..., Recording]:
    def like(own: Recording, prototype: Any, *given: Any, shape: Any = None, dtype: Any = None, **_: Any) -> Recording:
        filling = given[0] if value is Ellipsis else value
        further = given[1:] if value is Ellipsis else given
        dtype = dtype or (further[0] if further else None) or prototype.dtype
        dims = prototype.view.dims if shape is None else tuple(shape)[1:]
        if shape is not None and shape[0] != own.runs:
            raise Untraceable("makes an array without an axis of the runs")
        made = own.new(dims, dtype)
        return made if filling is None else own.put(filling, made)

    return like


def _copyto(own: Recording, target: Any, value: Any, casting: str = "same_kind", where: Any = True) -> None:
    if where is True:
        own.put(value, target)
    elif isinstance(where, Recording):
        own.put(value, target, where)
    else:
        own.put(value, target, own.captured(np.asarray(where)))


def _concatenate(own: Recording, parts: Sequence[Any], axis: int = 0) -> Recording:
    traced = [each if isinstance(each, Recording) else own.captured(np.asarray(each)) for each in parts]
    axis = axis % traced[0].ndim - 1
    if axis < 0:
        raise Untraceable("puts runs one behind the other")
    dims = list(traced[0].view.dims)
    dims[axis] = sum(each.view.dims[axis] for each in traced)
    made, start = own.new(tuple(dims), np.result_type(*(each.dtype for each in traced))), 0
    for each in traced:
        end = start + each.view.dims[axis]
        place = (slice(None),) * (axis + 1) + (slice(start, end),)
        made[place] = each
        start = end
    return made


def _split(own: Recording, array: Recording, sections: Any, axis: int = 0) -> list[Recording]:
    n = array.shape[axis]
    cuts = list(range(0, n + 1, n // sections)) if isinstance(sections, int) else [0, *sections, n]
    before = (slice(None),) * (axis % array.ndim)
    return [array[(*before, slice(start, end))] for start, end in pairwise(cuts)]


def _expand_dims(own: Recording, array: Recording, axis: int) -> Recording:
    place = axis % (array.ndim + 1)
    if place == 0:
        raise Untraceable("moves the axis of the runs")
    return array[(slice(None),) * place + (None,)]


def _clip(own: Recording, array: Any, low: Any = None, high: Any = None, out: Any = None) -> Recording:
    ufunc = np._core.umath.clip  # type: ignore[attr-defined]  # what np.clip calls
    if low is None or high is None:
        raise Untraceable("clips on one side only: use np.maximum or np.minimum")
    return own.apply(ufunc, (array, low, high), out, True)


def _broadcast_to(own: Recording, array: Recording, shape: Sequence[int], **_: Any) -> Recording:
    known = None if array.known is None else np.broadcast_to(array.known, tuple(shape))
    return array.seen(array.view.broadcast(tuple(shape)[1:]), known)


_FUNCTIONS: Mapping[Any, Callable[..., Any]] = {
    np.where: _where,
    np.clip: _clip,
    np.copyto: _copyto,
    np.concatenate: _concatenate,
    np.split: _split,
    np.expand_dims: _expand_dims,
    np.broadcast_to: _broadcast_to,
    np.empty_like: _filled(None),
    np.zeros_like: _filled(0.0),
    np.ones_like: _filled(1.0),
    np.full_like: _filled(Ellipsis),
    np.shape: lambda own, array: array.shape,
    np.ndim: lambda own, array: array.ndim,
    np.size: lambda own, array: array.size,
    np.copy: lambda own, array, **_: array.copy(),
    np.reshape: lambda own, array, shape: array.reshape(shape),
    np.swapaxes: lambda own, array, one, other: array.swapaxes(one, other),
    np.sum: lambda own, array, axis=None, **keywords: array.sum(axis=axis, **keywords),
    np.mean: lambda own, array, axis=None, **keywords: array.mean(axis=axis, **keywords),
    np.max: lambda own, array, axis=None, **keywords: array.max(axis=axis, **keywords),
    np.result_type: lambda own, *arrays: np.result_type(*(getattr(each, "dtype", each) for each in arrays)),
}
