"""From a sheet to inputs and labels: which columns are chosen, what becomes of them, and what is to be known."""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.schema import NUMBER, ONEHOT, ORDINAL, TRUTH, Feature
from chainrule.errors import ConfigurationError, counted, nearest
from chainrule.files.memory import require_memory
from chainrule.files.words import typed
from chainrule_targets.cells import (
    Decimal,
    Notation,
    Signs,
    Thousands,
    notations,
)
from chainrule_targets.doubts import Texts, doubts, thousands
from chainrule_targets.sheet import Column, Sheet

SHOWN = 5  # columns, lines or examples that a sentence lists
FEW_CLASSES = 10  # as many may be of a single row each
_PER_CLASS = 4  # rows, at least, of numbers that may be classes
FEW_ROWS = 10  # in as many, different texts and numbers that count the rows may be chance
_SCALES = 100  # ratio of ranges from which on training needs standardized columns
_COPIES = 6  # of inputs and labels in float64 that a run holds while it draws its samples


class Task(enum.Enum):
    """The task that the labels of a table pose."""

    AUTO = "auto"
    REGRESSION = "regression"
    CLASSIFICATION = "classification"


class Missing(enum.Enum):
    """What is done about missing values."""

    ERROR = "error"
    DROP = "drop"
    MEAN = "mean"
    MEDIAN = "median"


class TextFeatures(enum.Enum):
    """How text becomes numbers."""

    ERROR = "error"
    ONEHOT = "onehot"
    ORDINAL = "ordinal"


@dataclass(frozen=True)
class Choice:
    """What is to be made of a sheet, see the fields of ``Table``."""

    label: tuple[str, ...] | None
    features: tuple[str, ...] | None
    drop: tuple[str, ...]
    task: Task
    missing: Missing
    indicator: bool
    text: TextFeatures
    levels: int
    decimal: Decimal
    thousands: Thousands
    signs: Signs

    @property
    def notation(self) -> Notation:
        """How numbers are written."""
        return Notation(self.decimal, self.thousands, self.signs)


@dataclass(frozen=True)
class Content:
    """Inputs and labels.

    Attributes:
        x: ``(rows, inputs)``; NaN where a value is missing and is to be filled.
        y: ``(rows, outputs)``.
        task: ``regression`` or ``classification``.
        features: the columns that become inputs.
        labels: columns of the labels.
        outputs: names of the labels or classes.
        incomplete: columns of features that lack values.
        notes: what the person should know.
        scales: names and ranges of the columns with the largest and the smallest range, if they differ much.
    """

    x: Array
    y: Array
    task: str
    features: tuple[Feature, ...]
    labels: tuple[str, ...]
    outputs: tuple[str, ...]
    incomplete: tuple[str, ...]
    notes: tuple[str, ...]
    scales: str


@dataclass(frozen=True)
class Parts:
    """The columns of a sheet by what becomes of them.

    Attributes:
        sheet: the rows that are used.
        labels, features: columns in their order.
        left_out: names of the others, with the reason.
        notes: what the person should know.
    """

    sheet: Sheet
    labels: list[Column]
    features: list[Column]
    left_out: dict[str, str]
    notes: tuple[str, ...]


def parts(sheet: Sheet, choice: Choice, where: str) -> Parts:
    """Choose columns and rows.

    Raises:
        ConfigurationError: a chosen column does not exist, or nothing is left.
    """
    columns, left_out, notes = list(sheet.columns), {}, list(sheet.notes)
    if not columns[0].name:
        left_out["(no name)"] = "the first column, without a name"
        notes.append(f"{where}: its first column has no name and is left out.")
        columns = columns[1:]
    named = sheet.named
    names = [column.name for column in named]
    known = set(names)
    for key in ("label", "features", "drop"):
        if not known.issuperset(getattr(choice, key) or ()):
            meant: dict[str, Any] = {key: tuple(_meant(name, names) for name in getattr(choice, key))}
            choice = replace(choice, **meant)
        for name in getattr(choice, key) or ():
            if name not in known:
                raise ConfigurationError(_no_column(key, name, names, where))
    for column, old in zip(named, columns, strict=True):
        if not old.name and column.missing.all() and column.name not in choice.drop:
            left_out[column.name] = "without a name or a value"
    kept = [column for column in named if column.name not in left_out and column.name not in choice.drop]
    left_out |= dict.fromkeys(choice.drop, "target.drop")
    if not kept:
        raise ConfigurationError(f"{where}: no column is left.")
    chosen = choice.label or (kept[-1].name,)
    for name in chosen:
        if name in choice.drop or name in (choice.features or ()):
            key = "drop" if name in choice.drop else "features"
            raise ConfigurationError(f"{where}: column {name!r} is the label and in target.{key}; choose one of them.")
    by_name = {column.name: column for column in kept}
    labels = [by_name[name] for name in dict.fromkeys(chosen)]
    wanted = choice.features if choice.features is not None else names
    features = [by_name[name] for name in dict.fromkeys(wanted) if name in by_name and name not in chosen]
    used = {*wanted, *chosen}
    left_out |= {name: "not in target.features" for name in by_name if name not in used}
    if not features:
        raise ConfigurationError(f"{where} has only the label {', '.join(map(repr, chosen))}, but no features.")
    return _complete(Parts(sheet, labels, features, left_out, tuple(notes)), choice, where)


