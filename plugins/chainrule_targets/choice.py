"""From a sheet to inputs and labels: what is chosen, what is wrong with it, and which settings mend that."""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.schema import NUMBER, ONEHOT, ORDINAL, TRUTH, Feature, number
from chainrule.errors import ConfigurationError, counted, nearest
from chainrule.files.memory import require_memory
from chainrule.files.words import typed
from chainrule_targets.cells import (
    Decimal,
    Notation,
    Signs,
    Thousands,
    are_dates,
    is_no_value,
    mostly,
    notations,
    shared,
    signs,
    uneven_signs,
)
from chainrule_targets.doubts import Texts, doubts, thousands
from chainrule_targets.sheet import Column, Sheet

_SHOWN = 5  # columns, lines or examples that a sentence lists
_FEW_CLASSES = 10  # as many may be of a single row each
_PER_CLASS = 4  # rows, at least, of numbers that may be classes
_FEW_NUMBERS = 10  # as many may be levels of text, as in 0, 1, 2, 3+
_FEW_ROWS = 10  # in as many, different texts and numbers that count the rows may be chance
_FEW_CELLS = 0.05  # share of cells that are text by mistake
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
class Fault:
    """Something that keeps a sheet from being used.

    Attributes:
        what: in words.
        change: fields of ``Table`` that mend it, such as ``{"missing": Missing.MEAN}``; empty if none do.
        columns: names of the features that it concerns; leaving these out mends it as well.
        is_explained: whether the words end in settings to choose from.
    """

    what: str
    change: dict[str, Any]
    columns: tuple[str, ...] = ()
    is_explained: bool = False


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


def faults(given: Parts, choice: Choice, texts: Texts) -> list[Fault]:
    """Return all that keeps the chosen columns from being used."""
    ways = _ways(given, choice, texts)
    return [*_label_faults(given, choice, ways), *_feature_faults(given, choice, ways)]


def _ways(given: Parts, choice: Choice, texts: Texts) -> list[Notation]:
    """Return the notations by which columns are numbers that are none yet, and those stay numbers that are."""
    columns = (*given.labels, *given.features)
    cells = [_numbers_of(column, choice) for column in columns if column.numbers is None]
    otherwise = [found for found in cells if found and choice.notation.numbers(found) is None]
    if not otherwise:
        return []
    numeric = texts([column.name for column in columns if column.numbers is not None])
    others = [*numeric.values(), *(found for found in cells if found and choice.notation.numbers(found))]
    return shared(otherwise, others) or shared(otherwise, ())


def _numbers_of(column: Column, choice: Choice) -> list[str]:
    """Return the cells of a text column that are numbers, where all are but a few; otherwise none."""
    if notations(column.levels):
        return column.levels
    numbers, others = mostly(column.levels, choice.notation)
    if len(numbers) < 2:
        return []
    if all(map(is_no_value, others)):
        return numbers
    strange = np.count_nonzero(_of_levels(column, others))
    few = strange <= _FEW_CELLS * np.count_nonzero(~column.missing) and len(numbers) > _FEW_NUMBERS
    return numbers if few else []


def _of_levels(column: Column, levels: Sequence[str]) -> Array:
    """Say which rows have one of some texts, ``(rows,)`` of bool."""
    places = {level: at for at, level in enumerate(column.levels)}
    return np.isin(column.codes, [places[level] for level in levels])


def _label_faults(given: Parts, choice: Choice, ways: Sequence[Notation]) -> Iterator[Fault]:
    for column in given.labels:
        name = f"label {column.name!r}"
        missing = np.flatnonzero(column.missing)
        if len(missing) == len(column.missing):
            yield Fault(f"{name} has no values", _another_label(given, column))
            continue
        if len(missing):
            yield Fault(f"{name} lacks {_some(given, missing)}", {"missing": Missing.DROP})
        if column.numbers is not None:
            yield from _infinite(given, column, name)
            numeric = len(np.unique(column.numbers[~column.missing]))
            if choice.task is Task.CLASSIFICATION and numeric == 1:
                yield Fault(f"{name} holds a single class, {_first(column)}", _another_label(given, column))
        else:
            yield from _text_label_faults(given, column, name, choice, ways)
    classes = choice.task is Task.CLASSIFICATION or any(column.numbers is None for column in given.labels)
    if len(given.labels) > 1 and classes:
        yield Fault("several labels make a regression only, and need numbers", {})


