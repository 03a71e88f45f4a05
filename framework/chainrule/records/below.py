"""Records below a folder, without the copies that MLflow keeps of them."""

import re
from collections.abc import Iterator
from pathlib import Path

from chainrule.files.reading import found_below

_MODEL = "MLmodel"  # beside a manifest: the folder is what a run in MLflow has
_ARTIFACTS, _OF_RUN = "artifacts", re.compile(r"(m-)?[0-9a-f]{32}")  # where MLflow keeps the files of a run or a model


def records_below(directory: Path, *names: str) -> Iterator[Path]:
    """Yield the files of some names, such as manifests, that records in a directory have, at any depth.

    What MLflow has copied into its own folders, which may lie in the same project, belongs to no record; a copy that is
    named itself is one.
    """
    for path in found_below(directory, *names):
        if path.parent == directory or not _is_copy(path.parent):
            yield path


def _is_copy(folder: Path) -> bool:
    is_in_store = folder.name == _ARTIFACTS and _OF_RUN.fullmatch(folder.parent.name)
    return bool(is_in_store) or (folder / _MODEL).is_file()
