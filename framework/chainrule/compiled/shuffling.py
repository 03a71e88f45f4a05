"""Random orders by machine code, from the streams of NumPy's generators and with their bits.

NumPy shuffles by Fisher and Yates (Knuth, The art of computer programming 2, algorithm 3.4.2 P). Of 32 random bits it
takes as many as the largest number has, again and again until they are no larger number. Its generators tell other
programs how their streams are read (``BitGenerator.ctypes``). Another version of NumPy may shuffle otherwise, so that
both are compared first.

A number that is too large exchanges a place with itself, and the next one is for the same place. To branch there would
take twice as long, since no processor can foresee it.
"""

import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.compiled import machine_code
from chainrule.compiled.kernel import FUNCTION

_COMPARED = 3  # orders
_MOST = 2**31  # numbers of an order
_TEXT = """
declare i64 @llvm.ctlz.i64(i64, i1)
define void @train(ptr noalias %table, i64 %runs, i64 %n, i64 %epochs, i64 %unused) {
entry:
  %last = sub i64 %n, 1
  br label %run
run:
  %r = phi i64 [ 0, %entry ], [ %r.next, %run.end ]
  %row = getelementptr [4 x i64], ptr %table, i64 %r
  %next = load ptr, ptr %row
  %state.at = getelementptr i64, ptr %row, i64 1
  %state = load ptr, ptr %state.at
  %orders.at = getelementptr i64, ptr %row, i64 2
  %orders = load ptr, ptr %orders.at
  %first.at = getelementptr i64, ptr %row, i64 3
  %first = load i64, ptr %first.at
  br label %epoch
epoch:
  %e = phi i64 [ 0, %run ], [ %e.next, %epoch.end ]
  %begin = mul i64 %e, %n
  %order = getelementptr i64, ptr %orders, i64 %begin
  br label %fill
fill:
  %k = phi i64 [ 0, %epoch ], [ %k.next, %fill ]
  %number = add i64 %first, %k
  %place = getelementptr i64, ptr %order, i64 %k
  store i64 %number, ptr %place
  %k.next = add i64 %k, 1
  %fill.on = icmp ult i64 %k.next, %n
  br i1 %fill.on, label %fill, label %whether
whether:
  %several = icmp ugt i64 %n, 1
  br i1 %several, label %draw, label %epoch.end
draw:
  %i = phi i64 [ %last, %whether ], [ %i.next, %draw ]
  %above = call i64 @llvm.ctlz.i64(i64 %i, i1 false)
  %mask = lshr i64 -1, %above
  %drawn = call i32 %next(ptr %state)
  %wide = zext i32 %drawn to i64
  %j = and i64 %wide, %mask
  %is.taken = icmp ule i64 %j, %i
  %with = select i1 %is.taken, i64 %j, i64 %i
  %one = getelementptr i64, ptr %order, i64 %i
  %other = getelementptr i64, ptr %order, i64 %with
  %a = load i64, ptr %one
  %b = load i64, ptr %other
  store i64 %b, ptr %one
  store i64 %a, ptr %other
  %less = zext i1 %is.taken to i64
  %i.next = sub i64 %i, %less
  %on = icmp ugt i64 %i.next, 0
  br i1 %on, label %draw, label %epoch.end
epoch.end:
  %e.next = add i64 %e, 1
  %epoch.on = icmp ult i64 %e.next, %epochs
  br i1 %epoch.on, label %epoch, label %run.end
run.end:
  %r.next = add i64 %r, 1
  %run.on = icmp ult i64 %r.next, %runs
  br i1 %run.on, label %run, label %end
end:
  ret void
}
"""


