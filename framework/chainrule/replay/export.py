"""Write a package of records: all that another person needs to train them again; see ``replay.package``."""

import hashlib
import importlib.metadata
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainrule.config.recorded import recorded_settings
from chainrule.errors import ChainruleError, RecordError, counted
from chainrule.files import paths
from chainrule.files.atomic import put_in_place
from chainrule.files.in_memory import MARK
from chainrule.records.below import records_below
from chainrule.records.entries import sealed
from chainrule.records.environment import environment
from chainrule.records.manifest import MANIFEST, WEIGHTS
from chainrule.records.run import Record, read_record
from chainrule.records.settings import Settings
from chainrule.records.sweep import SWEEP, read_sweep
from chainrule.registry.providers import ClassProvider, FileProvider, Provider
from chainrule.registry.registry import Registry
from chainrule.replay.crate import crate
from chainrule.replay.originals import begun_with
from chainrule.replay.package import CRATE, EXPORT, FORMAT, LOCK, RECORDS, ExportManifest
from chainrule.replay.replays import files_of, located, moved_to
from chainrule.runs.prepare import drawn

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time in a ZIP file: the same content makes the same bytes
_HIDDEN = ".hydra"  # the only hidden folder that belongs to records
_README = "README.md"
_REPORT = "report.html"
_CONF = "conf/README.md"


@dataclass
class _Package:
    """What a package will hold.

    Attributes:
        files: content, or the file that has it, by the path in the package.
        moved: where files are in the package that settings name, by the path there.
        plugins: as in ``export.json``.
        lacking: how many records cannot be trained again with what is in it.
    """

    files: dict[str, bytes | Path] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    plugins: dict[str, dict[str, Any]] = field(default_factory=dict)
    lacking: int = 0


@dataclass(frozen=True)
class Exported:
    """A package that was written.

    Attributes:
        path: the file.
        runs: how many records it has.
        files: how many files.
        notes: what another person will lack, or what is not as it was, a sentence each.
        lacking: how many of the records cannot be trained again with what is in it.
    """

    path: Path
    runs: int
    files: int
    notes: tuple[str, ...]
    lacking: int = 0

    def __str__(self) -> str:
        them = "it" if self.runs == 1 else "them"
        again = f"{self.runs - self.lacking} of {them}" if 0 < self.lacking < self.runs else them
        trains = "cannot train" if self.lacking == self.runs else "trains"
        line = f"{self.path}: {counted(self.runs, 'run')}, {counted(self.files, 'file')}; "
        return "\n".join([f"{line}`chainrule verify {self.path.name}` {trains} {again} again", *self.notes])


def export(
    directory: Path,
    path: Path,
    registry: Registry,
    report: Callable[[Record], str],
    *,
    data: bool = True,
    licence: str = "",
    overwrite: bool = False,
) -> Exported:
    """Write a package of all records at or below a directory.

    Args:
        directory: of a run, a sweep, or anything above.
        path: the file.
        registry: finds the plugins that the runs used.
        report: makes the page about a single run; a sweep has its own.
        data: whether the tables that the runs read are in the package.
        licence: under which it may be used: an SPDX name or an address; empty if that is not said.
        overwrite: whether a file that is there is replaced.

    Raises:
        RecordError: there are no records, or one is damaged.
        ChainruleError: the file is there already.
        OSError: it cannot be written.
    """
    if path.exists() and not overwrite:
        raise ChainruleError(
            f"{path} exists already; name another file, or write --overwrite (in Python overwrite=True)."
        )
    directory = directory.absolute()
    records = _records(directory)
    package, notes = _Package(), dict[str, None]()
    if not data:
        notes |= dict.fromkeys(_left_out(records, registry))
    for name in _below(directory, records):
        package.files[f"{RECORDS}/{name.as_posix()}"] = directory / name
    for record in records:
        missing = list(_add_files(package, record, registry, data))
        package.lacking += bool(missing)
        notes |= dict.fromkeys(missing)
        notes |= dict.fromkeys(_add_plugins(package, record, registry))
    title = _title(directory, records)
    if len(records) == 1 and records[0].directory == directory:
        package.files[_REPORT] = report(records[0]).encode()
    package.files[LOCK] = _lock().encode()
    package.files[_README] = _readme(title, package, list(notes)).encode()
    digests = {name: hashlib.sha256(_content(content)).hexdigest() for name, content in sorted(package.files.items())}
    manifest = ExportManifest(
        format=FORMAT,
        title=title,
        moved=package.moved,
        plugins=package.plugins,
        environment=environment(),
        files=digests,
    )
    package.files[EXPORT] = sealed(manifest)
    sizes = {name: len(_content(content)) for name, content in package.files.items()}
    entries = crate(title, directory, records, digests, sizes, package.plugins, licence)
    package.files[CRATE] = json.dumps(entries, indent=1).encode()
    _write(path, package)
    return Exported(path, len(records), len(package.files), tuple(notes), package.lacking)


