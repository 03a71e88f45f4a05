"""From a tape to a function in LLVM's language.

The function trains blocks of ``lanes`` runs, one after the other, for some steps. In a buffer the numbers of all lanes
lie beside each other, so that one instruction serves several runs; with one lane it serves several samples or units.
Operations keep the order and the rounding that NumPy has: nothing is reordered, and no product is fused with a sum,
unless the BLAS of this machine fuses them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.compiled.grouping import grouped, merged, place_of
from chainrule.compiled.memory import BOOL, Memory, flat, stored, type_of
from chainrule.compiled.order import PLAIN, Orders, summation
from chainrule.compiled.sums import UNROLLED, Sums
from chainrule.compiled.tape import Buffer, Kind, Number, OfStep, Operand, Role, Statement, Tape, View
from chainrule.compiled.untraceable import Untraceable
from chainrule.compiled.writer import Index, Writer, number

_ON_STACK = 200_000  # bytes of buffers, beyond which they lie in memory that the caller gives
_MOST_LINES = 20_000  # of a function, which LLVM compiles in some seconds
_COMPARE = {
    "greater": "ogt",
    "greater_equal": "oge",
    "less": "olt",
    "less_equal": "ole",
    "equal": "oeq",
    "not_equal": "une",
}
_BINARY = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}
_LOGICAL = {"and": "and", "or": "or", "xor": "xor"}


@dataclass
class Source:
    """A function and what its table of arguments contains, in this order.

    Attributes:
        text: in LLVM's language.
        lanes: runs of a block.
        arrays: the buffers that are read from arrays: address, and distance of two runs; of chosen samples address, and
            the same of the orders.
        loops: names of the inner loops: address, and that of the argument.
        workspace: bytes of memory whose address comes last.
        written: numbers of the buffers that are written back.
    """

    text: str
    lanes: int
    arrays: list[Buffer]
    loops: list[str]
    workspace: int
    written: set[int] = field(default_factory=set)


class NotInLanesError(Exception):
    """The tape needs one lane."""


def generate(tape: Tape, lanes: int) -> Source:
    """Return the function that does the steps of a tape.

    Raises:
        NotInLanesError: there are several lanes, but a product needs the order of a BLAS.
        Untraceable: the function would be too long.
    """
    return _Generator(tape, lanes).source()


def require_short(tape: Tape) -> None:
    """Refuse steps that are too long to be compiled, without asking in which order products add up.

    Raises:
        Untraceable: they are.
    """
    if sum(map(_most_lines, (*tape.setup, *tape.steps))) > _MOST_LINES:
        _Generator(tape, 1, asks=False).source()


def _most_lines(statement: Statement) -> int:
    """Return about how many lines a statement takes at most, with one lane."""
    if statement.kind is Kind.PRODUCT:
        (rows, terms), columns = statement.inputs[0].dims, statement.out.dims[1]  # type: ignore[union-attr]
        return 8 * terms * (rows * columns if rows * columns * terms <= 4 * UNROLLED else 1)
    if statement.kind is Kind.EACH:
        return 8 * (statement.out.size if statement.out.size <= UNROLLED else 1)
    return 8 * statement.inputs[0].size if statement.kind is Kind.ACCUMULATE else 40  # type: ignore[union-attr]


class _Generator:
    def __init__(self, tape: Tape, lanes: int, asks: bool = True) -> None:
        self._tape, self._lanes, self._w, self._asks = tape, lanes, Writer(), asks
        self._memory = Memory(self._w, lanes)
        self._sums = Sums(self._memory)
        self._once, self._always = tape.hoisted()
        used = {view.buffer.number for s in (*self._once, *self._always) for view in (*s.reads, s.out)}
        self._used = [buffer for buffer in tape.buffers if buffer.number in used]
        self._arrays = [buffer for buffer in self._used if buffer.role is not Role.TEMPORARY]
        self._table: list[str] = []
        self._functions: dict[str, tuple[str, str]] = {}
        self._groups = grouped(self._once), grouped(self._always)
        self._local = self._inside_groups()
        self._workspace = 0
        self._run = ""  # index of the block's first run
        self._step = ""

    # The function

    def source(self) -> Source:
        w = self._w
        addresses = {buffer.number: self._addresses(buffer) for buffer in self._arrays}
        for statement in (*self._once, *self._always):
            if statement.kind in (Kind.CALL, Kind.POWER):
                self._function(statement.operation)
            elif statement.kind is Kind.PRODUCT and self._orders(statement) is None:
                self._function(self._matmul(statement))
        self._allocate()
        written = self._tape.written()
        blocks = w.value(f"add i64 %runs, {self._lanes - 1}")
        blocks = w.value(f"udiv i64 {blocks}, {self._lanes}")
        chosen = [buffer for buffer in self._arrays if buffer.role is Role.CHOSEN]
        with self._w.loop(blocks) as block:
            self._run = str(w.value(f"mul i64 {block}, {self._lanes}"))
            self._rows = self._lane_rows()
            for buffer in self._arrays:
                if buffer.role is not Role.CHOSEN:
                    self._read(buffer, addresses[buffer.number])
            for group in self._groups[0]:
                self._write(group)
            with w.loop("%steps") as turn:
                self._step = w.value(f"add i64 %first, {turn}")
                for buffer in chosen:
                    self._choose(buffer, addresses[buffer.number], turn)
                for group in self._groups[1]:
                    self._write(group)
            for buffer in self._arrays:
                if buffer.number in written:
                    self._write_back(buffer, addresses[buffer.number])
        w.emit("ret void")
        if len(w.lines) > _MOST_LINES:
            raise Untraceable(f"takes {len(w.lines)} instructions, and more than {_MOST_LINES} take long to compile")
        text = "\n".join(
            [
                *(
                    f"declare {t} @llvm.{f}.{s}({', '.join([t] * n)})"
                    for t, s in (("double", "f64"), ("float", "f32"))
                    for f, n in (("fabs", 1), ("sqrt", 1))
                ),
                *self._sums.intrinsics.values(),
                "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
                "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
                "define void @train(ptr noalias %table, i64 %runs, i64 %first, i64 %steps, i64 %sample) {",
                "entry:",
                *w.top,
                *w.lines,
                "}",
                "",
            ]
        )
        return Source(text, self._lanes, self._arrays, list(self._functions), self._workspace, written)

    def _entry(self, kind: str) -> str:
        """Return the next entry of the table of arguments."""
        w, place = self._w, len(self._table)
        address = w.at_top(f"getelementptr i64, ptr %table, i64 {place}")
        name = w.at_top(f"load {kind}, ptr {address}")
        self._table.append(name)
        return name

    def _addresses(self, buffer: Buffer) -> list[str]:
        further = ["ptr", "i64"] if buffer.role is Role.CHOSEN else ["i64"]
        return [self._entry("ptr"), *map(self._entry, further)]

    def _function(self, name: str) -> None:
        if name not in self._functions:
            self._functions[name] = self._entry("ptr"), self._entry("ptr")

    def _matmul(self, statement: Statement) -> str:
        char = statement.out.buffer.dtype.char
        return f"matmul:{char * 3}"

    def _allocate(self) -> None:
        w, total = self._w, 0
        workspace = ""
        for buffer in self._used:
            if buffer.number in self._local:
                continue
            n = max(buffer.size, 1) * self._lanes
            size = -(-n * buffer.dtype.itemsize // 64) * 64
            if total + size <= _ON_STACK:
                total += size
                self._memory.base[buffer.number] = w.at_top(f"alloca [{n} x {stored(buffer.dtype)}], align 64")
            else:
                workspace = workspace or self._entry("ptr")
                self._memory.base[buffer.number] = w.at_top(f"getelementptr i8, ptr {workspace}, i64 {self._workspace}")
                self._workspace += size

    def _lane_rows(self) -> list[str] | str:
        """Return the run of each lane; lanes that are left over repeat the last run."""
        w = self._w
        last = w.value("sub i64 %runs, 1")
        rows = w.at_top(f"alloca [{self._lanes} x i64]")
        with w.loop(self._lanes) as lane:
            row = w.value(f"add i64 {self._run}, {lane}")
            row = w.value(f"select i1 {w.value(f'icmp ult i64 {row}, {last}')}, i64 {row}, i64 {last}")
            w.emit(f"store i64 {row}, ptr {w.value(f'getelementptr i64, ptr {rows}, i64 {lane}')}")
        return rows

    def _row(self, lane: Index) -> str:
        w = self._w
        return w.value(f"load i64, ptr {w.value(f'getelementptr i64, ptr {self._rows}, i64 {lane}')}")

    def _choose(self, buffer: Buffer, given: Sequence[str], turn: Index) -> None:
        """Copy the samples of a step, which lie one after the other, by their numbers in the orders of the runs."""
        w, kind, (address, order, between) = self._w, stored(buffer.dtype), given
        samples, features = buffer.dims
        now = w.linear([(turn, samples)], "%sample")
        is_last = w.value(f"icmp uge i64 {w.value(f'add i64 {turn}, 1')}, %steps")
        ahead = w.value(f"select i1 {is_last}, i64 0, i64 {samples}")

        def row(place: Index) -> Index:
            number = w.value(f"load i64, ptr {w.value(f'getelementptr i64, ptr {order}, i64 {place}')}")
            return w.linear([(number, features)])

        with w.loop(self._lanes) as lane:
            of_run = w.linear([(self._row(lane), between)], now)
            if self._lanes > 1:  # the samples of so many runs do not fit into the first-level cache
                following = w.value(f"getelementptr {kind}, ptr {address}, i64 {row(w.linear([(ahead, 1)], of_run))}")
                w.emit(f"call void @llvm.prefetch.p0(ptr {following}, i32 0, i32 3, i32 1)")
            with w.loop(samples) as sample:
                own = row(w.linear([(sample, 1)], of_run))
                with w.loop(features if self._lanes > 1 else 1) as feature:
                    source = w.value(f"getelementptr {kind}, ptr {address}, i64 {w.linear([(feature, 1)], own)}")
                    self._copy(buffer, source, self._memory.place(buffer.whole, (sample, feature), lane), features)

    def _read(self, buffer: Buffer, given: Sequence[str]) -> None:
        """Copy the numbers of the block's runs from an array."""
        for source, target in self._numbers(buffer, given):
            self._copy(buffer, source, target, buffer.size)

    def _write_back(self, buffer: Buffer, given: Sequence[str]) -> None:
        """Copy the numbers of the block's runs to an array; lanes that repeat a run write the same once more."""
        for target, source in self._numbers(buffer, given):
            self._copy(buffer, source, target, buffer.size)

    def _numbers(self, buffer: Buffer, given: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the addresses of the numbers of the block's runs, in the array and in the buffer, in loops over them.

        With one lane they are those of all numbers of the run.
        """
        w, kind, (address, between) = self._w, stored(buffer.dtype), given
        with w.loop(self._lanes) as lane, w.loop(buffer.size if self._lanes > 1 else 1) as index:
            place = w.linear([(index, 1), (self._row(lane), between)])
            in_array = w.value(f"getelementptr {kind}, ptr {address}, i64 {place}")
            yield in_array, self._memory.place(flat(buffer), [index], lane)

    def _copy(self, buffer: Buffer, source: str, target: str, count: int) -> None:
        """Copy a number; with one lane so many that lie together, by a call: see decision 30."""
        kind = stored(buffer.dtype)
        if self._lanes > 1:
            self._w.emit(f"store {kind} {self._w.value(f'load {kind}, ptr {source}')}, ptr {target}")
            return
        size = count * buffer.dtype.itemsize
        self._w.emit(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)")

    def _inside_groups(self) -> set[int]:
        """Return the numbers of the buffers that one group fills before it reads them, and nothing else touches."""
        where: dict[int, set[int]] = {}
        first: dict[int, bool] = {}
        for place, group in enumerate((*self._groups[0], *self._groups[1])):
            for statement in group:
                for view in statement.reads:
                    where.setdefault(view.buffer.number, set()).add(place)
                    first.setdefault(view.buffer.number, False)
                buffer = statement.out.buffer
                where.setdefault(buffer.number, set()).add(place)
                whole = statement.kind is Kind.EACH and statement.mask is None
                first.setdefault(buffer.number, whole)
                if statement.kind is not Kind.EACH:
                    first[buffer.number] = False
        return {
            buffer.number
            for buffer in self._used
            if buffer.role is Role.TEMPORARY and len(where[buffer.number]) == 1 and first[buffer.number]
        }

    # Statements

    def _write(self, group: Sequence[Statement]) -> None:
        match group[0].kind:
            case Kind.EACH:
                self._each(group)
            case Kind.CALL:
                self._call(group[0])
            case Kind.POWER:
                self._power(group[0])
            case Kind.PRODUCT:
                self._product(group[0])
            case _:
                self._sums.along(group[0])

    def _each(self, group: Sequence[Statement]) -> None:
        """Write the operations of a group on each number, in one loop."""
        views = [view for s in group for view in (*s.reads, s.out)]
        dims, strides = merged(group[0].out.dims, views, self._lanes)
        unrolled = self._lanes == 1 and math.prod(dims) <= UNROLLED
        if unrolled:
            for index in np.ndindex(*dims):
                self._element(group, views, list(index), strides)
        else:
            with self._memory.nest(dims) as nested:
                self._element(group, views, nested, strides)

    def _element(
        self, group: Sequence[Statement], views: Sequence[View], index: Sequence[Index], strides: dict[Any, list[int]]
    ) -> None:
        w, have = self._w, {}

        def address(view: View) -> str:
            terms = list(zip(index, strides[place_of(view)], strict=True))
            return self._memory.at(view.buffer, w.linear(terms, view.offset * self._lanes))

        def load(view: View) -> str:
            key = place_of(view)
            if key not in have:
                have[key] = self._memory.fetch(view.buffer.dtype, address(view))
            return have[key]

        for statement in group:
            out = statement.out
            mask = None if statement.mask is None else load(statement.mask)
            value = self._operation(statement, load)
            if mask is not None:
                kind = type_of(out.buffer.dtype)
                value = w.value(f"select i1 {mask}, {kind} {value}, {kind} {load(out)}")
            have[place_of(out)] = value
            if out.buffer.number not in self._local:
                self._memory.store(out.buffer.dtype, value, address(out))

    def _operand(self, operand: Operand, dtype: Any, load: Any) -> str:
        """Return the value of an operand in a dtype."""
        w = self._w
        if isinstance(operand, Number):
            if np.dtype(dtype) == BOOL:
                return "true" if operand.value else "false"
            return number(float(np.dtype(dtype).type(operand.value)))
        if isinstance(operand, OfStep):
            return self._of_step(operand, dtype)
        own, kind, wanted = operand.buffer.dtype, type_of(operand.buffer.dtype), type_of(dtype)
        value: str = load(operand)
        if kind == wanted:
            return value
        if own == BOOL:
            return w.value(f"uitofp i1 {value} to {wanted}")
        if np.dtype(dtype) == BOOL:
            return w.value(f"fcmp une {kind} {value}, 0.0")
        return w.value(f"{'fpext' if wanted == 'double' else 'fptrunc'} {kind} {value} to {wanted}")

    def _of_step(self, expression: OfStep, dtype: Any) -> str:
        value, wanted = self._whole_or_real(expression), type_of(dtype)
        if expression.is_whole:
            return self._w.value(f"sitofp i64 {value} to {wanted}")
        return value if wanted == "double" else self._w.value(f"fptrunc double {value} to float")

    def _whole_or_real(self, expression: "OfStep | int | float", real: bool = False) -> str:
        """Return the value of a number that follows from the step, as ``i64`` or ``double``."""
        w = self._w
        if not isinstance(expression, OfStep):
            return number(float(expression)) if real else str(expression)
        is_whole = expression.is_whole
        if expression.operation == "step":
            value = self._step
        else:
            a, b = (self._whole_or_real(o, not is_whole) for o in expression.operands)
            names = {"+": "add", "-": "sub", "*": "mul", "//": "sdiv", "%": "srem", "/": "div"}
            operation = names[expression.operation]
            value = w.value(f"{operation} i64 {a}, {b}" if is_whole else f"f{operation} double {a}, {b}")
            if operation in ("sdiv", "srem"):  # of a negative number, Python rounds down, and the rest is positive
                rest = value if operation == "srem" else w.value(f"srem i64 {a}, {b}")
                rounded = w.value(f"add i64 {value}, {b if operation == 'srem' else -1}")
                value = w.value(f"select i1 {w.value(f'icmp slt i64 {rest}, 0')}, i64 {rounded}, i64 {value}")
        return w.value(f"sitofp i64 {value} to double") if real and is_whole else value

    def _operation(self, statement: Statement, load: Any) -> str:
        """Write an operation on one number of each operand, and return its value."""
        w, name, inputs, out = self._w, statement.operation, statement.inputs, statement.out.buffer.dtype
        if name == "copy":
            return self._operand(inputs[0], out, load)
        if name == "where":
            condition = self._operand(inputs[0], BOOL, load)
            a, b = (self._operand(each, out, load) for each in inputs[1:])
            return w.value(f"select i1 {condition}, {type_of(out)} {a}, {type_of(out)} {b}")
        dtype = next((each.buffer.dtype for each in inputs if isinstance(each, View)), out)
        kind = type_of(dtype)
        a, *rest = (self._operand(each, dtype, load) for each in inputs)
        b = rest[0] if rest else ""
        if name in _BINARY:
            return w.value(f"{_BINARY[name]} {kind} {a}, {b}")
        if name in _COMPARE and kind != "i1":
            return w.value(f"fcmp {_COMPARE[name]} {kind} {a}, {b}")
        if name.startswith(("logical_", "bitwise_")) and b:
            return w.value(f"{_LOGICAL[name.partition('_')[2]]} i1 {a}, {b}")
        suffix = "f64" if kind == "double" else "f32"
        match name:
            case "logical_not" | "invert":
                return w.value(f"xor i1 {a}, true")
            case "positive":
                return a
            case "negative":
                return w.value(f"fneg {kind} {a}")
            case "square":
                return w.value(f"fmul {kind} {a}, {a}")
            case "reciprocal":
                return w.value(f"fdiv {kind} {number(1.0)}, {a}")
            case "absolute" | "fabs":
                return w.value(f"call {kind} @llvm.fabs.{suffix}({kind} {a})")
            case "sqrt":
                return w.value(f"call {kind} @llvm.sqrt.{suffix}({kind} {a})")
            case "maximum" | "minimum":
                first = w.value(f"fcmp {'ugt' if name == 'maximum' else 'ult'} {kind} {a}, {b}")
                is_nan = w.value(f"fcmp uno {kind} {b}, {b}")
                chosen = w.value(f"select i1 {first}, {kind} {a}, {kind} {b}")
                return w.value(f"select i1 {is_nan}, {kind} {b}, {kind} {chosen}")
            case "sign":
                zero, one, less = number(0.0), number(1.0), number(-1.0)
                level = w.value(f"select i1 {w.value(f'fcmp oeq {kind} {a}, {zero}')}, {kind} {zero}, {kind} {a}")
                below = w.value(f"fcmp olt {kind} {a}, {zero}")
                level = w.value(f"select i1 {below}, {kind} {less}, {kind} {level}")
                return w.value(f"select i1 {w.value(f'fcmp ogt {kind} {a}, {zero}')}, {kind} {one}, {kind} {level}")
            case "isnan":
                return w.value(f"fcmp uno {kind} {a}, {a}")
            case "isfinite" | "isinf":
                size = w.value(f"call {kind} @llvm.fabs.{suffix}({kind} {a})")
                compare = "olt" if name == "isfinite" else "oeq"
                return w.value(f"fcmp {compare} {kind} {size}, {number(math.inf)}")
        raise AssertionError(f"the tracer records no {name}")

    def _arguments(self, addresses: Sequence[str], counts: Sequence[int], distances: Sequence[int]) -> list[str]:
        """Return the tables that an inner loop receives; addresses are filled in each time, because loops move them."""
        w, made = self._w, []
        for kind, values in (("ptr", addresses), ("i64", counts), ("i64", distances)):
            table = w.at_top(f"alloca [{len(values)} x {kind}]")
            lines = w.lines if kind == "ptr" else w.top
            for place, value in enumerate(values):
                slot = w.at_top(f"getelementptr {kind}, ptr {table}, i64 {place}")
                lines.append(f"  store {kind} {value}, ptr {slot}")
            made.append(table)
        return made

    def _invoke(self, name: str, tables: Sequence[str]) -> None:
        function, argument = self._functions[name]
        self._w.emit(f"call void {function}({', '.join(f'ptr {table}' for table in tables)}, ptr {argument})")

    def _slot(self, operand: Operand, dtype: Any) -> str:
        """Return the address of a number that is the same for all."""
        w = self._w
        slot = w.at_top(f"alloca {type_of(dtype)}")
        if isinstance(operand, Number):
            w.top.append(f"  store {type_of(dtype)} {number(float(operand.value))}, ptr {slot}")
        else:
            assert isinstance(operand, OfStep)
            w.emit(f"store {type_of(dtype)} {self._of_step(operand, dtype)}, ptr {slot}")
        return slot

    def _call(self, statement: Statement, name: str = "") -> None:
        """Write the call of an inner loop on all numbers."""
        out, types = statement.out, statement.operation.rstrip("'").rpartition(":")[2]
        addresses, distances = [], []
        for operand, char in zip(statement.inputs, types, strict=False):
            is_view = isinstance(operand, View)
            addresses.append(self._memory.start(operand) if isinstance(operand, View) else self._slot(operand, char))
            distances.append(np.dtype(char).itemsize if is_view else 0)
        addresses.append(self._memory.start(out))
        distances.append(out.buffer.dtype.itemsize)
        self._invoke(statement.operation, self._arguments(addresses, [out.size * self._lanes], distances))

    def _power(self, statement: Statement) -> None:
        """Write a power by the step, with the short cuts that Python's operator takes in NumPy."""
        w, (base, exponent) = self._w, statement.inputs
        assert isinstance(base, View)
        assert isinstance(exponent, OfStep)
        value = self._whole_or_real(exponent)
        end, short = w.name("end"), {0: "", 1: "copy", 2: "square", -1: "reciprocal"}
        for special, operation in short.items():
            then, other = w.name("then"), w.name("else")
            w.emit(f"br i1 {w.value(f'icmp eq i64 {value}, {special}')}, label %{then}, label %{other}")
            w.label(then)
            inputs: tuple[Operand, ...] = (base,) if operation else (Number(1.0),)
            self._each([Statement(Kind.EACH, operation or "copy", statement.out, inputs)])
            w.emit(f"br label %{end}")
            w.label(other)
        self._call(statement)
        w.jump(end)

    def _orders(self, statement: Statement) -> Orders | None:
        """Return how each entry of a product adds up; None if an inner loop must be called."""
        a, b = statement.inputs
        assert isinstance(a, View)
        assert isinstance(b, View)
        if statement.operation == "plain" or not self._asks:
            return dict.fromkeys(np.ndindex(a.dims[0], b.dims[1]), PLAIN)
        orders = summation(a.dims, a.strides, b.dims, b.strides, a.buffer.dtype.char)
        needs_one_lane = orders is None or any(order.sums > 1 for order in orders.values())
        if needs_one_lane and self._lanes > 1:
            raise NotInLanesError
        return orders

    def _product(self, statement: Statement) -> None:
        out, (a, b) = statement.out, statement.inputs
        assert isinstance(a, View)
        assert isinstance(b, View)
        orders = self._orders(statement)
        if orders is None:
            size = out.buffer.dtype.itemsize
            (rows, terms), columns = a.dims, b.dims[1]
            distances = [size * stride for view in (a, b, out) for stride in view.strides]
            tables = self._arguments(
                [self._memory.start(view) for view in (a, b, out)], [1, rows, terms, columns], [0, 0, 0, *distances]
            )
            self._invoke(self._matmul(statement), tables)
            return
        self._sums.product(a, b, out, orders)