def _text_label_faults(
    given: Parts, column: Column, name: str, choice: Choice, ways: Sequence[Notation]
) -> Iterator[Fault]:
    levels, rows = column.levels, int(np.count_nonzero(~column.missing))
    numeric = [level for level in levels if number(level) is not None]
    many = len(levels) > max(_FEW_CLASSES, rows / 2)
    if choice.task is Task.CLASSIFICATION and len(levels) > 1:
        return
    if notations(levels):
        yield _written_otherwise(name, column, (), ways)
    elif uneven_signs(levels):
        yield _uneven(name, column, ())
    elif are_dates(levels):
        yield Fault(f"{name} holds dates ({levels[0]!r})", _another_label(given, column))
    elif (choice.task is Task.REGRESSION or numeric or many) and (numbers := _numbers_of(column, choice)):
        yield from _strange(given, column, name, numbers, choice, ways)
    elif choice.task is Task.REGRESSION or numeric:
        text = next((level for level in levels if number(level) is None), levels[0])
        at = int(np.flatnonzero(column.codes == levels.index(text))[0])
        beside = f" beside numbers ({numeric[0]!r})" if numeric else ""
        what = f"{name} has text ({text!r} in {given.sheet.place(at)}){beside}"
        yield Fault(
            what, {"task": Task.CLASSIFICATION} if len(numeric) <= _FEW_NUMBERS else _another_label(given, column)
        )
    elif len(levels) == 1:
        yield Fault(f"{name} holds a single class, {levels[0]!r}", _another_label(given, column))
    elif many:
        what = f"{name} has {len(levels)} different texts in {rows} rows ({_listed(levels)}), too many for classes"
        yield Fault(what, _another_label(given, column) or {"task": Task.CLASSIFICATION})


def _another_label(given: Parts, instead_of: Column) -> dict[str, Any]:
    """Return the change to the last other column that can be a label; nothing if there is none."""
    for column in reversed(given.features):
        values = column.numbers
        if values is not None and np.isfinite(values).all() and len(np.unique(values)) > 1:
            return {"label": (column.name,), "drop": (instead_of.name,)}
    return {}


def _feature_faults(given: Parts, choice: Choice, ways: Sequence[Notation]) -> Iterator[Fault]:
    empty, missing, text, dates, many = [], [], [], [], []
    for column in given.features:
        absent = np.count_nonzero(column.missing)
        if absent == len(column.missing):
            empty.append(column)
            continue
        if absent and choice.missing is Missing.ERROR:
            missing.append(column)
        if column.numbers is not None:
            yield from _infinite(given, column, f"column {column.name!r}", is_feature=True)
        elif column.truths is None:
            levels = column.levels
            numeric = [level for level in levels if number(level) is not None]
            if notations(levels):
                yield _written_otherwise(f"column {column.name!r}", column, (column.name,), ways)
            elif uneven_signs(levels):
                yield _uneven(f"column {column.name!r}", column, (column.name,))
            elif are_dates(levels):
                dates.append(column)
            elif _is_unusable(levels, numeric, choice) and (numbers := _numbers_of(column, choice)):
                yield from _strange(given, column, f"column {column.name!r}", numbers, choice, ways)
            elif len(numeric) > _FEW_NUMBERS:
                yield _mixed(given, column, numeric)
            elif len(levels) > choice.levels and choice.text is not TextFeatures.ORDINAL:
                many.append(column)
            elif choice.text is TextFeatures.ERROR:
                text.append(column)
    if empty:
        yield _dropped(empty, "no values")
    if missing:
        count = sum(int(np.count_nonzero(column.missing)) for column in missing)
        rows = np.flatnonzero(np.logical_or.reduce([column.missing for column in missing]))
        what = f"{_columns(missing)} {_lack(missing)} {counted(count, 'value')} in {_places(given, rows)}"
        yield Fault(what, {"missing": Missing.MEAN}, tuple(column.name for column in missing))
    names = [column for column in text if _names_rows(column)]
    if 0 < len(names) < len(given.features):
        text = [column for column in text if not _names_rows(column)]
        yield _dropped(names, f"another text in each row ({_listed(names[0].levels)})")
    if text:
        examples = _text_of(given, text[0])
        what = f"{_columns(text)} {_hold(text)} text ({examples}{', ...' if len(text) > 1 else ''})"
        yield Fault(what, {"text": TextFeatures.ONEHOT}, tuple(column.name for column in text))
    if dates:
        yield _dropped(dates, f"dates ({dates[0].levels[0]!r})")
    if many:
        most = max(len(column.levels) for column in many)
        yield _dropped(
            many, f"text of up to {counted(most, 'level')} ({_listed(many[0].levels)}), more than target.levels"
        )