def _records(directory: Path) -> list[Record]:
    """Return the records at or below a directory, each with the files that it was written with.

    Raises:
        RecordError: there are none, or one is damaged.
    """
    found = [read_record(path.parent) for path in sorted(records_below(directory, MANIFEST))]
    if not found:
        raise RecordError(f"{directory} holds no finished record.")
    for record in found:
        record.require_intact()
    return found


def _below(directory: Path, records: Sequence[Record]) -> Iterator[Path]:
    """Yield the files below a directory that belong to records and sweeps, relative to it; links are not followed.

    Of other files only the README is among them.
    """
    own = {record.directory for record in records} | {path.parent for path in records_below(directory, SWEEP)}
    for folder, names, files in os.walk(directory):
        names[:] = sorted(name for name in names if not name.startswith(".") or name == _HIDDEN)
        belongs = not own.isdisjoint({Path(folder), *Path(folder).parents})
        for name in sorted(files):
            path = Path(folder, name)
            is_readme = path == directory / _README
            if (belongs or is_readme) and not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path.relative_to(directory)


def _left_out(records: Sequence[Record], registry: Registry) -> Iterator[str]:
    """Yield which tables that runs read are not wanted in the package."""
    for record in records:
        settings = recorded_settings(record, registry)
        for path in files_of(settings):
            if path != settings.training.start:
                yield f"The data {path} were left out: whoever trains the runs again needs them at this path."


def _add_files(package: _Package, record: Record, registry: Registry, data: bool) -> Iterator[str]:
    """Add the files that a run reads when it is trained; yield what is not there as it was, so that it cannot be."""
    settings = recorded_settings(record, registry)
    places = {path: paths.started() / Path(path).expanduser() for path in files_of(settings)}
    places |= {path: Path(place) for path, place in located(record, settings).items()}
    for path, place in places.items():
        if path == settings.training.start:
            yield from _add_start(package, record, path, place)
        elif data:
            yield from _add_data(package, record, moved_to(settings, {path: str(place)}), path, place)
    if str(getattr(settings.target, "path", None) or "").startswith(MARK):
        yield "Some runs learned data in the memory of a program, which are not in their records."


def _add_start(package: _Package, record: Record, path: str, place: Path) -> Iterator[str]:
    """Add the run that another started from, if it has the parameters that it had; yield why not."""
    try:
        begin = read_record(place)
        begin.require_intact()
    except RecordError:
        yield f"The run that others start from, {path}, is gone or damaged, so they cannot be trained again."
        return
    if begun_with(record.manifest) not in ("", begin.manifest.files[WEIGHTS].sha256):
        yield f"The run that others start from, {path}, has changed since, so they cannot be trained again."
        return
    if path not in package.moved:
        folder = f"starts/{len({name.split('/')[1] for name in package.files if name.startswith('starts/')}) + 1}"
        for file in begin.files():
            package.files[f"{folder}/{file.relative_to(place).as_posix()}"] = file
        package.moved[path] = folder


