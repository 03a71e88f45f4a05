"""Removing records: what chainrule has written, and nothing else that lies there."""

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from chainrule.files.reading import require_unlinked
from chainrule.records.kept import FOLDER
from chainrule.records.manifest import FAILURE, MANIFEST
from chainrule.records.run import HYDRA, Record
from chainrule.records.sweep import SWEEP, Sweep

LOCK = ".sweep.lock"
PROGRESS = ".progress"  # folder in which processes say how far they are
_OF_RUN = re.compile(
    r"manifest\.json|failure\.json|configuration\.yaml|curves\.npz|weights\.npz|confusion\.csv|mlflow\.json|chainrule\.log"
    r"|pictures/[^/]+\.(png|gif)|\.hydra/(config|hydra|overrides)\.yaml|checkpoints/epoch-\d+|(?:[^/]+/)?\.[^/]+\.tmp"
)
_OF_SWEEP = re.compile(
    r"sweep\.json|multirun\.yaml|checksums\.json|report\.html|runs\.csv|comparison\.json|timing\.json|why\.json|mlflow\.json"
    r"|optuna\.log(\.lock)?|\.sweep\.lock(-journal)?|\.[^/]+\.tmp"
)


def files_of_run(directory: Path) -> list[Path]:
    """Return the files that a run has left in a directory, whatever is damaged; links are files, too."""
    return [path for path in _below(directory, 2) if _OF_RUN.fullmatch(path.relative_to(directory).as_posix())]


def delete_run(directory: Path) -> list[Path]:
    """Remove the record of a run, its manifest first, and its directory if nothing else is in there.

    Returns:
        What else lies in the directory, which stays.

    Raises:
        OSError: something cannot be removed.
    """
    first = [directory / MANIFEST, directory / FAILURE]
    return _delete(
        directory, [*first, *files_of_run(directory)], [directory / "pictures", directory / HYDRA, directory / FOLDER]
    )


def delete_sweep(sweep: Sweep) -> list[Path]:
    """Remove the record of a sweep and those of its runs, likewise.

    Raises:
        OSError: something cannot be removed, or a link leads out of the sweep's directory.
    """
    directory, left = sweep.directory, list[Path]()
    places = [sweep.place(number) for number in range(sweep.runs)]
    for place in places:
        require_unlinked(place, directory)
    for place in places:
        left += delete_run(place)
        with suppress(OSError):  # folders between, as far as nothing else is in there
            for folder in place.parents:
                if folder == directory:
                    break
                folder.rmdir()
    shutil.rmtree(directory / PROGRESS, ignore_errors=True)
    own = [path for path in _below(directory, 1) if _OF_SWEEP.fullmatch(path.name)]
    return [*left, *_delete(directory, [directory / SWEEP, *own], [])]


def remains(record: Record) -> list[Path]:
    """Return the files with temporary names that a kill has left beside a record."""
    return [path for path in _below(record.directory, 2) if re.fullmatch(r"\..+\.tmp", path.name)]


def _delete(directory: Path, files: Iterable[Path], folders: Iterable[Path]) -> list[Path]:
    for path in files:
        path.unlink(missing_ok=True)
    for folder in (*folders, directory):
        with suppress(OSError):
            folder.rmdir()
    return list(_below(directory, 1)) if directory.is_dir() else []


def _below(directory: Path, depth: int) -> Iterable[Path]:
    """Yield what is no folder in a directory and in the folders in it; no link is followed."""
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            yield Path(entry.path)
        elif depth > 1:
            yield from _below(Path(entry.path), depth - 1)
