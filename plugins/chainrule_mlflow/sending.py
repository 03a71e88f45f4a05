"""Send records to MLflow: each becomes one run, however often it is sent and wherever an attempt broke off.

A run that was trained again has another record. Its earlier run in MLflow is deleted there, as by hand.
"""

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from chainrule.errors import RecordError
from chainrule.files.atomic import write_new
from chainrule.files.reading import read_within
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import Record
from chainrule.registry.aside import at_work
from chainrule_mlflow import bulk, client, connections, contents, images, model
from chainrule_mlflow.receipts import leave, receipt, replaced
from chainrule_mlflow.rows import Found, choose, superseded
from chainrule_mlflow.store import Store

_BATCH = 200  # records in one transaction: other writers wait about a second, and a kill loses little

Sent = list[tuple[str, str] | RecordError]


def send_many(
    records: Sequence[Record],
    store: Store,
    experiment: str,
    parent_run_id: str | None = None,
    points: int = contents.POINTS,
) -> Sent:
    """Make sure that records are in a store, each as one run with all of its files.

    By the client this takes ten times as long as if the store is a SQLite file that ``bulk`` knows and the files of
    runs are on this machine.

    Args:
        records: complete records.
        store: where they go.
        experiment: name of the experiment there, made if it is not there.
        parent_run_id: the run that they are shown beneath, or None.
        points: the most points that are sent of one curve, at least 4.

    Returns:
        For each record, in order, the experiment and the run, or why the record itself cannot be sent.

    Raises:
        ChainruleError: the store failed. Some records may be there; sending all again completes them.
    """
    sent: Sent = []
    while len(sent) < len(records):
        batch = records[len(sent) :][:_BATCH]
        done = _send_batch(batch, store, experiment, parent_run_id, points)
        # If that is impossible, the client sends them, or explains what is wrong.
        sent += client.send(batch, store, experiment, parent_run_id, points) if done is None else done
    return sent


def _send_batch(
    records: Sequence[Record], store: Store, experiment: str, parent_run_id: str | None, points: int
) -> Sent | None:
    """Send records without the client and return what ``send_many`` returns; None if that is impossible.

    Where the result is None, nothing was sent. Files are copied first, then all rows are written in one transaction,
    then the receipts. So a kill leaves each run whole or not at all; only copied files without a run may be left.
    """
    place = place_of(store, experiment)
    if store.file is None or place is None:
        return None
    with store.explained(), store.lock():
        known, spare = _known(records, store, store.file, place.id, parent_run_id)
        with at_work():
            new, refused = _describe_new(records, known.keys(), parent_run_id, points)
        moved = {run.run_id: parent_run_id for run in known.values() if _is_elsewhere(run, parent_run_id)}
        if (new or moved or spare) and not _write(store.file, place, new, refused, moved, spare):
            return None
    known |= {run.tags[contents.KEY]: Found(place.id, run_id, run.status, run.tags) for run_id, (_, run) in new.items()}
    fresh = {run.run_id for run in known.values()} & new.keys()
    sent: Sent = []
    for record in records:
        key = contents.key(record.manifest)
        if key in refused:
            sent.append(refused[key])
        elif known[key].complete:
            run = known[key]
            with at_work():
                refusal = None if run.run_id in fresh else _mend(record, store, place, run)
                sent.append(refusal or leave(record, store, run.experiment_id, run.run_id))
        else:
            done = _fill(record, store, place, known[key], parent_run_id, points)
            sent += client.send([record], store, experiment, parent_run_id, points) if done is None else [done]
    return sent


def _fill(
    record: Record, store: Store, place: bulk.Experiment, run: Found, parent_run_id: str | None, points: int
) -> tuple[str, str] | RecordError | None:
    """Send everything of a record whose run is there, but has not ended; return what ``send`` does, None likewise."""
    folder = place.folder(run.run_id)
    if store.file is None or folder is None or run.experiment_id != place.id:
        return None
    try:
        whole = contents.describe(record, parent_run_id, points)
        with store.explained(), at_work():
            _copy(record, folder)
    except RecordError as error:
        return error
    with store.explained():
        done = bulk.finish(store.file, run.run_id, whole, {})
    return leave(record, store, run.experiment_id, run.run_id) if done else None


def place_of(store: Store, experiment: str) -> bulk.Experiment | None:
    """Return the experiment, made if need be, if rows can be written without the client; otherwise None.

    Raises:
        ChainruleError: the store failed.
    """
    if store.file is None or store.artifacts is None:
        return None
    with store.explained():
        store.prepare()
        if not bulk.supports(store.file):
            return None
        place = bulk.experiment(store.file, experiment, store.artifacts)
    return place if place and place.folder("any") else None


def look(store: Store, experiment: str) -> None:
    """Make sure that a store is there, with the experiment, and that a SQLite file can be written.

    Raises:
        ChainruleError: it is not, or somebody else has locked it for long.
    """
    if place_of(store, experiment) is None:
        with store.opened() as mlflow:
            client.experiment_of(mlflow, store, experiment)
    elif store.file:
        with store.explained():
            connections.await_turn(store.file)


def _is_elsewhere(run: Found, parent_run_id: str | None) -> bool:
    """Say whether a run is not shown beneath the run of its sweep, perhaps because that one is no longer there."""
    return parent_run_id is not None and run.tags.get(contents.PARENT) != parent_run_id


