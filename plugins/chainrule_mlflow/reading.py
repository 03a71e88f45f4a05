"""The runs of an experiment in MLflow, whoever made them, as plain data."""

from typing import Any

from chainrule.errors import ChainruleError, nearest
from chainrule.records.tracked import Status, TrackedRun, TrackedRuns
from chainrule_mlflow.client import every
from chainrule_mlflow.contents import PARENT
from chainrule_mlflow.store import Store

_STATUSES = {"FINISHED": Status.FINISHED, "FAILED": Status.FAILED, "KILLED": Status.KILLED}  # else it has not ended


def read(store: Store, experiment: str) -> TrackedRuns:
    """Return the runs of an experiment that are not deleted.

    Args:
        store: where MLflow keeps it.
        experiment: its name or its id.

    Raises:
        ChainruleError: there is no such experiment, or the store failed.
    """
    if store.is_missing:
        raise ChainruleError(
            f"There is no MLflow database {store.file}: set MLFLOW_TRACKING_URI to the server, the database or the "
            "folder that has the runs."
        )
    with store.opened() as client:
        found = _experiment(client, store, experiment)
        runs = [_run(run) for run in every(client.search_runs, [found.experiment_id], order_by=["start_time ASC"])]
    return TrackedRuns(found.name, store.label, tuple(runs))


def _experiment(client: Any, store: Store, wanted: str) -> Any:
    """Return the experiment of that name, else the one with that id."""
    found = client.get_experiment_by_name(wanted) or _with_id(client, wanted)
    if found is None:
        names = [one.name for one in every(client.search_experiments)]
        known = f" There are {', '.join(names[:20])}{' ...' * (len(names) > 20)}."
        raise ChainruleError(f"MLflow at {store.label} has no experiment {wanted!r}{nearest(wanted, names)}.{known}")
    if found.lifecycle_stage != "active":
        raise ChainruleError(
            f"The MLflow experiment {wanted!r} at {store.label} is deleted: bring it back by "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`."
        )
    return found


def _with_id(client: Any, wanted: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_experiment(wanted) if wanted.isdecimal() else None
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _run(run: Any) -> TrackedRun:
    return TrackedRun(
        key=run.info.run_id,
        status=_STATUSES.get(run.info.status, Status.RUNNING),
        parameters=dict(run.data.params),
        metrics=dict(run.data.metrics),
        parent=run.data.tags.get(PARENT),
    )
