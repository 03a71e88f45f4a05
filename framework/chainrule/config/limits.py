"""What an override may be, so that reading it is quick and what it asks for can be done."""

import decimal
import math
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep

from chainrule.config.layers import JOINT, LAYERED, names_in
from chainrule.errors import ConfigurationError
from chainrule.files.words import shell_word
from chainrule.registry.kinds import GROUPS

MOST_RUNS = 100_000  # of a sweep, and values of a key in it
_CHARACTERS = 1_000_000
_KEY = 200  # characters of a key, or of what is none
_ENTRIES = 2000  # of lists: Hydra reads one in a time that grows with the square of its length
_DEPTH = 20  # of brackets, which Hydra reads by recursion
_DIGITS = 1000  # Python reads numbers up to 4300 digits
_ADVICE = (
    "draw some of them from an interval by hydra.sweeper.random=NUMBER, search by hydra/sweeper=stacked_optuna, or "
    "split the sweep"
)
_JOB_NAME = "hydra.job.name"  # which becomes the name of a file
_BRACKETS = {"[": 1, "{": 1, "(": 1, "]": -1, "}": -1, ")": -1}


def require_readable(text: str) -> None:
    """Refuse a text that would take long to read, or that no file can hold.

    Raises:
        ConfigurationError: it is too long, too deep, or has characters that are none.
    """
    key = text.partition("=")[0]
    if len(key) > _KEY:
        raise ConfigurationError(f"{key[:40]!r} ... is no key: it has {len(key):,} characters.")
    if not is_text(text):
        raise ConfigurationError(f"{key!r} has bytes that are no text in UTF-8; rename what has such a name.")
    if len(text) > _CHARACTERS:
        raise ConfigurationError(
            f"{key} is {len(text):,} characters long, but {_CHARACTERS:,} can be read: write it into a file of conf."
        )
    if re.search(rf"\d{{{_DIGITS}}}", text):
        raise ConfigurationError(f"{key} has a number of more than {_DIGITS} digits, which nothing here can be.")
    if text.count(",") < _ENTRIES and sum(map(text.count, "[{(")) < _DEPTH:
        return
    depths = list(accumulate(_BRACKETS.get(character, 0) for character in text))
    if max(depths) > _DEPTH:
        raise ConfigurationError(f"{key} has brackets in brackets, {max(depths)} deep; {_DEPTH} can be read.")
    inside = sum(character == "," and depth > 0 for character, depth in zip(text, depths, strict=True))
    if inside > _ENTRIES:
        raise ConfigurationError(f"{key} has lists of {inside:,} entries; {_ENTRIES:,} can be read.")


def require_usable(override: Override) -> None:
    """Refuse values that no key can have, whatever the configuration is.

    Raises:
        ConfigurationError: there is such a value; the sentence says what to write.
    """
    key = override.key_or_group
    value: Any = override.value()
    if isinstance(value, RangeSweep):
        _require_numbers(str(override.input_line), value)
    if override.is_interval_sweep() and not all(map(math.isfinite, (value.start or 0.0, value.end or 0.0))):
        raise ConfigurationError(f"{override.input_line} has an end that is no finite number.")
    values = value.list if isinstance(value, ChoiceSweep) else [value]
    if len(values) > MOST_RUNS:
        raise ConfigurationError(_too_many(f"{key} has", len(values), "values"))
    for one in values:
        if key in GROUPS:
            _require_choice(key, one)
        if key == _JOB_NAME and isinstance(one, str) and (not one.strip() or "/" in one or len(one) > 100):
            raise ConfigurationError(
                f"{_JOB_NAME}={one[:40]} cannot name the log: it must have 1 to 100 characters and no slash; "
                "hydra.run.dir and hydra.sweep.dir choose a folder."
            )


def require_few(overrides: Sequence[Override]) -> None:
    """Refuse a sweep over all combinations that are too many.

    Raises:
        ConfigurationError: there are too many.
    """
    counts = [_count(override) for override in overrides if override.is_sweep_override()]
    require_runs(math.prod(counts))


def require_runs(count: int, advice: str = "") -> None:
    """Refuse a sweep of too many runs.

    Args:
        count: how many there are.
        advice: what to do about it; empty for what suits a grid.

    Raises:
        ConfigurationError: there are too many; the sentence says what to do.
    """
    if count > MOST_RUNS:
        raise ConfigurationError(_too_many("these are", count, "runs", advice))


def _too_many(which: str, count: int, what: str, advice: str = "") -> str:
    """Say what to do instead of too many runs."""
    shown = f"{count:,}" if count < 10**15 else f"{decimal.Decimal(count):.1e}"
    return f"{which} {shown} {what}, but a sweep has {MOST_RUNS:,} at most: {advice or _ADVICE}."


def _require_numbers(text: str, value: RangeSweep) -> None:
    numbers = [value.start, value.stop, value.step]
    if not all(number is not None and math.isfinite(number) for number in numbers):
        raise ConfigurationError(f"{text} has a bound or a step that is no finite number: write range(0,10,2).")
    if not value.step:
        raise ConfigurationError(f"{text} has a step of 0 and would never end: write range(0,10,2).")
    count = _numbers_in(value)
    if count > MOST_RUNS:
        raise ConfigurationError(_too_many(f"{text} has", count, "values"))


def _count(override: Override) -> int:
    value: Any = override.value()
    if isinstance(value, RangeSweep):
        return _numbers_in(value)
    return len(value.list) if isinstance(value, ChoiceSweep) else 1


def _numbers_in(value: RangeSweep) -> int:
    start, stop, step = (decimal.Decimal(str(number)) for number in (value.start, value.stop, value.step))
    return max(0, math.ceil((stop - start) / step))


def _require_choice(group: str, value: Any) -> None:
    """Refuse what is no name, or no list of names where a run has a list."""
    takes_list = GROUPS[group].many or group in LAYERED
    entries = value if isinstance(value, list) else [value]
    is_empty = not entries and not GROUPS[group].many
    if is_empty or (isinstance(value, list) and not takes_list):
        names = ",".join(map(str, entries)) or "NAME"
        several = f", or for a sweep -m {shell_word(f'{group}={names}')}" if len(entries) > 1 else ""
        raise ConfigurationError(
            f"{group}=[{','.join(map(str, entries))}] is a list, but a run has one: write "
            f"{shell_word(f'{group}={entries[0] if entries else names}')}{several}."
        )
    for entry in entries:
        if isinstance(entry, str) and not all(names_in(group, entry)):
            given = [name for name in names_in(group, entry) if name] or ["NAME"]
            raise ConfigurationError(f"{group}={entry} lacks a name: write {group}={JOINT.join(given)}.")
        if entries.count(entry) > 1 and GROUPS[group].many:
            raise ConfigurationError(f"{group}=[{','.join(map(str, entries))}] has {entry} twice; once is enough.")
        if isinstance(entry, list | dict) and not (isinstance(value, dict) and entry is value):
            raise ConfigurationError(f"{group} has a list in a list; it is a list of names: write {group}=[NAME,NAME].")


def is_text(text: str) -> bool:
    """Say whether a file can hold a text: not with NUL, nor with what stands for bytes that are no text."""
    if text.isprintable():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
