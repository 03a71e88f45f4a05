"""From a record to a run in MLflow, once, however often it is sent and wherever a former attempt broke off."""

import hashlib
import json
import os
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from chainrule.errors import ChainruleError, RecordError
from chainrule_mlflow import contents
from chainrule_mlflow.store import Store

if TYPE_CHECKING:
    from chainrule.records import Record

RECEIPT = "mlflow.json"
_KEY = "chainrule.key"
_METRICS, _PARAMS, _TAGS = 800, 100, 100  # in one call; MLflow allows 1000 altogether


def send(record: "Record", store: Store, experiment: str) -> tuple[str, str]:
    """Make sure that a record is in a store, and return the experiment and the run.

    Raises:
        ChainruleError: it cannot be sent, or the record lacks a file.
    """
    for path in record.files():
        if not path.is_file():
            raise RecordError(f"{path} is missing, so the record cannot be sent.")
    with store.opened() as client:
        run = _from_receipt(record, store, client)
        if run is None:
            experiment_id = _experiment(client, store, experiment)
            with store.lock():
                run = _find(record, client, experiment_id) or _create(record, client, experiment_id)
        if run.info.status == "RUNNING":  # new, or a former attempt broke off
            _fill(record, client, run.info.run_id)
    _leave_receipt(record, store, run)
    return run.info.experiment_id, run.info.run_id


def _key(record: "Record") -> str:
    """Return what tells this run from all others, also from the same one trained again."""
    return hashlib.sha256(f"{record.manifest['identity']} {record.manifest['started']}".encode()).hexdigest()


def _from_receipt(record: "Record", store: Store, client: Any) -> Any:
    """Return the run that the receipt beside the record names, or None where it does not hold (any more)."""
    from mlflow.exceptions import MlflowException

    try:
        receipt = json.loads((record.directory / RECEIPT).read_bytes())
    except (OSError, ValueError):
        return None
    # An older receipt may be there from a run that was trained into the same directory before.
    expected = {"tracking_uri": store.label, "key": _key(record)}
    if not isinstance(receipt, dict) or any(receipt.get(name) != value for name, value in expected.items()):
        return None
    try:
        run = client.get_run(str(receipt.get("run_id")))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return run if run.info.lifecycle_stage == "active" else None


def _experiment(client: Any, store: Store, name: str) -> str:
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


def _find(record: "Record", client: Any, experiment_id: str) -> Any:
    found = client.search_runs([experiment_id], filter_string=f"tags.`{_KEY}` = '{_key(record)}'", max_results=1)
    return found[0] if found else None


def _create(record: "Record", client: Any, experiment_id: str) -> Any:
    manifest = record.manifest
    return client.create_run(
        experiment_id,
        start_time=contents.milliseconds(manifest, 0.0),
        tags={_KEY: _key(record), "mlflow.user": manifest["environment"]["user"]},  # the user is taken from here only
        run_name=contents.title(manifest),
    )


def _fill(record: "Record", client: Any, run_id: str) -> None:
    """Send all there is. Rows that a former attempt left are the same, and MLflow keeps them once."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    manifest = record.manifest
    metrics = [Metric(*point) for point in contents.points(record)]
    params = [Param(*item) for item in contents.params(manifest).items()]
    tags = [RunTag(*item) for item in contents.tags(record).items()]
    for i in count():
        parts = metrics[i * _METRICS :][:_METRICS], params[i * _PARAMS :][:_PARAMS], tags[i * _TAGS :][:_TAGS]
        if not any(parts):
            break
        client.log_batch(run_id, *parts, synchronous=True)
    dataset = DatasetInput(Dataset(**contents.dataset(manifest)), [InputTag("mlflow.data.context", "training")])
    client.log_inputs(run_id, [dataset])
    for path in record.files():
        folder = path.relative_to(record.directory).parent.as_posix()
        client.log_artifact(run_id, str(path), None if folder == "." else folder)
    # Only complete records are sent, so no run is here because it crashed. FAILED is free to mean that it diverged: a
    # red mark in the table, and `status = "FINISHED"` leaves out runs whose last finite loss would pass for a result.
    status = "FAILED" if manifest["reason"] == "diverged" else "FINISHED"
    client.set_terminated(run_id, status, contents.milliseconds(manifest, 1.0))


def _leave_receipt(record: "Record", store: Store, run: Any) -> None:
    """Write down where the run is, so that it need not be searched for. A record may be read-only; then it is found."""
    receipt = {
        "tracking_uri": store.label,
        "experiment_id": run.info.experiment_id,
        "run_id": run.info.run_id,
        "key": _key(record),
    }
    path = record.directory / RECEIPT
    content = json.dumps(receipt, indent=1).encode()
    with suppress(OSError):
        if path.is_file() and path.read_bytes() == content:
            return
        temporary = path.with_name(f".{RECEIPT}.{os.getpid()}.tmp")
        temporary.write_bytes(content)
        os.replace(temporary, path)
