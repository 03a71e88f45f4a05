"""What was recorded of a formula, as nodes of an ONNX graph.

Every value of the graph is a matrix with a row for each sample, or one row if it is the same for all. Its columns are
the numbers of a buffer. The number of samples is not known: while a formula is recorded, a prime stands for it that no
width is a multiple of, so that the axis of the samples is found again wherever a formula has moved it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from chainrule.compiled.tape import Buffer, Kind, Number, OfStep, Operand, Statement, Tape, View
from chainrule.compiled.tracing import Traced
from chainrule.compiled.untraceable import Untraceable

SAMPLES = 1_000_003  # stands for their number
BATCH = "samples"  # the value that has their number

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Node:
    """One operation of ONNX: its name, the values that it reads, the one that it makes, and its attributes."""

    operation: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass
class Graph:
    """Nodes in the order in which they are computed, and constants by name."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def __call__(self, operation: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of what it makes."""
        output = name or f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(Node(operation, inputs, output, attributes))
        return output

    def constant(self, array: Any, name: str = "") -> str:
        """Add a constant, and return its name; without a name, an equal one is used again."""
        values = np.array(array)
        if not name:
            for known, other in self.constants.items():
                same_kind = known.startswith("constant_") and (other.dtype, other.shape) == (values.dtype, values.shape)
                if same_kind and other.tobytes() == values.tobytes():
                    return known
        self.constants[name or (name := f"constant_{len(self.constants)}")] = values
        return name


def applied(graph: Graph, formula: Callable[[Traced], Any], value: str, width: int, dtype: Any) -> tuple[str, int, Any]:
    """Add what a formula does to a value, and return the result, its width and its dtype.

    Args:
        graph: what the nodes are added to.
        formula: what is recorded: it is given an array ``(1, width, samples)`` and returns one ``(1, units, samples)``.
        value: name of a value with ``width`` columns.
        width: of the value.
        dtype: of the value.

    Raises:
        Untraceable: the formula cannot be recorded, or not be expressed by operations of ONNX for each sample.
    """
    tape = Tape()
    given = tape.buffer((width, SAMPLES), dtype)
    result = formula(Traced(tape, 1, given.whole))
    if not isinstance(result, Traced):
        raise Untraceable("returns an array that was not made from what it is given")
    drawn = _Drawn(graph, tape, {given.number: value})
    for statement in (*tape.setup, *tape.steps):
        drawn.add(statement)
    return drawn.read(result.view), math.prod(result.shape[1:-1]), result.dtype


