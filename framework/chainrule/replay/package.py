"""A package of records: the files that another person needs to train them again, and where they lie in it.

========================  =====================================================================================
``records/``              the directory that was exported, as it was: records, configurations, reports
``data/``                 the tables that runs read
``starts/``               the records of runs whose parameters others start from
``plugins/``              plugin files; in the unpacked folder they are plugins, as anywhere
``sources/``              the sources of installed plugins, and of classes that programs declared
``requirements.txt``      the versions of everything that was installed
``export.json``           what else is known: plugins, checksums, where files of the settings are now
``ro-crate-metadata.json``  the same for programs that know RO-Crate
========================  =====================================================================================
"""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chainrule.errors import RecordError
from chainrule.files.reading import is_plain, read_within
from chainrule.records.entries import Entries, read_entries

FORMAT = 1
EXPORT = "export.json"
CRATE = "ro-crate-metadata.json"
LOCK = "requirements.txt"
RECORDS = "records"
_MOST = 8 << 30  # bytes of an unpacked package


class ExportManifest(Entries):
    """What ``export.json`` holds.

    Attributes:
        title: what was exported, in one line.
        moved: where files are in the package that settings name, by the path there.
        plugins: by ``distribution:entry point``, with version, SHA-256 as recorded and now, and where their source is.
        environment: of the export: versions, processor.
        files: SHA-256 of each file of the package but this one and the metadata, by its path in it.
    """

    title: str
    moved: dict[str, str]
    plugins: dict[str, dict[str, Any]]
    environment: dict[str, Any]
    files: dict[str, str]


def is_package(folder: Path) -> bool:
    """Say whether a folder is an unpacked package."""
    return (folder / EXPORT).is_file()


def read_package(folder: Path) -> ExportManifest:
    """Read what an unpacked package says of itself, and check its files.

    Raises:
        RecordError: it is damaged.
    """
    manifest = read_entries(folder / EXPORT, ExportManifest, FORMAT, "package")
    for name, digest in manifest.files.items():
        _inside(name)
        try:
            content = read_within(folder, name)
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() != digest:
            raise RecordError(f"{name} of the package is missing or was changed after it was exported.")
    return manifest


def moved_in(folder: Path) -> dict[str, str]:
    """Return where the files are that settings name, by the path there: absolute paths in an unpacked package.

    Raises:
        RecordError: the package is damaged.
    """
    manifest = read_package(folder)
    return {old: str((folder / _inside(new)).absolute()) for old, new in manifest.moved.items()}


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """Unpack a package into a folder that is gone afterwards, and return the folder.

    Raises:
        RecordError: it is no package, or one that would write outside of its folder.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                if sum(entry.file_size for entry in entries) > _MOST:
                    raise RecordError(f"{file} would take more than {_MOST >> 30} GB.")
                for entry in entries:
                    if entry.is_dir():
                        continue
                    path = folder / _inside(entry.filename)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(entry) as source, path.open("xb") as target:
                        shutil.copyfileobj(source, target)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise RecordError(f"{file} cannot be unpacked: {error}.") from None
        if not is_package(folder):
            raise RecordError(f"{file} is no package of chainrule: it has no {EXPORT}.")
        yield folder


def _inside(name: str) -> Path:
    """Return a path in a package as a relative one.

    Raises:
        RecordError: it leads outside.
    """
    if not is_plain(name) or ":" in name.partition("/")[0]:
        raise RecordError(f"the package names the file {name!r}, which lies outside of it.")
    return Path(name)
