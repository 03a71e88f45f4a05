"""Overrides that cannot be read as they were typed: a sentence each, with the line that works in a shell."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

from chainrule.components.parameters import Parameter, parameters
from chainrule.config.layers import LAYERED
from chainrule.files.words import shell_word, typed
from chainrule.records.settings import SECTIONS, Seed
from chainrule.registry.kinds import GROUPS

_LIKENESS = 0.7  # at which a word counts as a misspelt key
_KEY = re.compile(r"[+~]*[\w./@-]+")
_BRACKETS = {"[": "]", "{": "}", "(": ")"}


def unread(words: Sequence[str], place: int) -> str:
    """Say how an override that Hydra cannot read is typed.

    Args:
        words: all overrides.
        place: of the one that is wrong.
    """
    word, following = words[place], words[place + 1 :]
    key, sign, value = word.partition("=")
    if not sign or not _KEY.fullmatch(key):
        return _no_override(words, place)
    if value.startswith("="):
        value = value.lstrip("=")
        return f"{word} has = twice: write {shell_word(f'{key}={value}')}."
    if value.strip(","):
        found = _broken_off(key, value, following)
        if found:
            return found
    return f"{word} has characters that need quotes: write {typed(key, value)}."


def several(word: str) -> str:
    """Say what to write where several values were typed, but only one run is asked for."""
    key, _, value = word.partition("=")
    said = f"{word} has several values, which are for a sweep"
    if "interval(" in value:  # of which a sweep draws some, or searches
        return f"{said} (-m; in Python chainrule.sweep)."
    known, ways = _parameter(key), []
    if "(" not in value:
        if (not known or known.type is float) and re.fullmatch(r"-?\d+,\d+", value):
            number = value.replace(",", ".")
            ways.append(f"a number {shell_word(f'{key}={number}')}")
        if "[" not in value and (known.many if known else key not in GROUPS or GROUPS[key].many or key in LAYERED):
            ways.append(f"a list {shell_word(f'{key}=[{value}]')}")
        if not known and key not in GROUPS and not re.fullmatch(r"[-+.,\deE]+", value):
            ways.append(f"one text {typed(key, value)}")
    others = f"; or write {', '.join(ways)}" if ways else ""
    return f"{said}: write `-m {shell_word(word)}` (in Python chainrule.sweep){others}."


def _parameter(key: str) -> Parameter | None:
    """Return what is known of a key that is not a component's: ``seed``, or one such as ``training.epochs``."""
    section, _, name = key.rpartition(".")
    cls = Seed if key == "seed" else SECTIONS.get(section)
    return parameters(cls).get(name) if cls else None


_ALSO = {  # what keys are called elsewhere
    "learning_rate": "lr",
    "eta": "lr",
    "bs": "batch_size",
    "batch": "batch_size",
    "hidden_layer_sizes": "hidden",
    "layers": "hidden",
    "units": "hidden",
    "n_epochs": "epochs",
    "max_iter": "epochs",
    "random_state": "seed",
    "precision": "dtype",
}


def keys_called(word: str, config: Mapping[str, Any]) -> list[str]:
    """Return the full names of keys that may have been meant by a word without their group: ``optimizer.lr`` by ``lr``.

    Args:
        word: what was typed.
        config: the configuration as plain data, with interpolations unresolved.
    """
    full: dict[str, list[str]] = {}
    for group, values in config.items():
        for key in values if isinstance(values, Mapping) and group != "hydra" else ():
            full.setdefault(str(key), []).append(f"{group}.{key}")
    full.pop("name", None)
    known = [*full, *_ALSO, *config]  # of equally good ones the first counts
    near = [word] if word in known else get_close_matches(word.lower(), known, n=1, cutoff=_LIKENESS)
    return full.get(_ALSO.get(near[0], near[0]), []) if near else []


def dashed(word: str) -> str:
    """Say what to write for an override that begins with dashes."""
    return f"{word} is an override with dashes, which it does not have: write {shell_word(word.lstrip('-'))}."


def _no_override(words: Sequence[str], place: int) -> str:
    """Say what a word without ``KEY=`` may have been meant to be: mostly a part of its neighbours."""
    word, before = words[place], words[place - 1] if place else ""
    rest = [word, *takewhile(lambda each: "=" not in each, words[place + 1 :])]
    beside = words[place + 1] if place + 1 < len(words) else ""
    if _KEY.fullmatch(word) and ("." in word or word in GROUPS) and not re.match(r"\d", word):
        value = beside.removeprefix("=") or "".join(words[place + 2 : place + 3]) if beside.startswith("=") else beside
        if value and "=" not in value:
            return f"{word} {beside} is no override: write {shell_word(f'{word}={value}')}, without blanks."
    pair = re.fullmatch(r"([a-z_]+(?:\.\w+)+): ?(.+)", word)
    if pair:
        return f"{word!r} is no override: write {shell_word(f'{pair[1]}={pair[2]}')}."
    if "=" in before and _KEY.fullmatch(before.partition("=")[0]):
        key, _, value = before.partition("=")
        text = " ".join(filter(None, [value, *rest]))
        where = "quotes around a value with blanks" if value else "no blank after ="
        return f"{word!r} is no override; if it belongs to {before}, write {typed(key, text)}, with {where}."
    return f"{word!r} is no override: write KEY=VALUE."


def _broken_off(key: str, value: str, following: Sequence[str]) -> str:
    """Say what to write for a list that blanks have cut, or whose brackets or quotes are not as they should be."""
    rest = list(takewhile(lambda each: "=" not in each, following))
    opened = next((one for one in _BRACKETS if value.count(one) != value.count(_BRACKETS[one])), "")
    if opened:
        parts = [value, *rest] if value.count(opened) > value.count(_BRACKETS[opened]) else [value]
        cut = " ".join(parts)
        way = shell_word(f"{key}={_closed(','.join(part.strip(',') for part in parts), opened)}")
        return (
            f"{key}={cut} has {opened} without {_BRACKETS[opened]}, or the other way round: write {way} without "
            f"blanks, or {typed(key, cut)} if that is part of a text."
        )
    if value.endswith(","):
        joined = f"{key}={value}{rest[0]}" if rest else f"{key}={value.rstrip(',')}"
        word = " ".join([f"{key}={value}", *rest[:1]])
        return f"{word} has a comma that nothing follows: without blanks, write {shell_word(joined)}."
    inner = re.fullmatch(r"\(([-+.\w,]*)\)", value)
    if inner:
        way = shell_word(f"{key}=[{inner[1]}]")
        return f"{key}={value} has parentheses: a list is {way}, a text {typed(key, value)}."
    quote = next((mark for mark in "\"'" if value.startswith(mark) and value.count(mark) == 1), "")
    if quote:
        return f"{key}={value} has a quotation mark without another: write {typed(key, value[1:])}."
    return ""


def _closed(value: str, opened: str) -> str:
    """Return a list with as many closing brackets as opening ones, and no comma before them."""
    closed = _BRACKETS[opened]
    missing = value.count(opened) - value.count(closed)
    whole = opened * -missing + value + closed * missing
    return re.sub(rf",+(?={re.escape(closed)})", "", whole)
