"""The run that stands for a sweep in MLflow: its runs are shown beneath it."""

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.ranking import compared_metric
from chainrule.errors import RecordError
from chainrule.records.run import read_record
from chainrule.records.sweep import Sweep
from chainrule_mlflow import bulk, contents, overview, sending
from chainrule_mlflow.store import Store


def begin(sweep: Sweep, store: Store, experiment: str) -> tuple[str, str]:
    """Make sure that a sweep has its run, and return the experiment and the run.

    Raises:
        ChainruleError: the store failed.
    """
    run = overview.begun(sweep)
    place = sending.place_of(store, experiment)
    if store.file and place:
        with store.explained(), store.lock():
            found = bulk.with_tag(store.file, place.id, contents.KEY, [run.tags[contents.KEY]])
            there = found.get(run.tags[contents.KEY])
            run_id = there.run_id if there else uuid4().hex
            if there or bulk.insert(store.file, place, {run_id: run}):
                return place.id, run_id
    with store.opened() as client:
        experiment_id = sending.experiment_of(client, store, experiment)
        with store.lock():
            known = sending.find(client, experiment_id, run.tags[contents.KEY])
            return experiment_id, known.info.run_id if known else _create(client, experiment_id, run)


def found(sweep: Sweep, outcomes: SweepOutcomes, store: Store) -> tuple[str, str, str] | None:
    """Return the experiment, the run and the key of the view of a sweep that was sent to a SQLite file; else None.

    Nothing is written: the experiment is that of a run of the sweep whose receipt is there.
    """
    if store.file is None or not bulk.supports(store.file):
        return None
    for outcome in outcomes:
        with suppress(RecordError):
            there = sending.receipt(read_record(sweep.directory / outcome.directory), store)
            if there is None:
                return None
            with store.explained():
                runs = bulk.with_tag(store.file, there[0], contents.KEY, [sweep.manifest.key])
            for run in runs.values():
                return there[0], run.run_id, overview.view(sweep, run.run_id, compared_metric(outcomes)).key
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
    run = overview.ended(sweep, outcomes)
    view = overview.view(sweep, run_id, compared_metric(outcomes))  # the loss, because errors are not logged
    ranking = json.dumps(overview.ranking(outcomes))
    files = sweep.files()
    place = sending.place_of(store, experiment)
    folder = place.folder(run_id) if place else None
    if store.file and folder:
        with store.explained():
            folder.mkdir(parents=True, exist_ok=True)
            for path in files:
                shutil.copyfile(path, folder / path.name)
            (folder / overview.RANKING).write_text(ranking, "utf-8")
            if bulk.finish(store.file, run_id, run, {view.tag: view.value}):
                return experiment_id, run_id, view.key
    with store.opened() as client:
        there = client.get_run(run_id).data.params  # MLflow refuses to change them
        missing = {name: value for name, value in run.params.items() if name not in there}
        sending.log(client, run_id, replace(run, params=missing))
        for path in files:
            client.log_artifact(run_id, str(path))
        client.log_text(run_id, ranking, overview.RANKING)
        client.set_experiment_tag(experiment_id, view.tag, view.value)
        client.set_terminated(run_id, run.status, run.end)
    return experiment_id, run_id, view.key


def _create(client: Any, experiment_id: str, run: contents.Run) -> str:
    # MLflow takes the user from these tags only.
    made = client.create_run(experiment_id, start_time=run.start, tags=dict(run.tags), run_name=run.name)
    sending.log(client, made.info.run_id, run)
    return str(made.info.run_id)
