"""Text files of a table: encoding, delimiter, header, and whether every row has as many cells as columns are named."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.schema import MISSING, number
from chainrule.errors import ConfigurationError, agreeing, counted

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
_FOUND = ("comma", "semicolon", "tab", "pipe")  # a blank may stand in any text
_SAMPLE = 1 << 16  # bytes that tell the delimiter
_CHUNK = 1 << 24  # bytes that are counted at once
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Text:
    """A text file whose rows are complete.

    Attributes:
        content: the file in UTF-8.
        delimiter: one character.
        names: of the columns, as the header has them; ``c1``, ``c2`` and so on without a header.
        has_header: whether the first row is the header.
        named_rows: whether rows have one cell more than the header, as R's ``write.table`` writes names of rows.
        lines: the line in which each row begins, ``(rows,)``.
    """

    content: bytes
    delimiter: str
    names: list[str]
    has_header: bool
    named_rows: bool
    lines: Array


def read_text(content: bytes, where: str, encoding: str, delimiter: str, header: bool | None, least: int = 2) -> Text:
    """Find out how a text file is written, and check that it is a table.

    Args:
        content: the file.
        where: begins every error message.
        encoding: its name, or ``auto``.
        delimiter: one character, one of the names in :data:`DELIMITERS`, or ``auto``.
        header: whether the first row names the columns; None where this must be obvious.
        least: how many columns there must be.

    Raises:
        ConfigurationError: something is missing or unclear.
    """
    content = _utf8(content, where, encoding)
    sample = _sample(content)
    if not sample.strip():
        raise ConfigurationError(f"{where} is empty; its first row must name the columns.")
    separator = _found_delimiter(sample, where) if delimiter == "auto" else DELIMITERS.get(delimiter, delimiter)
    if separator == " ":  # any number of blanks
        content = re.sub(rb" ?(\r?\n|$) ?", rb"\1", re.sub(rb"[ \t]+", b" ", content)).lstrip(b" ")
    first = _first_row(content, separator, where)
    if len(first) < least:
        raise ConfigurationError(_one_column(first[0], sample, separator, where))
    widths, lines = _rows(content, separator, where)
    if header is None:
        require_header(_parsed(sample, separator), where)
    has_header = header is not False
    names = first if has_header else [f"c{number}" for number in range(1, len(first) + 1)]
    if has_header:
        widths, lines = widths[1:], lines[1:]
        if not len(lines):
            raise ConfigurationError(f"{where} has column names but no rows.")
    named_rows = bool(has_header and (widths == len(names) + 1).all())
    if not named_rows:
        _check_widths(widths, lines, len(names), where)
    return Text(content, separator, ["", *names] if named_rows else names, has_header, named_rows, lines)


def _utf8(content: bytes, where: str, encoding: str) -> bytes:
    """Return the file in UTF-8, without a byte order mark."""
    if encoding == "auto":
        encoding = "utf-16" if content.startswith(UTF16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except LookupError:
        raise ConfigurationError(
            f"target.encoding={encoding} is not an encoding that Python knows, such as utf-8 or cp1252."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(_not_decoded(error, where)) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ConfigurationError(f"{where}, line {line} has a zero byte, so this is no text; or set target.encoding.")
    return text.encode() if encoding != "utf-8-sig" else content.removeprefix(b"\xef\xbb\xbf")


def _not_decoded(error: UnicodeDecodeError, where: str) -> str:
    content, at = bytes(error.object), error.start
    line = content[:at].count(b"\n") + 1
    start, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
    around = content[max(start, at - 12) : min(at + 12, end if end >= 0 else len(content))]
    other = "cp1252"
    try:
        content.decode(other)
    except UnicodeDecodeError:
        other = "latin-1"
    return (
        f"{where}, line {line}: byte 0x{content[at]:02x} is not {error.encoding.upper()}; "
        f"write target.encoding={other} if {around.decode(other).strip()!r} is right, or save the file as UTF-8."
    )


def _sample(content: bytes) -> str:
    """Return the first lines, whole ones if there is more than one."""
    head = content[:_SAMPLE]
    if len(head) < len(content):
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
    return head.decode(errors="ignore")


def _parsed(text: str, separator: str) -> Iterator[list[str]]:
    """Yield the rows of a text that are not blank, their cells stripped."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    for row in reader:
        cells = [cell.strip() for cell in row]
        if cells not in ([], [""]):
            yield cells


def _widths(sample: str, separator: str) -> list[int]:
    try:
        return [len(row) for row in _parsed(sample, separator)]
    except csv.Error:
        return [0]


def _found_delimiter(sample: str, where: str) -> str:
    """Return the delimiter by which all rows of the sample have the same number of cells, two at least."""
    widths = {name: _widths(sample, DELIMITERS[name]) for name in _FOUND}
    even = [name for name, found in widths.items() if found[0] > 1 and len(set(found)) == 1]
    if len(even) > 1:
        ways = ", ".join(f"{counted(widths[name][0], 'column')} by target.delimiter={name}" for name in even)
        raise ConfigurationError(f"{where} can be read in several ways: {ways}; say which.")
    if not even:  # rows that R named, which have one cell more than the header
        even = [name for name, found in widths.items() if found[0] > 1 and set(found[1:]) == {found[0] + 1}]
    if not even:
        even = [max(_FOUND, key=lambda name: widths[name][0])]  # the first of equals, so comma where nothing separates
    return DELIMITERS[even[0]]


