"""The settings of a run, its result, and the records that runs and sweeps leave on disk."""

from typing import Any

# Plugin packages of the first interface import these names from here.
_RENAMED = {"Record": "Record", "read": "read_record"}


def __getattr__(name: str) -> Any:
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chainrule.records import run

    return getattr(run, _RENAMED[name])
