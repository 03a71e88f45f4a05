"""What adds up, in LLVM's language: products of matrices, and sums along an axis, in the orders that NumPy has."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.compiled.memory import Memory, type_of
from chainrule.compiled.order import Arithmetic, Order, Orders
from chainrule.compiled.tape import Kind, Statement, View
from chainrule.compiled.writer import Index, number

UNROLLED = 48  # elements that are written one by one rather than in a loop
_TERMS = 32  # of a sum that are written one by one
_BESIDE = 8  # entries of a product whose sums are in one loop
_INTRINSICS = {"double": "f64", "float": "f32"}
_ADDS_ZERO = not np.signbit(np.sum([-0.0]))  # whether NumPy's sums begin with 0, so that -0 alone is 0


class Sums:
    """Writes what adds up.

    Attributes:
        intrinsics: declarations of LLVM's functions that it calls, by name.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory, self._writer = memory, memory.writer
        self.intrinsics: dict[str, str] = {}

    def product(self, a: View, b: View, out: View, orders: Orders) -> None:
        """Write a product, each entry of which adds up in an order of its own."""
        beside: dict[int, list[tuple[int, int]]] = {}
        for entry, order in orders.items():
            if order.sums > 1:
                beside.setdefault(order.whole(a.dims[1]), []).append(entry)
        for entries in beside.values():
            for at in range(0, len(entries), _BESIDE):
                self._sums_beside(a, b, out, {entry: orders[entry] for entry in entries[at : at + _BESIDE]})
        for order, of_rows, of_columns in _blocks(orders):
            if order.sums == 1:
                part = a[of_rows, slice(None)], b[slice(None), of_columns], out[of_rows, of_columns]
                self._product_in_order(*part, order)

    def _product_in_order(self, a: View, b: View, out: View, order: Order) -> None:
        """Write a product whose entries have one order, term by term."""
        w, (rows, terms), columns = self._writer, a.dims, b.dims[1]
        if terms > _TERMS and self._memory.lanes > 1 and not order.groups:
            self._long_product(a, b, out, order)
            return
        unrolled = self._memory.lanes == 1 and rows * columns * terms <= 4 * UNROLLED
        places = [list(index) for index in np.ndindex(rows, columns)] if unrolled else [None]
        for place in places:
            if place is not None:
                self._entry_of_product(a, b, out, order, place, 0)
            else:
                with self._memory.nest((rows, columns)) as nested, w.loop(self._memory.lanes) as lane:
                    self._entry_of_product(a, b, out, order, nested, lane)

    def _arithmetic(self, a: View, b: View, index: Sequence[Index], lane: Index) -> Arithmetic:
        """Return what an entry of a product is made of."""
        w, kind, (row, column) = self._writer, type_of(a.buffer.dtype), index

        def factors(place: int) -> tuple[str, str]:
            return self._memory.load(a, (row, place), lane), self._memory.load(b, (place, column), lane)

        def product(place: int) -> str:
            one, other = factors(place)
            return w.value(f"fmul {kind} {one}, {other}")

        return Arithmetic(
            product,
            lambda one, other: w.value(f"fadd {kind} {one}, {other}"),
            lambda place, total: self._fused(kind, *factors(place), total),
        )

    def _entry_of_product(self, a: View, b: View, out: View, order: Order, index: Sequence[Index], lane: Index) -> None:
        """Write one entry of a product: a sum of products."""
        w, (row, column), terms, dtype = self._writer, index, a.dims[1], out.buffer.dtype
        kind, zero = type_of(dtype), number(0.0)
        if terms <= _TERMS or order.groups:
            total = self._arithmetic(a, b, index, lane).in_order(order, range(terms), zero)
        else:
            slot = w.at_top(f"alloca {kind}")
            w.emit(f"store {kind} {zero}, ptr {slot}")
            with w.loop(terms) as each:
                before = w.value(f"load {kind}, ptr {slot}")
                total = self._add_product(
                    order,
                    kind,
                    self._memory.load(a, (row, each), lane),
                    self._memory.load(b, (each, column), lane),
                    before,
                )
                w.emit(f"store {kind} {total}, ptr {slot}")
            total = w.value(f"load {kind}, ptr {slot}")
        self._memory.store(dtype, self._finished(order, kind, total), self._memory.place(out, index, lane))

    def _finished(self, order: Order, kind: str, total: str) -> str:
        """Return a sum of products with what is done at last."""
        return self._writer.value(f"fadd {kind} {total}, {number(0.0)}") if order.adds_zero else total

    def _long_product(self, a: View, b: View, out: View, order: Order) -> None:
        """Write a product of many terms for several lanes: term by term, so that lanes lie innermost."""
        w, kind, dtype = self._writer, type_of(out.buffer.dtype), out.buffer.dtype
        with self._memory.nest(out.dims) as index:
            with w.loop(self._memory.lanes) as lane:
                self._memory.store(dtype, number(0.0), self._memory.place(out, index, lane))
            with w.loop(a.dims[1]) as term, w.loop(self._memory.lanes) as lane:
                place = self._memory.place(out, index, lane)
                factors = self._memory.load(a, (index[0], term), lane), self._memory.load(b, (term, index[1]), lane)
                total = self._add_product(order, kind, *factors, self._memory.fetch(dtype, place))
                self._memory.store(dtype, total, place)
            if order.adds_zero:
                with w.loop(self._memory.lanes) as lane:
                    place = self._memory.place(out, index, lane)
                    total = self._finished(order, kind, self._memory.fetch(dtype, place))
                    self._memory.store(dtype, total, place)

    def _add_product(self, order: Order, kind: str, a: str, b: str, total: str) -> str:
        w = self._writer
        if order.fused:
            return self._fused(kind, a, b, total)
        return w.value(f"fadd {kind} {total}, {w.value(f'fmul {kind} {a}, {b}')}")

    def _fused(self, kind: str, a: str, b: str, c: str) -> str:
        name = f"llvm.fma.{_INTRINSICS[kind.strip('<>').split()[-1]]}"
        if kind.startswith("<"):
            name = name.replace("fma.", f"fma.v{kind[1:].split()[0]}")
        self.intrinsics.setdefault(name, f"declare {kind} @{name}({kind}, {kind}, {kind})")
        return self._writer.value(f"call {kind} @{name}({kind} {a}, {kind} {b}, {kind} {c})")

    def _sums_beside(self, a: View, b: View, out: View, orders: Orders) -> None:
        """Write entries of a product that are sums of sums beside each other, all in one loop."""
        w, terms, kind = self._writer, a.dims[1], type_of(out.buffer.dtype)
        (whole,) = {order.whole(terms) for order in orders.values()}
        step = max(order.sums for order in orders.values())
        slots = {}
        for entry, order in orders.items():
            slots[entry] = w.at_top(f"alloca <{order.sums} x {kind}>")
            w.emit(f"store <{order.sums} x {kind}> zeroinitializer, ptr {slots[entry]}")
        with w.loop(whole // step) as turn:
            start = w.linear([(turn, step)])
            for (row, column), order in orders.items():
                several = f"<{order.sums} x {kind}>"
                for at in range(0, step, order.sums):
                    place = w.linear([(start, 1)], at)
                    one = self._beside(a[row, slice(None)], place, order.sums)
                    other = self._beside(b[slice(None), column], place, order.sums)
                    total = w.value(f"load {several}, ptr {slots[row, column]}")
                    total = self._add_product(order, several, one, other, total)
                    w.emit(f"store {several} {total}, ptr {slots[row, column]}")
        for entry, order in orders.items():
            several = f"<{order.sums} x {kind}>"
            total = w.value(f"load {several}, ptr {slots[entry]}")
            sums = [w.value(f"extractelement {several} {total}, i64 {at}") for at in range(order.sums)]
            added = self._arithmetic(a, b, entry, 0).at_the_end(order, range(whole, terms), sums)
            finished = self._finished(order, kind, added)
            self._memory.store(out.buffer.dtype, finished, self._memory.place(out, entry, 0))

    def _beside(self, view: View, start: Index, count: int) -> str:
        """Return numbers of a view of one axis, from a place on, as a vector."""
        w, kind = self._writer, type_of(view.buffer.dtype)
        several = f"<{count} x {kind}>"
        if view.strides == (1,):
            align = view.buffer.dtype.itemsize
            return w.value(f"load {several}, ptr {self._memory.place(view, [start], 0)}, align {align}")
        vector = "zeroinitializer"
        for at in range(count):
            value = self._memory.load(view, [w.linear([(start, 1)], at)], 0)
            vector = w.value(f"insertelement {several} {vector}, {kind} {value}, i64 {at}")
        return vector

    def along(self, statement: Statement) -> None:
        """Write what goes along the last axis of a view: sums, and the largest number."""
        w, out = self._writer, statement.out
        (view,) = statement.inputs
        assert isinstance(view, View)
        *dims, terms = view.dims
        kind = type_of(view.buffer.dtype)
        with self._memory.nest(dims) as index, w.loop(self._memory.lanes) as lane:

            def term(place: Index) -> str:
                return self._memory.load(view, [*index, place], lane)

            if statement.kind is Kind.PAIRWISE:
                total = self._pairwise(kind, term, 0, terms)
            elif statement.kind is Kind.ACCUMULATE:
                total = term(0)
                self._memory.store(out.buffer.dtype, total, self._memory.place(out, [*index, 0], lane))
                for place in range(1, terms):
                    total = w.value(f"fadd {kind} {total}, {term(place)}")
                    self._memory.store(out.buffer.dtype, total, self._memory.place(out, [*index, place], lane))
            else:
                total = term(0)
                for place in range(1, terms):
                    total = (
                        w.value(f"fadd {kind} {total}, {term(place)}")
                        if statement.kind is Kind.SUM
                        else self._larger(kind, total, term(place))
                    )
            if statement.kind in (Kind.PAIRWISE, Kind.SUM) and _ADDS_ZERO:
                total = w.value(f"fadd {kind} {total}, {number(0.0)}")
            if statement.kind is not Kind.ACCUMULATE:
                self._memory.store(out.buffer.dtype, total, self._memory.place(out, index, lane))

    def _larger(self, kind: str, a: str, b: str) -> str:
        """Return the larger of two numbers, as NumPy's reduction: NaN if one is."""
        w = self._writer
        first = w.value(f"fcmp ogt {kind} {a}, {b}")
        nan = w.value(f"fcmp uno {kind} {a}, {a}")
        return w.value(f"select i1 {w.value(f'or i1 {first}, {nan}')}, {kind} {a}, {kind} {b}")

    def _pairwise(self, kind: str, term: Any, start: int, count: int) -> str:
        """Return a sum in NumPy's order for numbers that lie together.

        Up to 8 numbers are added in order, up to 128 in eight sums, more in two halves.
        """
        w = self._writer

        def add(a: str, b: str) -> str:
            return w.value(f"fadd {kind} {a}, {b}")

        if count < 8:
            total = number(-0.0)
            for place in range(start, start + count):
                total = add(total, term(place))
            return total
        if count <= 128:
            sums = [term(start + k) for k in range(8)]
            whole = count - count % 8
            for block in range(8, whole, 8):
                sums = [add(sums[k], term(start + block + k)) for k in range(8)]
            halves = [add(add(sums[k], sums[k + 1]), add(sums[k + 2], sums[k + 3])) for k in (0, 4)]
            total = add(*halves)
            for place in range(start + whole, start + count):
                total = add(total, term(place))
            return total
        half = count // 2
        half -= half % 8
        return add(self._pairwise(kind, term, start, half), self._pairwise(kind, term, start + half, count - half))


def _blocks(orders: Orders) -> list[tuple[Order, slice, slice]]:
    """Return rows and columns of a product whose entries have one order: all, or parts of single rows."""
    rows, columns = (1 + max(places) for places in zip(*orders, strict=True))
    if len(set(orders.values())) == 1:
        return [(orders[0, 0], slice(0, rows), slice(0, columns))]
    found = []
    for row in range(rows):
        start = 0
        for order, same in itertools.groupby(orders[row, column] for column in range(columns)):
            end = start + len(list(same))
            found.append((order, slice(row, row + 1), slice(start, end)))
            start = end
    return found
