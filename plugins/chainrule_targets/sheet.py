"""From a file to a sheet: columns of numbers or text, with names, as pandas reads them."""

import gzip
import importlib.util
import io
import lzma
import warnings
import zlib
from bz2 import decompress
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.schema import MISSING
from chainrule.errors import ConfigurationError, agreeing, counted, nearest
from chainrule.files.memory import require_memory
from chainrule_targets.cells import Notation, truths
from chainrule_targets.dialect import Text, read_text, require_header

_PACKED = {".gz": gzip.decompress, ".bz2": decompress, ".xz": lzma.decompress}
BINARY = {".parquet", ".xlsx", ".json"}
_PER_BYTE = 6  # bytes of memory for each of a text file, at most; measured


@dataclass(frozen=True)
class Dialect:
    """How a file is to be read, see the fields of ``Table``."""

    encoding: str
    delimiter: str
    header: bool | None
    sheet: str | None
    notation: Notation


@dataclass(frozen=True)
class Column:
    """One column, of numbers or of text.

    Attributes:
        name: as the header has it; empty without a name.
        numbers: ``(rows,)``, NaN where the value is missing; None for text.
        codes: place of each row's text in ``levels``, ``(rows,)``, -1 where it is missing; empty for numbers.
        levels: the different texts, sorted.
    """

    name: str
    numbers: Array | None
    codes: Array
    levels: list[str]

    @property
    def missing(self) -> Array:
        """Which values are missing, ``(rows,)``."""
        return self.codes < 0 if self.numbers is None else np.isnan(self.numbers)

    @property
    def cells(self) -> Array:
        """The values of the rows, ``(rows,)``: numbers, NaN where one is missing, or text, None where it is."""
        return np.array([*self.levels, None], object)[self.codes] if self.numbers is None else self.numbers

    @property
    def truths(self) -> Array | None:
        """1 for true and 0 for false, NaN where the value is missing; None for a column of other text or of numbers."""
        values = None if self.numbers is not None or not self.levels else truths(self.levels)
        return None if values is None else np.array([*values, np.nan])[self.codes]

    def without(self, rows: Array) -> "Column":
        """Return the column without some rows, ``(rows,)`` of bool."""
        if self.numbers is not None:
            return Column(self.name, self.numbers[~rows], self.codes, self.levels)
        kept = self.codes[~rows]
        used = np.unique(kept[kept >= 0])
        places = np.full(len(self.levels) + 1, -1)
        places[used] = np.arange(len(used))
        return Column(self.name, None, places[kept], [self.levels[code] for code in used])


@dataclass(frozen=True)
class Sheet:
    """All columns of a file.

    Attributes:
        columns: in their order.
        lines: the line in which each row begins, ``(rows,)``; the number of the row where a file has no lines.
        unit: ``line`` or ``row``.
        has_header: whether the file names its columns.
        notes: what the person should know.
        delimiter: of a text file; otherwise empty.
    """

    columns: list[Column]
    lines: Array
    unit: str
    has_header: bool
    notes: tuple[str, ...] = ()
    delimiter: str = ""

    @property
    def named(self) -> list[Column]:
        """The columns, those without a name called by their number, ``c3``; a first column without a name is none."""
        skipped = 0 if self.columns[0].name else 1
        named = enumerate(self.columns[skipped:], 1 + skipped)
        return [replace(column, name=column.name or f"c{at}") for at, column in named]

    def place(self, row: int) -> str:
        """Say where a row is."""
        return f"{self.unit} {self.lines[row]}"


def read_sheet(path: Path, where: str, dialect: Dialect, as_text: Collection[str] = ()) -> Sheet:
    """Read a file, whose ending says what it is.

    Args:
        path: the file.
        where: begins every error message.
        dialect: how it is to be read.
        as_text: names of columns whose numbers are texts, too.

    Raises:
        ConfigurationError: it cannot be read, or is not a complete table.
    """
    endings = [ending.lower() for ending in path.suffixes]
    packed = _PACKED.get(endings[-1]) if endings else None
    kind = (endings[-2:-1] if packed else endings[-1:]) or [""]
    try:
        size = path.stat().st_size
        require_memory(_PER_BYTE * size, where, f"{size / 1e6:.0f} MB of text")
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{where} cannot be read: {error.strerror or error}.") from None
    if packed:
        try:
            content = packed(content)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
            raise ConfigurationError(f"{where} cannot be unpacked: {error}.") from None
        require_memory(_PER_BYTE * len(content), where, f"{len(content) / 1e6:.0f} MB of unpacked text")
    if dialect.sheet is not None and kind[0] != ".xlsx":
        raise ConfigurationError(f"{where} has no sheets; target.sheet is for .xlsx files.")
    if kind[0] in BINARY:
        return _with_different_names(_binary(kind[0], content, where, dialect, as_text), where)
    text = read_text(content, where, dialect.encoding, dialect.delimiter, dialect.header)
    return sheet_of(text, where, dialect.notation, as_text)


