"""One error class per audience: who reads the message decides the class; and what sentences have in common."""

import difflib
import errno
from collections.abc import Iterable

_LONG = 300  # characters of an unexpected error's message that are kept
_LONGEST = 2000  # and of an expected one's, which may quote what was typed
_OF_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


class ChainruleError(Exception):
    """Base of every expected error, as opposed to a defect; the command prints it as one sentence."""


class ConfigurationError(ChainruleError):
    """For the person who starts a run: an option, a value or a data file is wrong."""


class PluginError(ChainruleError):
    """For the author of a plugin: a component or a hook breaks its contract."""


class RecordError(ChainruleError):
    """For the reader of a record: it is missing, unfinished or damaged."""


def nearest(word: object, choices: Iterable[object], likeness: float = 0.5) -> str:
    """Return ``" (did you mean 'adam'?)"`` for the choice closest to ``word``, or an empty string.

    Args:
        word: what was given.
        choices: what could have been meant.
        likeness: smallest similarity of a suggestion, from 0 to 1.
    """
    lowered = {str(choice).lower(): str(choice) for choice in choices}
    close = difflib.get_close_matches(str(word).lower(), lowered, n=1, cutoff=likeness)
    return f" (did you mean {lowered[close[0]]!r}?)" if close else ""


def counted(number: int, noun: str) -> str:
    """Return ``1 run`` or ``2 runs``: a number of things, as a sentence says it.

    Args:
        number: how many.
        noun: one of them, such as ``run``, ``class`` or ``entry``.
    """
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeou":
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}{'es' if noun.endswith(('s', 'x', 'tch')) else 's'}"


def agreeing(number: int, one: str, many: str) -> str:
    """Return the word that a number asks for, such as ``has`` or ``have``."""
    return one if number == 1 else many


def listed(things: Iterable[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``: at least one thing, as a sentence lists them."""
    *others, last = things
    return f"{', '.join(others)} and {last}" if others else last


def text_of(error: BaseException) -> str:
    """Return the text of an exception; empty if it has none, or if a plugin's own class of errors fails to say it."""
    try:
        return str(error)
    except Exception:
        return ""


def shortened(text: str) -> str:
    """Return a text without its middle, if it is so long that nobody would read it."""
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} ... {text[-half:]}"


def in_a_line(text: str) -> str:
    """Return a text in which line breaks and the like, such as somebody has typed, are written as escapes."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def sentence(error: BaseException) -> str:
    """Return the message of an exception; that of an unexpected error is cut to one short line."""
    if isinstance(error, ChainruleError):
        return shortened(text_of(error) or type(error).__name__)
    first = next(filter(str.strip, text_of(error).splitlines()), "")
    name, message = type(error).__name__, f"{first[:_LONG]} ..." if len(first) > _LONG else first
    return f"{name}: {message}" if message else name


def is_of_disk(error: BaseException) -> bool:
    """Say whether a disk is full, or may only be read, so that no program is to blame."""
    return isinstance(error, OSError) and error.errno in _OF_DISK


def ending(error: ChainruleError | MemoryError | OSError) -> str:
    """Return the sentence with which an error that can be expected ends a command: of memory and disks, what lacks."""
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}. Lower data.samples, network.hidden or training.epochs."
    if isinstance(error, OSError):
        return shortened(f"cannot write to {error.filename or 'the output directory'}: {error}.")
    return sentence(error)
