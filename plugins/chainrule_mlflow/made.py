"""A new database of MLflow that is a copy: MLflow takes seconds to make one, by all migrations it ever had.

One that was made is kept in the user's cache, and copied as long as the same MLflow is installed.
"""

import hashlib
import sqlite3
import time
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from chainrule.files import cache

_FOLDER = "mlflow"  # of the cache
_MIGRATIONS = Path("store", "db_migrations", "versions")  # in MLflow's package


def copied(file: Path, artifacts: str) -> bool:
    """Make a database by copying one that was made before; return whether it was done.

    Args:
        file: the database, which is not there.
        artifacts: where the files of its runs go, a URI.
    """
    key = _key()
    content = cache.read(_FOLDER, key) if key else None
    if content is None:
        return False
    file.touch(mode=0o644)  # as SQLite does it
    file.write_bytes(content)
    now = int(1000 * time.time())
    columns = "artifact_location = ?, creation_time = ?, last_update_time = ?"
    with closing(sqlite3.connect(file)) as database, database:  # which also waits until all of it is on the disk
        database.execute(f"UPDATE experiments SET {columns}", [f"{artifacts}/0", now, now])  # the one that is there
    return True


def keep(file: Path) -> None:
    """Keep a database that has just been made, to copy it.

    Args:
        file: the database, in which there is nothing yet, and which nobody has opened.
    """
    key = _key()
    if key:
        cache.write(_FOLDER, key, file.read_bytes())


def _key() -> str | None:
    """Return what decides how MLflow makes a database: its version and its migrations; None if they are not found."""
    found = find_spec("mlflow")  # without an import
    folder = Path(found.origin).parent / _MIGRATIONS if found and found.origin else None
    if folder is None or not folder.is_dir():
        return None
    names = sorted(path.name for path in folder.glob("*.py"))
    return hashlib.sha256("\n".join([version("mlflow"), *names]).encode()).hexdigest()
