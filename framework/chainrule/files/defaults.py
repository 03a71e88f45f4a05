"""The defaults of the packaged configuration."""

import functools
from typing import Any

import yaml

from chainrule.files import paths


@functools.cache
def defaults() -> dict[str, Any]:
    """Return ``conf/config.yaml`` as plain data: the values of its keys and the choice of each group."""
    content: dict[str, Any] = yaml.safe_load((paths.configuration() / "config.yaml").read_text("utf-8"))
    choices = {
        group: name for entry in content.pop("defaults") if isinstance(entry, dict) for group, name in entry.items()
    }
    return {**content, **choices}
