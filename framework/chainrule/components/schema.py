"""The columns of a table as a run reads them: which become inputs, how, and what its outputs and classes are called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ConfigurationError, counted, nearest

NUMBER, TRUTH, ONEHOT, ORDINAL = "number", "truth", "onehot", "ordinal"
# What stands for no value: what pandas takes for it, and the question mark of many collections.
MISSING = frozenset({"", "NA", "N/A", "n/a", "nan", "NaN", "-nan", "-NaN", "null", "NULL", "None", "?"}) | {
    *("#N/A", "#N/A N/A", "#NA", "<NA>", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
}
_MISSING = MISSING | {"NaT"}  # as pandas writes it
_SHOWN = 5  # names that a sentence lists

Place = Callable[[int], str]  # says where a row is, from its number: "line 7"
Read = Callable[[Sequence[str]], Sequence[float | None]]  # returns what ``numbers`` does, of numbers however written


def number(cell: str) -> float | None:
    """Return the number that a cell holds, NaN and infinite ones included, or None for text."""
    if "_" in cell:  # float("1_000") is 1000.0
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def numbers(cells: Sequence[str]) -> list[float | None]:
    """Return the number that each of some cells holds, or None for text, see :func:`number`."""
    return [number(cell) for cell in cells]


@dataclass(frozen=True)
class Block:
    """Some rows of a table.

    Attributes:
        columns: by name, each ``(rows,)``: float64, NaN where a value is missing, or text, None where it is.
        lines: the line of the file, or the number of the row, ``(rows,)``.
        unit: ``line`` or ``row``.
        read: reads the numbers in cells of text.
    """

    columns: Mapping[str, NDArray[Any]]
    lines: NDArray[Any]
    unit: str
    read: Read = numbers

    def place(self, row: int) -> str:
        """Say where a row is."""
        return f"{self.unit} {self.lines[row]}"


@dataclass(frozen=True)
class Feature:
    """A column and the inputs that it becomes.

    Attributes:
        name: of the column.
        kind: ``number``; ``truth`` for true and false, 1 and 0; of text ``onehot``, one input a level, or ``ordinal``,
            the place of the level.
        levels: the texts that there may be, in their order; none for numbers.
        indicator: whether one more input is 1 where the value is missing.
    """

    name: str
    kind: str = NUMBER
    levels: tuple[str, ...] = ()
    indicator: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        own = tuple(f"{self.name}={level}" for level in self.levels) if self.kind == ONEHOT else (self.name,)
        return (*own, f"{self.name} is missing") if self.indicator else own

    def of_levels(self) -> NDArray[np.float64]:
        """Return the inputs of each level and, in the last row, of a missing value, ``(levels + 1, inputs)``."""
        count = len(self.levels)
        if self.kind == ONEHOT:
            values = np.vstack([np.eye(count), np.zeros(count)])
        else:
            values = np.array([*range(count), np.nan])[:, None]
        return np.hstack([values, np.arange(count + 1)[:, None] == count]) if self.indicator else values

    def encoded(self, values: Any, place: Place, read: Read = numbers) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the inputs of each row, ``(rows, inputs)``, NaN where nothing stands for what is missing; and where.

        Args:
            values: a column of numbers, or of anything whose text counts, ``(rows,)``.
            place: says where a row is.
            read: reads the numbers in cells of text.

        Raises:
            ConfigurationError: a value is of another kind than the column is, or a level is not known.
        """
        cells = np.asarray(values)
        if self.kind != NUMBER:
            codes = self._codes(cells, place)
            return self.of_levels()[codes], codes == len(self.levels)
        found = self._numbers(cells, place, read)
        missing = np.isnan(found)
        columns = [found, missing] if self.indicator else [found]
        return np.column_stack(columns).astype(float), missing

    def _numbers(self, cells: NDArray[Any], place: Place, read: Read) -> NDArray[np.float64]:
        found = cells.astype(float) if cells.dtype.kind in "iuf" else self._read(_texts(cells), place, read)
        wrong = np.flatnonzero(np.isinf(found))
        if len(wrong):
            raise ConfigurationError(
                f"column {self.name!r} has {found[wrong[0]]} in {place(int(wrong[0]))}, no finite number"
            )
        return found

    def _read(self, texts: Sequence[str], place: Place, read: Read) -> NDArray[np.float64]:
        there = list(dict.fromkeys(text for text in texts if text not in _MISSING))
        known = dict(zip(there, read(there), strict=True))
        for row, text in enumerate(texts):
            if known.get(text, np.nan) is None:
                raise ConfigurationError(
                    f"column {self.name!r} has text ({text!r} in {place(row)}), but the run has learned from numbers "
                    "there"
                )
        return np.array([known.get(text, np.nan) for text in texts], float)

    def _codes(self, cells: NDArray[Any], place: Place) -> NDArray[np.intp]:
        if cells.dtype.kind == "f":  # numbers that are levels: 3.0 is the text 3
            cells = np.array([f"{cell:.15g}" for cell in cells.tolist()], object)
        known: dict[str, int] = {}  # equal texts are looked for once
        texts = _texts(cells)
        for row, text in enumerate(texts):
            if text not in known:
                known[text] = self._code(text, place, row)
        return np.array([known[text] for text in texts], np.intp)

    def _code(self, text: str, place: Place, row: int) -> int:
        if text in _MISSING:
            return len(self.levels)
        found = text.lower() if self.kind == TRUTH else text
        if found not in self.levels:
            listing = _listed(self.levels)
            raise ConfigurationError(
                f"column {self.name!r} has {text!r} in {place(row)}, which was not there in training"
                f"{nearest(text, self.levels)}; the run knows {listing}"
            )
        return self.levels.index(found)


