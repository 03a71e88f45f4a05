"""Runs that break off, and what is left of them."""

import json
from pathlib import Path

from chainrule.records.manifest import MANIFEST
from chainrule.registry.watching import Watcher
from sweeping import OF_ATTEMPT


class Breaks(Watcher):
    """Interrupts a run at its first point from an epoch on, as Ctrl-C does."""

    def __init__(self, epoch):
        self._epoch = epoch

    def epochs_recorded(self, progress):
        self.observe(progress.epoch)

    def observe(self, epoch, *_):
        if epoch >= self._epoch:
            raise KeyboardInterrupt


def files(folder):
    """The files of a record by name, without checkpoints; what says when and how long is left out.

    So are pictures: one shows the way of the parameters from where a training went on.
    """
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(("checkpoints/", "pictures/", ".hydra/")) and path.suffix != ".log":
            found[name] = path.read_bytes()
    manifest = json.loads(found.pop(MANIFEST))
    manifest["files"] = {name: file for name, file in manifest["files"].items() if not name.startswith("pictures/")}
    return found, {key: value for key, value in manifest.items() if key not in (*OF_ATTEMPT, "beside")}


def kept(folder):
    """The files of checkpoints, the newest first."""
    return sorted(Path(folder, "checkpoints").glob("epoch-*"), reverse=True)
