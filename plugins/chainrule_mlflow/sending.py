"""Send records to MLflow: each becomes one run, however often it is sent and wherever an attempt broke off."""

import json
import os
import shutil
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from chainrule.errors import ChainruleError, RecordError
from chainrule.files.atomic import write_whole
from chainrule.files.reading import read_within
from chainrule.records.run import MANIFEST, Record
from chainrule_mlflow import bulk, contents, model
from chainrule_mlflow.store import Store

RECEIPT = "mlflow.json"
_LONGEST = 1 << 16  # bytes of a receipt
_BATCH = 200  # records in one transaction: other writers wait about a second, and a kill loses little
_METRICS, _PARAMS, _TAGS = 800, 100, 100  # in one call; MLflow allows 1000 altogether


def send(
    record: Record, store: Store, experiment: str, parent_run_id: str | None = None, points: int = contents.POINTS
) -> tuple[str, str]:
    """Make sure that a record is in a store, and return the experiment and the run.

    Args:
        record: a complete record.
        store: where it goes.
        experiment: name of the experiment there, made if it is not there.
        parent_run_id: the run that a new one is shown beneath, or None.
        points: the most points that are sent of one curve, at least 4.

    Raises:
        RecordError: the record lacks a file, or one is damaged.
        ChainruleError: it cannot be sent.
    """
    _check_files(record)
    with store.opened() as client:
        run = _from_receipt(record, store, client)
        if run is None:
            experiment_id = experiment_of(client, store, experiment)
            with store.lock():
                run = find(client, experiment_id, contents.key(record.manifest)) or _create(
                    record, client, experiment_id
                )
        if run.info.status == "RUNNING":  # new, or an earlier attempt broke off
            _fill(record, client, run.info.run_id, contents.describe(record, parent_run_id, points))
    _leave_receipt(record, store, run.info.experiment_id, run.info.run_id)
    return run.info.experiment_id, run.info.run_id


def send_many(
    records: Sequence[Record],
    store: Store,
    experiment: str,
    parent_run_id: str | None = None,
    points: int = contents.POINTS,
) -> list[tuple[str, str] | RecordError]:
    """Make sure that records are in a store, as ``send`` does for one.

    This takes less than a tenth of the time if the store is a SQLite file that ``bulk`` knows and the files of runs
    are on this machine.

    Returns:
        For each record, in order, the experiment and the run, or why the record itself cannot be sent.

    Raises:
        ChainruleError: the store failed. Some records may be there; sending all again completes them.
    """
    sent: list[tuple[str, str] | RecordError] = []
    while len(sent) < len(records):
        batch = records[len(sent) :][:_BATCH]
        # If that is impossible, the client sends one record, or explains what is wrong.
        sent += _send_batch(batch, store, experiment, parent_run_id, points) or [
            _send_or_refuse(batch[0], store, experiment, parent_run_id, points)
        ]
    return sent


def _send_batch(
    records: Sequence[Record], store: Store, experiment: str, parent_run_id: str | None, points: int
) -> list[tuple[str, str] | RecordError] | None:
    """Send records without the client and return what ``send_many`` returns; None if that is impossible.

    Where the result is None, nothing was sent. Files are copied first, then all rows are written in one transaction,
    then the receipts. So a kill leaves each run whole or not at all; only copied files without a run may be left.
    """
    place = place_of(store, experiment)
    if store.file is None or place is None:
        return None
    with store.explained(), store.lock():
        found = _already_there(records, store, store.file, place.id)
        new, refused = _describe_new(records, found.keys(), parent_run_id, points)
        if not _insert(store.file, place, new):
            return None
    found |= {run.tags[contents.KEY]: bulk.Found(place.id, run_id, complete=True) for run_id, (_, run) in new.items()}
    sent: list[tuple[str, str] | RecordError] = []
    for record in records:
        key = contents.key(record.manifest)
        if key in refused:
            sent.append(refused[key])
        elif not found[key].complete:
            sent.append(_send_or_refuse(record, store, experiment, parent_run_id, points))
        else:
            there = found[key].experiment_id, found[key].run_id
            _leave_receipt(record, store, *there)
            sent.append(there)
    return sent


def place_of(store: Store, experiment: str) -> bulk.Experiment | None:
    """Return the experiment, made if need be, if rows can be written without the client; otherwise None.

    Raises:
        ChainruleError: the store failed.
    """
    if store.file is None or store.artifacts is None or not bulk.supports(store.file):
        return None
    with store.explained():
        place = bulk.experiment(store.file, experiment, store.artifacts)
    return place if place and place.folder("any") else None


def _already_there(records: Sequence[Record], store: Store, file: Path, experiment_id: str) -> dict[str, bulk.Found]:
    """Return the runs that records have already, by the records' keys."""
    receipts = {contents.key(record.manifest): there[1] for record in records if (there := receipt(record, store))}
    active = bulk.with_ids(file, list(receipts.values()))
    keys = [contents.key(record.manifest) for record in records]
    found = bulk.with_tag(file, experiment_id, contents.KEY, keys)
    return found | {key: active[run_id] for key, run_id in receipts.items() if run_id in active}


def _describe_new(
    records: Sequence[Record], known: Container[str], parent_run_id: str | None, points: int
) -> tuple[dict[str, tuple[Record, contents.Run]], dict[str, RecordError]]:
    """Return what to send of records with unknown keys, by new ids of runs, and by key why others cannot be sent."""
    new: dict[str, tuple[Record, contents.Run]] = {}
    refused: dict[str, RecordError] = {}
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(contents.key(record.manifest), record)  # copies of one record are one run
    for key, record in first.items():
        if key in known:
            continue
        try:
            _check_files(record)
            new[uuid4().hex] = record, contents.describe(record, parent_run_id, points)
        except RecordError as error:
            refused[key] = error
    return new, refused


