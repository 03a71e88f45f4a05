"""Values that are changed in a configuration; in a module of their own, because processes that train need no Hydra."""

from collections.abc import Mapping, Sequence
from typing import Any

Change = tuple[tuple[str, ...], Any]  # a path of keys and the new plain value there


def with_changes(data: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """Return a copy of nested ``data`` in which the mappings along each changed path are new."""
    result = dict(data)
    for path, value in changes:
        inner = result
        for key in path[:-1]:
            inner[key] = dict(inner[key])
            inner = inner[key]
        inner[path[-1]] = value
    return result
