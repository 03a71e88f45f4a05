"""JSON files with typed entries."""

import enum
import functools
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from chainrule.errors import RecordError


class Entries(dict[str, Any]):
    """A JSON object whose entries are attributes, too; a subclass declares them with their types.

    It is a dictionary, so it can be written as JSON.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no entry {name!r}") from None

    @classmethod
    def checked(cls, data: Mapping[str, Any]) -> Self:
        """Return the data with the declared entries checked; other entries are kept as they are.

        Raises:
            ValueError: entries are missing or of the wrong type; the message lists their names.
        """
        entries, wrong = dict(data), []
        for name, hint in _hints(cls).items():
            try:
                entries[name] = _converted(entries[name], hint)
            except (KeyError, ValueError, OverflowError):  # OverflowError: no float can hold it
                wrong.append(name)
        if wrong:
            raise ValueError(", ".join(wrong))
        return cls(entries)


E = TypeVar("E", bound=Entries)


def read_entries(path: Path, cls: type[E], format_: int, what: str) -> E:
    """Read a JSON file.

    Args:
        path: the file.
        cls: class of its content.
        format_: required value of its entry ``format``.
        what: name of its content in errors, e.g. ``record``.

    Raises:
        FileNotFoundError: there is no such file.
        RecordError: it is damaged, or another version of the format wrote it.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}.") from None
    if not isinstance(content, dict) or content.get("format") != format_:
        raise RecordError(f"{path} is not a {what} of format {format_}, the format of this version of chainrule.")
    try:
        return cls.checked(content)
    except ValueError as error:
        raise RecordError(f"{path} is damaged: these entries are missing or of the wrong type: {error}.") from None


@functools.cache
def _hints(cls: type[Entries]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _converted(value: Any, hint: Any) -> Any:
    """Return a JSON value as the type ``hint``; raise ValueError if it is of another type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:  # with None
        return None if value is None else _converted(value, arguments[0])
    if hint is Any:
        return value
    if hint is float and type(value) is int:
        return float(value)
    if origin is list and isinstance(value, list):
        return [_converted(item, arguments[0]) for item in value]
    if origin is dict and isinstance(value, dict):
        return value if arguments[1] is Any else {key: _converted(item, arguments[1]) for key, item in value.items()}
    if origin is None and issubclass(hint, Entries) and isinstance(value, dict):
        return hint.checked(value)
    if origin is None and issubclass(hint, enum.Enum):
        return hint(value)
    if origin is None and type(value) is hint:
        return value
    raise ValueError(f"{value!r} is not of type {hint}")
