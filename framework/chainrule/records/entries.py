"""JSON files with typed entries, whose last line is the checksum of all others."""

import enum
import functools
import hashlib
import json
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

from chainrule.errors import RecordError
from chainrule.files.reading import read_within

CHECKSUM = "checksum"
_SEAL = re.compile(rb',\n "checksum": "([0-9a-f]{64})"\n\}\n')
_LENGTH = len(b',\n "checksum": ""\n}\n') + 64
_DEPTH = 32  # of what is nested in a file
_MOST = 1 << 24  # bytes of a file, unless more is said


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


def sealed(entries: Mapping[str, Any]) -> bytes:
    """Return a JSON object, a line an entry; the last, ``checksum``, is the SHA-256 of the lines before it.

    Raises:
        ValueError: a number is not finite.
    """
    # One line per entry, because indenting everything takes ten times as long.
    lines = ",\n".join(
        f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in entries.items() if key != CHECKSUM
    )
    body = f"{{\n{lines}".encode()
    return body + f',\n "{CHECKSUM}": "{hashlib.sha256(body).hexdigest()}"\n}}\n'.encode()


def read_entries(
    path: Path, cls: type[E], format_: int, what: str, unsealed: tuple[int, ...] = (), most: int = _MOST
) -> E:
    """Read a JSON file that :func:`sealed` has made, in bounded time and memory, whatever it holds.

    Args:
        path: the file.
        cls: class of its content.
        format_: required value of its entry ``format``.
        what: name of its content in errors, e.g. ``record``.
        unsealed: formats of earlier versions, which had no checksum.
        most: how many bytes it may have.

    Raises:
        FileNotFoundError: there is no such file.
        RecordError: it is damaged, or another version of the format wrote it.
    """
    try:
        data = read_within(path.parent, path.name, most)
        content = json.loads(data, parse_constant=_not_finite)
        _require_plain(content)
    except FileNotFoundError:
        raise
    except RecursionError:
        raise RecordError(f"{path} cannot be read: too much is nested in it.") from None
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise RecordError(f"{path} cannot be read: {cause}.") from None
    found = content.get("format") if isinstance(content, dict) else None
    seal = _SEAL.fullmatch(data[-_LENGTH:])
    if found not in (format_, *unsealed) or type(found) is not int:
        raise RecordError(f"{path} is not a {what} of format {format_}, the format of this version of chainrule.")
    if seal or found == format_ or CHECKSUM in content:
        if not seal or hashlib.sha256(data[:-_LENGTH]).hexdigest() != seal[1].decode():
            raise RecordError(f"{path} is damaged: it was changed after it was written, as its checksum says.")
        del content[CHECKSUM]
    try:
        return cls.checked(content)
    except ValueError as error:
        raise RecordError(f"{path} is damaged: these entries are missing or of the wrong type: {error}.") from None


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _require_plain(content: Any) -> None:
    """Check that content can be handled everywhere: little is nested, and each text can be printed and encoded.

    Raises:
        ValueError: it cannot.
    """
    left = [(content, 0)]
    while left:
        value, depth = left.pop()
        if isinstance(value, str):
            if not value.isascii():
                value.encode()  # which half a pair of surrogates refuses
            if "\0" in value:
                raise ValueError("a text holds NUL")
        elif isinstance(value, dict | list):
            if depth == _DEPTH:
                raise ValueError("too much is nested in it")
            parts = (*value, *value.values()) if isinstance(value, dict) else value
            left.extend((part, depth + 1) for part in parts)


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
