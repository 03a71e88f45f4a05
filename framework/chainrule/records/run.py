"""The record that a run leaves on disk: written whole or not at all, and checked when read."""

import csv
import hashlib
import io
import itertools
import math
import os
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.curves import Curves
from chainrule.errors import ChainruleError, ConfigurationError, RecordError, sentence
from chainrule.files.archives import npz
from chainrule.files.atomic import sync_folder, write_atomically, write_new, write_whole
from chainrule.files.reading import digest_within, read_within, require_without_links
from chainrule.files.words import resuming
from chainrule.files.yaml_text import dump
from chainrule.records.archive import arrays_of
from chainrule.records.entries import Entries, read_entries, sealed
from chainrule.records.environment import environment
from chainrule.records.kept import Kept, kept_in
from chainrule.records.manifest import (
    CONFIGURATION,
    CURVES,
    FAILURE,
    FORMAT,
    MANIFEST,
    UNSEALED,
    WEIGHTS,
    DataEntry,
    FileEntry,
    NetworkEntry,
    PluginEntry,
    RunManifest,
    StackEntry,
    identity_of,
)
from chainrule.records.result import Result

SWEEP = "sweep.json"
NAMES = "input_names", "output_names"  # arrays of text among the weights
CONFUSION = "confusion.csv"
HYDRA = ".hydra"  # where Hydra leaves the configuration beside a record
_MOST_CLASSES = 100  # of a confusion matrix in a record
_DRAWN = "target", "task", "inputs", "outputs", "training", "validation", "digest", "test"  # of data, in an identity


@dataclass(frozen=True)
class Membership:
    """The place of a run in its sweep.

    Attributes:
        directory: directory of the sweep.
        key: key of the sweep.
        runs: number of its jobs.
        number: number of the run's job.
        settings: the keys that vary in the sweep, with the run's values.
        phase: in a comparison ``tuning`` or ``final``: of the tuned contenders; else empty.
    """

    directory: Path
    key: str
    runs: int
    number: int
    settings: Mapping[str, Any]
    phase: str = ""


@dataclass(frozen=True)
class Record:
    """A complete record.

    Attributes:
        directory: where it lies.
        manifest: what ``manifest.json`` holds; its entries are attributes and, as in the file, keys.
        links: links for a person to open, by title; watchers add to them.
        written: the full curves, if they are still in memory from writing the record; else None.
        member: its place in a sweep, or None.
    """

    directory: Path
    manifest: RunManifest
    links: dict[str, str] = field(default_factory=dict)
    written: Curves | None = field(default=None, repr=False, compare=False)
    member: Membership | None = field(default=None, compare=False)

    def curves(self) -> Curves:
        """Return the full curves, read from disk if they are not in memory."""
        if self.written:
            return self.written
        arrays = self._arrays(CURVES)
        return Curves(arrays.pop("epochs"), arrays)

    def weights(self) -> dict[str, Array]:
        """Read weights and biases ``W1, b1, W2 ...`` and the scaling of data ``x_shift, x_scale, y_shift, y_scale``.

        Trained fields of activations, and what they keep, are named as in ``Result.trained`` and ``named_states``:
        ``activation.1.beta``, ``norm.1.mean``.
        Where missing inputs are filled in, ``x_fill`` is what with, in the units of the data. Where inputs and outputs
        have names, ``input_names`` are those of the columns of ``W1``, and ``output_names`` those of the rows of the
        last weights, if each output is one unit.

        Raises:
            RecordError: the file is missing or was changed, or weights or biases are not in it.
        """
        arrays = self._arrays(WEIGHTS)
        for layer, (before, units) in enumerate(itertools.pairwise(self.manifest.network.widths), 1):
            if not _is_layer(arrays.get(f"W{layer}"), arrays.get(f"b{layer}"), before, units):
                raise RecordError(f"{self.directory / WEIGHTS} does not hold the weights of layer {layer}.")
        return arrays

    @property
    def is_sealed(self) -> bool:
        """Whether a checksum covers the manifest, as none did in earlier versions."""
        return bool(self.manifest["format"] == FORMAT)

    def files(self) -> list[Path]:
        """Return every file of the record, the manifest included."""
        return [*(self.directory / name for name in self.manifest.files), self.directory / MANIFEST]

    def damaged(self) -> list[str]:
        """Return the names of files of the record, and of those beside it, that are missing or were changed."""
        expected = {**self.manifest.files, **self.manifest.beside}
        return [name for name, file in expected.items() if not _is_unchanged(self.directory, name, file)]

    def is_intact(self) -> bool:
        """Say whether every file is there and unchanged, those of Hydra beside the record included."""
        return not self.damaged()

    def require_intact(self) -> None:
        """Check that every file of the record is there and unchanged.

        Raises:
            RecordError: one is not.
        """
        for name, file in self.manifest.files.items():
            if not _is_unchanged(self.directory, name, file):
                raise RecordError(self._changed(name))

    def content(self, name: str) -> bytes:
        """Return the content of a file of the record.

        Raises:
            RecordError: it is missing or was changed.
        """
        expected = self.manifest.files[name]
        try:
            content = read_within(self.directory, name, expected.bytes)
        except OSError:
            raise RecordError(self._changed(name)) from None
        if len(content) != expected.bytes or hashlib.sha256(content).hexdigest() != expected.sha256:
            raise RecordError(self._changed(name))
        return content

    def _changed(self, name: str) -> str:
        path = self.directory / name
        return f"{path} is missing or was changed after it was recorded; train the run again."

    def _arrays(self, name: str) -> dict[str, Array]:
        try:
            return arrays_of(self.content(name))
        except ValueError as error:
            raise RecordError(f"{self.directory / name} cannot be read: {error}.") from None


