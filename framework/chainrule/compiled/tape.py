"""What one training step does to arrays, as a list of statements.

A buffer holds an array of every run: its ``dims`` are those of the array without the run axis. A view is a part of a
buffer, with an offset and strides that count numbers. A statement reads views and fills one, as a call of NumPy does.
"""

import enum
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class Role(enum.Enum):
    """What a buffer is for."""

    TEMPORARY = "temporary"
    FIELD = "field"  # read from an array that does not change while a kernel runs
    STATE = "state"  # read from an array at the beginning, and written back at the end
    DATA = "data"  # samples that are the same in each step
    CHOSEN = "chosen"  # samples of each batch, chosen by numbers


@dataclass(eq=False)
class Buffer:
    """The numbers of one array, for each run."""

    number: int
    dims: tuple[int, ...]
    dtype: np.dtype[Any]
    role: Role

    @property
    def size(self) -> int:
        """How many numbers it holds for each run."""
        return math.prod(self.dims)

    @property
    def whole(self) -> "View":
        """The view of all of it."""
        return View(self, 0, self.dims, _row_major(self.dims))


@dataclass(frozen=True)
class View:
    """Part of a buffer; a stride of 0 repeats a number along an axis."""

    buffer: Buffer
    offset: int
    dims: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it shows for each run."""
        return math.prod(self.dims)

    @property
    def is_contiguous(self) -> bool:
        """Whether its numbers lie one after the other."""
        row_major = _row_major(self.dims)
        return all(s == w for s, w, n in zip(self.strides, row_major, self.dims, strict=True) if n != 1)

    @property
    def covers(self) -> bool:
        """Whether it is all of its buffer, each number once."""
        return self.size == self.buffer.size and 0 not in [
            stride for stride, n in zip(self.strides, self.dims, strict=True) if n > 1
        ]

    def same_place(self, other: "View") -> bool:
        """Say whether equal indices mean the same number."""
        return (
            self.buffer is other.buffer
            and self.offset == other.offset
            and self.dims == other.dims
            and all(a == b for a, b, n in zip(self.strides, other.strides, self.dims, strict=True) if n != 1)
        )

    def broadcast(self, dims: tuple[int, ...]) -> "View":
        """Return the view repeated to these dims, as NumPy broadcasts.

        Raises:
            ValueError: NumPy does not.
        """
        missing = len(dims) - len(self.dims)
        if missing < 0 or any(n not in (1, wide) for n, wide in zip(self.dims, dims[missing:], strict=True)):
            raise ValueError(f"cannot broadcast {self.dims} to {dims}")
        own = (stride if n != 1 else 0 for stride, n in zip(self.strides, self.dims, strict=True))
        return View(self.buffer, self.offset, dims, (*[0] * missing, *own))

    def __getitem__(self, index: tuple[Any, ...]) -> "View":
        """Return the part that integers, slices and None of basic indexing choose, one entry for each axis."""
        offset, dims, strides = self.offset, [], []
        axes = iter(zip(self.dims, self.strides, strict=True))
        for entry in index:
            if entry is None:
                dims.append(1)
                strides.append(0)
                continue
            n, stride = next(axes)
            if isinstance(entry, slice):
                start, stop, step = entry.indices(n)
                chosen = range(start, stop, step)
                offset += (chosen[0] if len(chosen) else 0) * stride
                dims.append(len(chosen))
                strides.append(stride * step)
            else:
                if not -n <= entry < n:
                    raise IndexError(f"index {entry} is out of bounds for an axis of {n}")
                offset += (entry % n) * stride
        return View(self.buffer, offset, tuple(dims), tuple(strides))

    def transposed(self, axes: Sequence[int]) -> "View":
        """Return the view with its axes in another order."""
        return View(self.buffer, self.offset, tuple(self.dims[a] for a in axes), tuple(self.strides[a] for a in axes))

    def reshaped(self, dims: tuple[int, ...]) -> "View | None":
        """Return the view in another shape; None if that needs a copy."""
        if math.prod(dims) != self.size:
            raise ValueError(f"cannot reshape {self.dims} into {dims}")
        if self.is_contiguous:
            return View(self.buffer, self.offset, dims, _row_major(dims))
        own = [(n, s) for n, s in zip(self.dims, self.strides, strict=True) if n != 1]
        wanted = [n for n in dims if n != 1]
        if [n for n, _ in own] != wanted:
            return None
        left = iter(own)
        strides = tuple(0 if n == 1 else next(left)[1] for n in dims)
        return View(self.buffer, self.offset, dims, strides)


@dataclass(frozen=True)
class Number:
    """A number that is the same in every run and step."""

    value: float | bool | int


@dataclass(frozen=True)
class OfStep:
    """A number that follows from the number of the step, by Python's arithmetic on whole numbers.

    Attributes:
        operation: ``step`` itself, or ``+``, ``-``, ``*``, ``//``, ``%`` or ``/``.
        operands: of the operation.
    """

    operation: str
    operands: tuple["OfStep | int | float", ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole number."""
        whole = all(o.is_whole if isinstance(o, OfStep) else isinstance(o, int) for o in self.operands)
        return self.operation != "/" and whole

    def at(self, step: Any) -> Any:
        """Return the number at a step, or at each of several."""
        if self.operation == "step":
            return step
        a, b = (o.at(step) if isinstance(o, OfStep) else o for o in self.operands)
        return ARITHMETIC[self.operation](a, b)


