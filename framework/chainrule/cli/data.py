"""``chainrule data``: how a file would be read, and the command that trains on it."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from chainrule.cli.common import parse, parser, reader_of
from chainrule.components.contracts import Target
from chainrule.components.overview import ColumnOverview, Overview
from chainrule.components.parameters import plain
from chainrule.config.compose import compose_target
from chainrule.errors import ChainruleError, counted
from chainrule.files.words import hydra_text, shell_word, typed
from chainrule.registry.loaded import installed

_MOST = 40  # columns that are listed


def main(arguments: Sequence[str]) -> None:
    """Show how a file is read: columns, types, missing values, labels, and the command that trains on it.

    Args:
        arguments: the file, ``target.PARAMETER=VALUE``, ``--json``.

    Raises:
        ChainruleError: no target reads such a file, or it is no table.
    """
    command = parser("data", "Show how a file would be read, and the command that trains on it.")
    command.add_argument("file", metavar="FILE", help="the file, such as measured.csv")
    command.add_argument(
        "settings",
        nargs="*",
        metavar="target.PARAMETER=VALUE",
        help="how to read it, such as target.label=price or target.decimal=comma",
    )
    command.add_argument("--json", action="store_true", help="print JSON, for programs")
    given = parse(command, arguments)
    name = reader_of(given.file, installed())
    for word in given.settings:
        if "=" not in word:
            raise ChainruleError(
                f"One file is shown at a time, and {word} is a further one: `chainrule data {shell_word(word)}` shows "
                "it. How a file is read is written target.PARAMETER=VALUE."
            )
        if not word.startswith("target."):
            raise ChainruleError(f"{word} is no parameter of target={name}: write target.PARAMETER=VALUE.")
    target = compose_target([f"target={name}", f"target.path={hydra_text(given.file)}", *given.settings])
    overview = target.overview()
    line = _command(target, given.file, overview)
    if given.json:
        print(json.dumps({"file": given.file, **dataclasses.asdict(overview), "command": line}, indent=1))
    else:
        print(_text(given.file, overview, line))


def _command(target: Target, file: str, overview: Overview) -> str | None:
    """Return the command that trains on the file; None if it cannot be used."""
    if overview.trains_as is None:
        return None
    words = ["chainrule", f"target={target.name}", typed("target.path", file), *overview.settings]
    standardize = plain(target).get("standardize")
    if standardize is False:
        words.append("target.standardize=true")
    return " ".join(words)


def _text(file: str, overview: Overview, command: str | None) -> str:
    width = max((len(column.name) for column in overview.columns[:_MOST]), default=0)
    lines = [f"{file}: {counted(overview.rows, 'row')}, {counted(len(overview.columns), 'column')}"]
    lines += [
        f"  {column.name or '(no name)':<{max(width, 9)}}  {_column(column)}" for column in overview.columns[:_MOST]
    ]
    if len(overview.columns) > _MOST:
        lines.append(f"  and {len(overview.columns) - _MOST} more")
    if overview.task:
        shown = (
            f", {counted(len(overview.classes), 'class')}: {', '.join(overview.classes[:10])}"
            if overview.classes
            else ""
        )
        lines.append(f"{overview.task} of {', '.join(overview.label)}{shown}")
    lines += [f"note: {note}" for note in overview.notes]
    if overview.error:
        lines.append(overview.error)
    lines.append(f"train: {command}" if command else "It cannot be trained on before this is mended.")
    return "\n".join(lines)


def _column(column: ColumnOverview) -> str:
    parts: list[Any] = [f"{column.use:<8}", f"{column.kind:<13}"]
    if column.levels:
        parts.append(f"{counted(column.levels, 'level')} ({', '.join(column.examples)}{', ...' * (column.levels > 3)})")
    if column.missing:
        parts.append(f"{column.missing} missing")
    return "  ".join(parts).rstrip()
