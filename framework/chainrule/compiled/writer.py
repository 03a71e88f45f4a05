"""Text in LLVM's language: numbered values, blocks and loops."""

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

Index = int | str  # a number that is known, or the name of a value


class Writer:
    """Collects the lines of one function.

    Attributes:
        lines: of its body.
        top: those of its first block, which are executed once.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.top: list[str] = []
        self._count = 0
        self._block = "entry"

    def name(self, prefix: str = "v") -> str:
        """Return a new name."""
        self._count += 1
        return f"{prefix}{self._count}"

    def emit(self, line: str) -> None:
        """Add an instruction without a value."""
        self.lines.append(f"  {line}")

    def value(self, instruction: str) -> str:
        """Add an instruction, and return the name of its value."""
        name = f"%{self.name()}"
        self.emit(f"{name} = {instruction}")
        return name

    def at_top(self, instruction: str) -> str:
        """Add an instruction to the first block, and return the name of its value."""
        name = f"%{self.name()}"
        self.top.append(f"  {name} = {instruction}")
        return name

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")
        self._block = name

    def jump(self, name: str) -> None:
        """End the block by going on at another, which follows."""
        self.emit(f"br label %{name}")
        self.label(name)

    @contextmanager
    def loop(self, count: Index) -> Iterator[Index]:
        """Repeat what is written in this context, ``count`` times and once at least; gives the number of the turn."""
        if count == 1:
            yield 0
            return
        before, head, end = self._block, self.name("loop"), self.name("end")
        self.jump(head)
        turn, place = f"%{self.name('i')}", len(self.lines)
        self.lines.append("")
        yield turn
        following = self.value(f"add nuw nsw i64 {turn}, 1")
        goes_on = self.value(f"icmp ult i64 {following}, {count}")
        self.lines[place] = f"  {turn} = phi i64 [ 0, %{before} ], [ {following}, %{self._block} ]"
        self.emit(f"br i1 {goes_on}, label %{head}, label %{end}")
        self.label(end)

    def linear(self, terms: Iterable[tuple[Index, Index]], start: Index = 0) -> Index:
        """Return ``start`` plus the products of all pairs, computed as far as the numbers are known."""
        known, unknown = (start, "") if isinstance(start, int) else (0, start)
        for index, stride in terms:
            if isinstance(index, int) and isinstance(stride, int):
                known += index * stride
            elif index != 0 and stride != 0:
                part = index if stride == 1 else self.value(f"mul nsw i64 {index}, {stride}")
                unknown = self.value(f"add nsw i64 {unknown}, {part}") if unknown else str(part)
        if not unknown:
            return known
        return self.value(f"add nsw i64 {unknown}, {known}") if known else unknown


def number(value: float) -> str:
    """Return a floating point number as LLVM reads it without rounding."""
    return "0x" + struct.pack(">d", value).hex().upper()
