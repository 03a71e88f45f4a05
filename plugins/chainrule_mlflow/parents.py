"""The run that stands for a sweep in MLflow: its runs are shown beneath it."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import RecordError
from chainrule.records.run import read_record
from chainrule.records.sweep import Sweep
from chainrule_mlflow import best, bulk, client, contents, logged, overview, receipts, sending
from chainrule_mlflow.rows import Found, choose
from chainrule_mlflow.store import Store


def begin(sweep: Sweep, store: Store, experiment: str) -> tuple[str, str]:
    """Make sure that a sweep has its run, only one, and return the experiment and the run.

    Raises:
        ChainruleError: the store failed.
    """
    run = _begun(sweep, store, experiment)
    return receipts.leave_of_sweep(sweep, store, experiment, run.experiment_id, run.run_id)


def go_on(sweep: Sweep, store: Store, experiment: str) -> None:
    """Let the run of a sweep be running, which had broken off before.

    Raises:
        ChainruleError: the store failed.
    """
    begin(sweep, store, experiment)
    if not sweep.manifest.finished:
        _set_status(sweep, store, experiment, "RUNNING")


def break_off(sweep: Sweep, store: Store, experiment: str) -> tuple[str, str]:
    """Let the run of a sweep that is running be killed, and return experiment and run.

    Raises:
        ChainruleError: the store failed.
    """
    there = begin(sweep, store, experiment)
    _set_status(sweep, store, experiment, "KILLED")
    return there


def found(sweep: Sweep, outcomes: SweepOutcomes, store: Store) -> tuple[str, str, str] | None:
    """Return the experiment, the run and the key of the view of a sweep that was sent to a SQLite file; else None.

    Nothing is written: the experiment is that of a run of the sweep whose receipt is there.
    """
    with store.explained():
        if store.file is None or not bulk.supports(store.file):
            return None
    for outcome in outcomes:
        with suppress(RecordError):
            there = receipts.receipt(read_record(sweep.directory / outcome.directory), store)
            if there is None:
                return None
            with store.explained():
                runs = bulk.with_tag(store.file, there[0], contents.KEY, [sweep.manifest.key])
            for run in runs:
                views = overview.views(sweep, run.run_id, outcomes)
                return there[0], run.run_id, next(iter(views.values())).key
            return None
    return None


def finish(sweep: Sweep, outcomes: SweepOutcomes, store: Store, experiment: str) -> tuple[str, str, str]:
    """Write the result of a sweep into its run, and the view that shows it.

    Returns:
        The experiment, the run, and the key of the view that shows the sweep.

    Raises:
        ChainruleError: the store failed.
    """
    experiment_id, run_id = begin(sweep, store, experiment)
    views = overview.views(sweep, run_id, outcomes)
    first = next(iter(views.values())).key
    ranking = json.dumps(overview.ranking(outcomes))
    files = dict.fromkeys(sweep.files(), "")
    with best.drawn(outcomes) as pictures:
        bests = best.runs(outcomes, store, pictures)
        shown = "the tuned contenders" if sweep.comparison else "each target"
        charts = [best.charts(experiment_id, views, shown)] if len(views) > 1 else []
        run = overview.ended(sweep, outcomes, run_id, bests, charts)
        files |= {best.reduced(path): Path(name).parent.as_posix() for name, path in pictures.items()}
        _write(store, experiment, experiment_id, run_id, run, list(views.values()), files, ranking)
        for each in bests:
            if each.run_id:
                _add_files(store, experiment, each.run_id, {pictures[name]: "pictures" for name in each.pictures})
                logged.ensure(each.record, store, experiment, each.run_id)
    return experiment_id, run_id, first


def _write(
    store: Store,
    experiment: str,
    experiment_id: str,
    run_id: str,
    run: contents.Run,
    views: Sequence[overview.View],
    files: Mapping[Path, str],
    ranking: str,
) -> None:
    """Write the result of a sweep into its run; files go into the folders that they are given with."""
    place = sending.place_of(store, experiment)
    folder = place.folder(run_id) if place else None
    if store.file and folder:
        _add_files(store, experiment, run_id, files)
        with store.explained():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / overview.RANKING).write_text(ranking, "utf-8")
            if bulk.finish(store.file, run_id, run, {view.tag: view.value for view in views}):
                return
    with store.opened() as mlflow:
        there = mlflow.get_run(run_id).data.params  # MLflow refuses to change them
        missing = {name: value for name, value in run.params.items() if name not in there}
        client.log(mlflow, run_id, replace(run, params=missing))
        if run.dataset and not mlflow.get_run(run_id).inputs.dataset_inputs:
            client.log_dataset(mlflow, run_id, run)
        _add_files(store, experiment, run_id, files)
        mlflow.log_text(run_id, ranking, overview.RANKING)
        for view in views:
            mlflow.set_experiment_tag(experiment_id, view.tag, view.value)
        mlflow.set_terminated(run_id, run.status, run.end)


def _add_files(store: Store, experiment: str, run_id: str, files: Mapping[Path, str]) -> None:
    """Add files to a run, each in the folder that it is given with."""
    place = sending.place_of(store, experiment)
    folder = place.folder(run_id) if place else None
    if folder:
        with store.explained():
            for path, below in files.items():
                (folder / below).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / below / path.name)
    elif files:
        with store.opened() as mlflow:
            for path, below in files.items():
                mlflow.log_artifact(run_id, str(path), below or None)


def _begun(sweep: Sweep, store: Store, experiment: str) -> Found:
    run = overview.begun(sweep)
    key = run.tags[contents.KEY]
    place = sending.place_of(store, experiment)
    if store.file and place:
        with store.explained(), store.lock():
            there = choose(bulk.with_tag(store.file, place.id, contents.KEY, [key]))
            run_id = uuid4().hex
            new = {} if there else {run_id: run}
            spare = [other.run_id for other in there[1:]]
            if not (new or spare) or bulk.write(store.file, place, new, removed=spare):
                return there[0] if there else Found(place.id, run_id, run.status, run.tags)
    with store.opened() as mlflow:
        experiment_id = client.experiment_of(mlflow, store, experiment)
        with store.lock():
            known = client.find(mlflow, experiment_id, key) or _create(mlflow, experiment_id, run)
        for other in known[1:]:
            mlflow.delete_run(other.run_id)
        return known[0]


def _set_status(sweep: Sweep, store: Store, experiment: str, status: str) -> None:
    """Let the run of a sweep be running or killed, if it is not."""
    run = _begun(sweep, store, experiment)
    if run.status == status:
        return
    end = None if status == "RUNNING" else int(1000 * time.time())
    with store.explained():
        if store.file and bulk.supports(store.file) and bulk.set_status(store.file, run.run_id, status, end):
            return
    with store.opened() as mlflow:
        if end is None:
            mlflow.update_run(run.run_id, status)
        else:
            mlflow.set_terminated(run.run_id, status, end)


def _create(mlflow: Any, experiment_id: str, run: contents.Run) -> list[Found]:
    # MLflow takes the user from these tags only.
    mlflow_run = mlflow.create_run(experiment_id, start_time=run.start, tags=dict(run.tags), run_name=run.name)
    client.log(mlflow, mlflow_run.info.run_id, run)
    return client.find(mlflow, experiment_id, run.tags[contents.KEY])
