"""One job of a sweep as plain data: its configuration, and the files that Hydra leaves beside it."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chainrule.config.changes import Change, with_changes
from chainrule.errors import ConfigurationError
from chainrule.files.atomic import appended, write_new
from chainrule.files.yaml_text import dump
from chainrule.records.manifest import FileEntry
from chainrule.records.run import HYDRA, entry_of
from chainrule.records.settings import seed_in

# The keys of Hydra's configuration that differ between jobs.
_OF_JOB = (
    ("overrides", "task"),
    ("job", "override_dirname"),
    ("job", "id"),
    ("job", "num"),
    ("runtime", "output_dir"),
)


@dataclass(frozen=True)
class Base:
    """The configuration of one choice of groups, before single values are changed.

    Attributes:
        task: configuration of the task, plain data with interpolations unresolved.
        hydra: configuration of Hydra, likewise.
    """

    task: Mapping[str, Any]
    hydra: Mapping[str, Any]

    @cached_property
    def template(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Pieces of ``hydra.yaml``, each with the key of the job's own value that follows it."""
        marks = {path: f"<<{'.'.join(path)}>>" for path in _OF_JOB}
        pieces, piece = [], ""
        for line in dump({"hydra": with_changes(self.hydra, list(marks.items()))}).splitlines(keepends=True):
            cut = next((path for path, mark in marks.items() if mark in line), None)
            if cut:
                pieces.append((piece, cut))
            piece = "" if cut else piece + line
        return (*pieces, (piece, ()))


@dataclass(frozen=True)
class Job:
    """One job of a sweep, small enough to hold many thousands and to hand to other processes.

    Attributes:
        number: place in the sweep, from 0.
        overrides: as the sweeper wrote them, without those of Hydra.
        base: the configuration of its groups.
        changes: path and new value of each key that the other overrides change in ``base.task``, in order.
        resolved: the configuration with interpolations resolved, or None if there are none.
        directory: output directory, absolute.
        dirname: what Hydra calls ``hydra.job.override_dirname``.
        alone: why it cannot be part of a stack; empty if it can.
    """

    number: int
    overrides: tuple[str, ...]
    base: Base
    changes: tuple[Change, ...]
    resolved: Mapping[str, Any] | None
    directory: str
    dirname: str
    alone: str = ""

    @property
    def task(self) -> dict[str, Any]:
        """The configuration of the task, with interpolations unresolved."""
        return with_changes(self.base.task, self.changes)

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration of the task, resolved."""
        return self.task if self.resolved is None else self.resolved

    @property
    def seed(self) -> int:
        """The seed in its configuration; 0 if it has none that is a number."""
        return seed_in(self.config)

    @property
    def is_known(self) -> bool:
        """Whether its configuration is known before Hydra runs it."""
        return not self.alone or "${hydra:" not in repr(self.config)

    def __str__(self) -> str:
        return job_name(self.number, self.overrides)

    def write_files(self) -> dict[str, FileEntry]:
        """Make the directory and write what Hydra's own launcher leaves there: ``.hydra`` and the log.

        Returns:
            The entries of what the record has beside it, by name.

        Raises:
            OSError: it cannot be written.
        """
        subdirectory, beside = self.base.hydra["output_subdir"], {}
        folder = os.path.join(self.directory, subdirectory or "")
        os.makedirs(folder, exist_ok=True)
        if subdirectory is not None:
            texts = {"config": dump(self.task), "hydra": self._hydra_text(), "overrides": dump(list(self.overrides))}
            for name, text in texts.items():
                content = text.encode()
                write_new(os.path.join(folder, f"{name}.yaml"), content, synced=False)
                if subdirectory == HYDRA:
                    beside[f"{HYDRA}/{name}.yaml"] = entry_of(content)
        for path in self._logs():
            os.makedirs(path.parent, exist_ok=True)
            os.close(appended(path))
        return beside

    def log(self, message: str) -> None:
        """Add a message of level ERROR to the job's own log, in Hydra's usual form."""
        record = logging.makeLogRecord({"name": "chainrule", "levelname": "ERROR", "msg": message})
        line = logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s").format(record)
        for path in self._logs():
            with open(appended(path), "a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    def _hydra_text(self) -> str:
        """Return the configuration of Hydra; most of its text is the same for all jobs of a base."""
        own: dict[tuple[str, ...], Any] = {
            ("overrides", "task"): list(self.overrides),
            ("job", "override_dirname"): self.dirname,
            ("job", "id"): str(self.number),
            ("job", "num"): self.number,
            ("runtime", "output_dir"): self.directory,
        }
        return "".join(text + (_within(("hydra", *key), own[key]) if key else "") for text, key in self.base.template)

    def _logs(self) -> list[Path]:
        """Return the files that Hydra's logging of jobs opens."""
        logging_ = self.base.hydra["job_logging"] or {}
        names = [handler.get("filename") for handler in (logging_.get("handlers") or {}).values()]
        known = {"${hydra.runtime.output_dir}": self.directory, "${hydra.job.name}": self.base.hydra["job"]["name"]}
        paths = []
        for name in filter(None, names):
            for interpolation, value in known.items():
                name = name.replace(interpolation, value)
            if "${" not in name:
                paths.append(Path(name))
        return paths


def _within(path: Sequence[str], value: Any) -> str:
    """Return the YAML lines of a value below its keys; their depth decides where lines break."""
    for key in reversed(path):
        value = {key: value}
    return "".join(dump(value).splitlines(keepends=True)[len(path) - 1 :])


def job_name(number: int, overrides: Sequence[str]) -> str:
    """Return the name of a job in messages."""
    return f"job {number} ({' '.join(overrides)})" if overrides else f"job {number}"


def wrong_with(job: object, error: Exception) -> str:
    """Say what is wrong with a job, and then which it is: its name may be long."""
    return f"{error} That is wrong with {job}."


def require_own_places(directories: Sequence[str]) -> None:
    """Check that each job has a directory of its own.

    Raises:
        ConfigurationError: two jobs share one.
    """
    seen: dict[str, int] = {}
    for number, directory in enumerate(directories):
        if seen.setdefault(directory, number) != number:
            raise ConfigurationError(
                f"jobs {seen[directory]} and {number} would both leave their record in {directory}: "
                "put ${hydra.job.num}, or what varies, into hydra.sweep.subdir."
            )