@dataclass(frozen=True)
class Failure:
    """A run that raised an error instead of finishing.

    Attributes:
        directory: where its record would lie.
        sentence: the error in a sentence.
        details: traceback of an unexpected error, for the author of the plugin that raised it; else empty.
        seed: seed of the run.
    """

    directory: Path
    sentence: str
    details: str
    seed: int

    @classmethod
    def of(cls, directory: Path, error: BaseException, seed: int, said: str | None = None) -> "Failure":
        """Return the failure that describes an exception; ``said`` is a better sentence than its own."""
        known = isinstance(error, ChainruleError)
        return cls(
            directory, said or sentence(error), "" if known else "".join(traceback.format_exception(error)), seed
        )

    def write(self) -> None:
        """Write the failure into its directory, which is created if missing.

        Raises:
            OSError: it cannot be written.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "error": self.sentence, "details": self.details, "seed": self.seed}
        write_atomically(self.directory / FAILURE, sealed(content))


class _FailureEntries(Entries):
    """What ``failure.json`` holds; failures of earlier versions have no seed."""

    error: str
    details: str
    seed: int

    @classmethod
    def checked(cls, data: Mapping[str, Any]) -> Self:
        """Return the data with its entries checked."""
        return super().checked({"seed": 0, **data})


def require_free(directory: Path) -> None:
    """Check that a directory holds no record and no run that can go on, which a new record would replace.

    Raises:
        ConfigurationError: it holds the record of a run or of a sweep, or a run that broke off and is kept.
    """
    for name, what in ((MANIFEST, "a run"), (SWEEP, "a sweep")):
        if os.path.lexists(directory / name):
            raise ConfigurationError(
                f"{directory} holds the record of {what} already: choose another directory, or write --overwrite "
                "(in Python overwrite=True) to replace it."
            )
    if kept := kept_in(directory):
        raise ConfigurationError(
            f"{directory} holds {kept}: {how_to_go_on(kept)}, or write --overwrite (in Python overwrite=True) to "
            "replace it."
        )


def how_to_go_on(kept: Kept) -> str:
    """Return what goes on with a run that is kept, or with its sweep, as a part of a sentence."""
    place = kept.directory.absolute()
    above = next((folder for folder in place.parents if (folder / SWEEP).is_file()), None)
    return f"`{resuming(above or kept.directory)}` goes on"


def claim_directory(directory: Path, overwrite: bool = False, known: bool = False) -> None:
    """Create ``directory`` if it is missing, and check that a record can be written into it.

    If it is to be replaced, the manifest or the failure of an older run is deleted, because watchers may now replace
    its pictures.

    Args:
        directory: where the record goes.
        overwrite: whether a record that is there is to be replaced.
        known: whether it has just been written into, so that this need not be tried.

    Raises:
        ConfigurationError: it holds a record that is to stay.
        OSError: the directory cannot be created or written.
    """
    if not overwrite:
        require_free(directory)
    if not known:
        directory.mkdir(parents=True, exist_ok=True)
    require_without_links(directory, directory)
    if not known:
        with TemporaryFile(dir=directory):
            pass
    for name in (MANIFEST, FAILURE):
        (directory / name).unlink(missing_ok=True)


def write_record(
    directory: Path,
    result: Result,
    *,
    tracking: Mapping[str, Any],
    plugins: Mapping[str, PluginEntry],
    overrides: Sequence[str] = (),
    synced: bool = True,
    beside: Mapping[str, FileEntry] | None = None,
) -> Record:
    """Write the record of a run and return it.

    Pictures that watchers left (``pictures/*.png`` and ``*.gif``) become part of it. The manifest is written last, so a
    directory with a manifest holds a complete record, even if the process is killed.

    Args:
        directory: an existing directory.
        result: result of the run.
        tracking: name and parameters of the tracker; they are no part of the run's identity.
        plugins: the plugins that the run used, by ``distribution:entry point``.
        overrides: the overrides as typed.
        synced: whether the record must survive a power failure; if not, its checksums reveal the damage.
        beside: the files that Hydra leaves beside a record; None to look for them.

    Raises:
        OSError: the directory cannot be written.
    """
    (directory / MANIFEST).unlink(missing_ok=True)  # from here on the older record is invalid
    settings = result.settings.to_config()
    configuration = {**settings, "tracking": dict(tracking)}
    contents = {
        CONFIGURATION: dump(configuration).encode(),
        CURVES: npz({"epochs": result.curves.epochs, **result.curves.values}),
        WEIGHTS: npz(named_weights(result)),
    }
    if 0 < len(result.samples.schema.classes) <= _MOST_CLASSES:
        contents[CONFUSION] = _confusion(result)
    for name, content in contents.items():
        write_new(f"{directory}/{name}", content, synced)
    if synced:
        sync_folder(directory)
    for path in _pictures(directory):
        contents[path.relative_to(directory).as_posix()] = path.read_bytes()
    start = asdict(result.origin) if result.origin else {}
    manifest = RunManifest(
        format=FORMAT,
        title=result.settings.title,
        identity=identity_of(configuration, _data(result), plugins, start),
        overrides=list(overrides),
        configuration=configuration,
        network=NetworkEntry(widths=list(result.shape.widths), parameters=result.shape.size),
        reason=result.reason,
        epochs=result.epochs,
        metrics={name: value if math.isfinite(value) else None for name, value in result.metrics.items()},
        notes=list(result.notes),
        started=result.started.isoformat(),
        seconds=result.seconds,
        stack=StackEntry(runs=result.stack_runs, seconds=result.stack_seconds),
        data=_named_data(result),
        environment=environment(),
        plugins=dict(plugins),
        files={name: entry_of(content) for name, content in contents.items()},
        beside=dict(entries_of(directory, _beside(directory)) if beside is None else beside),
        engine={"name": result.engine.value, **({"fallback": result.fallback} if result.fallback else {})},
        **({"start": start} if start else {}),
    )
    write_whole(directory / MANIFEST, sealed(manifest), synced)
    if synced:
        sync_folder(directory)
    return Record(directory, manifest, written=result.curves)


def read_record(directory: Path) -> Record:
    """Read the record in ``directory``.

    Raises:
        RecordError: there is none, it is damaged, or another version of the format wrote it.
    """
    path = directory / MANIFEST
    try:
        manifest = read_entries(path, RunManifest, FORMAT, "record", UNSEALED)
    except FileNotFoundError:
        raise RecordError(f"{directory} holds no finished record: there is no {MANIFEST}.") from None
    drawn = {key: value for key, value in manifest.data.items() if key in _DRAWN}
    identity = identity_of(manifest.configuration, drawn, manifest.plugins, manifest.get("start", {}))
    if identity != manifest.identity:
        raise RecordError(f"{path} is damaged: its identity is not that of its settings, data and plugins.")
    return Record(directory, manifest)


def read_end(directory: Path) -> Record | Failure:
    """Read the record in ``directory``, or the failure that a run left instead.

    Raises:
        RecordError: there is neither, or it is damaged.
    """
    try:
        return read_record(directory)
    except RecordError:
        if os.path.lexists(directory / FAILURE) and not os.path.lexists(directory / MANIFEST):
            return _read_failure(directory)
        raise


def entries_of(directory: Path, names: Iterable[str]) -> dict[str, FileEntry]:
    """Return the entries of files that are there; links and what is no file are left out."""
    found = {}
    for name in names:
        with suppress(OSError):
            found[name] = entry_of(read_within(directory, name))
    return found


def _read_failure(directory: Path) -> Failure:
    try:
        found = read_entries(directory / FAILURE, _FailureEntries, FORMAT, "failure", UNSEALED)
    except FileNotFoundError:
        raise RecordError(f"{directory} holds no finished record.") from None
    return Failure(directory, found.error, found.details, found.seed)


def _pictures(directory: Path) -> list[Path]:
    """Return the pictures that watchers have left."""
    folder = directory / "pictures"
    found = [*folder.glob("*.png"), *folder.glob("*.gif")] if folder.is_dir() else []
    return sorted(path for path in found if path.is_file())


def _beside(directory: Path) -> list[str]:
    """Return the names of the files that Hydra has left beside a record."""
    try:
        found = os.scandir(directory / HYDRA)
        return sorted(f"{HYDRA}/{entry.name}" for entry in found if entry.name.endswith(".yaml"))
    except OSError:
        return []


def _is_layer(weights: Array | None, biases: Array | None, before: int, units: int) -> bool:
    """Say whether arrays are those of a layer; a unit has a row for each of its activation's pieces."""
    if weights is None or biases is None or {weights.dtype.kind, biases.dtype.kind} != {"f"}:
        return False
    rows = len(biases) if biases.ndim == 1 else 0
    return weights.shape == (rows, before) and rows > 0 and rows % units == 0


def _is_unchanged(directory: Path, name: str, expected: FileEntry) -> bool:
    try:
        return digest_within(directory, name, expected.bytes) == expected.sha256
    except OSError:
        return False


def entry_of(content: bytes) -> FileEntry:
    """Return the entry of a file."""
    return FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def _named_data(result: Result) -> DataEntry:
    data = _data(result)
    return DataEntry(data | result.samples.schema.as_entry(data.task))


def _data(result: Result) -> DataEntry:
    tested = result.samples.test.shape[1]
    return DataEntry(
        target=result.settings.target.name,
        task=result.settings.target.resolved_task,
        inputs=result.shape.widths[0],
        outputs=result.samples.outputs,
        training=result.samples.train.shape[1],
        validation=result.samples.validation.shape[1],
        digest=result.samples.digest,
        **({"test": tested} if tested else {}),
    )


def named_weights(result: Result) -> dict[str, Array]:
    """Return what :meth:`Record.weights` gives of the record of a run."""
    named: dict[str, Array] = {}
    for layer, (weights, biases) in enumerate(zip(result.weights, result.biases, strict=True), 1):
        named |= {f"W{layer}": weights, f"b{layer}": biases}
    named |= result.trained | result.named_states
    x, y = result.samples.x_scaling, result.samples.y_scaling
    fill = {} if result.samples.x_fill is None else {"x_fill": result.samples.x_fill}
    named |= {"x_shift": x.shift, "x_scale": x.scale, "y_shift": y.shift, "y_scale": y.scale} | fill
    schema = result.samples.schema
    if schema.is_named:
        named |= {key: np.array(names) for key, names in zip(NAMES, (schema.inputs, schema.outputs), strict=True)}
    return named


def _confusion(result: Result) -> bytes:
    """Return the confusion matrix of each part: in a row the true class, and how many samples were given which."""
    text, classes = io.StringIO(), result.samples.schema.classes
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["part", "true class", *classes])
    for part in result.samples.parts:
        table.writerows([part, name, *row] for name, row in zip(classes, result.confusion(part).tolist(), strict=True))
    return text.getvalue().encode()