def _meant(name: str, names: list[str]) -> str:
    """Return the column of a name that Hydra has read as a number or a truth: ``1e5`` arrives as ``100000.0``."""
    if name in names:
        return name
    value = _read(name)
    same = [each for each in names if value is not None and _read(each) == value]
    return same[0] if len(same) == 1 else name


def _read(name: str) -> float | str | None:
    """Return what a name is if it is no text."""
    try:
        return float(name)
    except ValueError:
        return name.lower() if name.lower() in ("true", "false") else None


def _no_column(key: str, name: str, names: list[str], where: str) -> str:
    listing = ", ".join(names[:10]) + " and others" * (len(names) > 10)
    named = f"target.{key}={name}" if key == "label" else f"target.{key}: {name}"
    return f"{named} is not a column of {where}{nearest(name, names)}; it has {listing}."


def _complete(given: Parts, choice: Choice, where: str) -> Parts:
    """Leave out rows without label, and with ``missing=drop`` all rows without some value."""
    if choice.missing is Missing.ERROR:
        return given
    columns = [*given.labels, *(given.features if choice.missing is Missing.DROP else [])]
    gone = np.logical_or.reduce([column.missing for column in columns])
    count = int(np.count_nonzero(gone))
    if not count:
        return given
    if count == len(gone):
        worst = max(columns, key=lambda column: np.count_nonzero(column.missing))
        raise ConfigurationError(
            f"{where}: each of its {counted(count, 'row')} lacks a value, so target.missing={choice.missing.value} "
            f"leaves none; column {worst.name!r} lacks {counted(int(np.count_nonzero(worst.missing)), 'value')}: "
            f"leave it out by {typed('target.drop', [*choice.drop, worst.name])}."
        )
    what = "without some value" if choice.missing is Missing.DROP else "without a label"
    return Parts(
        replace(given.sheet, lines=given.sheet.lines[~gone]),
        [column.without(gone) for column in given.labels],
        [column.without(gone) for column in given.features],
        given.left_out,
        (*given.notes, f"{where}: {counted(count, 'row')} of {len(gone)} {what} {_are(count)} left out."),
    )


def remarks(given: Parts, choice: Choice, texts: Texts, where: str, of_text: bool) -> tuple[str, ...]:
    """Return what the person should know of the chosen columns, of those with text only if it can be used."""
    columns = (*given.labels, *given.features)
    are_clear = given.sheet.delimiter == ";" and not any(
        notations(column.levels) for column in columns if column.levels
    )
    apart = thousands(columns, texts, where) if are_clear else ()
    labels, features = (
        [column for column in some if of_text or column.numbers is not None] for some in (given.labels, given.features)
    )
    return (*given.notes, *doubts(labels, features, where), *_meant_otherwise(given, choice, where), *apart)


def _meant_otherwise(given: Parts, choice: Choice, where: str) -> Iterator[str]:
    """Yield a sentence for a label of numbers that may be classes, and for features that may number the rows."""
    values = given.labels[0].numbers
    if choice.task is Task.AUTO and values is not None and len(given.labels) == 1:
        found = np.unique(values[np.isfinite(values)])
        if 1 < len(found) <= min(FEW_CLASSES, len(values) / _PER_CLASS) and (found % 1 == 0).all():
            *most, last = (f"{value:.0f}" for value in found)
            yield (
                f"{where}: label {given.labels[0].name!r} holds only {', '.join(most)} and {last}; write "
                "target.task=classification if these are classes."
            )
    counting = [column.name for column in given.features if _counts_rows(column)]
    if counting and choice.features is None:
        several = len(counting) > 1
        looks = "look like numbers of the rows" if several else "looks like a number of the row"
        yield (
            f"{where}: column{'s' if several else ''} {quoted(counting)} {looks}; write "
            f"{typed('target.drop', [*choice.drop, *counting])} if {'they are' if several else 'it is'}."
        )


