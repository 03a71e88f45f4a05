"""Keeping checkpoints while runs are trained: so often that it costs under one per cent, and when they are ended."""

import functools
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chainrule import interrupts
from chainrule.engine.machine import Checkpoint
from chainrule.engine.trainer import Course
from chainrule.errors import RecordError, text_of
from chainrule.files.words import resuming
from chainrule.records.checkpoint import Saved, read_checkpoint, write_checkpoint
from chainrule.records.settings import LISTS
from chainrule.registry.kinds import GROUPS
from chainrule.registry.registry import Registry
from chainrule.registry.versions import code
from chainrule.runs.prepare import Prepared

log = logging.getLogger(__name__)

_PAUSE = 0.5  # seconds between two copies in memory, at least
_SHARE = 200  # training takes so many times as long as copying does, and so many times as long as writing
_WAIT = 0.5  # seconds to wait for another thread that is writing when the process must end


class Keeper:
    """Copies from where a training can go on every half second, and writes the copy from time to time.

    What is lost by Ctrl-C is then less than a second, because the last copy is written, and by ``kill -9`` the time
    between two writings. Copying and writing each take half a per cent of the time at most: where they take long, they
    are done less often than was asked for.

    Args:
        directory: where checkpoints are written.
        every: seconds between two writings, at least.
        about: returns what to know about the runs, as plain data; asked once, before the first writing.
        earlier: seconds that the runs were trained before.
        epochs: how many they are trained, at most.
        synced: whether checkpoints must survive a power failure.
        there: epoch of the checkpoint that the runs go on from, or None.
    """

    def __init__(
        self,
        directory: Path,
        every: float,
        about: Callable[[], Mapping[str, Any]],
        earlier: float,
        epochs: int,
        synced: bool,
        there: int | None = None,
    ) -> None:
        self._directory, self._every, self._about = directory, every, functools.cache(about)
        self._earlier, self._epochs, self._synced = earlier, epochs, synced
        self._began = time.monotonic()
        self._due, self._write_due = self._began + _PAUSE, self._began + every
        self._last: tuple[Checkpoint, Course, float] | None = None
        self._written = there  # epoch of what is on disk
        self._trouble = ""
        self._writing = threading.Lock()

    def __call__(self, take: Callable[[], tuple[Checkpoint, Course]]) -> None:
        """Copy, and write, if it is time."""
        now = time.monotonic()
        if now < self._due:
            return
        checkpoint, course = take()
        self._last = checkpoint, course, now - self._began
        copied = time.monotonic()
        self._due = copied + max(_PAUSE, _SHARE * (copied - now))
        if now >= self._write_due:
            self._write(self._synced)
            written = time.monotonic()
            self._write_due = written + max(self._every, _SHARE * (written - copied))

    def write_last(self) -> None:
        """Write the last copy, unless it is written or another thread does so; not even a full disk raises an error."""
        if self._writing.acquire(timeout=_WAIT):
            self._writing.release()
            self._write(synced=False)  # the process ends, not the machine

    def advice(self) -> str:
        """Write the last copy; say up to where the run is kept, and how to go on."""
        self.write_last()
        if self._written is None:
            return f"Nothing of the run is kept{self._trouble or ': it had just begun'}."
        return f"The run is kept up to epoch {self._written} of {self._epochs}; `{resuming(self._directory)}` goes on."

    def _write(self, synced: bool) -> None:
        with self._writing:
            if self._last is None or self._last[0].epoch == self._written:
                return
            checkpoint, course, seconds = self._last
            about = {**self._about(), "seconds": self._earlier + seconds}
            try:
                write_checkpoint(self._directory, about, checkpoint, course, synced)
                self._written = checkpoint.epoch
            except (OSError, RecordError, ValueError, TypeError) as error:
                if not self._trouble:
                    log.warning("No checkpoint can be written: %s. Training goes on.", text_of(error).rstrip("."))
                self._trouble = f": {text_of(error).rstrip('.')}"


@contextmanager
def keeping(
    runs: Sequence[Prepared],
    directories: Sequence[Path],
    details: Mapping[str, Any],
    registry: Registry,
    since: Saved | None,
    synced: bool,
) -> Iterator[Keeper | None]:
    """Keep checkpoints while runs are trained and recorded in the block; yield None if none are wanted.

    Args:
        runs: the runs of the stack.
        directories: of their records; checkpoints lie below the first.
        details: further things to write about the runs, among them when training began at first, ``started``.
        registry: finds the plugins that they use.
        since: from where they go on, or None.
        synced: whether checkpoints must survive a power failure.
    """
    training = runs[0].settings.training
    if training.checkpoint_every is None:
        yield None
        return

    def about() -> dict[str, Any]:
        return {**about_runs(runs, directories, registry), **details}

    earlier, there = (float(since.about["seconds"]), since.checkpoint.epoch) if since else (0.0, None)
    keeper = Keeper(directories[0], training.checkpoint_every, about, earlier, training.epochs, synced, there)
    of_sweep = interrupts.advises_sweep()
    outer = interrupts.advise(keeper.advice, of_sweep)
    if of_sweep and outer:
        interrupts.advise(lambda: keeper.advice() and outer(), of_sweep)
    try:
        yield keeper
    except KeyboardInterrupt as error:
        error.add_note(keeper.advice())
        raise
    else:  # trackers are told now, which may take long
        ended = f"The run has ended, and is recorded in {directories[0]}."
        interrupts.advise(outer if of_sweep else lambda: ended, of_sweep)


def about_runs(runs: Sequence[Prepared], directories: Sequence[Path], registry: Registry) -> dict[str, Any]:
    """Return what must be the same where runs go on from a checkpoint: settings, data, code."""
    first = directories[0]
    used = {
        registry.provider(GROUPS[group].name, component.name)
        for run in runs
        for group, component in run.settings.components()
    }
    return {
        "runs": [
            {"directory": os.path.relpath(directory, first), "identity": _identity(run), "data": run.samples.digest}
            for run, directory in zip(runs, directories, strict=True)
        ],
        "code": code(used),
    }


def found(runs: Sequence[Prepared], directories: Sequence[Path], registry: Registry) -> Saved | None:
    """Return the checkpoint from which runs, as one stack, go on to the bits that they would have had; or None."""
    try:
        saved = read_checkpoint(directories[0])
        if saved is None:
            return None
        wanted = about_runs(runs, directories, registry)
        return saved if all(saved.about.get(key) == value for key, value in wanted.items()) else None
    except (RecordError, OSError):
        return None


def _identity(run: Prepared) -> str:
    """Return the SHA-256 of the settings of a run and of what it starts with."""
    config = run.settings.to_config()
    ordered = {key: list(value.items()) if key in LISTS else value for key, value in config.items()}
    parts = [ordered, run.samples.digest, run.origin.weights if run.origin else None]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