ARITHMETIC: dict[str, Any] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "/": lambda a, b: a / b,
}

Operand = View | Number | OfStep


class Kind(enum.Enum):
    """What a statement does."""

    EACH = "each"  # one operation on each number
    CALL = "call"  # the same, by an inner loop of a library
    POWER = "power"  # a power with an exponent that follows from the step, with the short cuts of NumPy
    PRODUCT = "product"  # a matrix product
    SUM = "sum"  # along the last axis, in the order of the axis
    PAIRWISE = "pairwise"  # along the last axis, in NumPy's order for numbers that lie together
    LARGEST = "largest"  # of the last axis
    ACCUMULATE = "accumulate"  # sums up to each place of the last axis


@dataclass(frozen=True)
class Statement:
    """Fills ``out`` from ``inputs``.

    Attributes:
        kind: what it does.
        operation: name of the operation on each number, of the inner loop, or how a product adds up.
        out: what is filled.
        inputs: what is read.
        mask: where ``out`` is filled; None for everywhere.
    """

    kind: Kind
    operation: str
    out: View
    inputs: tuple[Operand, ...]
    mask: View | None = None

    @property
    def reads(self) -> Iterator[View]:
        """Every view that it reads; with a mask also ``out``."""
        yield from (each for each in self.inputs if isinstance(each, View))
        if self.mask is not None:
            yield self.mask
            yield self.out


@dataclass
class Tape:
    """The statements of a step.

    Attributes:
        buffers: all of them, by number.
        setup: what is done once, before the first step.
        steps: what is done in each step.
        loops: the inner loops of libraries that statements call, by name.
        guards: what code that looked at the step has learned: an expression, a comparison, a number, and the answer.
        captured: arrays that formulas brought with them, with a run axis, by buffer.
        looked: the numbers of the fields at whose values formulas have looked.
        is_setup: whether what is recorded is done once.
    """

    buffers: list[Buffer] = field(default_factory=list)
    setup: list[Statement] = field(default_factory=list)
    steps: list[Statement] = field(default_factory=list)
    loops: dict[str, Any] = field(default_factory=dict)
    guards: list[tuple[OfStep, str, int | float, bool]] = field(default_factory=list)
    captured: dict[int, Any] = field(default_factory=dict)
    looked: set[int] = field(default_factory=set)
    is_setup: bool = True

    def buffer(self, dims: tuple[int, ...], dtype: Any, role: Role = Role.TEMPORARY) -> Buffer:
        """Return a new buffer."""
        made = Buffer(len(self.buffers), dims, np.dtype(dtype), role)
        self.buffers.append(made)
        return made

    def add(self, statement: Statement) -> None:
        """Record a statement; one that fills nothing is left out."""
        if statement.out.size == 0:
            return
        (self.setup if self.is_setup else self.steps).append(statement)

    def hoisted(self) -> tuple[list[Statement], list[Statement]]:
        """Return what is done once and what in each step: what does not depend on the step is done once."""
        writes: dict[int, int] = {}
        for statement in self.steps:
            writes[statement.out.buffer.number] = writes.get(statement.out.buffer.number, 0) + 1
        early = {s.out.buffer.number for s in self.setup}
        fixed = {b.number for b in self.buffers if b.role in (Role.FIELD, Role.DATA)}
        once = list(self.setup)
        always: list[Statement] = []
        for statement in self.steps:
            out = statement.out
            is_fixed = (
                out.buffer.role is Role.TEMPORARY
                and writes[out.buffer.number] == 1
                and out.buffer.number not in early
                and out.covers
                and statement.mask is None
                and not any(isinstance(each, OfStep) for each in statement.inputs)
                and all(view.buffer.number in fixed for view in statement.reads)
            )
            if is_fixed:
                fixed.add(out.buffer.number)
            (once if is_fixed else always).append(statement)
        return once, always

    def holds(self, steps: Any) -> Any:
        """Say whether the tape is that of each of some steps, by what formulas have asked about their numbers."""
        found = np.ones(np.shape(steps), bool)
        for expression, comparison, number, answer in self.guards:
            found &= COMPARISONS[comparison](expression.at(steps), number) == answer
        return found

    def written(self) -> set[int]:
        """Return the numbers of the state buffers that steps change."""
        return {s.out.buffer.number for s in self.steps if s.out.buffer.role is Role.STATE}


COMPARISONS: dict[str, Any] = {
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def _row_major(dims: Sequence[int]) -> tuple[int, ...]:
    strides, size = [], 1
    for n in reversed(dims):
        strides.append(size)
        size *= n
    return tuple(reversed(strides))