def _one_column(name: str, sample: str, separator: str, where: str) -> str:
    widths = {other: _widths(sample, mark) for other, mark in DELIMITERS.items() if mark != separator}
    others = [other for other, found in widths.items() if found[0] > 1 and len(set(found)) == 1]
    hint = f"; target.delimiter={others[0]} makes {counted(widths[others[0]][0], 'column')} of it" if others else ""
    return f"{where} has only the column {name!r}, so it has labels but no features{hint}."


def _first_row(content: bytes, separator: str, where: str) -> list[str]:
    lines = (line.decode(errors="replace") for line in io.BytesIO(content))
    try:
        return next(
            cells
            for row in csv.reader(_universal(lines), delimiter=separator, skipinitialspace=True)
            if (cells := [cell.strip() for cell in row]) not in ([], [""])
        )
    except csv.Error as error:
        raise ConfigurationError(f"{where}, line 1 is not valid CSV: {error}.") from None


def _universal(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines that may also end in a single carriage return, as they once did on Macintosh computers."""
    for line in lines:
        yield from io.StringIO(line, newline="")


def require_header(found: Iterable[list[str]], where: str) -> None:
    """Refuse a first row that looks like data.

    Args:
        found: the first rows, their cells stripped.
        where: begins the message.

    Raises:
        ConfigurationError: it does, and nothing says what it is.
    """
    first, *rows = itertools.islice(found, 200)
    given = [cell for cell in first if cell not in MISSING]
    numbers = [cell for cell in given if number(cell) is not None]
    repeated = any(
        number(cell) is None and cell in {row[at] for row in rows if at < len(row)}
        for at, cell in enumerate(first)
        if cell
    )
    fractions = any(not cell.isdigit() for cell in numbers)
    texts = {(at, cell) for at, cell in enumerate(first) if cell in given and number(cell) is None}
    is_text = len(rows) > 2 and not numbers and all(any(cell in row[at : at + 1] for row in rows) for at, cell in texts)
    if (is_text and texts) or (numbers and (len(numbers) == len(given) or repeated or fractions)):
        shown = ", ".join(first[:5]) + ", ..." * (len(first) > 5)
        raise ConfigurationError(
            f"{where} may have no header: its first row is {shown!r}. "
            "Write target.header=false if this row is data, or target.header=true if it names the columns."
        )


def _rows(content: bytes, separator: str, where: str) -> tuple[Array, Array]:
    """Return the number of cells of each row that is not blank, and the line in which it begins."""
    if b'"' not in content and b"\r" not in content.replace(b"\r\n", b""):
        return _counted(content, separator)
    widths: list[int] = []
    lines: list[int] = []
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return np.array(widths), np.array(lines)
        except csv.Error as error:
            raise ConfigurationError(f"{where}, line {line} is not valid CSV: {error}.") from None
        if len(row) > 1 or (row and row[0].strip()):
            widths.append(len(row))
            lines.append(line)


def _counted(content: bytes, separator: str) -> tuple[Array, Array]:
    """Do the same for a file without quotes, by counting bytes."""
    data = np.frombuffer(content, np.uint8)
    ends, marks = (_positions(data, byte) for byte in (ord("\n"), ord(separator)))
    if not len(ends) or ends[-1] != len(data) - 1:
        ends = np.append(ends, len(data))
    widths = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
    starts = np.concatenate([[0], ends[:-1] + 1])
    alone = np.flatnonzero(widths == 1)
    blank = [at for at in alone if not content[starts[at] : ends[at]].strip()]
    lines = np.arange(1, len(ends) + 1)
    return np.delete(widths, blank), np.delete(lines, blank)


def _positions(data: Array, byte: int) -> Array:
    parts = [np.flatnonzero(data[at : at + _CHUNK] == byte) + at for at in range(0, len(data), _CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0, int)


def _check_widths(widths: Array, lines: Array, wanted: int, where: str) -> None:
    wrong = np.flatnonzero(widths != wanted)
    if not len(wrong):
        return
    cells = counted(widths[wrong[0]], "cell")
    more_lines = counted(len(wrong) - 1, "other line") + agreeing(len(wrong) - 1, " is", " are")
    others = f" (and {more_lines} of another length)" if len(wrong) > 1 else ""
    more = " Does a cell with the delimiter in it lack quotes?" if widths[wrong[0]] > wanted else ""
    raise ConfigurationError(
        f"{where}, line {lines[wrong[0]]} has {cells}, but {counted(wanted, 'column')} "
        f"{agreeing(wanted, 'is', 'are')} named{others}.{more}"
    )