def _text_of(given: Parts, column: Column) -> str:
    """Return examples of a column's text; where it also has numbers, the first text and where it is."""
    words = [level for level in column.levels if number(level) is None]
    if len(words) == len(column.levels):
        return _listed(words)
    at = int(np.flatnonzero(column.codes == column.levels.index(words[0]))[0])
    return f"{words[0]!r} in {given.sheet.place(at)}, beside numbers"


def _infinite(given: Parts, column: Column, name: str, is_feature: bool = False) -> Iterator[Fault]:
    assert column.numbers is not None
    wrong = np.flatnonzero(np.isinf(column.numbers))
    if len(wrong):
        what = f"{name} has {column.numbers[wrong[0]]} in {given.sheet.place(int(wrong[0]))}, no finite number"
        yield Fault(what, {}, (column.name,) if is_feature else ())


def _written_otherwise(name: str, column: Column, columns: tuple[str, ...], ways: Sequence[Notation]) -> Fault:
    """Return what is wrong with a column, and which notation reads it: one that reads all columns, if there is."""
    ways = ways or notations(column.levels)
    example = next((level for level in column.levels if number(level) is None), column.levels[0])
    if len(ways) == 1:
        change = {key: getattr(ways[0], key) for key in ("decimal", "thousands", "signs")}
        return Fault(f"{name} has numbers that are written otherwise ({example!r})", change, columns)
    unclear = [level for level in column.levels if len({way.each([level])[0] for way in ways}) > 1]
    read = ""
    if unclear:  # otherwise another column asks
        example = example if example in unclear else unclear[0]
        read = ": write " + " or ".join(
            f"{' '.join(way.settings) or 'target.decimal=point'} if {example} is {way.each([example])[0]:.15g}"
            for way in ways
        )
    return Fault(f"{name} has numbers that are written otherwise ({example!r}){read}", {}, (), bool(read))


def _uneven(name: str, column: Column, columns: tuple[str, ...]) -> Fault:
    other = next(level for level in column.levels if signs(level) != signs(column.levels[0]))
    return Fault(f"{name} has numbers with different signs ({column.levels[0]!r}, {other!r})", {}, columns)


def _names_rows(column: Column) -> bool:
    """Say whether a text column has another text in each of many rows."""
    return _FEW_ROWS < len(column.levels) == np.count_nonzero(~column.missing)


def _is_unusable(levels: Sequence[str], numeric: Sequence[str], choice: Choice) -> bool:
    """Say whether text, of which some is numeric, cannot be made levels as the choice says."""
    many = len(levels) > choice.levels and choice.text is not TextFeatures.ORDINAL
    return choice.text is TextFeatures.ERROR or len(numeric) > _FEW_NUMBERS or many


