"""Where MLflow keeps runs: a server, or a database that is prepared once and used by several processes."""

import logging
import os
import re
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from chainrule.errors import ChainruleError
from chainrule.files import paths
from chainrule.files.locks import exclusive
from chainrule.registry.aside import at_work
from chainrule_mlflow import apart, made

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# Defaults where the person has set nothing. By MLflow's own defaults a server that is down blocks a call for minutes;
# here a failure is only a delay, because the record can be sent later.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_ANSWER = 5.0  # seconds that a server has to answer
_PATIENCE = 60.0  # seconds to wait for other processes of chainrule
BUSY = 20.0  # seconds to wait for other writers of a SQLite file
_LONG = 300  # most characters of a cause
_LOUD = ("mlflow", "alembic", "urllib3")
KIND = "chainrule.kind"  # tag of what is no part of something else: a run, a sweep, a comparison, a search
_SECRET = re.compile(r"(?<=://)([^/@]*):[^/@]*@")


@dataclass(frozen=True)
class Store:
    """One place where MLflow keeps runs.

    Attributes:
        uri: its tracking URI; a SQLite file has its absolute path.
        file: the database file, or None where there is none.
    """

    uri: str
    file: Path | None = None

    @classmethod
    def at(cls, uri: str | None) -> "Store":
        """Return the store at ``uri``, else at ``MLFLOW_TRACKING_URI``, else in a SQLite file of the project."""
        uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            file = paths.project() / "mlflow.db"
            return cls(f"sqlite:///{file.as_posix()}", file)
        sqlite = re.fullmatch(r"(sqlite(?:\+\w+)?:///)([^?]+)(\?.*)?", uri)
        if not sqlite or sqlite[2] == ":memory:":
            return cls(uri)
        file = Path(unquote(sqlite[2])).absolute()
        return cls(f"{sqlite[1]}{file.as_posix()}{sqlite[3] or ''}", file)

    @property
    def is_missing(self) -> bool:
        """Whether it is a SQLite database that does not exist yet."""
        return self.file is not None and not _holds_something(self.file)

    @property
    def label(self) -> str:
        """The URI without a password."""
        return _SECRET.sub(r"\1:***@", self.uri)

    @property
    def server(self) -> str:
        """The address of a server, without a password; empty for anything else."""
        return _SECRET.sub("", self.uri).rstrip("/") if self.uri.startswith(("http://", "https://")) else ""

    @property
    def artifacts(self) -> str | None:
        """Where the files of runs go; None where a server decides. MLflow's default follows the working directory."""
        if not self.is_database:
            return None
        return (self._folder / "mlartifacts").as_uri()

    def links(self, experiment_id: str, run_id: str, command: str) -> dict[str, str]:
        """Return the links that show a run, by title; of a database, which nothing serves yet, the ``command``."""
        if self.server:
            run, listing = page(experiment_id, run_id), listed(experiment_id)
            return {"MLflow run": f"{self.server}/{run}", "all MLflow runs": f"{self.server}/{listing}"}
        return {"MLflow": command} if self.is_database else {"MLflow run": f"{run_id} at {self.label}"}

    def sweep_links(self, experiment_id: str, run_id: str, view: str, command: str) -> dict[str, str]:
        """Return the links that show a sweep, by title, likewise."""
        if not self.server:
            links = self.links(experiment_id, run_id, command)
            return {title.replace("run", "sweep"): link for title, link in links.items()}
        sweep, runs = page(experiment_id, run_id), page(experiment_id, view=view)
        return {"MLflow sweep": f"{self.server}/{sweep}", "its runs": f"{self.server}/{runs}"}

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Yield an ``MlflowClient`` that keeps quiet.

        Raises:
            ChainruleError: MLflow or anything beneath it failed inside the ``with`` block.
        """
        with self.explained():
            self.prepare()
        with self.explained(), _quiet():
            # the import takes two seconds, so it waits until it is needed
            from mlflow import MlflowClient

            yield MlflowClient(self.uri)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say in one sentence why something failed.

        Raises:
            ChainruleError: anything failed inside the ``with`` block.
        """
        try:
            yield
        except ChainruleError:
            raise
        except Exception as error:  # of MLflow, SQLAlchemy, Alembic, SQLite, requests, a cloud's client ...
            raise ChainruleError(f"MLflow at {self.label} failed: {_cause(error, self)}") from error

    def lock(self) -> AbstractContextManager[None]:
        """Return a context that keeps other processes of this machine out, where the store is a database."""
        return exclusive(self._folder / "mlflow.db.lock", wait=_PATIENCE) if self.is_database else nullcontext()

    @property
    def is_database(self) -> bool:
        """Whether it is a database, which needs a server to be seen in a browser."""
        return self.uri.partition(":")[0].partition("+")[0] in _DATABASES

    @property
    def _folder(self) -> Path:
        return self.file.parent if self.file else paths.project()

    def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return ``function(*arguments)``, which uses the store, done beside training, so that it takes no time of it.

        MLflow's client, which a SQLite file needs seldom, is imported in a process of its own; not for a server that
        is not there.

        Raises:
            ChainruleError: the function raised one, or the store failed.
        """
        if self.file:
            return function(*arguments)
        if not apart.is_running():
            with self.explained():
                _knock(self.uri)
        return apart.call(function, *arguments)

    def prepare(self) -> None:
        """Make the database unless it is there, or find out that a server is not there, before MLflow is imported.

        MLflow's migrations fail where several processes start them on one file, and leave half a schema where they are
        interrupted. So one process makes the database in a folder beside it and moves it into place whole.

        Raises:
            ChainruleError: the path cannot be that of a database of MLflow.
            OSError: the server cannot be reached.
        """
        file = self.file
        if file is None:
            _knock(self.uri)
            return
        if re.search(r"\?|%[0-9a-fA-F]{2}", str(file)):
            raise ChainruleError(f"MLflow cannot keep a database in {file.parent}: choose a path without ? and %.")
        if file.exists() and not file.is_file():
            raise ChainruleError(f"MLflow cannot keep a database in {file}, which is no file.")
        if _holds_something(file):
            with closing(sqlite3.connect(file, timeout=BUSY)) as database:
                # MLflow would try for two minutes to open a file that is not a database or that it may not read
                database.execute("PRAGMA schema_version")
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        with at_work(), self.lock():
            if not _holds_something(file):
                self._make(file)

    def _make(self, file: Path) -> None:
        with tempfile.TemporaryDirectory(prefix=f"{file.name}.", dir=file.parent) as folder:
            new = Path(folder) / file.name
            if not made.copied(new, str(self.artifacts)):
                self._make_by_mlflow(new)
                made.keep(new)
            for rest in ("-wal", "-shm", "-journal"):
                # Of a database that was removed: SQLite would write what is in there into the new one.
                file.with_name(file.name + rest).unlink(missing_ok=True)
            os.replace(new, file)

    def _make_by_mlflow(self, file: Path) -> None:
        with _quiet():
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

            SqlAlchemyStore(f"sqlite:///{file.as_posix()}", self.artifacts).engine.dispose()
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA journal_mode = WAL")  # stays; readers and a writer then get along


def page(experiment_id: str, run_id: str = "", view: str = "") -> str:
    """Return the link to a run, or to the runs of an experiment, for a page of the same server."""
    runs = f"#/experiments/{experiment_id}/runs{f'/{run_id}' if run_id else ''}"
    # Without the type, MLflow opens pages for traces and evaluations of language models.
    charts = f"&compareRunsMode=CHART&viewStateShareKey={view}" if view else ""
    return f"{runs}?workflowType=machine_learning{charts}"


def listed(experiment_id: str) -> str:
    """Return the link to single runs and sweeps, for a page of the same server.

    MLflow loads a hundred rows, which the runs of one sweep would use up; it cannot ask for runs that lack a tag.
    """
    chosen = quote(f"tags.`{KIND}` != ''")
    return f"{page(experiment_id)}&searchFilter={chosen}"


def _knock(uri: str) -> None:
    """Ask a server for anything, to learn within seconds that it is not there; the client needs its import first.

    Raises:
        OSError: it cannot be reached, or does not answer.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return
    from http.client import BadStatusLine, HTTPConnection, HTTPSConnection  # here, because most stores are files
    from ssl import SSLError
    from urllib.request import getproxies, proxy_bypass

    if parts.scheme in getproxies() and not proxy_bypass(parts.hostname):
        return  # only the proxy can tell
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    odd = BadStatusLine, SSLError  # which the client explains
    with closing(kind(parts.hostname, parts.port, timeout=_ANSWER)) as connection, suppress(*odd):
        connection.request("HEAD", parts.path or "/")
        connection.getresponse()


def _holds_something(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Import MLflow and silence its logs and warnings: failures arrive as exceptions."""
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    if not {"MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"} & os.environ.keys():
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with at_work():
            import mlflow  # noqa: F401  # sets up its loggers

        loggers = [logging.getLogger(name) for name in _LOUD]
        levels = [logger.level for logger in loggers]
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _cause(error: BaseException, store: Store) -> str:
    """Return one sentence about the first cause of ``error``."""
    chain = [error]
    while below := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(below)
    for found in reversed(chain):
        if isinstance(found, OSError) and found.strerror:
            text = found.strerror + (f": {found.filename}" if found.filename else "")
            break
        if isinstance(found, TimeoutError):
            text = "it did not answer in time"
            break
        if answered := re.search(r"too many (\d+) error responses", str(found)):
            text = f"the server answers with status {answered[1]}"
            break
    else:
        text = (str(error).strip() or type(error).__name__).splitlines()[0].replace(store.uri, store.label)
    if len(text) > _LONG:
        text = text[:_LONG].rpartition(". ")[0] or f"{text[:_LONG]} ..."
    return f"{text.rstrip('.')}."
