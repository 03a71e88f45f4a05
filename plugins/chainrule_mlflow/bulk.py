"""Write many runs into MLflow's SQLite database at once, in less than a tenth of the client's time.

The rows equal those of the client, table by table; a schema is declined unless its rows were compared. MLflow is not
imported here, because that takes longer than sending hundreds of runs.
"""

import math
import os
import posixpath
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from chainrule.registry.aside import at_work
from chainrule_mlflow.connections import opened
from chainrule_mlflow.contents import JOB, KEY, LIVE, OWN, PARENT, PLACE, Point, Run
from chainrule_mlflow.rows import Found

REVISIONS = frozenset({"dc11669786a5"})  # of MLflow 3.17
_LONGEST = 500  # characters of the place of an experiment's files
_READY = 2  # state of a model
_MODEL_OF = "SELECT 1 FROM inputs WHERE source_type = 'RUN_OUTPUT' AND source_id = ?"
_OF_MODEL = (
    "mlflow.note.content",
    "mlflow.user",
    "mlflow.source.name",
    "mlflow.source.type",
    "mlflow.source.git.commit",
    "mlflow.source.git.dirty",
)
_IS_ACTIVE = "SELECT 1 FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'"
_IS_LIVE = f"{_IS_ACTIVE} AND EXISTS (SELECT 1 FROM tags WHERE tags.run_uuid = runs.run_uuid AND key = ?)"
_WORKSPACE = "default"  # where MLflow keeps everything unless workspaces are switched on


@dataclass(frozen=True)
class Experiment:
    """An active experiment.

    Attributes:
        id: its number, as text.
        location: folder or URI beneath which the files of its runs lie.
    """

    id: str
    location: str

    def artifact_uri(self, run_id: str) -> str:
        """Return where the files of a run lie, as MLflow derives it."""
        return posixpath.join(self.location, run_id, "artifacts")

    def folder(self, run_id: str) -> Path | None:
        """Return the folder of the files of a run, or None where they do not lie in this machine's file system."""
        return _local(self.artifact_uri(run_id))

    def model_uri(self, model_id: str) -> str:
        """Return where the files of a model lie, likewise."""
        return posixpath.join(self.location, "models", model_id, "artifacts")

    def model_folder(self, model_id: str) -> Path | None:
        """Return the folder of the files of a model, likewise."""
        return _local(self.model_uri(model_id))


def supports(file: Path) -> bool:
    """Return whether a file is a database of MLflow with a schema whose rows are known here.

    Raises:
        sqlite3.Error: another process keeps it locked.
    """
    if os.environ.get("MLFLOW_ENABLE_WORKSPACES"):
        return False
    try:
        with opened(file) as database:
            return _is_known(database)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise
        return False


def experiment(file: Path, name: str, location: str) -> Experiment | None:
    """Return the experiment of that name, made if need be; None if the client must make it or explain what is wrong.

    Args:
        file: the database.
        name: of the experiment.
        location: folder as a URI beneath which the files of a new experiment go.

    Raises:
        sqlite3.Error: the database cannot be read or written.
    """
    query = "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments WHERE name = ?"
    with opened(file) as database:
        row = database.execute(query, [name]).fetchone()
        if not row and len(location) <= _LONGEST:
            database.execute("BEGIN IMMEDIATE")
            row = database.execute(query, [name]).fetchone()  # another process may have been faster
            if not row and _is_known(database):
                now = int(1000 * time.time())
                database.execute(
                    "INSERT INTO experiments (name, workspace, artifact_location, lifecycle_stage, creation_time,"
                    " last_update_time) VALUES (?, ?, ?, 'active', ?, ?)",
                    [name, _WORKSPACE, location, now, now],
                )
                row = database.execute(query, [name]).fetchone()
                database.execute("COMMIT")
    return Experiment(str(row[0]), row[1]) if row and row[1] and row[2] == "active" else None


def number_of(file: Path, name: str) -> str | None:
    """Return the id of the active experiment of that name, or None.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    with opened(file) as database:
        query = "SELECT experiment_id FROM experiments WHERE name = ? AND lifecycle_stage = 'active'"
        row = database.execute(query, [name]).fetchone()
    return str(row[0]) if row else None


def with_ids(file: Path, run_ids: Sequence[str]) -> list[Found]:
    """Return the runs with some ids that are there.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    return _found(file, f"runs.run_uuid IN ({_places(run_ids)})", run_ids)