class _Drawn:
    """The values of the buffers of a tape as they are after some of its statements.

    Args:
        graph: what the nodes are added to.
        tape: what was recorded.
        values: the value of each buffer that is filled.
    """

    def __init__(self, graph: Graph, tape: Tape, values: dict[int, str]) -> None:
        self._graph, self._tape, self._values = graph, tape, values

    def add(self, statement: Statement) -> None:
        """Add the nodes of a statement."""
        _HANDLERS[statement.kind](self, statement)

    def read(self, view: View) -> str:
        """Return the numbers that a view shows, in its order, as columns."""
        whole, columns = self._whole(view.buffer), _columns(view)
        if np.array_equal(columns, np.arange(_width(view.buffer))):
            return whole
        return self._graph("Gather", whole, self._graph.constant(columns), axis=1)

    def _whole(self, buffer: Buffer) -> str:
        """Return all numbers of a buffer; where nothing has filled it, they are 0."""
        captured = self._tape.captured.get(buffer.number)
        if captured is not None and captured.size > SAMPLES // 2:
            raise Untraceable("brings numbers of its own for each sample")
        if buffer.number not in self._values:
            numbers = np.zeros(_width(buffer), buffer.dtype) if captured is None else captured
            self._values[buffer.number] = self._graph.constant(numbers.reshape(1, -1))
        return self._values[buffer.number]

    def _operand(self, operand: Operand, dtype: Any, width: int) -> str:
        if isinstance(operand, OfStep):
            raise Untraceable("looks at the step")
        if isinstance(operand, Number):
            return self._graph.constant(np.full((1, width), operand.value, dtype))
        return self.read(operand)

    def _write(self, view: View, value: str, mask: View | None = None) -> None:
        """Let the numbers that a view shows be those of a value."""
        graph, columns, width = self._graph, _columns(view), _width(view.buffer)
        if mask is not None:
            value = graph("Where", self.read(mask), value, self.read(view))
        if not np.array_equal(columns, np.arange(width)):
            places = np.arange(width)
            places[columns] = width + np.arange(len(columns))
            parts = [self._whole(view.buffer), value]
            if SAMPLES in view.buffer.dims:  # one of them may be the same for all samples
                parts = [self._for_each_sample(part, n) for part, n in zip(parts, (width, len(columns)), strict=True)]
            value = graph("Gather", graph("Concat", *parts, axis=1), graph.constant(places), axis=1)
        self._values[view.buffer.number] = value

    def _for_each_sample(self, value: str, width: int) -> str:
        shape = self._graph("Concat", BATCH, self._graph.constant([width]), axis=0)
        return self._graph("Expand", value, shape)

    # Statements, by their kind

    def each(self, statement: Statement) -> None:
        """Add an operation on each number."""
        dtypes = [each.buffer.dtype for each in statement.inputs if isinstance(each, View)]
        dtype = statement.out.buffer.dtype if statement.operation in ("where", "copy") or not dtypes else dtypes[0]
        width = len(_columns(statement.out))
        values = [self._operand(each, dtype, width) for each in statement.inputs]
        if statement.operation == "copy":
            given = dtypes[0] if dtypes else dtype
            made = values[0] if given == dtype else self._graph("Cast", values[0], to=dtype)
        else:
            made = OPERATIONS[statement.operation](_Call(self._graph, dtype), *values)
        self._write(statement.out, made, statement.mask)

    def call(self, statement: Statement) -> None:
        """Add what the inner loop of a library does."""
        ufunc, types = self._tape.loops[statement.operation]
        operation = OPERATIONS.get(ufunc.__name__)
        if operation is None:
            raise Untraceable(f"calls {ufunc.__name__}, for which ONNX has no operation")
        width = len(_columns(statement.out))
        values = [self._operand(one, np.dtype(kind), width) for one, kind in zip(statement.inputs, types, strict=False)]
        self._write(statement.out, operation(_Call(self._graph, np.dtype(types[0])), *values))

    def reduce(self, statement: Statement) -> None:
        """Add a sum, or the largest number, along the last axis."""
        operation = "ReduceMax" if statement.kind is Kind.LARGEST else "ReduceSum"
        graph = self._graph
        self._write(
            statement.out, graph(operation, self._by_axis(statement.inputs[0]), graph.constant([2]), keepdims=0)
        )

    def accumulate(self, statement: Statement) -> None:
        """Add sums up to each place of the last axis."""
        graph = self._graph
        summed = graph("CumSum", self._by_axis(statement.inputs[0]), graph.constant(np.array(2)))
        self._write(statement.out, graph("Reshape", summed, graph.constant([-1, len(_columns(statement.out))])))

    def _by_axis(self, operand: Operand) -> str:
        """Return the numbers of a view as ``(samples, others, last axis)``."""
        assert isinstance(operand, View)
        if operand.dims[-1] == SAMPLES:
            raise Untraceable("adds up over samples, or compares them")
        shape = [-1, len(_columns(operand)) // operand.dims[-1], operand.dims[-1]]
        return self._graph("Reshape", self.read(operand), self._graph.constant(shape))

    def product(self, statement: Statement) -> None:
        """Add a product of matrices of which at most one has samples."""
        one, other = statement.inputs
        assert isinstance(one, View)
        assert isinstance(other, View)
        graph, (rows, inner), columns = self._graph, one.dims, other.dims[1]
        a, b = self.read(one), self.read(other)
        if (SAMPLES in one.dims and SAMPLES in other.dims) or inner == SAMPLES:
            raise Untraceable("multiplies samples with samples")
        if columns == SAMPLES:  # of each sample, its numbers times the transposed matrix
            matrix = graph("Transpose", graph("Reshape", a, graph.constant([rows, inner])), perm=[1, 0])
            made = graph("MatMul", b, matrix)
        elif rows == SAMPLES:
            made = graph("MatMul", a, graph("Reshape", b, graph.constant([inner, columns])))
        else:
            left, right = (
                graph("Reshape", value, graph.constant(shape))
                for value, shape in ((a, [rows, inner]), (b, [inner, columns]))
            )
            made = graph("Reshape", graph("MatMul", left, right), graph.constant([1, rows * columns]))
        self._write(statement.out, made)

    def refuse(self, statement: Statement) -> None:
        """Say what has no place in a prediction."""
        raise Untraceable(f"computes a {statement.kind.value} of the step")


_HANDLERS: dict[Kind, Callable[[_Drawn, Statement], None]] = {
    Kind.EACH: _Drawn.each,
    Kind.CALL: _Drawn.call,
    Kind.SUM: _Drawn.reduce,
    Kind.PAIRWISE: _Drawn.reduce,
    Kind.LARGEST: _Drawn.reduce,
    Kind.ACCUMULATE: _Drawn.accumulate,
    Kind.PRODUCT: _Drawn.product,
    Kind.POWER: _Drawn.refuse,
}


def _width(buffer: Buffer) -> int:
    """Return how many numbers a buffer has for a sample."""
    return math.prod(n for n in buffer.dims if n != SAMPLES)


def _columns(view: View) -> Array:
    """Return which of the numbers of its buffer a view shows, in its order, without the axis of the samples.

    Raises:
        Untraceable: it shows some of the samples, or samples and units on one axis.
    """
    dims = view.buffer.dims
    if dims.count(SAMPLES) > 1 or any(n > SAMPLES // 2 and n != SAMPLES for n in (*dims, *view.dims)):
        raise Untraceable("takes some of the samples, or puts them on one axis with units")
    after = math.prod(dims[dims.index(SAMPLES) + 1 :]) if SAMPLES in dims else 0
    addresses, axes = np.array([view.offset]), 0
    for n, stride in zip(view.dims, view.strides, strict=True):
        if n != SAMPLES:
            addresses = (addresses[:, None] + stride * np.arange(n)).ravel()
        elif stride:
            axes += 1
            if stride != after:
                raise Untraceable("changes the order of samples")
    if not after:
        return addresses
    before, within = np.divmod(addresses, after * SAMPLES)
    if axes != 1 or (within >= after).any():
        raise Untraceable("looks at single samples")
    columns: Array = before * after + within
    return columns


# Operations on each number


@dataclass(frozen=True)
class _Call:
    """Adds nodes that work in a dtype."""

    graph: Graph
    dtype: Any

    def __call__(self, operation: str, *inputs: "str | float", **attributes: Any) -> str:
        """Add a node; a number stands for a constant."""
        given = [each if isinstance(each, str) else self.graph.constant(np.array(each, self.dtype)) for each in inputs]
        return self.graph(operation, *given, **attributes)


Operation = Callable[..., str]


def _plain(operation: str) -> Operation:
    return lambda add, *inputs: add(operation, *inputs)


def _log1p(add: _Call, x: str) -> str:
    return add("Log", add("Add", x, 1.0))


def _logaddexp(add: _Call, x: str, y: str) -> str:
    apart = add("Neg", add("Abs", add("Sub", x, y)))
    return add("Add", add("Max", x, y), _log1p(add, add("Exp", apart)))


def _half(add: _Call, operation: str, x: str) -> str:
    """Return ``(e^x + e^-x) / 2``, or with a minus."""
    return add("Mul", add(operation, add("Exp", x), add("Exp", add("Neg", x))), 0.5)


def _arctan(add: _Call, x: str) -> str:
    """Return the arctangent: in single precision, then corrected by that of ``(x - tan y) / (1 + x tan y)``."""
    y = add("Cast", add("Atan", add("Cast", x, to=np.dtype(np.float32))), to=add.dtype)
    sine, cosine = add("Sin", y), add("Cos", y)
    error = add("Sub", add("Mul", x, cosine), sine)
    return add("Add", y, add("Div", error, add("Add", cosine, add("Mul", x, sine))))


def _arcsin(add: _Call, x: str) -> str:
    return _arctan(add, add("Div", x, add("Sqrt", add("Sub", 1.0, add("Mul", x, x)))))


def _arcsinh(add: _Call, x: str) -> str:
    size = add("Abs", x)
    root = add("Sqrt", add("Add", add("Mul", x, x), 1.0))
    return add("Mul", add("Sign", x), add("Log", add("Add", size, root)))


def _arctanh(add: _Call, x: str) -> str:
    return add("Mul", add("Log", add("Div", add("Add", 1.0, x), add("Sub", 1.0, x))), 0.5)


def _arccosh(add: _Call, x: str) -> str:
    return add("Log", add("Add", x, add("Sqrt", add("Sub", add("Mul", x, x), 1.0))))


def _erfc(add: _Call, x: str) -> str:
    """Return ``erfc(x) = t e^(-x^2 + p(t))`` with ``t = 2 / (2 + |x|)``, or 2 minus that where ``x < 0``.

    ONNX has an error function, but its runtime computes it in single precision. The polynomial ``p`` interpolates
    ``log(erfcx(x) / t)`` at Chebyshev's points.
    """
    size = add("Abs", x)
    t = add("Div", 2.0, add("Add", size, 2.0))
    s = add("Sub", add("Mul", t, 2.0), 1.0)
    value: str | float = 0.0
    for coefficient in _erfcx_polynomial()[::-1]:
        value = add("Add", add("Mul", value, s), float(coefficient))
    found = add("Mul", t, add("Exp", add("Sub", value, add("Mul", x, x))))
    return add("Where", add("Less", x, 0.0), add("Sub", 2.0, found), found)


def _erfcx_polynomial() -> Array:
    from scipy.special import erfcx  # here, because it is slow to import

    def logarithm(s: Array) -> Array:
        t = (s + 1) / 2
        found: Array = np.log(erfcx(2 / t - 2) / t)
        return found

    interpolated: Any = chebyshev.chebinterpolate  # whose types know no arrays
    polynomial: Array = chebyshev.cheb2poly(interpolated(logarithm, 28))
    return polynomial


def _remainder(add: _Call, x: str, y: str) -> str:
    return add("Sub", x, add("Mul", y, add("Floor", add("Div", x, y))))


_ROOT = math.sqrt(0.5)
_SAME = """
    add:Add subtract:Sub multiply:Mul divide:Div power:Pow float_power:Pow maximum:Max minimum:Min fmax:Max fmin:Min
    where:Where negative:Neg positive:Identity absolute:Abs fabs:Abs sign:Sign sqrt:Sqrt reciprocal:Reciprocal
    exp:Exp log:Log tanh:Tanh sin:Sin cos:Cos expit:Sigmoid floor:Floor ceil:Ceil rint:Round isnan:IsNaN isinf:IsInf
    greater:Greater greater_equal:GreaterOrEqual less:Less less_equal:LessOrEqual equal:Equal logical_and:And
    bitwise_and:And logical_or:Or bitwise_or:Or logical_xor:Xor bitwise_xor:Xor logical_not:Not invert:Not
"""  # ufuncs that ONNX has under another name
OPERATIONS: dict[str, Operation] = {
    **{name: _plain(operation) for name, operation in (pair.split(":") for pair in _SAME.split())},
    "not_equal": lambda add, x, y: add("Not", add("Equal", x, y)),
    "isfinite": lambda add, x: add("Not", add("Or", add("IsNaN", x), add("IsInf", x))),
    "square": lambda add, x: add("Mul", x, x),
    "exp2": lambda add, x: add("Exp", add("Mul", x, math.log(2))),
    "expm1": lambda add, x: add("Sub", add("Exp", x), 1.0),
    "log1p": _log1p,
    "log2": lambda add, x: add("Div", add("Log", x), math.log(2)),
    "log10": lambda add, x: add("Div", add("Log", x), math.log(10)),
    "logaddexp": _logaddexp,
    "tan": lambda add, x: add("Div", add("Sin", x), add("Cos", x)),
    "sinh": lambda add, x: _half(add, "Sub", x),
    "cosh": lambda add, x: _half(add, "Add", x),
    "arctan": _arctan,
    "arcsin": _arcsin,
    "arccos": lambda add, x: add("Sub", math.pi / 2, _arcsin(add, x)),
    "arcsinh": _arcsinh,
    "arccosh": _arccosh,
    "arctanh": _arctanh,
    "erfc": _erfc,
    "erf": lambda add, x: add("Sub", 1.0, _erfc(add, x)),
    "ndtr": lambda add, x: add("Mul", _erfc(add, add("Mul", x, -_ROOT)), 0.5),
    "clip": lambda add, x, low, high: add("Min", add("Max", x, low), high),
    "hypot": lambda add, x, y: add("Sqrt", add("Add", add("Mul", x, x), add("Mul", y, y))),
    "remainder": _remainder,
    "heaviside": lambda add, x, y: add(
        "Where", add("Equal", x, 0.0), y, add("Cast", add("Greater", x, 0.0), to=add.dtype)
    ),
    "copysign": lambda add, x, y: add("Where", add("Less", y, 0.0), add("Neg", add("Abs", x)), add("Abs", x)),
    "trunc": lambda add, x: add("Mul", add("Sign", x), add("Floor", add("Abs", x))),
}  # by the name of the ufunc; `expm1` and `log1p` lose digits that are small beside 1
