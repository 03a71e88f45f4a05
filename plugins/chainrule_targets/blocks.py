"""A file some rows at a time, for predictions: a text file need not fit into memory."""

import bz2
import csv
import gzip
import io
import lzma
import zlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

from chainrule.errors import ConfigurationError, counted
from chainrule_targets.dialect import UTF16, Text, read_text
from chainrule_targets.sheet import BINARY, Dialect, Sheet, read_sheet, sheet_of

_CHARACTERS = 1 << 23  # of a block, about
_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def read_sheets(path: Path, where: str, dialect: Dialect, as_text: Collection[str] = ()) -> Iterator[Sheet]:
    """Yield the rows of a file as sheets with the same columns: of text files some at a time, of others all.

    Args:
        path: the file.
        where: begins every error message.
        dialect: how it is to be read.
        as_text: names of columns whose numbers are texts, too.

    Raises:
        ConfigurationError: it cannot be read, or is not a complete table.
    """
    *_, ending = [ending.lower() for ending in path.suffixes if ending.lower() not in _OPENERS] or [""]
    if ending in BINARY:
        yield read_sheet(path, where, dialect, as_text)
        return
    first: Text | None = None
    before = 0  # lines
    for block in _blocks(path, where, dialect.encoding):
        if first is None:
            text = first = read_text(block.encode(), where, "utf-8", dialect.delimiter, dialect.header, least=1)
        elif not block.strip():
            continue
        else:
            text = _continued(block, first, where)
            text = replace(text, lines=text.lines + before - first.has_header)
        yield sheet_of(text, where, dialect.notation, as_text)
        before += block.count("\n") or block.count("\r")


def _continued(block: str, first: Text, where: str) -> Text:
    """Return a later block, read as the first was."""
    named = io.StringIO()
    csv.writer(named, delimiter=first.delimiter, lineterminator="\n").writerow(first.names[first.named_rows :])
    header = named.getvalue() if first.has_header else ""
    text = read_text((header + block).encode(), where, "utf-8", first.delimiter, first.has_header, least=1)
    if text.names != first.names:
        raise ConfigurationError(
            f"{where}: rows further below have {counted(len(text.names), 'cell')}, not {len(first.names)}."
        )
    return text


def _blocks(path: Path, where: str, encoding: str) -> Iterator[str]:
    """Yield a text in blocks of whole lines; the first has the header and more, if there is more."""
    read, left, more, begun = 0, "", True, False
    try:
        with _opened(path) as binary:
            if encoding == "auto":
                encoding = "utf-16" if cast("io.BufferedReader", binary).peek(2).startswith(UTF16) else "utf-8-sig"
            file = io.TextIOWrapper(binary, encoding, newline="")
            while more:
                found = file.read(_CHARACTERS)
                more, left = bool(found), left + found
                end = _end(left) if more else len(left)
                if not more or (end and (begun or _has_rows(left[:end]))):
                    yield left[:end]
                    read, left, begun = read + left.count("\n", 0, end), left[end:], True
    except LookupError:
        raise ConfigurationError(
            f"target.encoding={encoding} is not an encoding that Python knows, such as utf-8 or cp1252."
        ) from None
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{bytes(error.object)[error.start]:02x} is not {error.encoding.upper()}"
        raise ConfigurationError(f"{where}: {wrong}, after line {read}; set target.encoding.") from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ConfigurationError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", _OPENERS.get(path.suffix.lower(), open)(path, "rb"))


def _has_rows(text: str) -> bool:
    """Say whether there is more than one line that is not blank."""
    return any(mark in text.strip() for mark in "\r\n")


def _end(text: str) -> int:
    """Return where the last line ends that does not end within quotes; 0 if there is none."""
    mark = "\n" if "\n" in text else "\r"
    end = text.rfind(mark) + 1
    quotes = text.count('"', 0, end)
    while end and quotes % 2:
        earlier = text.rfind(mark, 0, end - 1) + 1
        quotes -= text.count('"', earlier, end)
        end = earlier
    return end