def with_tag(file: Path, experiment_id: str, tag: str, values: Sequence[str]) -> list[Found]:
    """Return the runs of an experiment that carry one of some values of a tag, the first that was started first.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    with_value = f"SELECT run_uuid FROM tags WHERE key = ? AND value IN ({_places(values)})"
    which = f"experiment_id = ? AND runs.run_uuid IN ({with_value})"
    return _found(file, which, [int(experiment_id), tag, *values])


def of_jobs(file: Path, experiment_id: str, parent: str, jobs: Sequence[str], places: Sequence[str]) -> list[Found]:
    """Return the runs beneath that of a sweep that have one of some numbers, or whose records have one of some places.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    own = f"SELECT run_uuid FROM tags WHERE key = ? AND value IN ({_places(jobs)})"
    own += f" UNION SELECT run_uuid FROM tags WHERE key = ? AND value IN ({_places(places)})"
    beneath = "SELECT run_uuid FROM tags WHERE key = ? AND value = ?"
    which = f"experiment_id = ? AND runs.run_uuid IN ({beneath}) AND runs.run_uuid IN ({own})"
    return _found(file, which, [int(experiment_id), PARENT, parent, JOB, *jobs, PLACE, *places])


def write(
    file: Path,
    experiment: Experiment,
    runs: Mapping[str, Run],
    moved: Mapping[str, str] | None = None,
    removed: Sequence[str] = (),
) -> bool:
    """Insert runs, by their new ids (32 hexadecimal digits), and mend others, in one transaction: all of it or nothing.

    Args:
        file: the database.
        experiment: of the new runs.
        runs: the new runs.
        moved: runs that are to be shown beneath another, whose id it is.
        removed: runs that are to be deleted, as the client does: `mlflow` can bring them back.

    Returns:
        Whether it was done. False, and nothing was written, where the schema is no longer a known one or the experiment
        no longer active.

    Raises:
        sqlite3.Error: the database cannot be written, and nothing was.
    """
    with _transaction(file) as database:
        active = "SELECT 1 FROM experiments WHERE experiment_id = ? AND lifecycle_stage = 'active'"
        if database is None or not database.execute(active, [int(experiment.id)]).fetchone():
            return False
        _insert_runs(database, experiment, runs)
        _insert_datasets(database, int(experiment.id), runs)
        beneath = ((run_id, PARENT, parent) for run_id, parent in (moved or {}).items())
        _insert(database, "tags (run_uuid, key, value)", beneath, "OR REPLACE ")
        deleted = "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE run_uuid = ?"
        database.executemany(deleted, ((int(1000 * time.time()), run_id) for run_id in removed))
    return True


def set_status(file: Path, run_id: str, status: str, end: int | None) -> bool:
    """Set the status and the end of a run; return whether it was done, as ``write`` does.

    Raises:
        sqlite3.Error: the database cannot be written.
    """
    with _transaction(file) as database:
        if database is None:
            return False
        database.execute("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", [status, end, run_id])
    return True


def claim(file: Path, run_id: str, key: str) -> bool:
    """Let a run that is there be that of the record with a key, and be running; return whether it was done, likewise.

    Raises:
        sqlite3.Error: the database cannot be written.
    """
    with _transaction(file) as database:
        if database is None:
            return False
        if database.execute(_IS_ACTIVE, [run_id]).fetchone():
            _insert(database, "tags (run_uuid, key, value)", [(run_id, KEY, key)], "OR REPLACE ")
            database.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE run_uuid = ?", [run_id])
    return True


def add(file: Path, run_id: str, points: Sequence[Point]) -> bool:
    """Add points to the curves of a run that is shown while it is trained; return whether it was done, likewise.

    It is not if the run is not there any more, or its record has been sent, in which these points are.

    Raises:
        sqlite3.Error: the database cannot be written.
    """
    with _transaction(file) as database:
        if database is None or not database.execute(_IS_LIVE, [run_id, LIVE]).fetchone():
            return False
        _insert_points(database, "metrics", run_id, points, "OR IGNORE ")
        _insert_points(database, "latest_metrics", run_id, latest(points), "OR REPLACE ")
    return True


