"""What decides a run, and what runs and sweeps leave on disk."""

from typing import Any

_RENAMED = {"Record": "Record", "read": "read_record"}  # which plugin packages of the first interface import from here


def __getattr__(name: str) -> Any:
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chainrule.records import run

    return getattr(run, _RENAMED[name])
