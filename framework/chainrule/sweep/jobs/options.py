"""Options of a sweep, a search or a comparison as overrides of ``hydra.sweeper``."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.config.compose import quoted


def sweeper_overrides(options: Mapping[str, Any]) -> list[str]:
    """Return the overrides that give a sweeper its options; those that are None are left out.

    Args:
        options: by their names in ``hydra.sweeper``: numbers, texts, lists, and mappings of keys to values as typed,
            which are added to those of the configuration.
    """
    found = []
    for name, value in options.items():
        if isinstance(value, Mapping):
            found += [f"++hydra.sweeper.{name}={{{key}:{quoted(str(text))}}}" for key, text in value.items()]
        elif value is not None:
            found.append(f"hydra.sweeper.{name}={_typed(value)}")
    return found


def comparison_overrides(targets: str | Sequence[str] | None, options: Mapping[str, Any]) -> list[str]:
    """Return the overrides that give a comparison its targets and its other options."""
    listed = targets if targets is None or isinstance(targets, str) else ",".join(targets)
    return [*([f"target={listed}"] if listed else []), *sweeper_overrides(options)]


def _typed(value: Any) -> str:
    """Return a value as a person types it in an override."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if re.fullmatch(r"\w+", value) else quoted(value)
    if isinstance(value, Sequence):
        return f"[{','.join(quoted(each) if isinstance(each, str) else _typed(each) for each in value)}]"
    return str(value)
