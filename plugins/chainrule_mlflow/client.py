"""Sending by MLflow's client: to a server, or to a database whose schema is not known here."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chainrule.errors import ChainruleError, RecordError
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import Record
from chainrule_mlflow import contents, images, model
from chainrule_mlflow.receipts import leave, receipt, replaced
from chainrule_mlflow.rows import Found, choose, superseded
from chainrule_mlflow.store import Store

METRICS, _PARAMS, _TAGS = 800, 100, 100  # in one call; MLflow allows 1000 altogether
_PAGE = 200  # runs, or experiments, asked for at once: a server has ten seconds for its answer
# What a server says of what it is sent, and not of itself.
_REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE")


def send(
    records: Sequence[Record],
    store: Store,
    experiment: str,
    parent_run_id: str | None = None,
    points: int = contents.POINTS,
) -> list[tuple[str, str] | RecordError]:
    """Make sure that records are in a store, and return what ``sending.send_many`` returns.

    Raises:
        ChainruleError: the store failed.
    """
    with store.opened() as mlflow:
        sender = _Sender(mlflow, store, experiment, parent_run_id, points)
        return sender.send(records)


class _Sender:
    """Sends some records.

    Args:
        mlflow: MLflow's client.
        store: where they go.
        experiment: its name.
        parent_run_id: the run that they are shown beneath, or None.
        points: the most points of one curve.
    """

    def __init__(self, mlflow: Any, store: Store, experiment: str, parent_run_id: str | None, points: int) -> None:
        self._mlflow, self._store = mlflow, store
        self._experiment, self._parent, self._points = experiment, parent_run_id, points
        self._experiment_id: str | None = None

    def send(self, records: Sequence[Record]) -> list[tuple[str, str] | RecordError]:
        named = [receipt(record, self._store) or replaced(record, self._store) for record in records]
        there = {run.run_id: run for run in self._named([place for place in named if place])}
        running: dict[str, list[Found]] = {}  # what a server that was slow has made after it was given up
        for run in self._search("attributes.status = 'RUNNING'"):
            running.setdefault(run.tags.get(contents.KEY, ""), []).append(run)
        folders = self._folders() if len(there) > 1 else None
        sent: list[tuple[str, str] | RecordError] = []
        for record in records:
            try:
                own = running.get(contents.key(record.manifest), [])
                # One that was shown while it was trained, of which a kill kept the file beside the record from telling.
                own += [run for run in running.get("", []) if run.tags.get(contents.PLACE) == str(record.directory)]
                sent.append(self._send(record, there, own, folders))
            except RecordError as error:
                sent.append(error)
        return sent

    def _send(
        self, record: Record, there: dict[str, Found], running: list[Found], folders: set[str] | None
    ) -> tuple[str, str]:
        named = receipt(record, self._store)
        known = [there[named[1]]] if named and named[1] in there else []
        is_known = bool(known) and known[0].complete
        if not is_known:
            record.require_intact()
            known += self._with_key(contents.key(record.manifest))
        runs = {run.run_id: run for run in (*known, *running)}
        if not runs:
            with self._store.lock():  # of processes that send one record at once to a database, one makes the run
                made = self._with_key(contents.key(record.manifest)) or self._create(record)
                runs = {run.run_id: run for run in made}
        run, *spare = choose(runs.values())
        if not run.complete:  # new, or an earlier attempt broke off
            self._fill(record, run.run_id)
        else:
            if self._parent and run.tags.get(contents.PARENT) != self._parent:
                self._mlflow.set_tag(run.run_id, contents.PARENT, self._parent)
            if not self._has_files(record, run.run_id, folders):
                record.require_intact()
                self._log_files(record, run.run_id)
        former = replaced(record, self._store)
        spare += [there[former[1]]] if former and former[1] in there else []
        for other in spare if is_known else [*spare, *self._superseded(record)]:
            if other.run_id != run.run_id:
                self._mlflow.delete_run(other.run_id)
        return leave(record, self._store, run.experiment_id, run.run_id)

    def _create(self, record: Record) -> list[Found]:
        """Make the run of a record, and return it, or several where a server that was slow has made several."""
        manifest = record.manifest
        key = contents.key(manifest)
        # The key finds the run again; MLflow takes the user from these tags only.
        tags = {contents.KEY: key, "mlflow.user": manifest.environment["user"]}
        tags |= {contents.PARENT: self._parent} if self._parent else {}
        made = self._mlflow.create_run(
            self._id(), start_time=contents.milliseconds(manifest, 0.0), tags=tags, run_name=contents.title(record)
        )
        return self._with_key(key) or [_found(made)]

    def _fill(self, record: Record, run_id: str) -> None:
        """Send everything. Rows of an earlier attempt are equal, and MLflow keeps each once."""
        run = contents.describe(record, self._parent, self._points)
        with _refused(record):
            run = _missing(self._mlflow, run_id, run)
            log(self._mlflow, run_id, run)
            log_dataset(self._mlflow, run_id, run)
        self._log_files(record, run_id)
        self._mlflow.set_terminated(run_id, run.status, run.end)

    def _log_files(self, record: Record, run_id: str) -> None:
        for path in record.files():
            folder = path.relative_to(record.directory).parent.as_posix()
            self._mlflow.log_artifact(run_id, str(path), None if folder == "." else folder)
        self._mlflow.log_text(run_id, model.description(record), model.FILE)
        with TemporaryDirectory() as further:
            images.write(record, Path(further))
            self._mlflow.log_artifacts(run_id, further)

    def _has_files(self, record: Record, run_id: str, folders: set[str] | None) -> bool:
        """Say whether a run has its files; of many runs, whether it has a folder, which one request tells of all."""
        if folders is not None:
            return run_id in folders
        sizes = {file.path: file.file_size for file in _listed(self._mlflow, run_id)}
        return MANIFEST in sizes and all(sizes.get(name) == f.bytes for name, f in record.manifest.files.items())

    def _folders(self) -> set[str] | None:
        """Return the ids of the runs of the experiment that have a folder of files; None if that cannot be asked."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        location = self._mlflow.get_experiment(self._id()).artifact_location
        try:
            repository = get_artifact_repository(location, tracking_uri=self._store.uri)
            return {file.path.rstrip("/").rpartition("/")[2] for file in repository.list_artifacts(None)}
        except Exception:  # of a cloud's client, which may not be allowed to list
            return None

    def _superseded(self, record: Record) -> list[Found]:
        if not self._parent or not record.member:
            return []
        beneath = f"tags.`{contents.PARENT}` = '{self._parent}'"
        of_job = self._search(f"{beneath} and tags.`{contents.JOB}` = '{record.member.number}'")
        return superseded([record], of_job)

    def _with_key(self, key: str) -> list[Found]:
        return self._search(f"tags.`{contents.KEY}` = '{key}'")

    def _named(self, places: Sequence[tuple[str, str]]) -> list[Found]:
        """Return the runs that receipts name, by experiment and run, as far as they are there."""
        found = []
        for first in range(0, len(places), _PAGE):
            some = places[first : first + _PAGE]
            which = f"attributes.run_id IN ({', '.join(repr(run_id) for _, run_id in some)})"
            found += self._search(which, sorted({experiment_id for experiment_id, _ in some}))
        return found

    def _search(self, which: str, experiments: Sequence[str] | None = None) -> list[Found]:
        found = every(self._mlflow.search_runs, experiments or [self._id()], filter_string=which)
        return [_found(run) for run in found]

    def _id(self) -> str:
        if self._experiment_id is None:
            self._experiment_id = experiment_of(self._mlflow, self._store, self._experiment)
        return self._experiment_id


