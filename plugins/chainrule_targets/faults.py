"""What keeps the chosen columns of a sheet from being used, and which settings mend that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.schema import number
from chainrule.errors import counted
from chainrule.files.words import typed
from chainrule_targets.cells import (
    Notation,
    are_dates,
    is_no_value,
    mostly,
    notations,
    shared,
    signs,
    uneven_signs,
)
from chainrule_targets.choice import FEW_CLASSES, FEW_ROWS, SHOWN, Choice, Missing, Parts, Task, TextFeatures, quoted
from chainrule_targets.doubts import Texts
from chainrule_targets.sheet import Column

_FEW_NUMBERS = 10  # as many may be levels of text, as in 0, 1, 2, 3+
_FEW_CELLS = 0.05  # share of cells that are text by mistake


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
    many = len(levels) > max(FEW_CLASSES, rows / 2)
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
        what = f"{name} has {len(levels)} different texts in {rows} rows ({quoted(levels)}), too many for classes"
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
        yield _dropped(names, f"another text in each row ({quoted(names[0].levels)})")
    if text:
        examples = _text_of(given, text[0])
        what = f"{_columns(text)} {_hold(text)} text ({examples}{', ...' if len(text) > 1 else ''})"
        yield Fault(what, {"text": TextFeatures.ONEHOT}, tuple(column.name for column in text))
    if dates:
        yield _dropped(dates, f"dates ({dates[0].levels[0]!r})")
    if many:
        most = max(len(column.levels) for column in many)
        yield _dropped(
            many, f"text of up to {counted(most, 'level')} ({quoted(many[0].levels)}), more than target.levels"
        )


def _text_of(given: Parts, column: Column) -> str:
    """Return examples of a column's text; where it also has numbers, the first text and where it is."""
    words = [level for level in column.levels if number(level) is None]
    if len(words) == len(column.levels):
        return quoted(words)
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
    return FEW_ROWS < len(column.levels) == np.count_nonzero(~column.missing)


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
    shown = quoted([first, *(word for word in words if word != first)])
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


def _columns(columns: Sequence[Column]) -> str:
    names = quoted([column.name for column in columns])
    return f"column {names}" if len(columns) == 1 else f"{len(columns)} columns ({names})"


def _hold(columns: Sequence[Column]) -> str:
    return "holds" if len(columns) == 1 else "hold"


def _lack(columns: Sequence[Column]) -> str:
    return "lacks" if len(columns) == 1 else "lack"


def _some(given: Parts, rows: Array) -> str:
    return f"{counted(len(rows), 'value')} in {_places(given, rows)}"


def _places(given: Parts, rows: Array) -> str:
    numbers = ", ".join(str(given.sheet.lines[row]) for row in rows[:SHOWN]) + ", ..." * (len(rows) > SHOWN)
    total = f" ({len(rows)} of {len(given.sheet.lines)})" if len(rows) > 1 else ""
    return f"{given.sheet.unit}{'s' if len(rows) > 1 else ''} {numbers}{total}"


def _first(column: Column) -> str:
    assert column.numbers is not None
    return f"{column.numbers[~column.missing][0]:.15g}"
