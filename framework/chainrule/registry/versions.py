"""The code that trains a run: its versions and checksums, and what has changed between two of them."""

import functools
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import chainrule
from chainrule.records.environment import processor
from chainrule.records.sweep import PLUGIN
from chainrule.registry.providers import Provider, source_digest


def code(providers: Iterable[Provider]) -> dict[str, str]:
    """Return the versions and SHA-256 of plugins and of chainrule, and what they run on: NumPy, Python, processor."""
    found = {label(provider): f"{provider.version} {provider.digest}".lstrip() for provider in providers}
    found |= {
        "chainrule": f"{version('chainrule')} {_own_digest()}",
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "machine": platform.machine(),
    } | processor()
    return dict(sorted(found.items()))


def label(provider: Provider) -> str:
    """Return the name that a plugin has in :func:`code`."""
    return f"{PLUGIN}{provider.key}"


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "", words: tuple[str, str] = ("was", "is")
) -> list[str]:
    """Return which entries are different, one phrase each; ``words`` come before the old and before the new value."""
    keys = dict.fromkeys([*old, *new])
    absent = "not there"
    before, after = words
    return [
        f"{prefix}{key}: {before} {_short(old.get(key, absent))}, {after} {_short(new.get(key, absent))}"
        for key in keys
        if old.get(key, absent) != new.get(key, absent)
    ]


def _short(value: Any) -> str:
    """Shorten SHA-256 sums to their first 12 digits."""
    words = str(value).split(" ")
    return " ".join(word[:12] if len(word) == 64 else word for word in words)


@functools.cache
def _own_digest() -> str:
    return source_digest(Path(str(chainrule.__file__)).parent)