class Shuffler:
    """Fills orders as ``Generator.permutation`` would, one generator a run.

    Args:
        generators: of the runs; each call goes on with their streams.
        orders: what is filled, ``(runs, epochs, n)``, contiguous.
        first: the least number in the orders of each run.
    """

    def __init__(self, generators: Sequence[np.random.Generator], orders: Any, first: Sequence[int]) -> None:
        self._code = FUNCTION(machine_code.address(_TEXT))
        streams = [rng.bit_generator.ctypes for rng in generators]
        addresses = orders.ctypes.data + orders.strides[0] * np.arange(len(orders))
        rows = [
            (int(_address(stream.next_uint32)), int(stream.state_address), int(address), int(least))
            for stream, address, least in zip(streams, addresses, first, strict=True)
        ]
        self._table, self._size = np.array(rows, np.int64), orders.shape[2]
        self._kept = generators, streams, orders

    def __call__(self, epochs: int) -> None:
        """Fill the orders of the first epochs."""
        self._code(self._table.ctypes.data, len(self._table), self._size, epochs, 0)


def _address(function: Any) -> int:
    found = ctypes.cast(function, ctypes.c_void_p).value
    assert found is not None
    return found


@functools.cache
def shuffles_as_numpy(kind: type[np.random.BitGenerator], n: int) -> bool:
    """Say whether orders of ``n`` numbers are those of NumPy, and leave its generators in the same state."""
    if not 0 < n < _MOST or machine_code.available():
        return False
    own, theirs = (np.random.Generator(kind(0)) for _ in range(2))
    orders = np.empty((1, _COMPARED, n), np.int64)
    Shuffler([own], orders, [0])(_COMPARED)
    same = all(np.array_equal(order, theirs.permutation(n)) for order in orders[0])
    return same and own.bit_generator.random_raw() == theirs.bit_generator.random_raw()


class _Closed:
    """Refuses whatever is asked of it, even its class, and remembers that: a sampling may go on as if nothing had been.

    What cannot be refused is that it is not None, and what ``type`` says.

    Args:
        refused: what was asked, of this and of others that are asked together; it is added to.
    """

    def __init__(self, refused: list[str]) -> None:
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        self._refused.append(name)
        raise LookupError(name)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        found: type = self.__getattr__("__class__")
        return found


def _close(name: str) -> None:
    """Let what objects have by themselves, or Python looks for beside their attributes, be refused, too."""
    setattr(_Closed, name, property(lambda self: _Closed.__getattr__(self, name)))


_OPEN = {  # what an object needs, and what NumPy calls without asking for it as an attribute: it asks for others then
    *("__new__", "__init__", "__getattribute__", "__setattr__", "__init_subclass__", "__subclasshook__", "__doc__"),
    *("__array_ufunc__", "__array_function__"),
}
for _name in {*dir(np.ndarray), *dir(int), *dir(np.random.Generator)} - {*vars(_Closed), *_OPEN}:
    _close(_name)


class Asked(_Closed):
    """Stands for a generator, to learn whether a sampling asks for one order and nothing else.

    Args:
        n: how many samples there are.
    """

    def __init__(self, n: int) -> None:
        super().__init__([])
        self._n = n
        self._order: object = None

    def permutation(self, x: Any) -> Any:
        """Return something that stands for an order; only that of all samples may be asked for, and once."""
        if type(x) is not int or x != self._n or self._order is not None:
            self.__getattr__("permutation")
        self._order = _Closed(self._refused)
        return self._order

    def unknown(self, shape: tuple[int, ...]) -> "Unknown":
        """Return something of which nothing but its shape may be asked, either."""
        return Unknown(shape, self._refused)

    def is_order(self, chosen: Any) -> bool:
        """Say whether a sampling returned the order that it asked for, since this was asked last."""
        order, self._order = self._order, None
        return order is not None and chosen is order and not self._refused


class Unknown(_Closed):
    """Stands for an array, or for a number, of which nothing is known but its shape.

    Args:
        shape: ``()`` of a number.
        refused: see :class:`_Closed`.
    """

    def __init__(self, shape: tuple[int, ...], refused: list[str]) -> None:
        super().__init__(refused)
        self._shape = shape

    @property
    def shape(self) -> tuple[int, ...]:
        """As given."""
        return self._shape

    def __len__(self) -> int:
        return self._shape[0]