def _counts_rows(column: Column) -> bool:
    """Say whether a column holds each number from 0 or 1 on once."""
    values = column.numbers
    if values is None or len(values) <= FEW_ROWS or values.min() not in (0, 1):
        return False
    return bool((np.sort(values) == np.arange(len(values)) + values.min()).all())


def content(given: Parts, choice: Choice, texts: Texts, where: str) -> Content:
    """Return inputs and labels of columns without faults.

    Raises:
        ConfigurationError: they need more memory than there is.
    """
    rows = len(given.sheet.lines)
    task, y_names = _outputs(given, choice)
    features = tuple(_feature(column, choice) for column in given.features)
    names = [name for feature in features for name in feature.inputs]
    width = len(names) + len(y_names)
    require_memory(8 * _COPIES * rows * width, where, f"{rows} rows of {width} inputs and outputs")
    x, at = np.empty((rows, len(names))), 0
    for column, feature in zip(given.features, features, strict=True):
        own = len(feature.inputs)
        x[:, at : at + own] = _inputs(column, feature)
        at += own
    y = _labels(given, task, len(y_names))
    scales = _scales(x, y if task == "regression" else y[:, :0], [*names, *y_names])
    x.flags.writeable = y.flags.writeable = False
    labels = tuple(column.name for column in given.labels)
    notes = remarks(given, choice, texts, where, of_text=True)
    incomplete = tuple(column.name for column in given.features if column.missing.any())
    return Content(x, y, task, features, labels, y_names, incomplete, notes, scales)


def _feature(column: Column, choice: Choice) -> Feature:
    """Return which inputs a column becomes."""
    indicator = choice.indicator and bool(column.missing.any())
    if column.numbers is not None:
        return Feature(column.name, NUMBER, indicator=indicator)
    if column.truths is not None:
        return Feature(column.name, TRUTH, ("false", "true"), indicator)
    kind = ORDINAL if choice.text is TextFeatures.ORDINAL else ONEHOT
    return Feature(column.name, kind, tuple(column.levels), indicator)


def _inputs(column: Column, feature: Feature) -> Array:
    """Return the values of a column's inputs, ``(rows, inputs)``."""
    if column.numbers is not None:
        return np.column_stack([column.numbers, column.missing] if feature.indicator else [column.numbers])
    truths = column.truths
    return feature.of_levels()[column.codes if truths is None else np.nan_to_num(truths, nan=-1).astype(int)]


def _outputs(given: Parts, choice: Choice) -> tuple[str, tuple[str, ...]]:
    """Return the task, and the names of labels or classes."""
    first = given.labels[0]
    if first.numbers is None:
        return "classification", tuple(first.levels)
    if choice.task is Task.CLASSIFICATION:
        return "classification", tuple(f"{value:.15g}" for value in np.unique(first.numbers))
    return "regression", tuple(column.name for column in given.labels)


def _labels(given: Parts, task: str, classes: int) -> Array:
    if task == "regression":
        return np.column_stack([column.numbers for column in given.labels if column.numbers is not None])
    first = given.labels[0]
    codes = first.codes if first.numbers is None else np.unique(first.numbers, return_inverse=True)[1]
    return np.eye(classes)[codes]


def _scales(x: Array, y: Array, names: Sequence[str]) -> str:
    """Say which columns have the largest and the smallest range of values, if these differ by a factor of 100."""
    with np.errstate(over="ignore"):
        ranges = [
            (np.nanmax(column) - np.nanmin(column), name)
            for column, name in zip([*x.T, *y.T], names, strict=False)
            if not np.isnan(column).all()
        ]
    varying = [found for found in ranges if found[0] > 0]
    if not varying or max(varying)[0] / _SCALES < min(varying)[0]:
        return ""
    return " and ".join(f"{name!r} spans {span:.3g}" for span, name in (max(varying), min(varying)))


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def quoted(texts: Sequence[str]) -> str:
    """Return texts in quotation marks, of many the first."""
    return ", ".join(map(repr, texts[:SHOWN])) + ", ..." * (len(texts) > SHOWN)