def _with_different_names(sheet: Sheet, where: str) -> Sheet:
    """Return a sheet whose columns have different names."""
    seen: set[str] = set()
    for column in sheet.columns:
        if column.name and column.name in seen:
            raise ConfigurationError(f"{where}: two columns are called {column.name!r}; rename one of them.")
        seen.add(column.name)
    return sheet


def sheet_of(text: Text, where: str, notation: Notation, as_text: Collection[str] = ()) -> Sheet:
    """Return the sheet of a text file.

    Args:
        text: the file.
        where: begins every error message.
        notation: how numbers are written.
        as_text: names of columns whose numbers are texts, too.

    Raises:
        ConfigurationError: it is not a complete table.
    """
    rows = len(text.lines)
    frame = _frame(text.content, text.delimiter, len(text.names), text.has_header, not notation.is_plain)
    if len(frame) != rows:
        raise ConfigurationError(
            f"{where} is read as {counted(rows, 'row')} and as {len(frame)}; are its quotes in pairs?"
        )
    series = [frame.iloc[:, at] for at in range(len(text.names))]
    texts = {at for at, name in enumerate(text.names) if name in as_text}
    unread = [at for at, one in enumerate(series) if at in texts or not (_is_number(one) or _is_text(one))]
    if unread:  # pandas makes objects of true and false; their text is wanted
        again = _frame(text.content, text.delimiter, len(text.names), text.has_header, True, unread)
        for place, at in enumerate(unread):
            series[at] = again.iloc[:, place]
    columns = [_column(name, one, notation, name in as_text) for name, one in zip(text.names, series, strict=True)]
    if text.named_rows and not _are_row_names(columns[0]):
        raise ConfigurationError(
            f"{where}: every row has {counted(len(columns), 'cell')}, but {counted(len(columns) - 1, 'column')} "
            f"{agreeing(len(columns) - 1, 'is', 'are')} named."
        )
    return _with_different_names(Sheet(columns, text.lines, "line", text.has_header, (), text.delimiter), where)


def _are_row_names(column: Column) -> bool:
    """Say whether a column names rows: by different texts, or by counting from 1."""
    if column.numbers is None:
        return len(column.levels) == len(column.codes)
    return bool((column.numbers == np.arange(1, len(column.numbers) + 1)).all())


def _frame(
    content: bytes, delimiter: str, width: int, has_header: bool, as_text: bool, only: list[int] | None = None
) -> Any:
    import pandas as pd  # here, because it is slow to import

    exact = {} if _version(pd) >= (3, 1) else {"float_precision": "round_trip"}  # the default since 3.1
    return pd.read_csv(
        io.BytesIO(content),
        sep=delimiter,
        header=0 if has_header else None,
        names=range(width),
        index_col=False,
        usecols=only,
        dtype=str if as_text else None,
        na_values=sorted(MISSING),
        keep_default_na=False,
        skipinitialspace=True,
        encoding="utf-8",
        low_memory=False,  # one type for the whole column
        **exact,
    )


def _version(pd: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in pd.__version__.split(".")[:2])


def _is_number(series: Any) -> bool:
    return series.dtype.kind in "iuf"


def _is_text(series: Any) -> bool:
    from pandas.api.types import infer_dtype

    return infer_dtype(series, skipna=True) in ("string", "empty")


def _column(name: str, series: Any, notation: Notation, as_text: bool = False) -> Column:
    """Return a column; text that all reads as numbers becomes numbers, unless it is wanted as text."""
    import pandas as pd

    if _is_number(series):
        return Column(name, series.to_numpy(float, na_value=np.nan), np.empty(0, int), [])
    codes, found = pd.factorize(series)
    stripped = [str(value).strip() for value in found]
    levels = sorted({value for value in stripped if value not in MISSING})
    values = None if as_text else notation.numbers(levels)
    places = {level: at for at, level in enumerate(levels)}
    of_found = np.array([*(places.get(value, -1) for value in stripped), -1])
    if values is not None:  # also where there are no levels: a column without any value
        return Column(name, np.array([*values, np.nan])[of_found[codes]], np.empty(0, int), [])
    return Column(name, None, of_found[codes], levels)


