"""In which order NumPy's matrix product adds up, found out by asking it."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.compiled.rounding import fused

_LARGE = 3000  # products of two numbers, beyond which BLAS is called: it is fast there
_APART = 64  # entries of a product that may have orders of their own
_DRAWS, _FEWER, _FIRST = 160, 32, 4  # random products that decide about them, about more entries of one order, at first
_LONG = 32  # terms from which on sums beside each other are tried first
_WIDTH = 4  # columns that libraries take at a time: those that are left over may have another order


@dataclass(frozen=True)
class Order:
    """In which order a sum of products is computed.

    Attributes:
        fused: whether products are added without being rounded.
        zero: whether it begins with 0, or with the first product.
        groups: whether terms are added by fours, twos and ones, each group by itself, with its second product first.
        sums: how many sums are computed beside each other: the first of terms 0, ``sums``, ``2 sums`` ..., and so on.
        block: how many terms at a time are added to these; those that are left over are a last group. 0 for ``sums``,
            and those that are left over are added to the first sums.
        halves: whether these are added up by halves (0 and 2, 1 and 3) or in pairs (0 and 1, 2 and 3).
        adds_zero: whether 0 is added at last, which matters where all is too small for a number and negative.
    """

    fused: bool = False
    zero: bool = True
    groups: bool = False
    sums: int = 1
    block: int = 0
    halves: bool = True
    adds_zero: bool = False

    @property
    def keeps_sign(self) -> bool:
        """Whether negative products that are too small for a number add up to -0.0."""
        is_fused = self.fused and not self.groups
        return (is_fused or not self.zero) and not self.adds_zero

    def whole(self, terms: int) -> int:
        """Return how many of the terms are added to sums beside each other."""
        return terms - terms % (self.block or self.sums)


SINGLE, PLAIN, FUSED, GROUPS = Order(zero=False), Order(), Order(fused=True), Order(fused=True, groups=True)
Orders = dict[tuple[int, int], Order]  # of the entries of a product


@dataclass(frozen=True)
class Arithmetic:
    """What sums are made of: in numbers here, in instructions in a kernel.

    Attributes:
        product: returns the product of a place, rounded.
        plus: returns the sum of two values.
        fused: returns the product of a place plus a value, rounded once.
    """

    product: Callable[[int], Any]
    plus: Callable[[Any, Any], Any]
    fused: Callable[[int, Any], Any]

    def in_order(self, order: Order, places: range, total: Any) -> Any:
        """Return a value plus the products of places, one after the other, or by groups."""
        if not order.zero:
            return self.product(places[0])
        if order.groups:
            left = list(places)
            while left:
                size = next(n for n in (4, 2, 1) if n <= len(left))
                total = self.group(left[:size], total)
                left = left[size:]
            return total
        for place in places:
            total = self.fused(place, total) if order.fused else self.plus(total, self.product(place))
        return total

    def group(self, places: Sequence[int], total: Any) -> Any:
        """Return a value plus the sum of some products, which begins with the second one."""
        if len(places) == 1:
            return self.plus(total, self.product(places[0]))
        first, second, *others = places
        own = self.product(second)
        for place in (first, *others):
            own = self.fused(place, own)
        return self.plus(total, own)

    def at_the_end(self, order: Order, places: range, sums: list[Any]) -> Any:
        """Return the sum of sums beside each other and of the products of places that are left over."""
        if not order.block:
            for at, place in enumerate(places):
                sums[at] = self.fused(place, sums[at]) if order.fused else self.plus(sums[at], self.product(place))
        while len(sums) > 1:
            half = len(sums) // 2
            pairs = zip(sums[:half], sums[half:], strict=True)
            if not order.halves:
                pairs = zip(sums[::2], sums[1::2], strict=True)
            sums = [self.plus(one, other) for one, other in pairs]
        (total,) = sums
        if order.block and places:
            total = self.fused(places[0], total) if len(places) == 1 else self.group(places, total)
        return total


@functools.cache
def summation(
    a_dims: tuple[int, ...], a_strides: tuple[int, ...], b_dims: tuple[int, ...], b_strides: tuple[int, ...], char: str
) -> Orders | None:
    """Return how each entry of the product of two matrices that lie so in memory adds up.

    None if no order that is known predicts all entries, or if there are many: then the library itself must be called.
    The order depends on the shapes and the strides, never on the numbers, so that it is found with random ones.
    """
    (rows, terms), columns = a_dims, b_dims[1]
    if rows * terms * columns > _LARGE:
        return None
    rng = np.random.default_rng(0)
    a, b = (_lying(_random(rng, dims), strides, char) for dims, strides in ((a_dims, a_strides), (b_dims, b_strides)))
    got = np.matmul(a, b)
    found: Orders = {}
    whole = columns - columns % _WIDTH
    for part in (range(whole), range(whole, columns)):
        entries = [(row, column) for row in range(rows) for column in part]
        orders = _orders(a, b, got, entries)
        if orders is None:
            return None
        found |= orders
    small = float(np.finfo(char).tiny) ** 0.75
    one = _lying(np.full((1, *a_dims), small), a_strides, char)
    other = _lying(np.full((1, *b_dims), -small), b_strides, char)
    return _with_sign(found, np.signbit(np.matmul(one, other)[0]))


def _with_sign(orders: Orders, is_negative: Any) -> Orders | None:
    """Return orders that give zeros the sign that a library gives them; None if there is none that does.

    Args:
        orders: of the entries.
        is_negative: of each entry the sign of a sum of negative products that are too small for a number.
    """
    found: Orders = {}
    for entry, order in orders.items():
        own = order if order.keeps_sign == is_negative[entry] else replace(order, adds_zero=True)
        if own.keeps_sign != is_negative[entry]:
            return None
        found[entry] = own
    return found


def _orders(a: Any, b: Any, got: Any, entries: Sequence[tuple[int, int]]) -> Orders | None:
    """Return the orders of some entries of products that were multiplied; None if they are not known."""
    terms, may_differ = a.shape[2], len(entries) <= _APART
    found: Orders = {}

    def agree(order: Order, draws: int) -> Any:
        rows, columns = zip(*entries, strict=True)
        x, y = a[:draws, rows].reshape(-1, terms), b[:draws].mT[:, columns].reshape(-1, terms)
        return _same(added(order, x, y).reshape(draws, -1), got[:draws, rows, columns]).all(axis=0)

    for order in _candidates(terms) if entries else ():
        for draws in (_FIRST, _DRAWS if may_differ else _FEWER):  # a look at few first, which is fast
            agrees = agree(order, draws)
            if not (agrees.any() if may_differ else agrees.all()):
                break
        else:
            found |= {entry: order for entry, same in zip(entries, agrees, strict=True) if same}
            entries = [entry for entry in entries if entry not in found]
        if not entries:
            break
    return None if entries else found


def _candidates(terms: int) -> Iterator[Order]:
    """Return the orders that libraries have, those first that are fast to try."""
    if terms == 1:
        yield SINGLE
    if terms < _LONG:
        yield from (PLAIN, FUSED)
    if 1 < terms < 2 * _LONG:
        yield GROUPS
    for sums, block in ((2, 4), (4, 4)):
        if terms >= 2 * block:
            yield Order(sums=sums, block=block)
    for sums, block in ((16, 0), (8, 0), (4, 4), (2, 4)):
        if terms >= 2 * (block or sums):
            for halves in (True, False) if sums > 2 else (True,):
                yield Order(fused=True, sums=sums, block=block, halves=halves)
    if terms >= _LONG:
        yield from (PLAIN, FUSED)


def added(order: Order, x: Any, y: Any) -> Any:
    """Return the sums of ``x`` times ``y`` along the last axis, in an order: arrays ``(sums, terms)``."""
    arithmetic = Arithmetic(lambda at: x[:, at] * y[:, at], np.add, lambda at, total: fused(x[:, at], y[:, at], total))
    terms = x.shape[1]
    if order.sums == 1:
        return arithmetic.in_order(order, range(terms), np.zeros(len(x), x.dtype))
    sums = np.zeros((len(x), order.sums), x.dtype)
    whole = order.whole(terms)
    for place in range(0, whole, order.sums):
        a, b = (each[:, place : place + order.sums] for each in (x, y))
        sums = fused(a, b, sums) if order.fused else sums + a * b
    return arithmetic.at_the_end(order, range(whole, terms), list(sums.T))


def _random(rng: np.random.Generator, dims: Sequence[int]) -> Any:
    """Return random matrices; one in four has zeros and rows and columns of zeros, where orders differ more seldom."""
    numbers = rng.standard_normal((_DRAWS, *dims))
    some = numbers[_FIRST - 1 :: 4]
    some[rng.random(some.shape) < 0.1] *= 0  # of either sign
    some[rng.random(some.shape[:2]) < 0.1] *= 0
    some.mT[rng.random((len(some), dims[1])) < 0.1] *= 0
    return numbers


def _lying(numbers: Any, strides: Sequence[int], char: str) -> Any:
    """Return matrices with these distances in memory."""
    dims = numbers.shape[1:]
    begin = sum((n - 1) * -s for n, s in zip(dims, strides, strict=True) if s < 0)
    memory = np.zeros((len(numbers), 1 + sum((n - 1) * abs(s) for n, s in zip(dims, strides, strict=True))), char)
    steps = memory.strides[0], *(stride * memory.itemsize for stride in strides)
    found = np.lib.stride_tricks.as_strided(memory[:, begin:], numbers.shape, steps)
    found[...] = numbers
    return found


def _same(one: Any, other: Any) -> Any:
    return (one == other) & (np.signbit(one) == np.signbit(other))