def _known(
    records: Sequence[Record], store: Store, file: Path, experiment_id: str, parent_run_id: str | None
) -> tuple[dict[str, Found], list[str]]:
    """Return the runs that records have already, by the records' keys, and the ids of those that are too many."""
    keys = {contents.key(record.manifest): record for record in records}
    receipts = {key: there[1] for key, record in keys.items() if (there := receipt(record, store))}
    former = {there[1] for record in keys.values() if (there := replaced(record, store))}
    active = {run.run_id: run for run in bulk.with_ids(file, [*receipts.values(), *former])}
    found = {key: [active[run_id]] for key, run_id in receipts.items() if run_id in active}
    with_key: dict[str, list[Found]] = {}
    for run in bulk.with_tag(file, experiment_id, contents.KEY, list(keys)):
        with_key.setdefault(run.tags[contents.KEY], []).append(run)
    chosen: dict[str, Found] = {}
    spare = former & active.keys()
    for key in found.keys() | with_key.keys():
        chosen[key] = choose(found.get(key) or with_key[key])[0]
        spare |= {run.run_id for run in with_key.get(key, ())}
    if parent_run_id:
        jobs = [str(record.member.number) for record in records if record.member]
        places = [str(record.directory) for record in records]
        beneath = bulk.of_jobs(file, experiment_id, parent_run_id, jobs, places)
        spare |= {run.run_id for run in superseded(records, beneath)}
    return chosen, sorted(spare - {run.run_id for run in chosen.values()})


def _describe_new(
    records: Sequence[Record], known: Iterable[str], parent_run_id: str | None, points: int
) -> tuple[dict[str, tuple[Record, contents.Run]], dict[str, RecordError]]:
    """Return what to send of records with unknown keys, by new ids of runs, and by key why others cannot be sent."""
    new: dict[str, tuple[Record, contents.Run]] = {}
    refused: dict[str, RecordError] = {}
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(contents.key(record.manifest), record)  # copies of one record are one run
    ids = _ascending_ids(len(first))
    for key, record in first.items():
        if key in known:
            continue
        try:
            new[next(ids)] = record, contents.describe(record, parent_run_id, points)
        except RecordError as error:
            refused[key] = error
    return new, refused


def _ascending_ids(count: int) -> Iterator[str]:
    """Yield ids of new runs, each larger than all before, so that the database appends to its indices.

    As in UUIDs of version 7 (RFC 9562, section 5.7) the time comes first and random bits follow. Where they are at
    random places of an index, rows take a tenth longer.
    """
    now = f"{time.time_ns() // 1_000_000:012x}"
    yield from sorted(f"{now}7{uuid4().hex[13:]}" for _ in range(count))


def _write(
    file: Path,
    place: bulk.Experiment,
    new: dict[str, tuple[Record, contents.Run]],
    refused: dict[str, RecordError],
    moved: Mapping[str, str | None],
    spare: Sequence[str],
) -> bool:
    """Copy the files and insert the rows of new runs, or neither, and mend rows; return whether it was done.

    A record that turns out to be damaged goes from ``new`` to ``refused``.
    """
    folders = {run_id: folder for run_id in new if (folder := place.folder(run_id))}
    beneath = {run_id: parent for run_id, parent in moved.items() if parent}
    try:
        with at_work():
            for run_id, folder in folders.items():
                try:
                    _copy(new[run_id][0], folder)
                except RecordError as error:
                    _remove([folder])
                    refused[contents.key(new.pop(run_id)[0].manifest)] = error
        written = bulk.write(file, place, {run_id: run for run_id, (_, run) in new.items()}, beneath, spare)
    except Exception:  # not KeyboardInterrupt: the rows may be there already
        _remove(folders.values())
        raise
    if not written:
        _remove(folders.values())
    return written


def _mend(record: Record, store: Store, place: bulk.Experiment, run: Found) -> RecordError | None:
    """Copy the files of a run that are lost; return why they cannot be."""
    folder = place.folder(run.run_id)
    if folder is None or run.experiment_id != place.id or _is_whole(record, folder):
        return None
    try:
        with store.explained():
            _copy(record, folder)
    except RecordError as error:
        return error
    return None


def _is_whole(record: Record, folder: Path) -> bool:
    """Say whether a folder has all files of a record, in their sizes."""
    try:
        if any(os.stat(folder / name).st_size != file.bytes for name, file in record.manifest.files.items()):
            return False
        os.stat(folder / record.files()[-1].name), os.stat(folder / model.FILE)
    except OSError:
        return False
    return True


def _copy(record: Record, folder: Path) -> None:
    """Copy the files of a record into the folder of its run, and write there what says that they are a model.

    Raises:
        RecordError: a file is missing or was changed.
    """
    found = {name: record.content(name) for name in record.manifest.files}
    found[MANIFEST] = read_within(record.directory, MANIFEST)
    found[model.FILE] = model.description(record).encode()
    for parent in {os.path.dirname(name) for name in found}:
        os.makedirs(folder / parent, exist_ok=True)
    for name, content in found.items():
        write_new(f"{folder}/{name}", content, synced=False)
    images.write(record, folder)


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder.parent, ignore_errors=True)
