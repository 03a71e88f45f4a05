"""What is wrong with runs of chainrule in a store of MLflow, how it is mended, and how runs are deleted there."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule.errors import RecordError
from chainrule.files.locks import exclusive
from chainrule.records.deleting import LOCK
from chainrule.records.faults import Fault
from chainrule.records.run import read_record
from chainrule.records.sweep import SWEEP
from chainrule_mlflow import contents
from chainrule_mlflow.client import every
from chainrule_mlflow.contents import PARENT, PLACE
from chainrule_mlflow.store import Store

_DAY = 86_400_000  # milliseconds


def forget(store: Store, experiment: str, keys: Sequence[str]) -> int:
    """Delete the runs that carry keys, and return how many there were.

    Args:
        store: where they are.
        experiment: name of their experiment.
        keys: of records or sweeps.

    Raises:
        ChainruleError: the store failed.
    """
    if store.is_missing:
        return 0
    with store.opened() as client:
        found = client.get_experiment_by_name(experiment)
        runs = []
        for key in keys if found else ():
            runs += client.search_runs([found.experiment_id], filter_string=f"tags.`{contents.KEY}` = '{key}'")
        for run in runs:
            _delete(client, run)
    return len(runs)


def _delete(client: Any, run: Any) -> None:
    """Delete a run and its models."""
    for model in run.outputs.model_outputs if run.outputs else ():
        client.delete_logged_model(model.model_id)
    client.delete_run(run.info.run_id)


def faults(store: Store) -> Iterator[Fault]:
    """Yield what is wrong with the runs of chainrule in a store, experiment by experiment; nothing is changed.

    Raises:
        ChainruleError: the store failed.
    """
    if store.is_missing:
        return
    with store.opened() as client:
        for experiment in every(client.search_experiments):
            own = f"tags.`{contents.KEY}` != ''"
            runs = list(every(client.search_runs, [experiment.experiment_id], filter_string=own))
            place = f"MLflow experiment {experiment.name} at {store.label}"
            yield from _stale(store, place, runs)
            yield from _orphans(store, place, runs)
            yield from _doubles(store, place, runs)


def _stale(store: Store, place: str, runs: Sequence[Any]) -> Iterator[Fault]:
    """Yield runs that are shown as running though nothing is at work on them."""
    for run in runs:
        if run.info.status == "RUNNING" and not _is_at_work(run):
            run_id = run.info.run_id
            yield Fault(
                place,
                f"shows {run.info.run_name!r} ({run_id}) as running, but nothing is at work on it",
                mend=lambda run_id=run_id: _do(store, "set_terminated", run_id, "KILLED"),  # type: ignore[misc]
            )


def _orphans(store: Store, place: str, runs: Sequence[Any]) -> Iterator[Fault]:
    """Yield runs beneath a run that is not there, each group with the run that stands for its sweep if there is one."""
    there = {run.info.run_id for run in runs}
    sweeps = {run.data.tags.get(PLACE): run.info.run_id for run in runs if PARENT not in run.data.tags}
    for run in runs:
        parent = run.data.tags.get(PARENT)
        if parent is None or parent in there:
            continue
        above = next((sweeps[str(f)] for f in Path(run.data.tags.get(PLACE, "")).parents if str(f) in sweeps), None)
        action = ("set_tag", run.info.run_id, PARENT, above) if above else ("delete_tag", run.info.run_id, PARENT)
        yield Fault(
            place,
            f"has {run.info.run_name!r} ({run.info.run_id}) beneath the run {parent}, which is not there",
            mend=lambda action=action: _do(store, *action),  # type: ignore[misc]
        )


def _doubles(store: Store, place: str, runs: Sequence[Any]) -> Iterator[Fault]:
    """Yield runs of one record: the one that the record on disk is stays, else the latest."""
    by_record = defaultdict(list)
    for run in runs:
        by_record[run.data.tags.get(PLACE)].append(run)
    for directory, same in by_record.items():
        if directory is None or len(same) < 2:
            continue
        kept = _current(Path(directory), same)
        for run in same:
            if run is not kept:
                run_id = run.info.run_id
                yield Fault(
                    place,
                    f"shows the record {directory} twice: {run_id} is not the one that is there",
                    mend=lambda run_id=run_id: _remove(store, run_id),  # type: ignore[misc]
                )


def _current(directory: Path, runs: Sequence[Any]) -> Any:
    with suppress(RecordError):
        key = contents.key(read_record(directory).manifest)
        for run in runs:
            if run.data.tags[contents.KEY] == key:
                return run
    return max(runs, key=lambda run: run.info.start_time)


def _is_at_work(run: Any) -> bool:
    """Say whether a process may be at work on a run: the lock of a sweep tells, else its age."""
    directory = Path(run.data.tags.get(PLACE, ""))
    if (directory / SWEEP).is_file():
        try:
            with exclusive(directory / LOCK, wait=0):
                return False
        except OSError:
            return True
    return bool(1000 * time.time() - run.info.start_time < _DAY)


def _remove(store: Store, run_id: str) -> None:
    with store.opened() as client:
        _delete(client, client.get_run(run_id))


def _do(store: Store, action: str, *arguments: Any) -> None:
    with store.opened() as client:
        getattr(client, action)(*arguments)
