"""Options of a sweep, a search or a comparison as overrides of ``hydra.sweeper``."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.config.compose import quoted, require_parsed
from chainrule.errors import ConfigurationError
from chainrule.files.words import texts


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


def comparison_overrides(
    typed: Sequence[str], targets: str | Sequence[str] | None, options: Mapping[str, Any]
) -> list[str]:
    """Return the overrides of a comparison: those that were typed, its targets and its other options.

    Raises:
        ConfigurationError: what was typed is no override.
    """
    require_parsed(typed, sweep=True)
    listed = ",".join(map(str, texts(targets or ())))
    return [*map(_of_targets, typed), *([f"target={listed}"] if listed else []), *sweeper_overrides(options)]


def _of_targets(text: str) -> str:
    """Return an override that may be about some targets only, so that Hydra does not look for it in the usual one."""
    key, _, value = text.partition("=")
    try:
        require_parsed([text])  # which has no several values
    except ConfigurationError:
        return text
    return f"{key}=choice({value})" if key.startswith("target.") and value else text


def _typed(value: Any) -> str:
    """Return a value as a person types it in an override."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if re.fullmatch(r"\w+", value) else quoted(value)
    if isinstance(value, Sequence):
        return f"[{','.join(quoted(each) if isinstance(each, str) else _typed(each) for each in value)}]"
    return str(value)
