"""A new database of MLflow is a copy of one that was made before, wherever it lies."""

import contextlib
import shutil
import sqlite3

import pytest

from chainrule.files import cache
from chainrule_mlflow import made
from chainrule_mlflow.store import Store


@pytest.fixture
def makes(tmp_path, monkeypatch, prepared):
    """Databases that MLflow is asked for; it takes seconds, so that they are copies of one here."""
    found = []
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(Store, "_make_by_mlflow", lambda _, file: found.append(shutil.copy(prepared, file)))
    return found


def stored(file):
    """The schema and all rows by table, without times; MLflow writes the constraints of a table in any order."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        schema = database.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        found = {}
        for name, sql in schema:
            if sql and sql.startswith("CREATE TABLE"):
                columns = [column for _, column, *_ in database.execute(f'PRAGMA table_info("{name}")')]
                kept = ", ".join(f'"{column}"' for column in columns if not column.endswith("_time"))
                found[name] = sorted(map(repr, database.execute(f'SELECT {kept} FROM "{name}"')))
        lines = {name: sorted(line.strip(" \t,") for line in (sql or "").splitlines()) for name, sql in schema}
        return lines, found, database.execute("PRAGMA journal_mode").fetchone()


@pytest.mark.slow  # MLflow makes one
def test_a_copy_is_what_mlflow_makes(tmp_path, monkeypatch, prepared, made_anew):
    store = Store.at(f"sqlite:///{tmp_path}/a b é/mlflow.db")
    store.prepare()
    anew = stored(store.file)
    store.file.unlink()
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    cache.write(made._FOLDER, made._key(), prepared.read_bytes())
    monkeypatch.setattr(Store, "_make_by_mlflow", lambda *_: pytest.fail("MLflow was asked"))
    store.prepare()
    assert stored(store.file) == anew
    assert anew[2] == ("wal",)
    with store.opened() as client:
        (experiment,) = client.search_experiments()
    assert experiment.artifact_location == f"{store.artifacts}/0"
    assert experiment.creation_time == experiment.last_update_time > 1_700_000_000_000


def test_it_is_made_once_for_all_projects(tmp_path, makes):
    places = [tmp_path / name / "mlflow.db" for name in ("one", "two", "three")]
    for place in places:
        Store.at(f"sqlite:///{place}").prepare()
    assert len(makes) == 1
    for place in places:
        with contextlib.closing(sqlite3.connect(place)) as database:
            rows = database.execute("SELECT artifact_location FROM experiments").fetchall()
        if place != places[0]:
            assert rows == [(f"{place.parent.as_uri()}/mlartifacts/0",)]
        assert sorted(path.name for path in place.parent.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_what_is_damaged_in_the_cache_is_made_again(tmp_path, makes, content):
    Store.at(f"sqlite:///{tmp_path}/one/mlflow.db").prepare()
    (kept,) = cache.folder(made._FOLDER).iterdir()
    kept.write_bytes(content)
    for name in ("two", "three"):
        Store.at(f"sqlite:///{tmp_path}/{name}/mlflow.db").prepare()
    assert len(makes) == 2


def test_without_a_cache_each_is_made(tmp_path, makes, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, "")
    for name in ("one", "two"):
        Store.at(f"sqlite:///{tmp_path}/{name}/mlflow.db").prepare()
    assert len(makes) == 2


def test_another_mlflow_makes_its_own(monkeypatch):
    first = made._key()
    assert first == made._key() != ""
    monkeypatch.setattr(made, "version", lambda name: "99.0")
    assert made._key() not in (first, None)
    monkeypatch.setattr(made, "find_spec", lambda name: None)
    assert made._key() is None
