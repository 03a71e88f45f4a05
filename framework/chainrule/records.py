"""The record that a run leaves on disk: written whole or not at all, and checked when read."""

import getpass
import hashlib
import io
import json
import math
import os
import platform
import subprocess
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, RecordError
from chainrule.history import Curves
from chainrule.kinds import GROUPS, Array
from chainrule.plugins import Registry
from chainrule.results import Result
from chainrule.yamltext import dump

FORMAT = 2
MANIFEST = "manifest.json"
FAILURE = "failure.json"
_LONG = 300  # characters of a sentence
CONFIGURATION, CURVES, WEIGHTS = "configuration.yaml", "curves.npz", "weights.npz"
_REQUIRED: dict[str, type] = {
    **dict.fromkeys(("title", "identity", "reason", "started"), str),
    **dict.fromkeys(("configuration", "network", "metrics", "data", "environment", "plugins", "files"), dict),
    **dict.fromkeys(("overrides", "notes"), list),
    **dict.fromkeys(("epochs",), int),
}


@dataclass(frozen=True)
class Record:
    """A complete record.

    Attributes:
        directory: where it lies.
        manifest: what ``manifest.json`` holds: ``title``, ``overrides`` (as typed), ``configuration`` (nested),
            ``identity`` (SHA-256 of settings, data and plugins), ``network`` (widths, parameters), ``reason``,
            ``epochs``, ``metrics`` (None for a value that is not finite), ``notes``, ``started`` (ISO 8601 with zone),
            ``seconds``, ``data`` (target, task, inputs, outputs, training, validation, digest), ``plugins``
            (``distribution:entry point`` to version and SHA-256 of its source), ``environment`` (user, git_commit,
            versions of libraries) and ``files`` (name to SHA-256, bytes).
        links: what a person can open next, by title; watchers add to it.
        written: the full curves, where this process, or one that handed the record over, has just written them.
    """

    directory: Path
    manifest: Mapping[str, Any]
    links: dict[str, str] = field(default_factory=dict)
    written: Curves | None = field(default=None, repr=False, compare=False)

    def curves(self) -> Curves:
        """Return the full curves, read from disk if need be."""
        if self.written:
            return self.written
        arrays = self._arrays(CURVES)
        return Curves(arrays.pop("epochs"), arrays)

    def weights(self) -> dict[str, Array]:
        """Read weights and biases ``W1, b1, W2 ...`` and the scaling of data ``x_shift, x_scale, y_shift, y_scale``."""
        return self._arrays(WEIGHTS)

    def files(self) -> list[Path]:
        """Return every file of the record, the manifest included."""
        return [*(self.directory / name for name in self.manifest["files"]), self.directory / MANIFEST]

    def is_intact(self) -> bool:
        """Say whether every file is there and is what was recorded."""
        files = self.manifest["files"].items()
        try:
            return all(_digest(self.directory / name) == entry["sha256"] for name, entry in files)
        except OSError:
            return False

    def _arrays(self, name: str) -> dict[str, Array]:
        path = self.directory / name
        expected = self.manifest["files"][name]
        if not path.is_file() or path.stat().st_size != expected["bytes"] or _digest(path) != expected["sha256"]:
            raise RecordError(f"{path} is missing or not what was recorded; train the run again.")
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}


@dataclass(frozen=True)
class Failure:
    """A run that raised an error instead of ending.

    Attributes:
        directory: where its record would lie.
        sentence: the error.
        details: traceback, for the author of the plugin that raised it.
    """

    directory: Path
    sentence: str
    details: str

    @classmethod
    def of(cls, directory: Path, error: BaseException) -> "Failure":
        """Return the failure that an exception is; of a long message the sentence has the beginning."""
        known = isinstance(error, ChainruleError)
        return cls(directory, sentence(error), "" if known else "".join(traceback.format_exception(error)))

    def write(self) -> None:
        """Leave the failure in its directory, which is made if it is not there.

        Raises:
            OSError: it cannot be written.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "error": self.sentence, "details": self.details}
        replace(self.directory / FAILURE, json.dumps(content, indent=1).encode())


def sentence(error: BaseException) -> str:
    """Return what an exception says; of the long message of an unexpected one the beginning."""
    if isinstance(error, ChainruleError):
        return str(error)
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {f'{first[:_LONG]} ...' if len(first) > _LONG else first}"


def claim(directory: Path) -> None:
    """Make sure that a record can be written into ``directory``, which is made if it is not there.

    A record that is there already ends here: what watchers draw from now on belongs to the new one.

    Raises:
        OSError: it cannot.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=directory):
        pass
    for name in (MANIFEST, FAILURE):
        (directory / name).unlink(missing_ok=True)