def finish(file: Path, run_id: str, run: Run, experiment_tags: Mapping[str, str]) -> bool:
    """End a run that is running: set its status, end, tags and points, in one transaction.

    Args:
        file: the database.
        run_id: the run.
        run: what MLflow is told about it now; parameters that are there stay as they are.
        experiment_tags: to be set on its experiment.

    Returns:
        Whether it was done. False, and nothing was written, where the schema is no longer a known one.

    Raises:
        sqlite3.Error: the database cannot be written, and nothing was.
    """
    with _transaction(file) as database:
        if database is None:
            return False
        database.execute("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", [run.status, run.end, run_id])
        (experiment_id,) = database.execute("SELECT experiment_id FROM runs WHERE run_uuid = ?", [run_id]).fetchone()
        _insert(database, "tags (run_uuid, key, value)", ((run_id, *item) for item in run.tags.items()), "OR REPLACE ")
        params = ((run_id, *item) for item in run.params.items())
        _insert(database, "params (run_uuid, key, value)", params, "OR IGNORE ")
        database.execute("DELETE FROM tags WHERE run_uuid = ? AND key = ?", [run_id, LIVE])
        for table, points in (("metrics", run.points), ("latest_metrics", latest(run.points))):
            # Those of an end before it was resumed, or that were sent while it was trained.
            database.execute(f"DELETE FROM {table} WHERE run_uuid = ?", [run_id])
            _insert_points(database, table, run_id, points)
        if not database.execute("SELECT 1 FROM inputs WHERE destination_id = ?", [run_id]).fetchone():
            _insert_datasets(database, experiment_id, {run_id: run})
        tags = ((experiment_id, *item) for item in experiment_tags.items())
        _insert(database, "experiment_tags (experiment_id, key, value)", tags, "OR REPLACE ")
    return True


