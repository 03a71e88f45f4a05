"""How a target reads a file, for a person to look at before training."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ColumnOverview:
    """One column of a file.

    Attributes:
        name: as the file has it.
        kind: ``numbers``, ``text`` or ``true or false``.
        missing: how many values are missing.
        levels: how many different texts there are; None for numbers.
        examples: some of the texts.
        use: ``label``, ``feature`` or ``left out``.
    """

    name: str
    kind: str
    missing: int
    levels: int | None
    examples: tuple[str, ...]
    use: str


@dataclass(frozen=True)
class Overview:
    """A file as a target reads it.

    Attributes:
        rows: number of rows of the file.
        columns: in their order.
        task: ``regression`` or ``classification``; None where something is wrong.
        label: names of the label columns.
        classes: of a classification.
        left_out: columns that are not used, with the reason.
        notes: what the person should know.
        error: what is wrong, with the settings that mend it; None if nothing is.
        settings: overrides by which the file can be trained on; empty if there are none.
        outputs: number of outputs with these settings.
        trains_as: the task with these settings; None if there are none.
    """

    rows: int
    columns: tuple[ColumnOverview, ...]
    task: str | None
    label: tuple[str, ...]
    classes: tuple[str, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    error: str | None
    settings: tuple[str, ...]
    outputs: int
    trains_as: str | None