def _binary(kind: str, content: bytes, where: str, dialect: Dialect, as_text: Collection[str]) -> Sheet:
    import pandas as pd

    try:
        if kind == ".xlsx":
            return _excel(content, where, dialect, as_text)
        frame = (
            pd.read_parquet(io.BytesIO(content))
            if kind == ".parquet"
            else pd.read_json(io.BytesIO(content), dtype=False, precise_float=True)
        )
    except ConfigurationError:
        raise
    except Exception as error:  # whatever these libraries raise for what is no such file
        raise ConfigurationError(f"{where} cannot be read as {kind}: {' '.join(str(error).split())}.") from None
    return _of_frame(frame, where, dialect, as_text)


def frame_sheet(frame: Any, where: str, dialect: Dialect) -> Sheet:
    """Return the sheet of a data frame.

    Args:
        frame: of pandas.
        where: begins every error message.
        dialect: how text in it is to be read.

    Raises:
        ConfigurationError: it is not a complete table.
    """
    return _with_different_names(_of_frame(frame, where, dialect), where)


def _of_frame(frame: Any, where: str, dialect: Dialect, as_text: Collection[str] = ()) -> Sheet:
    if not len(frame):
        raise ConfigurationError(f"{where} has column names but no rows.")
    has_header = dialect.header is not False
    names = [str(name).strip() if has_header else f"c{at}" for at, name in enumerate(frame.columns, 1)]
    columns = _columns(frame, names, dialect, as_text)
    return Sheet(columns, np.arange(1, len(frame) + 1), "row", has_header)


def _excel(content: bytes, where: str, dialect: Dialect, as_text: Collection[str]) -> Sheet:
    """Read one sheet of a workbook; rows have the numbers that Excel shows."""
    import pandas as pd

    if importlib.util.find_spec("openpyxl") is None:
        raise ConfigurationError(f"{where} needs openpyxl to be read: pip install 'chainrule[excel]'.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and the like
        book = pd.ExcelFile(io.BytesIO(content), engine="openpyxl")
        names = [str(name) for name in book.sheet_names]
        chosen = names[0] if dialect.sheet is None else dialect.sheet
        if chosen not in names:
            raise ConfigurationError(
                f"target.sheet={chosen} is not in {where}{nearest(chosen, names)}; it has {', '.join(names)}."
            )
        frame = book.parse(chosen, header=None, dtype=object, na_values=sorted(MISSING), keep_default_na=False)
    frame = frame.dropna(how="all")  # blank rows, as in text
    if not len(frame):
        raise ConfigurationError(f"{where} is empty; its first row must name the columns.")
    if dialect.header is None:
        require_header((_cells(frame, row) for row in range(len(frame))), where)
    has_header = dialect.header is not False
    headings = _cells(frame, 0) if has_header else [f"c{at}" for at in range(1, frame.shape[1] + 1)]
    data = frame.iloc[int(has_header) :].infer_objects()
    if not len(data):
        raise ConfigurationError(f"{where} has column names but no rows.")
    columns = _columns(data, headings, dialect, as_text)
    others = dialect.sheet is None and len(names) > 1
    notes = (f"{where}: only its first sheet of {len(names)}, {chosen!r}, is read (target.sheet).",) * others
    return Sheet(columns, data.index.to_numpy() + 1, "row", has_header, notes)


def _columns(frame: Any, names: Sequence[str], dialect: Dialect, as_text: Collection[str]) -> list[Column]:
    return [
        _column(name, _plain(frame.iloc[:, at], name in as_text), dialect.notation, name in as_text)
        for at, name in enumerate(names)
    ]


def _cells(frame: Any, row: int) -> list[str]:
    """Return the cells of a row as text."""
    cells = frame.iloc[row]
    return ["" if missing else str(cell).strip() for cell, missing in zip(cells, cells.isna(), strict=True)]


def _plain(series: Any, as_text: bool) -> Any:
    """Return numbers as they are, unless they are wanted as text, and anything else as text."""
    if _is_number(series):
        return series.map(lambda value: f"{value:.15g}", na_action="ignore") if as_text else series
    return series.map(lambda value: str(value), na_action="ignore")