def every(search: Any, *arguments: Any, **keywords: Any) -> Iterator[Any]:
    """Yield what a search of MLflow finds, page by page."""
    token = None
    while True:
        page = search(*arguments, max_results=_PAGE, page_token=token, **keywords)
        yield from page
        token = page.token
        if not token:
            return


def experiment_of(mlflow: Any, store: Store, name: str) -> str:
    """Return the experiment of that name, made if it is not there."""
    from mlflow.exceptions import MlflowException

    found = mlflow.get_experiment_by_name(name)
    if found is None:
        try:
            return str(mlflow.create_experiment(name, artifact_location=store.artifacts))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = mlflow.get_experiment_by_name(name)  # another process was faster
    if found.lifecycle_stage != "active":
        raise ChainruleError(
            f"The MLflow experiment {name!r} at {store.label} is deleted: choose another by tracking.experiment=NAME, "
            f"or bring it back by `mlflow experiments restore --experiment-id {found.experiment_id}`."
        )
    return str(found.experiment_id)


def find(mlflow: Any, experiment_id: str, key: str) -> list[Found]:
    """Return the runs of an experiment that carry a key."""
    found = mlflow.search_runs([experiment_id], filter_string=f"tags.`{contents.KEY}` = '{key}'", max_results=_PAGE)
    return choose(map(_found, found))


def log(mlflow: Any, run_id: str, run: contents.Run) -> None:
    """Send the metrics, parameters and tags of a run."""
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(*point) for point in run.points]
    params = [Param(*item) for item in run.params.items()]
    tags = [RunTag(*item) for item in run.tags.items()]
    for i in count():
        parts = metrics[i * METRICS :][:METRICS], params[i * _PARAMS :][:_PARAMS], tags[i * _TAGS :][:_TAGS]
        if not any(parts):
            break
        mlflow.log_batch(run_id, *parts, synchronous=True)


def log_points(mlflow: Any, run_id: str, points: Sequence[contents.Point]) -> None:
    """Send points of curves."""
    from mlflow.entities import Metric

    for first in range(0, len(points), METRICS):
        mlflow.log_batch(run_id, [Metric(*point) for point in points[first : first + METRICS]], synchronous=True)


def log_dataset(mlflow: Any, run_id: str, run: contents.Run) -> None:
    """Link a run to its dataset."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = DatasetInput(Dataset(**run.dataset), [InputTag(*item) for item in run.dataset_tags.items()])
    mlflow.log_inputs(run_id, [dataset])


def _missing(mlflow: Any, run_id: str, run: contents.Run) -> contents.Run:
    """Return what is still to be sent of a run: not the points of curves that were sent while it was trained."""
    if contents.LIVE not in mlflow.get_run(run_id).data.tags:
        return run
    names = {name for name, *_ in run.points}
    there = {(name, point.step) for name in names for point in mlflow.get_metric_history(run_id, name)}
    mlflow.delete_tag(run_id, contents.LIVE)
    return replace(run, points=[point for point in run.points if (point[0], point[3]) not in there])


@contextmanager
def _refused(record: Record) -> Iterator[None]:
    """Let what a server refuses of a record be the fault of the record: others may be sent."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in _REFUSALS:
            raise
        raise RecordError(f"MLflow refuses {record.directory}: {str(error).splitlines()[0]}") from error


def _found(run: Any) -> Found:
    own = {name: value for name, value in run.data.tags.items() if name in contents.OWN}
    return Found(run.info.experiment_id, run.info.run_id, run.info.status, own)


def _listed(mlflow: Any, run_id: str, folder: str | None = None) -> Iterable[Any]:
    for file in mlflow.list_artifacts(run_id, folder):
        if file.is_dir:
            yield from _listed(mlflow, run_id, file.path)
        else:
            yield file