def write(
    directory: Path, result: Result, registry: Registry, overrides: Sequence[str] = (), synced: bool = True
) -> Record:
    """Write the record of ``result`` into ``directory``, which exists, and return it.

    Pictures that watchers left (``pictures/*.png``) become part of it. The manifest comes last, so a directory with a
    manifest holds a complete record, whatever process is killed. Where it is ``synced`` that holds when the power
    fails, too; else such a record may turn out to be damaged, which its checksums show.

    Raises:
        OSError: the directory cannot be written.
    """
    (directory / MANIFEST).unlink(missing_ok=True)  # from here on an older record is none
    configuration = result.settings.to_config()
    contents = {
        CONFIGURATION: dump(configuration).encode(),
        CURVES: _archive({"epochs": result.curves.epochs, **result.curves.values}),
        WEIGHTS: _archive(_named_weights(result)),
    }
    for name, content in contents.items():
        _write(directory / name, content, synced)
    if synced:
        _sync(directory)
    for path in sorted(directory.glob("pictures/*.png")):
        if path.is_file():
            contents[path.relative_to(directory).as_posix()] = path.read_bytes()
    data = _data(result)
    plugins = plugins_used(result, registry)
    identity = {
        "configuration": {k: v for k, v in configuration.items() if k != "tracking"},
        "data": data,
        "plugins": plugins,
    }
    manifest = {
        "format": FORMAT,
        "title": result.settings.title,
        "identity": hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
        "overrides": list(overrides),
        "configuration": configuration,
        "network": {"widths": list(result.shape.widths), "parameters": result.shape.size},
        "reason": result.reason.value,
        "epochs": result.epochs,
        "metrics": {name: value if math.isfinite(value) else None for name, value in result.metrics.items()},
        "notes": list(result.notes),
        "started": result.started.isoformat(),
        "seconds": result.seconds,
        "data": data,
        "environment": environment(),
        "plugins": plugins,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in contents.items()
        },
    }
    # A line for each entry: to indent everything takes ten times as long.
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in manifest.items())
    _write(directory / MANIFEST, f"{{\n{lines}\n}}\n".encode(), synced)
    if synced:
        _sync(directory)
    return Record(directory, manifest, written=result.curves)


def read(directory: Path) -> Record:
    """Read the record in ``directory``.

    Raises:
        RecordError: there is none, it is damaged, or a newer version of the format wrote it.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RecordError(f"{directory} holds no finished record: there is no {MANIFEST}.") from None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}.") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise RecordError(f"{path} is no record of format {FORMAT}, which this version of chainrule reads.")
    lacking = [key for key, kind in _REQUIRED.items() if not isinstance(manifest.get(key), kind)]
    if lacking:
        raise RecordError(f"{path} is damaged: {', '.join(lacking)} missing or of the wrong type.")
    for name in manifest["files"]:
        if not (directory / name).resolve().is_relative_to(directory.resolve()):
            raise RecordError(f"{path} names the file {name!r}, which lies outside of the record.")
    return Record(directory, manifest)


def read_end(directory: Path) -> "Record | Failure":
    """Read the record in ``directory``, or the failure that a run left instead.

    Raises:
        RecordError: there is neither, or it is damaged.
    """
    try:
        return read(directory)
    except RecordError:
        try:
            content = json.loads((directory / FAILURE).read_bytes())
            return Failure(directory, str(content["error"]), str(content["details"]))
        except (OSError, ValueError, TypeError, KeyError):
            pass
        raise


def plugins_used(result: Result, registry: Registry) -> dict[str, dict[str, str]]:
    """Return the plugins that a run depends on, by distribution and entry point; its tracker only shows it."""
    groups = {group: kind for group, kind in GROUPS.items() if group != "tracking"}
    used = [registry.provider(kind.name, getattr(result.settings, group).name) for group, kind in groups.items()]
    return {f"{p.distribution}:{p.entry_point}": {"version": p.version, "sha256": p.digest} for p in used}


@cache
def environment() -> dict[str, str]:
    """Return who runs this, on what: user, git commit of the working directory, versions."""
    versions = {name: version(name) for name in ("chainrule", "numpy", "hydra-core", "mlflow")}
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    found = {"user": user, "python": platform.python_version(), "platform": platform.platform(), **versions}
    commit = _git("rev-parse", "HEAD")
    if commit:
        found["git_commit"] = commit + ("-dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")
    return found


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _data(result: Result) -> dict[str, Any]:
    return {
        "target": result.settings.target.name,
        "task": result.settings.target.task,
        "inputs": result.shape.widths[0],
        "outputs": result.shape.widths[-1],
        "training": result.samples.train.shape[1],
        "validation": result.samples.validation.shape[1],
        "digest": result.samples.digest,
    }


def _named_weights(result: Result) -> dict[str, Array]:
    named: dict[str, Array] = {}
    for layer, (weights, biases) in enumerate(zip(result.weights, result.biases, strict=True), 1):
        named |= {f"W{layer}": weights, f"b{layer}": biases}
    x, y = result.samples.x_scaling, result.samples.y_scaling
    return named | {"x_shift": x.shift, "x_scale": x.scale, "y_shift": y.shift, "y_scale": y.scale}


def _archive(arrays: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def replace(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never half of one.

    Raises:
        OSError: it cannot be written.
    """
    _write(path, content, synced=True)
    _sync(path.parent)


def _write(path: Path, content: bytes, synced: bool) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)


def _sync(folder: Path) -> None:
    """Make the names of files that were written durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
