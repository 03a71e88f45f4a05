"""A target from a CSV file."""

import csv
import enum
import functools
import io
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import doc

from chainrule.components.contracts import Array
from chainrule.errors import ConfigurationError, nearest
from chainrule_targets.datasets import DataSet, frozen


class Problem(enum.Enum):
    """The problem that the labels of a table pose."""

    AUTO = "auto"
    REGRESSION = "regression"
    CLASSIFICATION = "classification"


@dataclass(frozen=True)
class Table(DataSet):
    """Rows of a CSV file in UTF-8, whose first row names the columns.

    One column holds the labels, the others are features and hold numbers. Labels that are numbers make a regression.
    Labels that are text make a classification, one-hot in sorted order; ``problem=classification`` also makes classes
    of numbers. Blanks around a cell do not count. Whatever is missing or unclear is an error.
    """

    path: Annotated[str | None, doc("the CSV file; required")] = None
    label: Annotated[str | None, doc("name of the label column; null: the last column")] = None
    problem: Annotated[Problem, doc("auto: numbers are a regression, text is a classification")] = Problem.AUTO
    standardize: Annotated[bool, doc("shift and scale by mean and deviation of the training rows")] = False
    delimiter: Annotated[str, doc(r"the character between two cells; \t for a tab")] = ","

    def __post_init__(self) -> None:
        separator = _separator(self.delimiter)
        if len(separator) != 1 or separator in '"\r\n\0':
            raise ConfigurationError(rf"target.delimiter must be one character (\t for a tab), not {self.delimiter!r}.")

    @property
    def inputs(self) -> int:
        """Number of columns besides the labels."""
        return int(self._content().x.shape[1])

    @property
    def outputs(self) -> int:
        """Number of classes; 1 in a regression."""
        return int(self._content().y.shape[1])

    @property
    def task(self) -> str:  # type: ignore[override]  # the contract's constant; here the labels decide
        """Whether the labels make a ``regression`` or a ``classification``."""
        return self._content().task

    @property
    def standardized(self) -> bool:
        """As the parameter ``standardize`` says."""
        return self.standardize

    def rows(self) -> tuple[Array, Array]:
        """Return the rows in the order of the file.

        Raises:
            ConfigurationError: the file cannot be read, or is not a complete table.
        """
        content = self._content()
        return content.x, content.y

    def _content(self) -> "_Content":
        if self.path is None:
            raise ConfigurationError(
                "target=table needs target.path=FILE.csv, a CSV file whose first row names the columns."
            )
        path = Path(os.path.expanduser(self.path)).absolute()
        where = f"target.path={self.path}"
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise ConfigurationError(f"{where} does not exist{_nearest_file(path)}.") from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{where} cannot be read: {_reason(error)}.") from None
        if stat.S_ISDIR(status.st_mode):
            raise ConfigurationError(f"{where} is a directory; name a CSV file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(f"{where} is not a regular file.")
        return _read(path, status.st_mtime_ns, status.st_size, where, self.delimiter, self.label, self.problem)


@dataclass(frozen=True)
class _Content:
    x: Array
    y: Array
    task: str


@dataclass(frozen=True)
class _Row:
    line: int
    cells: list[str]


@dataclass(frozen=True)
class _Sheet:
    """Stripped cells below the names of their columns; ``where`` begins every error message."""

    where: str
    names: list[str]
    rows: list[_Row]

    def place(self, row: _Row, column: int) -> str:
        return f"{self.where}, line {row.line}, column {self.names[column]!r}"

    def number(self, row: _Row, column: int, rule: str) -> float:
        value = _number(row.cells[column])
        if value is None or not math.isfinite(value):
            complaint = f"is not a number; {rule}" if value is None else "is not a finite number"
            raise ConfigurationError(f"{self.place(row, column)}: {row.cells[column]!r} {complaint}.")
        return value


@functools.lru_cache(maxsize=8)
def _read(
    path: Path, modified: int, size: int, where: str, delimiter: str, label: str | None, problem: Problem
) -> _Content:
    """Read and check a file; ``modified`` and ``size`` are keys of the cache, so that a changed file is read again."""
    header, *rows = _rows(_text(path, where), where, _separator(delimiter))
    sheet = _Sheet(where, header.cells, rows)
    names = sheet.names
    _check_names(sheet, header.line)
    if label is not None and label not in names:
        listing = ", ".join(names[:10]) + " and others" * (len(names) > 10)
        raise ConfigurationError(
            f"target.label={label} is not a column of {where}{nearest(label, names)}; it has {listing}."
        )
    if len(names) == 1:
        raise ConfigurationError(
            f"{where} has only the column {names[0]!r}, so it has labels but no features; "
            f"is {delimiter!r} the right target.delimiter?"
        )
    _check_rows(sheet)
    position = len(names) - 1 if label is None else names.index(label)
    features = [column for column in range(len(names)) if column != position]
    x = np.array([[sheet.number(row, column, "features must be numbers") for column in features] for row in rows])
    task, y = _labels(sheet, position, problem)
    return _Content(*frozen(x, y), task)


def _text(path: Path, where: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")  # spreadsheets put a byte order mark first
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = error.object[error.start]
        raise ConfigurationError(
            f"{where}, line {line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{where} cannot be read: {_reason(error)}.") from None


def _rows(text: str, where: str, separator: str) -> list[_Row]:
    """Split the text into rows of stripped cells, the header first; blank lines may only end the file."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[_Row] = []
    blank = None
    while True:
        line = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            break
        except csv.Error as error:
            raise ConfigurationError(f"{where}, line {line} is not valid CSV: {error}.") from None
        if cells in ([], [""]):
            blank = blank or line
        elif blank:
            raise ConfigurationError(f"{where}, line {blank} is empty; delete it.")
        else:
            rows.append(_Row(line, cells))
    if not rows:
        raise ConfigurationError(f"{where} is empty; its first row must name the columns.")
    return rows


def _check_names(sheet: _Sheet, line: int) -> None:
    for number, name in enumerate(sheet.names, 1):
        if not name:
            raise ConfigurationError(
                f"{sheet.where}, line {line}: column {number} has no name; give it one or delete the column."
            )
        if name in sheet.names[: number - 1]:
            raise ConfigurationError(
                f"{sheet.where}, line {line}: two columns are called {name!r}; rename one of them."
            )


def _check_rows(sheet: _Sheet) -> None:
    if not sheet.rows:
        raise ConfigurationError(f"{sheet.where} has column names but no rows.")
    for row in sheet.rows:
        if len(row.cells) != len(sheet.names):
            cells = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
            raise ConfigurationError(
                f"{sheet.where}, line {row.line} has {cells}, but {len(sheet.names)} columns are named."
            )
        if "" in row.cells:
            place = sheet.place(row, row.cells.index(""))
            raise ConfigurationError(f"{place} is empty; fill it in or delete the row.")


def _labels(sheet: _Sheet, column: int, problem: Problem) -> tuple[str, Array]:
    """Return the task and the labels, shape ``(samples, outputs)``."""
    cells = [row.cells[column] for row in sheet.rows]
    labels: list[Any] = cells
    numeric = [_number(cell) is not None for cell in cells]
    if problem is Problem.REGRESSION or all(numeric):
        labels = [sheet.number(row, column, "labels of a regression must be numbers") for row in sheet.rows]
        if problem is not Problem.CLASSIFICATION:
            return "regression", np.reshape(labels, (-1, 1))
    elif problem is Problem.AUTO and any(numeric):
        number, text = numeric.index(True), numeric.index(False)
        raise ConfigurationError(
            f"{sheet.where}, column {sheet.names[column]!r} has numbers ({cells[number]!r} in line "
            f"{sheet.rows[number].line}) and text ({cells[text]!r} in line {sheet.rows[text].line}); "
            "correct it or set target.problem."
        )
    classes = {label: code for code, label in enumerate(sorted(set(labels)))}
    if len(classes) == 1:
        raise ConfigurationError(
            f"{sheet.where}, column {sheet.names[column]!r} holds a single class, {cells[0]!r}; "
            "a classification needs at least two."
        )
    return "classification", np.eye(len(classes))[[classes[label] for label in labels]]


def _number(cell: str) -> float | None:
    """Return the number that a cell holds, NaN and infinite ones included, or None for text."""
    if "_" in cell:  # float("1_000") is 1000.0
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _separator(delimiter: str) -> str:
    return "\t" if delimiter == r"\t" else delimiter


def _nearest_file(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return ", nor does its folder"
    except OSError:
        return ""
    return nearest(path.name, names)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
