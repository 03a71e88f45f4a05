"""What decides a run, and what runs and sweeps leave on disk."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "Record":  # which plugin packages of the first interface import from here
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chainrule.records.run import Record

    return Record
