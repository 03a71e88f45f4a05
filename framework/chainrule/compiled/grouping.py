"""Which statements one loop does, and through which axes it goes."""

from collections.abc import Sequence
from typing import Any

from chainrule.compiled.tape import Kind, Statement, View


def place_of(view: View) -> tuple[Any, ...]:
    """Return what views have in common that go through the same numbers."""
    return view.buffer.number, view.offset, tuple(s for s, n in zip(view.strides, view.dims, strict=True) if n > 1)


def merged(dims: Sequence[int], views: Sequence[View], lanes: int) -> tuple[list[int], dict[Any, list[int]]]:
    """Return the fewest axes that go through all views, lanes included, and the distances of each along them."""
    axes = [k for k, n in enumerate(dims) if n > 1]
    sizes = [dims[k] for k in axes]
    distances = {place_of(view): [view.strides[k] * lanes for k in axes] for view in views}
    if lanes > 1:
        sizes.append(lanes)
        for each in distances.values():
            each.append(1)
    place = 0
    while place < len(sizes) - 1:
        n = sizes[place + 1]
        if all(each[place] == each[place + 1] * n for each in distances.values()):
            sizes[place : place + 2] = [sizes[place] * n]
            for each in distances.values():
                del each[place]
        else:
            place += 1
    return sizes, distances


def grouped(statements: Sequence[Statement]) -> list[list[Statement]]:
    """Return the statements in groups that one loop does."""
    groups: list[list[Statement]] = []
    for statement in statements:
        if groups and _joins(groups[-1], statement):
            groups[-1].append(statement)
        else:
            groups.append([statement])
    return groups


def _joins(group: Sequence[Statement], statement: Statement) -> bool:
    """Say whether a statement goes through the same numbers as a group, and reads no others of what that fills."""
    if statement.kind is not Kind.EACH or group[0].kind is not Kind.EACH or statement.out.dims != group[0].out.dims:
        return False
    mine = [*statement.reads, statement.out]
    for earlier in group:
        theirs = [*earlier.reads, earlier.out]
        for view in mine:
            if view.buffer is earlier.out.buffer and not view.same_place(earlier.out):
                return False
        for view in theirs:
            if view.buffer is statement.out.buffer and not view.same_place(statement.out):
                return False
    return True