def _insert(file: Path, place: bulk.Experiment, new: Mapping[str, tuple[Record, contents.Run]]) -> bool:
    """Copy the files and insert the rows of new runs, or neither; return whether it was done."""
    folders = {run_id: folder for run_id in new if (folder := place.folder(run_id))}
    try:
        for run_id, folder in folders.items():
            _copy(new[run_id][0], folder)
        inserted = bulk.insert(file, place, {run_id: run for run_id, (_, run) in new.items()})
    except Exception:  # not KeyboardInterrupt: the rows may be there already
        _remove(folders.values())
        raise
    if not inserted:
        _remove(folders.values())
    return inserted


def _copy(record: Record, folder: Path) -> None:
    contents = {name: record.content(name) for name in record.manifest.files}
    contents[MANIFEST] = read_within(record.directory, MANIFEST)
    for parent in {(folder / name).parent for name in contents}:
        parent.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / model.FILE).write_text(model.description(record.manifest), "utf-8")


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder.parent, ignore_errors=True)


def _send_or_refuse(
    record: Record, store: Store, experiment: str, parent_run_id: str | None, points: int
) -> tuple[str, str] | RecordError:
    try:
        return send(record, store, experiment, parent_run_id, points)
    except RecordError as error:
        return error


def _check_files(record: Record) -> None:
    record.require_intact()


def receipt(record: Record, store: Store) -> tuple[str, str] | None:
    """Return experiment and run that the receipt beside a record names, or None where there is none for this store."""
    try:
        content = json.loads(read_within(record.directory, RECEIPT, _LONGEST))
    except (OSError, ValueError, RecursionError):
        return None
    # An older receipt may be there from a run that was trained into the same directory before.
    expected = {"tracking_uri": store.label, "key": contents.key(record.manifest)}
    if not isinstance(content, dict) or any(content.get(name) != value for name, value in expected.items()):
        return None
    return str(content.get("experiment_id")), str(content.get("run_id"))


def _from_receipt(record: Record, store: Store, client: Any) -> Any:
    """Return the run that the receipt beside the record names, or None if there is no such run (any more)."""
    from mlflow.exceptions import MlflowException

    there = receipt(record, store)
    if there is None:
        return None
    try:
        run = client.get_run(there[1])
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return run if run.info.lifecycle_stage == "active" else None


def experiment_of(client: Any, store: Store, name: str) -> str:
    """Return the experiment of that name, made if it is not there."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=store.artifacts))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = client.get_experiment_by_name(name)  # another process was faster
    if found.lifecycle_stage != "active":
        raise ChainruleError(
            f"The MLflow experiment {name!r} at {store.label} is deleted: choose another by tracking.experiment=NAME, "
            f"or bring it back by `mlflow experiments restore --experiment-id {found.experiment_id}`."
        )
    return str(found.experiment_id)


def find(client: Any, experiment_id: str, key: str) -> Any:
    """Return the run that carries a key, or None."""
    found = client.search_runs([experiment_id], filter_string=f"tags.`{contents.KEY}` = '{key}'", max_results=1)
    return found[0] if found else None


def _create(record: Record, client: Any, experiment_id: str) -> Any:
    manifest = record.manifest
    return client.create_run(
        experiment_id,
        start_time=contents.milliseconds(manifest, 0.0),
        # the key finds the run again; MLflow takes the user from these tags only
        tags={contents.KEY: contents.key(manifest), "mlflow.user": manifest.environment["user"]},
        run_name=contents.title(record),
    )


def _fill(record: Record, client: Any, run_id: str, run: contents.Run) -> None:
    """Send everything. Rows of an earlier attempt are equal, and MLflow keeps each once."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    log(client, run_id, run)
    dataset = DatasetInput(Dataset(**run.dataset), [InputTag(*item) for item in run.dataset_tags.items()])
    client.log_inputs(run_id, [dataset])
    for path in record.files():
        folder = path.relative_to(record.directory).parent.as_posix()
        client.log_artifact(run_id, str(path), None if folder == "." else folder)
    client.log_text(run_id, model.description(record.manifest), model.FILE)
    client.set_terminated(run_id, run.status, run.end)


def log(client: Any, run_id: str, run: contents.Run) -> None:
    """Send the metrics, parameters and tags of a run."""
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(*point) for point in run.points]
    params = [Param(*item) for item in run.params.items()]
    tags = [RunTag(*item) for item in run.tags.items()]
    for i in count():
        parts = metrics[i * _METRICS :][:_METRICS], params[i * _PARAMS :][:_PARAMS], tags[i * _TAGS :][:_TAGS]
        if not any(parts):
            break
        client.log_batch(run_id, *parts, synchronous=True)


def _leave_receipt(record: Record, store: Store, experiment_id: str, run_id: str) -> None:
    """Write down where the run is. Without a receipt, as beside a read-only record, the run is searched for by key."""
    values = {
        "tracking_uri": store.label,
        "experiment_id": experiment_id,
        "run_id": run_id,
        "key": contents.key(record.manifest),
    }
    path = record.directory / RECEIPT
    content = json.dumps(values, indent=1).encode()
    with suppress(OSError):
        if os.path.lexists(path) and read_within(record.directory, RECEIPT, _LONGEST) == content:
            return
        write_whole(path, content, synced=False)
