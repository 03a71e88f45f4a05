"""What lies beside a record, or in the directory of a sweep, and says which run in MLflow it has become."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule.files.atomic import write_whole
from chainrule.files.reading import read_within
from chainrule.records.run import Record
from chainrule.records.sweep import Sweep
from chainrule_mlflow import contents
from chainrule_mlflow.store import Store

RECEIPT = "mlflow.json"
_LONGEST = 1 << 16  # bytes of a receipt


def receipt(record: Record, store: Store) -> tuple[str, str] | None:
    """Return experiment and run that the receipt beside a record names, or None where there is none for this store."""
    content = _content(record.directory)
    # An older receipt may be there from a run that was trained into the same directory before.
    if content.get("tracking_uri") != store.label or content.get("key") != contents.key(record.manifest):
        return None
    return str(content.get("experiment_id")), str(content.get("run_id"))


def receipt_of_sweep(sweep: Sweep, store: Store) -> tuple[str, str] | None:
    """Return experiment and run that the receipt in the directory of a sweep names, likewise."""
    content = _content(sweep.directory)
    if content.get("tracking_uri") != store.label or content.get("key") != sweep.manifest.key:
        return None
    return str(content.get("experiment_id")), str(content.get("run_id"))


def home(sweep: Sweep, store: Store, otherwise: str) -> str:
    """Return the experiment in which a sweep was begun, by the receipt in its directory, or the other one."""
    content = _content(sweep.directory)
    is_known = content.get("tracking_uri") == store.label and content.get("key") == sweep.manifest.key
    return str(content.get("experiment", otherwise)) if is_known else otherwise


def replaced(record: Record, store: Store) -> tuple[str, str] | None:
    """Return experiment and run of an earlier training that this record has replaced in its directory, or None.

    It is the same run that was trained again, or that went on. A run with other settings in the same directory is
    another one.
    """
    content = _content(record.directory)
    if content.get("tracking_uri") != store.label or content.get("key") == contents.key(record.manifest):
        return None
    known = {"identity": record.manifest.identity, "started": record.manifest.started}
    if not any(content.get(name) == value for name, value in known.items()):
        return None
    return str(content.get("experiment_id")), str(content.get("run_id"))


def leave(record: Record, store: Store, experiment_id: str, run_id: str) -> tuple[str, str]:
    """Write down where the run of a record is, and return it.

    Without a receipt, as beside a read-only record, the run is searched for by its key.
    """
    manifest = record.manifest
    more = {"identity": manifest.identity, "started": manifest.started}
    return _leave(record.directory, store, experiment_id, run_id, contents.key(manifest), more)


def leave_of_sweep(sweep: Sweep, store: Store, experiment: str, experiment_id: str, run_id: str) -> tuple[str, str]:
    """Write down where the run of a sweep is, and the name of its experiment; return where it is."""
    return _leave(sweep.directory, store, experiment_id, run_id, sweep.manifest.key, {"experiment": experiment})


def _content(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_within(folder, RECEIPT, _LONGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _leave(
    folder: Path, store: Store, experiment_id: str, run_id: str, key: str, more: dict[str, str]
) -> tuple[str, str]:
    values = {"tracking_uri": store.label, "experiment_id": experiment_id, "run_id": run_id, "key": key, **more}
    path = folder / RECEIPT
    content = json.dumps(values, indent=1).encode()
    with suppress(OSError):
        if os.path.lexists(path) and read_within(folder, RECEIPT, _LONGEST) == content:
            return experiment_id, run_id
        write_whole(path, content, synced=False)
    return experiment_id, run_id