def of_model(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a run that its model has, too: its description, who has made it, from what."""
    return {key: value for key, value in tags.items() if key in _OF_MODEL}


def has_model(file: Path, run_id: str) -> bool:
    """Return whether a run has a model of its own.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    with opened(file) as database:
        return bool(database.execute(_MODEL_OF, [run_id]).fetchone())


def write_model(file: Path, experiment: Experiment, run_id: str, model_id: str, name: str, run: Run) -> bool:
    """Insert the model of a run, whose files are there, with the last values of its metrics, unless it has one.

    Returns:
        Whether it is there. False, and nothing was written, where the schema is no longer a known one.

    Raises:
        sqlite3.Error: the database cannot be written, and nothing was.
    """
    with _transaction(file) as database:
        if database is None:
            return False
        if database.execute(_MODEL_OF, [run_id]).fetchone():
            return True
        number, now = int(experiment.id), int(1000 * time.time())
        _insert(
            database,
            "logged_models (model_id, experiment_id, name, artifact_location, creation_timestamp_ms,"
            " last_updated_timestamp_ms, status, lifecycle_stage, source_run_id)",
            [(model_id, number, name, experiment.model_uri(model_id), run.end, now, _READY, "active", run_id)],
        )
        params = ((model_id, number, *item) for item in run.params.items())
        _insert(database, "logged_model_params (model_id, experiment_id, param_key, param_value)", params)
        tags = ((model_id, number, *item) for item in of_model(run.tags).items())
        _insert(database, "logged_model_tags (model_id, experiment_id, tag_key, tag_value)", tags)
        identity = run.dataset["name"], run.dataset["digest"]
        query = "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
        (dataset,) = database.execute(query, [number, *identity]).fetchone() or (None,)
        _insert(
            database,
            "logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value,"
            " experiment_id, run_id, dataset_uuid, dataset_name, dataset_digest)",
            (
                (model_id, key, at, step, value, number, run_id, dataset, *identity)
                for key, value, at, step in latest(run.points)
                if not math.isnan(value)
            ),
        )
        _insert(
            database,
            "inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)",
            [(uuid4().hex, "RUN_OUTPUT", run_id, "MODEL_OUTPUT", model_id, 0)],
        )
    return True


@contextmanager
def _transaction(file: Path) -> Iterator[sqlite3.Connection | None]:
    """Yield a database whose changes are kept together, or not at all after an error; None if its schema is unknown."""
    with opened(file) as database:
        database.execute("BEGIN IMMEDIATE")  # waits for other writers here, where nothing is lost
        with at_work():
            yield database if _is_known(database) else None
            database.execute("COMMIT")


def _local(uri: str) -> Path | None:
    from urllib.request import url2pathname  # here, because it is slow to import, and processes that train send nothing

    local = re.fullmatch(r"(?:file://)?(/[^?#;]*)", uri)
    return Path(url2pathname(local[1])) if local else None


def _is_known(database: sqlite3.Connection) -> bool:
    revisions = {revision for (revision,) in database.execute("SELECT version_num FROM alembic_version")}
    elsewhere = database.execute("SELECT 1 FROM experiments WHERE workspace <> ?", [_WORKSPACE]).fetchone()
    return len(revisions) == 1 and revisions <= REVISIONS and not elsewhere


def _insert_runs(database: sqlite3.Connection, experiment: Experiment, runs: Mapping[str, Run]) -> None:
    unknown = {"source_type": "UNKNOWN", "source_name": "", "entry_point_name": "", "source_version": ""}
    _insert(
        database,
        f"runs (run_uuid, name, user_id, status, start_time, end_time, artifact_uri, experiment_id, lifecycle_stage,"
        f" {', '.join(unknown)})",
        (
            (
                *(run_id, run.name, run.tags.get("mlflow.user", "unknown"), run.status, run.start, run.end),
                *(experiment.artifact_uri(run_id), int(experiment.id), "active", *unknown.values()),
            )
            for run_id, run in runs.items()
        ),
    )
    _insert(
        database,
        "tags (run_uuid, key, value)",
        ((run_id, *item) for run_id, run in runs.items() for item in {**run.tags, "mlflow.runName": run.name}.items()),
    )
    _insert(
        database,
        "params (run_uuid, key, value)",
        ((run_id, *item) for run_id, run in runs.items() for item in run.params.items()),
    )
    for run_id, run in runs.items():
        _insert_points(database, "metrics", run_id, run.points)
        _insert_points(database, "latest_metrics", run_id, latest(run.points))


def latest(points: Sequence[Point]) -> Iterable[Point]:
    """Return the point of each metric that MLflow shows as its value."""
    latest: dict[str, Point] = {}
    for point in points:
        other = latest.get(point[0])
        if other is None or point[3] > other[3] or (point[3] == other[3] and _order(point) > _order(other)):
            latest[point[0]] = point
    return latest.values()


def _order(point: Point) -> tuple[int, float]:
    """Return by what MLflow chooses among points of one step; NaN is kept as 0."""
    _, value, timestamp, _ = point
    return timestamp, 0.0 if math.isnan(value) else value


def _insert_points(
    database: sqlite3.Connection, table: str, run_id: str, points: Iterable[Point], conflict: str = ""
) -> None:
    columns = "(run_uuid, key, value, timestamp, step, is_nan)"  # the last one is for NaN
    rows = (
        (run_id, name, value, timestamp, step, 0) if value == value else (run_id, name, 0.0, timestamp, step, 1)
        for name, value, timestamp, step in points
    )
    _insert(database, f"{table} {columns}", rows, conflict)


def _insert_datasets(database: sqlite3.Connection, experiment_id: int, runs: Mapping[str, Run]) -> None:
    """Link runs to their datasets; an experiment has each dataset once."""
    known = {
        (name, digest): dataset_id
        for name, digest, dataset_id in database.execute(
            "SELECT name, digest, dataset_uuid FROM datasets WHERE experiment_id = ?", [experiment_id]
        )
    }
    new: dict[tuple[str, str], tuple[Any, ...]] = {}
    inputs: list[tuple[str, str, str]] = []
    for run_id, run in runs.items():
        dataset = run.dataset
        if not dataset:
            continue
        identity = dataset["name"], dataset["digest"]
        if identity not in known:
            known[identity] = uuid4().hex
            fields = dataset["source_type"], dataset["source"], dataset["schema"], dataset["profile"]
            new[identity] = (known[identity], experiment_id, *identity, *fields)
        inputs.append((uuid4().hex, known[identity], run_id))
    _insert(
        database,
        "datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, dataset_schema,"
        " dataset_profile)",
        new.values(),
    )
    _insert(
        database,
        "inputs (input_uuid, source_id, destination_id, source_type, destination_type)",
        ((*link, "DATASET", "RUN") for link in inputs),
    )
    _insert(
        database,
        "input_tags (input_uuid, name, value)",
        ((input_id, *item) for input_id, _, run_id in inputs for item in runs[run_id].dataset_tags.items()),
    )


def _insert(database: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]], conflict: str = "") -> None:
    """Insert rows into a table, given with its columns in brackets."""
    places = ", ".join("?" * (table.count(",") + 1))
    database.executemany(f"INSERT {conflict}INTO {table} VALUES ({places})", rows)


def _places(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _found(file: Path, which: str, values: Sequence[Any]) -> list[Found]:
    """Return the active runs for which a condition holds, in the order in which they were started."""
    with opened(file) as database:
        rows = database.execute(
            "SELECT runs.run_uuid, experiment_id, status, tags.key, tags.value FROM runs LEFT JOIN tags"
            f" ON tags.run_uuid = runs.run_uuid AND tags.key IN ({_places(OWN)})"
            f" WHERE lifecycle_stage = 'active' AND {which} ORDER BY start_time, runs.run_uuid",
            [*OWN, *values],
        ).fetchall()
    tags: dict[str, dict[str, str]] = {}
    for run_id, _, _, key, value in rows:
        tags.setdefault(run_id, {}).update({} if key is None else {key: value})
    infos = {run_id: (str(experiment_id), status) for run_id, experiment_id, status, _, _ in rows}
    return [Found(infos[run_id][0], run_id, infos[run_id][1], own) for run_id, own in tags.items()]