@dataclass(frozen=True)
class Schema:
    """What a run calls its inputs, outputs and classes, and the columns of a table that its inputs come from.

    Attributes:
        inputs, outputs: their names; ``x1, x2`` and so on, and ``y`` or ``y1, y2``, where they have none.
        classes: names of the classes, two for a single output; none in a regression.
        labels: columns of a table that hold the true values; none where this is not known.
        features: columns that become inputs, in their order.
        is_named: whether columns are found by their names; otherwise they may also be taken in their order.
        incomplete: columns that lacked values in the data of the run, if it fills in what is missing; None where this
            is not known, as of earlier records.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    features: tuple[Feature, ...]
    is_named: bool
    incomplete: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        task: str,
        inputs: int,
        outputs: int,
        *,
        input_names: Sequence[str] = (),
        output_names: Sequence[str] = (),
        class_names: Sequence[str] = (),
        label_names: Sequence[str] = (),
        features: Sequence[Feature] = (),
        incomplete: Sequence[str] | None = None,
    ) -> Self:
        """Return the schema of a run, with names where none are given.

        Args:
            task: ``regression`` or ``classification``.
            inputs: how many there are.
            outputs: how many there are.
            input_names: those of the inputs, as far as they have names; so below.
            output_names: several outputs of a classification are its classes.
            class_names: two, for a single output.
            label_names: columns of the true values.
            features: columns that become inputs; each input is one if there are none.
            incomplete: columns that lacked values, see the class.
        """
        named = tuple(input_names) or tuple(f"x{at}" for at in range(1, inputs + 1))
        is_regression = task == "regression"
        numbered = tuple(f"y{at}" for at in range(1, outputs + 1)) if outputs > 1 else ("y",)
        several = () if is_regression else tuple(str(at) for at in range(max(2, outputs)))
        classes = () if is_regression else tuple(class_names or (output_names if outputs > 1 else ()) or several)
        own = tuple(output_names) or (classes if outputs > 1 and classes else numbered)
        labels = tuple(label_names) or (own if is_regression else () if input_names else ("y",))
        columns = tuple(features) or tuple(map(Feature, named))
        lacking = None if incomplete is None else tuple(incomplete)
        return cls(named, own, classes, labels, columns, bool(input_names), lacking)

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> Self:
        """Return the schema that the entry ``data`` of a record's manifest describes."""
        features = [Feature(**{**each, "levels": tuple(each["levels"])}) for each in entry.get("features", ())]
        names = {key: entry.get(key, ()) for key in ("input_names", "output_names", "class_names", "label_names")}
        incomplete = entry.get("incomplete")
        return cls.of(
            entry["task"], entry["inputs"], entry["outputs"], **names, features=features, incomplete=incomplete
        )

    def as_entry(self, task: str) -> dict[str, Any]:
        """Return as plain data what does not follow from task and widths; nothing without names."""
        if not self.is_named:
            return {}
        found: dict[str, Any] = {"input_names": list(self.inputs), "output_names": list(self.outputs)}
        further: dict[str, Sequence[Any]] = {
            "class_names": self.classes,
            "label_names": self.labels,
            "features": [asdict(feature) for feature in self.features] if self._is_encoded else (),
        }
        usual = Schema.of(task, len(self.inputs), len(self.outputs), input_names=self.inputs, output_names=self.outputs)
        defaults: dict[str, Sequence[Any]] = {"class_names": usual.classes, "label_names": usual.labels, "features": ()}
        if self.incomplete is not None:
            found["incomplete"] = list(self.incomplete)
        return found | {key: list(value) for key, value in further.items() if value != defaults[key]}

    @property
    def _is_encoded(self) -> bool:
        return any(feature != Feature(name) for feature, name in zip(self.features, self.inputs, strict=False))

    def chosen(self, names: Sequence[str]) -> dict[str, str]:
        """Return which of some columns become inputs: their names by those of the features.

        Args:
            names: of all columns, in their order.

        Raises:
            ConfigurationError: columns are missing, or it is not clear which they are.
        """
        wanted, there = [feature.name for feature in self.features], set(names)
        missing = [name for name in wanted if name not in there]
        if not missing:
            return {name: name for name in wanted}
        if self.is_named:
            several = len(missing) > 1
            lacks = f"columns {_listed(missing)} are" if several else f"column {missing[0]!r} is"
            raise ConfigurationError(f"{lacks} missing{nearest(missing[0], names)}; there are {_listed(names)}")
        unlabelled = [name for name in names if name not in self.labels]
        if len(unlabelled) != len(wanted):
            raise ConfigurationError(
                f"there are {counted(len(unlabelled), 'column')} ({_listed(unlabelled)}), but the run has "
                f"{counted(len(wanted), 'input')}; give it these many, or name them {_listed(wanted)}"
            )
        return dict(zip(wanted, unlabelled, strict=True))


def _texts(cells: NDArray[Any]) -> list[str]:
    """Return the text of each cell."""
    if cells.dtype.kind not in "OUbiu":  # tolist would make numbers of dates
        cells = cells.astype(str)
    return [str(cell).strip() for cell in cells.tolist()]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
