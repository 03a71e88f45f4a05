"""Notes about cells that are read as they are written, but are often meant otherwise."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from chainrule_targets.sheet import Column

_NO_VALUE = frozenset({"na", "n.a.", "none", "nil", "missing", "-", "--", "---", ".", ".."})  # in small letters
_BEGINS = re.compile(r"[-+\u2212(]?[$€£¥]?[\d.,]*\d")  # as numbers do
_EARLY, _LATE = 19000101, 21001231
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
        if level.lower() in _NO_VALUE:
            yield f"has the {kind} {level!r}; empty these cells if they have no value."
    by_letters: dict[str, list[str]] = {}
    for level in levels:
        by_letters.setdefault(level.casefold(), []).append(level)
    for same in by_letters.values():
        if len(same) > 1:
            yield f"has {' and '.join(map(repr, same))} as different {'classes' if kind == 'class' else 'levels'}."
    if kind == "class" and len(levels) > 2 and all(map(_BEGINS.match, levels)):
        yield f"has text that begins with numbers ({levels[0]!r}), each a class: no order or distance is learned."
