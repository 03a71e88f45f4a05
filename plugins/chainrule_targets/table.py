"""A target from a file with a table, or from a data frame in memory."""

import functools
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, doc

from chainrule.components.contracts import Array
from chainrule.components.overview import ColumnOverview, Overview
from chainrule.components.schema import Block, Schema
from chainrule.errors import ConfigurationError, nearest
from chainrule.files import in_memory
from chainrule.files.paths import started
from chainrule.files.words import typed
from chainrule_targets.blocks import read_sheets
from chainrule_targets.cells import Decimal, Notation, Signs, Thousands, are_dates
from chainrule_targets.choice import (
    Choice,
    Content,
    Missing,
    Parts,
    Task,
    TextFeatures,
    content,
    parts,
    remarks,
)
from chainrule_targets.datasets import DataSet
from chainrule_targets.dialect import DELIMITERS
from chainrule_targets.faults import Fault, faults
from chainrule_targets.sheet import Column, Dialect, Sheet, frame_sheet, read_sheet

_ROUNDS = 6  # of mending, until a line is no longer looked for
_MOST_FAULTS = 8  # in one message
_LIKENESS = 0.6  # of names of files without their endings, at which one may have been meant

Source = in_memory.Frame | tuple[Path, int, int]  # a frame, or a file with the time of its last change and its size


