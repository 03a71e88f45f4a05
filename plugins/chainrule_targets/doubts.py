"""Notes about cells that are read as they are written, but are often meant otherwise."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np

from chainrule_targets.cells import is_no_value
from chainrule_targets.sheet import Column

# Returns the different texts of some columns, by name; none of files whose numbers are no text.
Texts = Callable[[Collection[str]], Mapping[str, Sequence[str]]]

_BEGINS = re.compile(r"[-+\u2212(]?[$€£¥]?[\d.,]*\d")  # as numbers do
_THOUSAND = 1000
_EARLY, _LATE = 19000101, 21001231
_GROUPED = re.compile(r"[-+]?([1-9]\d{0,2}\.\d{3}|\d{1,3})")  # a thousand and more, or less
_EXACT = 2**53  # whole numbers beyond are not exact


def doubts(labels: Sequence[Column], features: Sequence[Column], where: str) -> Iterator[str]:
    """Yield a sentence for each thing that may be meant otherwise.

    Args:
        labels: columns that are used as labels.
        features: columns that are used as features.
        where: begins every sentence.
    """
    used = [*((column, True) for column in labels), *((column, False) for column in features)]
    for column, is_label in used:
        name = f"{where}: {'label' if is_label else 'column'} {column.name!r}"
        if column.numbers is not None:
            yield from (f"{name} {doubt}" for doubt in _of_numbers(column.numbers[~column.missing]))
        else:
            kind = "class" if is_label else "level"
            yield from (f"{name} {doubt}" for doubt in _of_text(column.levels, kind))


def thousands(columns: Sequence[Column], texts: Texts, where: str) -> Iterator[str]:
    """Yield a sentence for each column whose points may separate thousands, as ``1.234``, if no other point is a mark.

    Args:
        columns: those that are used, of a file with semicolons, as programs write it that write commas in numbers.
        texts: returns the different texts of some columns.
        where: begins every sentence.
    """
    values = {column.name: column.numbers[~column.missing] for column in columns if column.numbers is not None}
    broken = {name: found[found % 1 != 0] for name, found in values.items() if (found % 1 != 0).any()}
    sizes = np.abs(np.concatenate([*broken.values(), np.empty(0)]))
    if not len(sizes) or sizes.min() < 1 or sizes.max() > _THOUSAND or (np.abs(sizes - sizes.round(3)) > 0).any():
        return
    written = texts(list(broken))
    if not all(_GROUPED.fullmatch(text) for found in written.values() for text in found):
        return
    for name, found in written.items():
        example = next(text for text in found if "." in text)
        yield (
            f"{where}: column {name!r} has three digits behind each point ({example!r}); write target.decimal=comma "
            f"target.thousands=point if {example} is {example.replace('.', '')}."
        )


def _of_numbers(numbers: np.ndarray) -> Iterator[str]:
    if not len(numbers):
        return
    if _EARLY <= numbers[0] <= _LATE and len(days := np.unique(numbers)) > 1:
        month, day = days // 100 % 100, days % 100
        if ((days % 1 == 0) & (days <= _LATE) & (days >= _EARLY) & (month % 13 > 0) & (month < 13)).all() and (
            (day >= 1) & (day <= 31)
        ).all():
            yield f"has numbers that look like dates ({days[0]:.0f}); as numbers they leap from month to month."
    if np.abs(numbers).max() > _EXACT and (numbers % 1 == 0).all():
        yield "has whole numbers above 2**53, whose last digits are lost; leave it out if it only names rows."


def _of_text(levels: Sequence[str], kind: str) -> Iterator[str]:
    for level in levels:
        if is_no_value(level):
            yield f"has the {kind} {level!r}; empty these cells if they have no value."
    by_letters: dict[str, list[str]] = {}
    for level in levels:
        by_letters.setdefault(level.casefold(), []).append(level)
    for same in by_letters.values():
        if len(same) > 1:
            yield f"has {' and '.join(map(repr, same))} as different {'classes' if kind == 'class' else 'levels'}."
    if kind == "class" and len(levels) > 2 and all(map(_BEGINS.match, levels)):
        yield f"has text that begins with numbers ({levels[0]!r}), each a class: no order or distance is learned."
