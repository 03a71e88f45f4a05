"""The model of a run as MLflow lists models: linked to the run, its metrics, parameters and dataset.

Single runs have one, and the best run of a sweep, of a comparison on each target. It is found under ``models:/ID``,
and ``mlflow models serve --env-manager local`` serves it.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chainrule.errors import RecordError
from chainrule.records.run import Record
from chainrule_mlflow import bulk, client, contents, model, sending
from chainrule_mlflow.store import Store

_REFUSED = re.compile(r"""[/:.%"']""")  # by MLflow, in names of models


def ensure(record: Record, store: Store, experiment: str, run_id: str) -> None:
    """Make sure that a run has its model, only one; one without weights that can be read has none.

    Args:
        record: of the run.
        store: where the run is.
        experiment: name of its experiment.
        run_id: the run in MLflow.

    Raises:
        RecordError: a file of the record is missing or damaged.
        ChainruleError: the store failed.
    """
    try:
        example = model.example(record)
    except RecordError:
        return
    run = contents.describe(record)
    place = sending.place_of(store, experiment)
    model_id = f"m-{hashlib.sha256(f'{contents.key(record.manifest)} {run_id}'.encode()).hexdigest()[:32]}"
    folder = place.model_folder(model_id) if place else None
    if store.file and place and folder:
        with store.explained():
            if bulk.has_model(store.file, run_id):
                return
            _write(record, example, run_id, model_id, folder)
            if bulk.write_model(store.file, place, run_id, model_id, name_of(record), run):
                return
    with store.opened() as mlflow:
        known = mlflow.get_run(run_id)
        if not (known.outputs and known.outputs.model_outputs):
            _create(mlflow, known, record, example, run)


def name_of(record: Record) -> str:
    """Return the name of a model: the title of its run, without the parts that MLflow refuses."""
    parts = [part for part in record.manifest.title.split(", ") if not _REFUSED.search(part)]
    return contents.cut(", ".join(parts), contents.NAME) or "model"


def _create(mlflow: Any, known: Any, record: Record, example: Mapping[str, Any], run: contents.Run) -> None:
    """Make the model of a run that is known there."""
    from mlflow.entities import LoggedModelOutput, Metric

    run_id, own = known.info.run_id, bulk.of_model(run.tags)
    made = mlflow.create_logged_model(known.info.experiment_id, name_of(record), run_id, own, dict(run.params))
    with TemporaryDirectory() as folder:
        _write(record, example, run_id, made.model_id, Path(folder))
        mlflow.log_model_artifacts(made.model_id, folder)
    mlflow.finalize_logged_model(made.model_id, "READY")
    data = {"dataset_name": run.dataset["name"], "dataset_digest": run.dataset["digest"]}
    # Points that were sent while it was trained have the time of then. With another one they would be there twice.
    times = {(metric.key, metric.step): metric.timestamp for metric in known.data.to_proto().metrics}
    metrics = [
        Metric(name, value, times.get((name, step), at), step, model_id=made.model_id, **data)
        for name, value, at, step in latest(run)
    ]
    for first in range(0, len(metrics), client.METRICS):
        mlflow.log_batch(run_id, metrics[first : first + client.METRICS], synchronous=True)
    mlflow.log_outputs(run_id, [LoggedModelOutput(made.model_id, 0)])  # last, because it says that all is there


def latest(run: contents.Run) -> list[contents.Point]:
    """Return the value of each metric at the end of a run; a model has none that are no numbers."""
    return [point for point in bulk.latest(run.points) if not math.isnan(point[1])]


def _write(record: Record, example: Mapping[str, Any], run_id: str, model_id: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in model.files(record, example, run_id, model_id).items():
        (folder / name).write_bytes(content)