@dataclass(frozen=True)
class Table(DataSet):
    """Rows of a file: ``.csv``, ``.tsv`` and other text, also packed (``.gz``), ``.parquet``, ``.json``, ``.xlsx``.

    In Python also those of a data frame, or of ``X`` and ``y``: ``chainrule.run(..., data=...)``, which gives ``path``.

    Labels that are numbers make a regression. Labels that are text make a classification, one-hot in sorted order;
    ``task=classification`` also makes classes of numbers. Features are numbers, or true and false for 1 and 0; text
    becomes numbers on request. Blanks around a cell do not count, and empty cells, ``NA``, ``N/A``, ``nan``, ``null``,
    ``None``, ``#N/A``, ``<NA>`` and ``?`` are missing. Whatever is unclear is an error with the settings that make it
    clear; ``chainrule data FILE`` shows how a file is read.

    Missing features are filled with the mean or median of the training rows. A row without label is left out, unless
    ``missing=error``. Text of ``text=onehot`` that is missing is a row of zeros.
    """

    reads: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".tab", ".txt", ".dat", ".parquet", ".json", ".xlsx")
    written_by: ClassVar[tuple[str, ...]] = (
        "header",
        "delimiter",
        "decimal",
        "thousands",
        "signs",
        "encoding",
        "sheet",
    )
    reads_frames: ClassVar[bool] = True

    path: Annotated[str | None, doc("the file; required")] = None
    label: Annotated[tuple[str, ...] | None, doc("label column, or a list of several; null: the last column")] = None
    features: Annotated[tuple[str, ...] | None, doc("the only columns that are features; null: all others")] = None
    drop: Annotated[tuple[str, ...], doc("columns that are left out")] = ()
    task: Annotated[Task, doc("auto: numbers are a regression, text is a classification")] = Task.AUTO  # type: ignore[misc, assignment]
    standardize: Annotated[bool, doc("shift and scale by mean and deviation of the training rows")] = False
    missing: Annotated[Missing, doc("drop rows with missing values, or fill with what the training rows say")] = (
        Missing.ERROR
    )
    indicator: Annotated[bool, doc("an input that is 1 where a value is missing, for each column with some")] = False
    text: Annotated[TextFeatures, doc("one input for each level of a text, or its place in sorted order")] = (
        TextFeatures.ERROR
    )
    levels: Annotated[int, Ge(2), doc("most levels of a text that are made one-hot")] = 50
    header: Annotated[bool | None, doc("whether the first row names the columns; null: yes, where it is obvious")] = (
        None
    )
    delimiter: Annotated[str, doc("comma, semicolon, tab, pipe, space, or a character; auto: found")] = "auto"
    decimal: Annotated[Decimal, doc("the decimal mark")] = Decimal.POINT
    thousands: Annotated[Thousands, doc("what separates thousands")] = Thousands.NONE
    signs: Annotated[Signs, doc("whether $, €, £, ¥ and % beside numbers are ignored")] = Signs.ERROR
    encoding: Annotated[str, doc("of the text, such as cp1252; auto: UTF-8, or UTF-16 with its mark")] = "auto"
    sheet: Annotated[str | None, doc("which sheet of an .xlsx file is read; null: the first")] = None

    def __post_init__(self) -> None:
        for name in ("label", "features", "drop"):
            value = getattr(self, name)
            if isinstance(value, str):  # a single name, in Python
                object.__setattr__(self, name, (value,))
        mark = DELIMITERS.get(self.delimiter, "\t" if self.delimiter == r"\t" else self.delimiter)
        if self.delimiter != "auto" and (len(mark) != 1 or mark in '"\r\n\0'):
            raise ConfigurationError(
                f"target.delimiter must be {', '.join(DELIMITERS)}, auto or one character, not {self.delimiter!r}"
                f"{nearest(self.delimiter, DELIMITERS)}; a shell needs names: target.delimiter=semicolon."
            )
        if self.decimal.value == self.thousands.value:
            raise ConfigurationError(
                f"target.decimal and target.thousands are both {self.decimal.value}; they must differ."
            )
        if self._is_in_memory:
            in_memory.hold(str(self.path), self)

    @property
    def inputs(self) -> int:
        """Number of inputs that the features make."""
        return int(self._content().x.shape[1])

    @property
    def outputs(self) -> int:
        """Number of classes, or of the labels in a regression."""
        return int(self._content().y.shape[1])

    @property
    def resolved_task(self) -> str:
        """Whether the labels make a ``regression`` or a ``classification``."""
        return self._content().task

    @property
    def standardized(self) -> bool:
        """As the parameter ``standardize`` says."""
        return self.standardize

    @property
    def imputation(self) -> str | None:
        """``mean`` or ``median``, as the parameter ``missing`` says; None where no value is filled in."""
        return self.missing.value if self.missing in (Missing.MEAN, Missing.MEDIAN) else None

    @property
    def input_names(self) -> tuple[str, ...]:
        """Columns, and ``COLUMN=LEVEL`` for one-hot text."""
        return tuple(name for feature in self._content().features for name in feature.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Classes, or columns of labels."""
        return self._content().outputs

    @property
    def schema(self) -> Schema:
        """What the columns of a table become."""
        found = self._content()
        return Schema.of(
            found.task,
            self.inputs,
            self.outputs,
            input_names=self.input_names,
            output_names=found.outputs,
            label_names=found.labels,
            features=found.features,
            incomplete=found.incomplete if self.imputation else None,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out, and whether columns should be standardized."""
        found = self._content()
        if self.standardize or not found.scales:
            return found.notes
        advice = "set target.standardize=true if training is slow or diverges"
        return (*found.notes, f"target={self.name}: columns differ in scale ({found.scales}); {advice}.")

    def rows(self) -> tuple[Array, Array]:
        """Return the rows in the order of the file.

        Raises:
            ConfigurationError: the file cannot be read, or is not a complete table.
        """
        found = self._content()
        return found.x, found.y

    def blocks(self, as_text: Collection[str]) -> Iterator[Block]:
        """Yield the rows of the file, whatever its columns are; of text files not all are in memory at once."""
        for sheet in read_sheets(_found(self.path, self._where)[0], self._where, self._dialect, as_text):
            columns = {column.name: column.cells for column in sheet.named}
            yield Block(columns, sheet.lines, sheet.unit, self._dialect.notation.each)

    def overview(self) -> Overview:
        """Return how the file is read; raises as :meth:`rows` where it is no table at all."""
        where, sheet, choice = self._where, self._sheet(), self._choice()
        chosen = parts(sheet, choice, where)
        wrong = faults(chosen, choice, self._texts)
        mended = self if not wrong else _mended(self, wrong, lambda fault: fault.change)
        return Overview(
            rows=len(sheet.lines),
            columns=_column_overviews(sheet, chosen),
            task=None if wrong else self.resolved_task,
            label=tuple(column.name for column in chosen.labels),
            classes=() if wrong or self.resolved_task == "regression" else self.output_names,
            left_out=chosen.left_out,
            notes=remarks(chosen, choice, self._texts, where, of_text=False) if wrong else self.notes,
            error=_complaint(self, wrong) if wrong else None,
            settings=tuple(_settings(Table(path=self.path), mended)) if mended else (),
            outputs=1 if not mended else mended.outputs,
            trains_as=None if not mended else mended.resolved_task,
        )

    @property
    def _where(self) -> str:
        return "data" if self._is_in_memory else f"target.path={self.path}"

    @property
    def _is_in_memory(self) -> bool:
        return self.path is not None and self.path.startswith(in_memory.MARK)

    def _choice(self) -> Choice:
        return Choice(**{field.name: getattr(self, field.name) for field in fields(Choice)})

    def _sheet(self) -> Sheet:
        return _read(self._source(), self._where, self._dialect)

    def _texts(self, names: Collection[str]) -> dict[str, list[str]]:
        """Return the different texts of some columns of a text file, by name; nothing of other files."""
        if not names or self._sheet().unit != "line":
            return {}
        sheet = read_sheet(_found(self.path, self._where)[0], self._where, self._dialect, names)
        return {column.name: column.levels for column in sheet.columns if column.name in names}

    @property
    def _dialect(self) -> Dialect:
        delimiter = "\t" if self.delimiter == r"\t" else self.delimiter
        notation = Notation(self.decimal, self.thousands, self.signs)
        return Dialect(self.encoding, delimiter, self.header, self.sheet, notation)

    def _content(self) -> Content:
        return _use(replace(self, standardize=False), self._source())

    def _source(self) -> Source:
        """Return what is read: it is a key of the cache, so that a changed file is read again."""
        if self._is_in_memory:
            return self._held()
        path, status = _found(self.path, self._where)
        return path, status.st_mtime_ns, status.st_size

    def _held(self) -> in_memory.Frame:
        frame = in_memory.find(str(self.path))
        if frame is None:
            raise ConfigurationError(
                f"target.path={self.path} is data in the memory of a Python program, which this process does not have: "
                "in Python, give them again by data=..., to chainrule.run, sweep, compare or resume."
            )
        return frame


def _found(given: str | None, where: str) -> tuple[Path, os.stat_result]:
    if not given:
        raise ConfigurationError(
            "target=table needs target.path=FILE.csv, a CSV file whose first row names the columns."
        )
    if "://" in given:
        raise ConfigurationError(f"{where} is an address; download the file and give its path.")
    path = started() / Path(os.path.expanduser(given))
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigurationError(f"{where} does not exist{_nearest_file(path)}.") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if stat.S_ISDIR(status.st_mode):
        raise ConfigurationError(f"{where} is a directory; name a CSV file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"{where} is not a regular file.")
    return path, status


def _nearest_file(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return ", nor does its folder"
    except OSError:
        return ""
    likely = [name for name in names if nearest(path.stem, [Path(name).stem], _LIKENESS)]
    return nearest(path.name, likely, 0.0)


@functools.lru_cache(maxsize=2)
def _read(source: Source, where: str, dialect: Dialect) -> Sheet:
    if isinstance(source, in_memory.Frame):
        return frame_sheet(source.frame, where, dialect)
    return read_sheet(source[0], where, dialect)


@functools.lru_cache(maxsize=8)
def _use(table: Table, source: Source) -> Content:
    choice, where = table._choice(), table._where
    chosen = parts(table._sheet(), choice, where)
    wrong = faults(chosen, choice, table._texts)
    if wrong:
        raise ConfigurationError(_complaint(table, wrong))
    return content(chosen, choice, table._texts, where)


def _complaint(table: Table, wrong: Sequence[Fault]) -> str:
    """Return one sentence with all that is wrong, and one with the settings by which the table can be used."""
    said = [fault.what for fault in wrong[:_MOST_FAULTS]]
    said += [f"and {len(wrong) - _MOST_FAULTS} more"] if len(wrong) > _MOST_FAULTS else []
    mended = _mended(table, wrong, lambda fault: fault.change)
    smaller = _mended(table, wrong, lambda fault: {} if fault.columns else fault.change)
    ways = [" ".join(_settings(table, way)) for way in (mended, smaller) if way]
    explained = any(fault.is_explained for fault in wrong)
    advice = f" Write {', or '.join(dict.fromkeys(ways))}." if ways else "" if explained else " Correct the file."
    return f"{table._where} cannot be used as it is: {'; '.join(said)}.{advice}"


def _mended(table: Table, wrong: Sequence[Fault], change: Callable[[Fault], dict[str, Any]]) -> Table | None:
    """Return a table without faults: each is mended by the change, or by leaving out its columns; None if it cannot."""
    for _ in range(_ROUNDS):
        changes: dict[str, Any] = {}
        for fault in wrong:
            own = change(fault)
            if not own and not fault.columns:
                return None
            dropped = (*changes.get("drop", ()), *(own.get("drop", ()) if own else fault.columns))
            changes |= {**own, "drop": dropped}
        table = replace(table, **_narrowed(table, changes))
        try:
            choice = table._choice()
            wrong = faults(parts(table._sheet(), choice, table._where), choice, table._texts)
        except ConfigurationError:
            return None
        if not wrong:
            return table
    return None


def _narrowed(table: Table, changes: dict[str, Any]) -> dict[str, Any]:
    """Return changes that leave columns out in the way in which the table chooses them: by features, or by drop."""
    dropped = changes.get("drop", ())
    if table.features is None:
        return {**changes, "drop": tuple(dict.fromkeys((*table.drop, *dropped)))}
    gone = {*dropped, *changes.get("label", ())}
    return {**changes, "drop": table.drop, "features": tuple(name for name in table.features if name not in gone)}


def _settings(before: Table, after: Table) -> list[str]:
    """Return the overrides by which two tables differ."""
    found = []
    for field in fields(Table):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            value = getattr(new, "value", str(new).lower() if isinstance(new, bool) else new)
            found.append(typed(f"target.{field.name}", value))
    return found


def _column_overviews(sheet: Sheet, chosen: Parts) -> tuple[ColumnOverview, ...]:
    use = {column.name: "feature" for column in chosen.features} | {column.name: "label" for column in chosen.labels}
    return tuple(_column_overview(column, use.get(column.name, "left out")) for column in sheet.columns)


def _column_overview(column: Column, use: str) -> ColumnOverview:
    kind = "numbers" if column.numbers is not None else "dates" if are_dates(column.levels) else "text"
    return ColumnOverview(
        name=column.name,
        kind="true or false" if column.truths is not None else kind,
        missing=int(column.missing.sum()),
        levels=len(column.levels) or None,
        examples=tuple(column.levels[:3]),
        use=use,
    )