def _add_data(package: _Package, record: Record, settings: Settings, path: str, place: Path) -> Iterator[str]:
    """Add the table that a run reads, if its data are those that the run learned; yield why not."""
    if not place.is_file():
        yield f"The data {path} are gone, so the runs that read them cannot be trained again."
        return
    try:
        is_same = drawn(settings).digest == record.manifest.data.digest
    except (ChainruleError, OSError):
        is_same = False
    if not is_same:
        yield f"The data {path} have changed since, so the runs that read them before cannot be trained again."
    elif path not in package.moved:
        name = _free(f"data/{place.name}", package)
        package.files[name] = place
        package.moved[path] = name


def _free(name: str, package: _Package) -> str:
    """Return a name that no file of the package has."""
    stem, dot, ending = name.rpartition(".")
    number, found = 1, name
    while found in package.files:
        number += 1
        found = f"{stem or ending}-{number}{dot}{ending if stem else ''}"
    return found


def _add_plugins(package: _Package, record: Record, registry: Registry) -> Iterator[str]:
    """Add the sources of the plugins of a run; yield which of them are not as they were."""
    settings = recorded_settings(record, registry)
    providers = registry.providers_of(settings)
    for key, entry in record.manifest.plugins.items():
        provider = providers.get(key)
        if key not in package.plugins and provider is not None:
            package.plugins[key] = {
                "version": entry.version,
                "recorded": entry.sha256,
                "sha256": provider.digest,
                "source": _add_source(package, provider),
            }
        if provider is None or provider.digest != entry.sha256:
            yield f"The plugin {key} is not as it was when runs were trained: its source here is another one."


def _add_source(package: _Package, provider: Provider) -> str:
    """Add the source of a plugin, and return where it is in the package."""
    if isinstance(provider, FileProvider):
        name = f"plugins/{provider.path.name}"
        package.files[name] = provider.source
        package.files[_CONF] = b"With this folder beside it, the files of `plugins` are plugins.\n"
        return name
    if isinstance(provider, ClassProvider):
        name = f"sources/{re.sub(r'[^A-Za-z0-9_.-]', '_', provider.distribution)}.py"
        package.files[name] = provider.source
        return name
    folder = f"sources/{provider.distribution}-{provider.version}"
    for relative, content in provider.sources():
        package.files[f"{folder}/{relative}"] = content
    return folder


def _title(directory: Path, records: Sequence[Record]) -> str:
    if (directory / SWEEP).is_file():
        return read_sweep(directory).title
    return records[0].manifest.title if len(records) == 1 else f"{len(records)} runs"


def _lock() -> str:
    """Return the versions of all that is installed, one a line."""
    found = {
        re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one.version
        for one in importlib.metadata.distributions()
        if one.metadata["Name"]
    }
    lines = [f"{name}=={version}" for name, version in sorted(found.items())]
    return "\n".join([f"# Python {environment()['python']}", *lines, ""])


def _readme(title: str, package: _Package, notes: Sequence[str]) -> str:
    plugins = [
        f"- {key} {entry['version']}: `{entry['source']}`".replace("  ", " ") for key, entry in package.plugins.items()
    ]
    return "\n".join(
        [
            f"# {title}",
            "",
            "Records of runs, trained with chainrule, and what is needed to train them again:",
            "",
            "```sh",
            f"python -m pip install -r {LOCK}  # Python {environment()['python']}",
            "chainrule verify .               # in this folder",
            "```",
            "",
            "Each run is trained again and compared with its record, bit by bit. Bits depend on the processor: where a",
            "run differs, it is said from which step on, and what is not as it was. Python files of the folder",
            "`plugins` are executed by this command; read them first. What is in `sources` is not executed: install",
            "what it is of, or the source itself.",
            "",
            "Plugins:",
            "",
            *plugins,
            "",
            *notes,
            "",
        ]
    )


def _content(content: bytes | Path) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


def _write(path: Path, package: _Package) -> None:
    """Write the package whole or not at all."""
    with put_in_place(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(package.files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, _content(content))
