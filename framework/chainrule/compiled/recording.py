"""Arrays that record what is done with them: the part that ufuncs, operators and methods of arrays need (NEP 13)."""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from chainrule.compiled.loops import inner_loop, named
from chainrule.compiled.step import StepNumber
from chainrule.compiled.tape import Kind, Number, OfStep, Operand, Role, Statement, Tape, View
from chainrule.compiled.untraceable import Untraceable

EACH = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "maximum", "minimum"), 2),
    **dict.fromkeys(("negative", "positive", "absolute", "fabs", "sqrt", "square", "reciprocal", "sign"), 1),
    **dict.fromkeys(("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"), 2),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor"), 2),
    **dict.fromkeys(("logical_not", "invert", "isnan", "isfinite", "isinf"), 1),
}  # operations that a kernel does itself, with their number of inputs
_OF_BOOL = {
    "logical_and",
    "logical_or",
    "logical_xor",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "logical_not",
    "invert",
}
_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
_BOOL = np.dtype(bool)
_SHORT_CUTS = {2: np.square, 1: np.positive, 0.5: np.sqrt, -1: np.reciprocal}  # of powers of arrays by numbers


NONE: frozenset[int] = frozenset()


class Recording(NDArrayOperatorsMixin):
    """An array of every run, ``(runs, ...)``, that records what is done with it.

    Args:
        tape: where that is recorded.
        runs: number of runs.
        view: where its numbers are, without the run axis.
        known: its numbers, if they are those of fields that do not change; else None.
        roots: the numbers of the fields that they follow from.
    """

    __array_priority__ = 1000
    known: Any = None

    def __init__(self, tape: Tape, runs: int, view: View, known: Any = None, roots: frozenset[int] = NONE) -> None:
        self.tape, self.runs, self.view, self.known, self.roots = tape, runs, view, known, roots

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # formulas may ask whether a field is an array or a number
        return np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, with the run axis."""
        return (self.runs, *self.view.dims)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype."""
        return self.view.buffer.dtype

    @property
    def ndim(self) -> int:
        """Number of axes, with the run axis."""
        return 1 + len(self.view.dims)

    @property
    def size(self) -> int:
        """Number of its numbers, of all runs."""
        return self.runs * self.view.size

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return self.dtype.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        """Nothing that tells how the numbers lie in memory."""
        return (0,) * self.ndim

    def __len__(self) -> int:
        return self.runs

    def __iter__(self) -> Any:
        raise Untraceable("takes the runs of an array one by one")

    # Looking at numbers

    def number(self) -> Any:
        """Return the numbers of a field.

        Raises:
            Untraceable: they are known in training only.
        """
        if self.known is None:
            raise Untraceable("looks at a number that only training gives")
        self.tape.looked |= self.roots
        return self.known

    def __bool__(self) -> bool:
        return bool(self.number())

    def __float__(self) -> float:
        return float(self.number().item())

    def __int__(self) -> int:
        return int(self.number().item())

    __index__ = __int__

    def item(self) -> Any:
        """Return the only number of a field."""
        return self.number().item()

    def tolist(self) -> Any:
        """Return the numbers of a field."""
        return self.number().tolist()

    def any(self, **keywords: Any) -> Any:
        """Say whether a number of a field is not 0."""
        return self.number().any(**keywords)

    def all(self, **keywords: Any) -> Any:
        """Say whether no number of a field is 0."""
        return self.number().all(**keywords)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.number(), dtype)

    # Views

    @property
    def mT(self) -> Self:  # noqa: N802 - NumPy's name
        """The array with its last two axes exchanged."""
        return self.swapaxes(-1, -2)

    def swapaxes(self, one: int, other: int) -> Self:
        """Return the array with two axes exchanged."""
        axes = list(range(self.ndim))
        axes[one], axes[other] = axes[other], axes[one]
        return self._transposed(axes)

    def _transposed(self, axes: Sequence[int]) -> Self:
        if axes[0] != 0:
            raise Untraceable("moves the axis of the runs")
        known = None if self.known is None else self.known.transpose(axes)
        return self.seen(self.view.transposed([axis - 1 for axis in axes[1:]]), known)

    def reshape(self, *shape: Any) -> Self:
        """Return the array in another shape whose first axis is still that of the runs."""
        wanted = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else tuple(shape)
        first, *dims = wanted
        if dims.count(-1) == 1:
            rest = math.prod(n for n in dims if n != -1)
            dims = [self.view.size // rest if n == -1 else n for n in dims]
        if first not in (-1, self.runs) or math.prod(dims) != self.view.size:
            raise Untraceable(f"gives an array {self.shape} the shape {wanted}, whose first axis is not that of runs")
        known = None if self.known is None else self.known.reshape(self.runs, *dims)
        view = self.view.reshaped(tuple(dims))
        return self.seen(view, known) if view else self.copy().reshape(self.runs, *dims)

    def __getitem__(self, key: Any) -> Self:
        view = self.view[self._index(key)]
        return self.seen(view, None if self.known is None else self.known[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, Recording):
            axes = key.view.dims
            if key.dtype != _BOOL or axes != self.view.dims[: len(axes)]:
                raise Untraceable(f"chooses numbers of an array {self.shape} by one of {key.dtype} {key.shape}")
            self.put(value, self, key[(..., *[None] * (self.ndim - key.ndim))])  # its axes are the first ones
        else:
            self.put(value, self.seen(self.view[self._index(key)]))

    def _index(self, key: Any) -> tuple[Any, ...]:
        entries = list(key) if isinstance(key, tuple) else [key]
        if not all(each is None or each is Ellipsis or isinstance(each, slice | int | np.integer) for each in entries):
            raise Untraceable("chooses numbers by an array, or by what is not known before training")
        named_axes = sum(each is not None and each is not Ellipsis for each in entries)
        place = next((at for at, each in enumerate(entries) if each is Ellipsis), None)
        fill = [slice(None)] * (self.ndim - named_axes)
        entries = entries + fill if place is None else entries[:place] + fill + entries[place + 1 :]
        first, *others = entries
        if not isinstance(first, slice) or first.indices(self.runs) != (0, self.runs, 1):
            raise Untraceable("takes some of the runs")
        return tuple(others)

    def seen(self, view: View, known: Any = None, roots: frozenset[int] | None = None) -> Self:
        """Return the array that a view shows."""
        return type(self)(self.tape, self.runs, view, known, self.roots if roots is None else roots)

    # Copies and sums

    def new(self, dims: tuple[int, ...], dtype: Any, known: Any = None, roots: frozenset[int] | None = None) -> Self:
        """Return a new array, which nothing has filled."""
        if np.dtype(dtype) not in (*_FLOATS, _BOOL):
            raise Untraceable(f"makes an array of {np.dtype(dtype)}")
        return self.seen(self.tape.buffer(dims, dtype).whole, known, roots)

    def copy(self, order: str = "K") -> Self:
        """Return a copy."""
        return self.astype(self.dtype)

    def astype(self, dtype: Any, copy: bool = True) -> Self:
        """Return a copy in another dtype, or the array itself if it has this dtype and need not be copied."""
        if not copy and self.dtype == dtype:
            return self
        known = None if self.known is None else self.known.astype(dtype)
        made = self.new(self.view.dims, dtype, known)
        self.put(self, made)
        return made

    def fill(self, value: Any) -> None:
        """Set every number."""
        self.put(value, self)

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Self:
        """Return the sum along an axis."""
        return self._reduce(np.add, axis, keepdims, out, dtype)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Self:
        """Return the mean along an axis, as NumPy computes it: the sum, divided by a number."""
        total = self._reduce(np.add, axis, keepdims, out, dtype)
        count = self.view.size // math.prod(total.view.dims)
        return self.apply(np.divide, (total, self.dtype.type(count)), total, True)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Self:
        """Return the largest number along an axis."""
        return self._reduce(np.maximum, axis, keepdims, out)

    def _reduce(self, ufunc: np.ufunc, axis: Any, keepdims: bool, out: Any = None, dtype: Any = None) -> Self:
        if isinstance(axis, tuple) and len(axis) == 1:
            (axis,) = axis
        if not isinstance(axis, int) or axis % self.ndim == 0:
            raise Untraceable("adds up over several axes, or over runs")
        axis = axis % self.ndim - 1
        if self.dtype == _BOOL or ufunc not in (np.add, np.maximum):
            raise Untraceable(f"calls np.{ufunc.__name__}.reduce of {self.dtype}")
        if dtype is not None and self.dtype != dtype:
            raise Untraceable(f"adds up numbers of {self.dtype} as {np.dtype(dtype)}")
        others = [at for at in range(len(self.view.dims)) if at != axis]
        turned = self.view.transposed([*others, axis])
        lie_together = turned.strides[-1] == 1
        kind = Kind.LARGEST if ufunc is np.maximum else Kind.PAIRWISE if lie_together else Kind.SUM
        made = self.new(turned.dims[:-1], self.dtype)
        self.tape.add(Statement(kind, ufunc.__name__, made.view, (turned,)))
        if keepdims:
            made = self.seen(made.view[tuple(None if at == axis else slice(None) for at in range(len(self.view.dims)))])
        return made if out is None else self.put(made, out)

    def _accumulate(self, ufunc: np.ufunc, axis: int) -> Self:
        if ufunc is not np.add or self.dtype not in _FLOATS or axis % self.ndim == 0:
            raise Untraceable(f"calls np.{ufunc.__name__}.accumulate")
        axis = axis % self.ndim - 1
        axes = [at for at in range(len(self.view.dims)) if at != axis] + [axis]
        made = self.new(self.view.dims, self.dtype)
        out, own = made.view.transposed(axes), self.view.transposed(axes)
        self.tape.add(Statement(Kind.ACCUMULATE, "add", out, (own,)))
        return made

    # What NumPy calls

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        out, where = keywords.pop("out", None), keywords.pop("where", True)
        target = out[0] if isinstance(out, tuple) else out
        known = {"reduce": {"axis", "keepdims", "dtype"}, "accumulate": {"axis"}, "__call__": {"dtype", "casting"}}
        is_simple = method == "__call__" or (where is True and len(inputs) == 1)
        if not is_simple or set(keywords) - known.get(method, set()) or ufunc.nout != 1 or method not in known:
            raise Untraceable(f"calls np.{ufunc.__name__} in a way that is not recorded")
        axis = keywords.get("axis", 0)
        if method == "reduce":
            return self._reduce(ufunc, axis, keywords.get("keepdims", False), target, keywords.get("dtype"))
        if method == "accumulate":
            result = self._accumulate(ufunc, axis)
            return result if target is None else self.put(result, target)
        if target is not None and not isinstance(target, Recording):
            raise Untraceable("fills an array that was not made from what it is given")
        if ufunc is np.matmul:
            return self._product(inputs[0], inputs[1], target)
        return self.apply(ufunc, inputs, target, where, keywords.get("dtype"))

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, StepNumber):
            return self._power_of_step(exponent)
        if isinstance(exponent, int | float) and exponent in _SHORT_CUTS:
            return _SHORT_CUTS[exponent](self)
        if isinstance(exponent, int | float) and exponent == 0:
            return np.ones_like(self)
        return np.power(self, exponent)

    def __ipow__(self, exponent: Any) -> Self:
        return self.put(self**exponent, self)

    def _power_of_step(self, exponent: StepNumber) -> Self:
        if not exponent.expression.is_whole:
            raise Untraceable("has an exponent that follows from the step and is not a whole number")
        base = self if self.view.is_contiguous else self.copy()
        made = self.new(base.view.dims, self.dtype)
        name = self._loop(np.power, [self.dtype] * 3)
        self.tape.add(Statement(Kind.POWER, name, made.view, (base.view, exponent.expression)))
        return made

    def _loop(self, ufunc: np.ufunc, dtypes: Sequence[Any]) -> str:
        """Return the name under which the tape has the inner loop of a ufunc."""
        types = "".join(np.dtype(dtype).char for dtype in dtypes)
        if inner_loop(ufunc, types) is None:
            raise Untraceable(f"calls {ufunc.__name__}, which has no inner loop for {types}")
        name = named(ufunc, dtypes)
        while self.tape.loops.setdefault(name, (ufunc, types))[0] is not ufunc:
            name += "'"
        return name

    def operand(self, given: Any) -> tuple[Operand, Any]:
        """Return an operand, and its dtype or, of a number of Python, its type."""
        if isinstance(given, StepNumber):
            return given.expression, int if given.expression.is_whole else float
        if isinstance(given, Recording):
            return given.view, given.dtype
        if isinstance(given, bool | int | float) and not isinstance(given, np.generic):
            return Number(given), np.dtype(bool) if isinstance(given, bool) else type(given)
        array = np.asarray(given)
        if array.ndim == 0 and array.dtype.kind in "fbiu":
            return Number(array.item()), array.dtype
        return self.captured(array).view, array.dtype

    def captured(self, array: Any) -> Self:
        """Return an array that a formula has brought with it, such as one made from fields."""
        if array.dtype.kind not in "fb":
            raise Untraceable(f"uses an array of {array.dtype} of its own")
        dims = array.shape[1:] if array.shape[0] in (1, self.runs) else array.shape
        rows = np.broadcast_to(array, (self.runs, *dims)).copy()
        made = self.tape.buffer(dims, array.dtype, Role.FIELD)
        self.tape.captured[made.number] = rows
        return self.seen(made.whole, rows)

    def apply(self, ufunc: np.ufunc, inputs: Sequence[Any], out: Self | None, where: Any, dtype: Any = None) -> Self:
        """Record a ufunc on each number."""
        operands, dtypes = zip(*map(self.operand, inputs), strict=True)
        name = {"true_divide": "divide"}.get(ufunc.__name__, ufunc.__name__)
        try:
            resolved = ufunc.resolve_dtypes((*dtypes, None))
        except TypeError:
            raise Untraceable(f"calls {name} of {', '.join(map(str, dtypes))}") from None
        if dtype is not None and resolved[-1] != dtype:
            raise Untraceable(f"calls {name} of {', '.join(map(str, dtypes))} for {np.dtype(dtype)}")
        mask = None if where is True else self.operand(where)[0]
        dims = np.broadcast_shapes(*(each.dims for each in (*operands, mask) if isinstance(each, View)))
        if ufunc is np.power and math.prod(dims if out is None else out.view.dims) > 1:
            _refuse_short_cuts(inputs[1], operands[1])
        known = None
        if all(is_known(each) for each in inputs) and where is True:
            known = ufunc(*(each.known if isinstance(each, Recording) else each for each in inputs))
        is_native = EACH.get(name) == len(inputs) and all(
            dtype == _BOOL if name in _OF_BOOL else dtype in _FLOATS for dtype in resolved[:-1]
        )
        target = out if out is not None else self.new(dims, resolved[-1], known, roots_of(inputs))
        if out is not None and out.known is not None:
            raise Untraceable("fills a field of a component")
        operands = tuple(self.cast(each, dtype) for each, dtype in zip(operands, resolved[:-1], strict=True))
        if is_native:
            self.record(Kind.EACH, name, target, operands, mask, resolved[-1], dims)
        else:
            self._call(self._loop(ufunc, resolved), target, operands, mask, resolved[-1], dims)
        return target

    def cast(self, operand: Operand, dtype: Any) -> Operand:
        """Return an operand in a dtype."""
        if isinstance(operand, Number):
            return Number(np.dtype(dtype).type(operand.value).item())
        if isinstance(operand, OfStep) or operand.buffer.dtype == dtype:
            return operand
        made = self.tape.buffer(operand.dims, dtype).whole
        self.tape.add(Statement(Kind.EACH, "copy", made, (operand,)))
        return made

    def record(
        self,
        kind: Kind,
        operation: str,
        target: Self,
        operands: Sequence[Operand],
        mask: Any,
        dtype: Any,
        dims: tuple[int, ...],
    ) -> None:
        """Record a statement on each number; by way of a copy where it reads what it fills at another place."""
        view = target.view
        if np.broadcast_shapes(dims, view.dims) != view.dims:
            raise Untraceable(f"fills an array {target.shape} with one of other shape")
        broadcast = tuple(each.broadcast(view.dims) if isinstance(each, View) else each for each in operands)
        mask = mask.broadcast(view.dims) if isinstance(mask, View) else mask
        if isinstance(mask, Number):
            if not mask.value:
                return
            mask = None
        reads = [each for each in (*broadcast, mask) if isinstance(each, View)]
        moved = any(each.buffer is view.buffer and not each.same_place(view) for each in reads)
        if view.size == 0:
            return
        if dtype != view.buffer.dtype or moved:
            made = self.tape.buffer(view.dims, dtype).whole
            self.tape.add(Statement(kind, operation, made, broadcast))
            self.tape.add(Statement(Kind.EACH, "copy", view, (made,), mask))
        else:
            self.tape.add(Statement(kind, operation, view, broadcast, mask))

    def _call(
        self, loop: str, target: Self, operands: Sequence[Operand], mask: Any, dtype: Any, dims: tuple[int, ...]
    ) -> None:
        """Record the call of an inner loop, whose arrays have their numbers one after the other."""
        dims = np.broadcast_shapes(dims, target.view.dims)
        together = tuple(self._together(each, dims) if isinstance(each, View) else each for each in operands)
        view = target.view
        if view.size == 0:
            return
        direct = mask is None and view.is_contiguous and view.buffer.dtype == dtype
        if direct and not any(
            isinstance(each, View) and each.buffer is view.buffer and not each.same_place(view) for each in together
        ):
            self.tape.add(Statement(Kind.CALL, loop, view, together))
            return
        made = self.tape.buffer(dims, dtype).whole
        self.tape.add(Statement(Kind.CALL, loop, made, together))
        self.record(Kind.EACH, "copy", target, (made,), mask, target.dtype, dims)

    def _together(self, view: View, dims: tuple[int, ...]) -> View:
        wide = view.broadcast(dims)
        if wide.is_contiguous:
            return wide
        made = self.tape.buffer(dims, view.buffer.dtype).whole
        self.tape.add(Statement(Kind.EACH, "copy", made, (wide,)))
        return made

    def _product(self, a: Any, b: Any, out: Self | None) -> Self:
        """Record a product of stacks of matrices."""
        (one, first), (other, second) = self.operand(a), self.operand(b)
        if not (isinstance(one, View) and isinstance(other, View) and len(one.dims) == len(other.dims) == 2):
            raise Untraceable("multiplies what are not matrices of each run")
        if first != second or first not in _FLOATS or one.dims[1] != other.dims[0]:
            raise Untraceable(f"multiplies matrices of {one.dims} {first} and {other.dims} {second}")
        dims = one.dims[0], other.dims[1]
        target = out if out is not None else self.new(dims, first)
        is_direct = target.dtype == first and all(each.buffer is not target.view.buffer for each in (one, other))
        made = target if is_direct else self.new(dims, first)
        operation = "loop" if one.strides[1] >= 0 and other.strides[0] >= 0 else "plain"
        self._loop(np.matmul, [first] * 3)
        self.tape.add(Statement(Kind.PRODUCT, operation, made.view, (one, other)))
        return target if is_direct else self.put(made, target)

    def put(self, value: Any, target: Self, mask: Self | None = None) -> Self:
        """Record that an array is filled with a value."""
        if not isinstance(target, Recording):
            raise Untraceable("fills an array that was not made from what it is given")
        operand, _ = self.operand(value)
        if isinstance(operand, Number):
            operand = self.cast(operand, target.dtype)
        if isinstance(operand, View) and (more := len(operand.dims) - len(target.view.dims)) > 0:  # axes of length 1
            operand = operand[(*[0] * more, *[slice(None)] * len(target.view.dims))]
        dims = operand.dims if isinstance(operand, View) else ()
        mask_view = None if mask is None else mask.view
        self.record(Kind.EACH, "copy", target, (operand,), mask_view, target.dtype, dims)
        return target


def _refuse_short_cuts(given: Any, exponent: Operand) -> None:
    """Refuse exponents for which NumPy takes short cuts: where a run is alone and has one for several numbers.

    Raises:
        Untraceable: a run has one exponent, which is -1, 0, 0.5, 1 or 2, or not known.
    """
    if isinstance(exponent, View) and exponent.size == 1:
        values = given.known if isinstance(given, Recording) else given
        if values is None or np.isin(plain(given), [0, *_SHORT_CUTS]).any():
            raise Untraceable("raises to a power that is an array, for which NumPy has short cuts in single runs")


def roots_of(given: Sequence[Any]) -> frozenset[int]:
    """Return the numbers of the fields that some values follow from."""
    return NONE.union(*(each.roots for each in given if isinstance(each, Recording)))


def is_known(given: Any) -> bool:
    """Say whether a value does not depend on training, nor on the step."""
    return given.known is not None if isinstance(given, Recording) else not isinstance(given, StepNumber)


def plain(given: Any) -> Any:
    """Return a value with NumPy's arrays in the place of fields.

    Raises:
        Untraceable: it depends on training, or on the step.
    """
    if isinstance(given, Recording):
        return given.number()
    if isinstance(given, StepNumber):
        raise Untraceable("looks at the step")
    if isinstance(given, tuple | list):
        return type(given)(map(plain, given))
    return given
