"""The settings of a run, its result, and the records that runs and sweeps leave on disk."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "Record":  # plugin packages of the first interface import it from here
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from chainrule.records.run import Record

    return Record
