"""Cells of a table: which hold numbers, dates or nothing, and by which marks numbers are written."""

import enum
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainrule.components.schema import MISSING, number

_TRUTH = {"true": 1.0, "false": 0.0}
# In small letters: what often stands for no value, and is text.
_NO_VALUE = frozenset({"na", "n.a.", "none", "nil", "missing", "-", "--", "---", ".", ".."}) | set(
    map(str.lower, MISSING)
)
_SIGNS = "$€£¥%"
_SOME = 200  # cells, about, that show how numbers are written
_SPACES = " \u00a0\u202f"  # also those that do not break a line
_DAY = r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{4}-\d{2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))"
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[ap]m)?(z| ?[+-]\d{2}:?\d{2})?"
_DATE = re.compile(
    rf"{_DAY}([t ]+{_TIME})?|{_TIME}|{_MONTH}\.?[ -](\d{{1,2}}(,?[ -]\d{{4}})?|\d{{4}})"
    rf"|\d{{1,2}}\.?[ -]{_MONTH}\.?([ -]\d{{2,4}})?",
    re.IGNORECASE | re.ASCII,
)


class Decimal(enum.Enum):
    """The decimal mark of a table."""

    POINT = "point"
    COMMA = "comma"


class Thousands(enum.Enum):
    """What separates thousands in the numbers of a table."""

    NONE = "none"
    COMMA = "comma"
    POINT = "point"
    SPACE = "space"
    APOSTROPHE = "apostrophe"


class Signs(enum.Enum):
    """What is done about ``$``, ``€``, ``£``, ``¥`` and ``%`` beside the numbers of a column."""

    ERROR = "error"
    IGNORE = "ignore"


_MARKS = {"point": ".", "comma": ",", "space": _SPACES, "apostrophe": "'\u2019"}


@dataclass(frozen=True)
class Notation:
    """How numbers are written; thousands are groups of three digits."""

    decimal: Decimal = Decimal.POINT
    thousands: Thousands = Thousands.NONE
    signs: Signs = Signs.ERROR

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as in Python."""
        return self == Notation()

    @property
    def settings(self) -> list[str]:
        """The overrides that ask for it."""
        plain = Notation()
        return [
            f"target.{name}={getattr(self, name).value}"
            for name in ("decimal", "thousands", "signs")
            if getattr(self, name) != getattr(plain, name)
        ]

    def numbers(self, cells: Sequence[str]) -> list[float] | None:
        """Return the numbers that all cells hold, NaN and infinite ones included; None if one holds something else."""
        found: list[float] = []
        for value in self._each(cells):
            if value is None:
                return None
            found.append(value)
        return found

    def each(self, cells: Sequence[str]) -> list[float | None]:
        """Return the number that each cell of a column holds; None for one that holds something else."""
        return list(self._each(cells))

    def _each(self, cells: Sequence[str]) -> Iterator[float | None]:
        read = number if self.is_plain else self._number
        seen: str | None = None  # the signs of the numbers so far
        for cell in cells:
            value = read(cell)
            if value is not None and self.signs is Signs.IGNORE:
                seen = signs(cell) if seen is None else seen
                value = value if signs(cell) == seen else None  # 5 % and 5 are not the same
            yield value

    def _number(self, cell: str) -> float | None:
        if self.signs is Signs.IGNORE:
            cell = cell.translate(_NO_SIGNS).strip()
        decimal, groups = _MARKS[self.decimal.value], _MARKS.get(self.thousands.value, "")
        body = rf"\d{{1,3}}([{groups}]\d{{3}})+|\d+" if groups else r"\d+"
        pattern = rf"[+-]?(({body})(\{decimal}\d*)?|\{decimal}\d+)(e[+-]?\d+)?"
        if not re.fullmatch(pattern, cell, re.IGNORECASE | re.ASCII):
            return None
        for mark in groups:
            cell = cell.replace(mark, "")
        return float(cell.replace(decimal, "."))


_NO_SIGNS = str.maketrans("", "", _SIGNS)
NOTATIONS = sorted(
    (Notation(*marks) for marks in itertools.product(Decimal, Thousands, Signs) if marks[0].value != marks[1].value),
    key=lambda notation: len(notation.settings),
)


def truths(cells: Sequence[str]) -> list[float] | None:
    """Return 1 for each ``true`` and 0 for each ``false``, however they are capitalized; None for anything else."""
    found = [_TRUTH.get(cell.lower()) for cell in cells]
    return None if None in found else [value for value in found if value is not None]


def notations(cells: Sequence[str]) -> list[Notation]:
    """Return the simplest notations, one or more, by which all of some cells are numbers."""
    found = [notation for notation in NOTATIONS if notation.numbers(cells) is not None]
    return [notation for notation in found if len(notation.settings) == len(found[0].settings)]


def shared(columns: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> list[Notation]:
    """Return notations by which all columns are numbers: for each way to read the first ones the simplest.

    Args:
        columns: cells of columns that are to be read otherwise than they are.
        others: cells of columns that must be numbers, too.
    """
    ways: dict[tuple[tuple[float, ...], ...], Notation] = {}
    for notation in NOTATIONS:
        read = [notation.numbers(cells) for cells in columns]
        if None not in read and all(notation.numbers(cells) is not None for cells in others):
            ways.setdefault(tuple(tuple(values or ()) for values in read), notation)
    return list(ways.values())


def mostly(cells: Sequence[str], notation: Notation) -> tuple[list[str], list[str]]:
    """Return those of some cells that are numbers, and the others: by a notation, or by one that reads most of them.

    Where it reads fewer than half, none are. Of many cells some decide which notation that is.
    """
    some = cells[:: len(cells) // _SOME + 1]
    ways = (notation, *NOTATIONS)
    unread = [way.each(some).count(None) for way in ways]
    if 2 * min(unread) > len(some):
        return [], list(cells)
    read = ways[unread.index(min(unread))].each(cells)
    numbers, others = (
        [cell for cell, value in zip(cells, read, strict=True) if (value is None) == is_other]
        for is_other in (False, True)
    )
    return numbers, others


def is_no_value(cell: str) -> bool:
    """Say whether a text often stands for no value."""
    return cell.lower() in _NO_VALUE


def are_dates(cells: Sequence[str]) -> bool:
    """Say whether all cells hold dates or times."""
    return bool(cells) and all(map(_DATE.fullmatch, cells))


def uneven_signs(cells: Sequence[str]) -> bool:
    """Say whether cells are numbers but for their signs, which differ, as in ``5 %`` and ``5``."""
    bare = (cell.translate(_NO_SIGNS).strip() for cell in cells)
    return all(number(cell) is not None for cell in bare) and len({signs(cell) for cell in cells}) > 1


def signs(cell: str) -> str:
    """Return the signs in a cell, such as ``$``, sorted."""
    return "".join(sorted(mark for mark in cell if mark in _SIGNS))