def _strange(
    given: Parts, column: Column, name: str, numbers: Sequence[str], choice: Choice, ways: Sequence[Notation]
) -> Iterator[Fault]:
    """Yield what is wrong with a column of numbers in which a few cells are text, and how the numbers are written."""
    words = [level for level in column.levels if level not in set(numbers)]
    rows = np.flatnonzero(_of_levels(column, words))
    first = column.levels[column.codes[rows[0]]]
    shown = _listed([first, *(word for word in words if word != first)])
    cells = "this cell" if len(rows) == 1 else "these cells"
    advice = f"empty {cells} if there is no value" if all(map(is_no_value, words)) else f"correct {cells}"
    otherwise = [] if choice.notation.numbers(numbers) is not None else ways or notations(numbers)
    if len(otherwise) == 1:
        advice += f" and write {' '.join(otherwise[0].settings)}"
    is_feature = column.name in {feature.name for feature in given.features}
    if is_feature and choice.text is TextFeatures.ERROR and len(column.levels) <= _FEW_NUMBERS:
        advice += ", write target.text=onehot if all of these are levels"
    if is_feature and choice.features is None:
        advice += f", or leave the column out by {typed('target.drop', [*choice.drop, column.name])}"
    what = f"{name} has text ({shown} in {_places(given, rows)}) beside numbers ({numbers[0]!r}): {advice}"
    yield Fault(what, {}, (), is_explained=True)
    if len(otherwise) > 1:
        yield _written_otherwise(name, replace(column, levels=list(numbers)), (), otherwise)


def _mixed(given: Parts, column: Column, numeric: Sequence[str]) -> Fault:
    text = next((level for level in column.levels if number(level) is None), column.levels[0])
    rows = np.flatnonzero(column.codes == column.levels.index(text))
    what = (
        f"column {column.name!r} has text ({text!r} in {given.sheet.place(int(rows[0]))}) beside numbers "
        f"({numeric[0]!r})"
    )
    return Fault(what, {}, (column.name,))


def _dropped(columns: Sequence[Column], what: str) -> Fault:
    return Fault(f"{_columns(columns)} {_hold(columns)} {what}", {}, tuple(column.name for column in columns))


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
        if 1 < len(found) <= min(_FEW_CLASSES, len(values) / _PER_CLASS) and (found % 1 == 0).all():
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
            f"{where}: column{'s' if several else ''} {_listed(counting)} {looks}; write "
            f"{typed('target.drop', [*choice.drop, *counting])} if {'they are' if several else 'it is'}."
        )


def _counts_rows(column: Column) -> bool:
    """Say whether a column holds each number from 0 or 1 on once."""
    values = column.numbers
    if values is None or len(values) <= _FEW_ROWS or values.min() not in (0, 1):
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


def _columns(columns: Sequence[Column]) -> str:
    names = _listed([column.name for column in columns])
    return f"column {names}" if len(columns) == 1 else f"{len(columns)} columns ({names})"


def _hold(columns: Sequence[Column]) -> str:
    return "holds" if len(columns) == 1 else "hold"


def _lack(columns: Sequence[Column]) -> str:
    return "lacks" if len(columns) == 1 else "lack"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(repr, texts[:_SHOWN])) + ", ..." * (len(texts) > _SHOWN)


def _some(given: Parts, rows: Array) -> str:
    return f"{counted(len(rows), 'value')} in {_places(given, rows)}"


def _places(given: Parts, rows: Array) -> str:
    numbers = ", ".join(str(given.sheet.lines[row]) for row in rows[:_SHOWN]) + ", ..." * (len(rows) > _SHOWN)
    total = f" ({len(rows)} of {len(given.sheet.lines)})" if len(rows) > 1 else ""
    return f"{given.sheet.unit}{'s' if len(rows) > 1 else ''} {numbers}{total}"


def _first(column: Column) -> str:
    assert column.numbers is not None
    return f"{column.numbers[~column.missing][0]:.15g}"
