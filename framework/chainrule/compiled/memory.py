"""Where the numbers of a function in LLVM's language lie, and how they are read and written."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.compiled.tape import Buffer, View
from chainrule.compiled.writer import Index, Writer

BOOL = np.dtype(bool)


def type_of(dtype: Any) -> str:
    """Return LLVM's type of a number in an operation."""
    return {"d": "double", "f": "float", "?": "i1"}[np.dtype(dtype).char]


def stored(dtype: Any) -> str:
    """Return LLVM's type of a number in memory, where a truth value takes a byte."""
    return "i8" if np.dtype(dtype) == BOOL else type_of(dtype)


class Nest:
    """Nested loops over an index; axes of length 1 take none."""

    def __init__(self, writer: Writer, dims: Sequence[int]) -> None:
        self._loops = [writer.loop(n) for n in dims]

    def __enter__(self) -> list[Index]:
        return [loop.__enter__() for loop in self._loops]

    def __exit__(self, *error: Any) -> None:
        for loop in reversed(self._loops):
            loop.__exit__(*error)


class Memory:
    """The buffers of a function, in which the numbers of all lanes lie beside each other.

    Attributes:
        writer: of the function.
        lanes: runs of a block.
        base: names of the addresses where buffers begin, by number.
    """

    def __init__(self, writer: Writer, lanes: int) -> None:
        self.writer, self.lanes = writer, lanes
        self.base: dict[int, str] = {}

    def nest(self, dims: Sequence[int]) -> Nest:
        """Return loops over an index."""
        return Nest(self.writer, dims)

    def place(self, view: View, index: Sequence[Index], lane: Index) -> str:
        """Return the address of a number."""
        terms: list[tuple[Index, Index]] = [
            (i, stride * self.lanes) for i, stride, n in zip(index, view.strides, view.dims, strict=True) if n > 1
        ]
        linear = self.writer.linear([*terms, (lane, 1)], view.offset * self.lanes)
        return self.at(view.buffer, linear)

    def at(self, buffer: Buffer, linear: Index) -> str:
        """Return the address of a number by its place in the buffer."""
        return self.writer.value(f"getelementptr {stored(buffer.dtype)}, ptr {self.base[buffer.number]}, i64 {linear}")

    def load(self, view: View, index: Sequence[Index], lane: Index) -> str:
        """Return a number of a view."""
        return self.fetch(view.buffer.dtype, self.place(view, index, lane))

    def fetch(self, dtype: Any, address: str) -> str:
        """Return the number at an address."""
        value = self.writer.value(f"load {stored(dtype)}, ptr {address}")
        return self.writer.value(f"trunc i8 {value} to i1") if np.dtype(dtype) == BOOL else value

    def store(self, dtype: Any, value: str, address: str) -> None:
        """Put a number to an address."""
        if np.dtype(dtype) == BOOL:
            value = self.writer.value(f"zext i1 {value} to i8")
        self.writer.emit(f"store {stored(dtype)} {value}, ptr {address}")

    def start(self, view: View) -> str:
        """Return the address where a view begins, computed once."""
        kind = stored(view.buffer.dtype)
        offset = view.offset * self.lanes
        return self.writer.at_top(f"getelementptr {kind}, ptr {self.base[view.buffer.number]}, i64 {offset}")


def flat(buffer: Buffer) -> View:
    """Return all numbers of a buffer along one axis."""
    return View(buffer, 0, (buffer.size,), (1,))
