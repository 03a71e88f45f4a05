"""Overrides as a person types them into a shell."""

import re
import shlex
from collections.abc import Iterable

from chainrule.errors import ConfigurationError

_BARE = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*|-?(0|[1-9]\d*)")  # what Hydra reads as the text that it is
_MEANT = {"true", "false", "null", "nan", "inf", "-inf"}  # which Hydra reads as something else
_SHELL = re.compile(r"[A-Za-z0-9_./=:,+@%-]+")  # without brackets, with which zsh looks for files


def resuming(directory: object) -> str:
    """Return the command that finishes the sweep in a directory, as one types it."""
    return f"chainrule resume {shell_word(str(directory))}"


def syncing(directory: object) -> str:
    """Return the command that sends the records in a directory to their tracker, as one types it."""
    return f"chainrule sync {shell_word(str(directory))}"


def typed(key: str, value: object) -> str:
    """Return ``key=value`` as one word of a command line, quoted for Hydra and for a shell where that is needed.

    Args:
        key: of the configuration, such as ``target.path``.
        value: a text, or a list or tuple of texts; one alone needs no brackets.
    """
    texts = list(map(hydra_text, value if isinstance(value, list | tuple) else [str(value)]))
    text = texts[0] if len(texts) == 1 else f"[{','.join(texts)}]"
    return shell_word(f"{key}={text}")


def texts(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return the texts of a list; a text alone is one of them, and not read letter by letter.

    Raises:
        ConfigurationError: it is neither.
    """
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise ConfigurationError(f"{value!r} is no text, and no list of texts.")
    return tuple(value)


def hydra_text(value: str) -> str:
    """Return a text as Hydra's grammar wants it: in single quotes, unless all of it can stand alone."""
    if _BARE.fullmatch(value) and value.lower() not in _MEANT:
        return value
    mark = '"' if "!" in value and "'" not in value else "'"  # inside the single quotes that a shell then needs
    text = re.sub(rf"(\\+)(?={mark}|$)", r"\1\1", value)  # backslashes count before a quote only
    return mark + text.replace(mark, "\\" + mark) + mark


def shell_word(word: str) -> str:
    """Return a word in the quotes that a shell needs, double ones if possible."""
    if _SHELL.fullmatch(word):
        return word
    if "!" in word:  # in double quotes bash and zsh look for what was typed before
        return shlex.quote(word)
    return '"' + re.sub(r'(["$`]|\\(?=["$`\\]|$))', r"\\\1", word) + '"'
