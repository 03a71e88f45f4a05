"""The defaults of the packaged configuration."""

import functools
from typing import Any

import yaml

from chainrule.files import paths

AUTO = "auto"  # the choice of a component that suits the target


@functools.cache
def defaults() -> dict[str, Any]:
    """Return ``conf/config.yaml`` as plain data: the values of its keys and the choice of each group.

    What suits the target is what suits that of the file.
    """
    content = _packaged("config")
    choices = {
        group: name for entry in content.pop("defaults") if isinstance(entry, dict) for group, name in entry.items()
    }
    chosen = {group: fitting()["regression"][group] if name == AUTO else name for group, name in choices.items()}
    return {**content, **chosen}


@functools.cache
def fitting() -> dict[str, dict[str, str]]:
    """Return ``conf/fitting.yaml``: what suits each task, by group."""
    return _packaged("fitting")


def _packaged(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((paths.configuration() / f"{name}.yaml").read_text("utf-8"))
    return content
