"""Train recorded runs again and look at them meanwhile: what ``explain``, ``why`` and ``verify`` are built on.

The whole interface:

- ``Replay.of_record(record, registry)`` and ``Replay.of_result(result)`` say what is trained again;
- ``replay.train(onlooker)`` trains it and returns an :class:`Ended`: the result, and whether it ends in the same bits;
- ``together(replays, watch)`` does so with many, as stacks where their structure allows it;
- ``replay.until(epoch)`` returns from where training goes on after an epoch, for branches of a run.

An :class:`chainrule.engine.onlooker.Onlooker` sees the steps that it wants, and each point of the curves.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from chainrule.components.contracts import Array
from chainrule.config.recorded import recorded_settings
from chainrule.engine.machine import Checkpoint
from chainrule.engine.network import Shape
from chainrule.engine.onlooker import Onlooker
from chainrule.engine.reason import Reason
from chainrule.engine.stack import MOST
from chainrule.engine.trainer import Pruner
from chainrule.errors import ConfigurationError, RecordError
from chainrule.files import paths
from chainrule.files.in_memory import MARK
from chainrule.files.reading import read_within
from chainrule.files.yaml_text import text_of
from chainrule.records.result import Result
from chainrule.records.run import HYDRA, Record
from chainrule.records.settings import Settings, Training
from chainrule.records.sweep import SWEEP, read_sweep
from chainrule.registry.registry import Registry
from chainrule.replay.originals import Difference, Original, changed, difference
from chainrule.replay.work import Work
from chainrule.runs.execute import train_on, train_stack
from chainrule.runs.prepare import Prepared, prepare, run_structure

_OF_HYDRA, _MOST_OF_HYDRA = f"{HYDRA}/hydra.yaml", 1 << 20  # bytes
_CWD = re.compile(r"^  runtime:\n(?:    .*\n)*?    cwd: (.+)$", re.MULTILINE)  # where a command was started
Watch = Callable[[list[int]], Onlooker]


@dataclass(frozen=True)
class Ended:
    """A run that was trained again.

    Attributes:
        result: what it came to.
        difference: where it parts from the original; None if it ends in the same bits, or there is no original.
        changes: what is not as it was when the original was trained, one phrase each.
    """

    result: Result
    difference: Difference | None
    changes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """Whether it ends in the same bits, and if not, what may be why, in a sentence."""
        return verdict(self.difference, self.changes)


def verdict(difference: Difference | None, changes: Sequence[str]) -> str:
    """Say whether a run ends in the same bits, and if not, what may be why; see :class:`Ended`."""
    if difference is None:
        return "trained again, it ends in the recorded bits"
    since = f"changed since: {'; '.join(changes)}" if changes else "nothing that is recorded has changed"
    return f"trained again, {difference}; {since}"


@dataclass(frozen=True)
class Replay:
    """A run that can be trained again.

    Attributes:
        settings: its settings.
        original: what it ended with; None for a run that was never trained.
        plugins: finds those that it uses; None where they cannot have changed.
    """

    settings: Settings
    original: Original | None = None
    plugins: Registry | None = None
    _cache: dict[str, Prepared] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of_record(cls, record: Record, registry: Registry, moved: Mapping[str, str] | None = None) -> Self:
        """Return the replay of a recorded run.

        Args:
            record: of the run.
            registry: finds its components.
            moved: where files are now that its settings name, by the path there; of others, relative paths begin where
                the command was started or, if they are not there, where the run or its sweep was.

        Raises:
            ConfigurationError: this version cannot read its settings, or a plugin that they name is not installed, or a
                file that they name is neither here nor where the run was started.
            RecordError: a file of the record is missing or was changed.
        """
        settings = recorded_settings(record, registry)
        where, original = {**located(record, settings), **(moved or {})}, Original.of_record(record)
        _require_files(record, settings, where)
        return cls(_measured_alike(moved_to(settings, where), original), original, registry)

    @classmethod
    def of_result(cls, result: Result) -> Self:
        """Return the replay of a run of this process."""
        return cls(result.settings, Original.of_result(result))

    def prepare(self) -> Prepared:
        """Return the run as it is before its first step: each call gives one of its own, to be trained once.

        Raises:
            ConfigurationError: its data or the run that it starts from cannot be read.
        """
        return self._cache.pop("prepared", None) or prepare(self.settings)

    def measured(self, training: Training) -> "Replay":
        """Return the run with training that differs in what is measured alone, without an original to compare with.

        What has been prepared is not prepared again.
        """
        other = Replay(replace(self.settings, training=training), None, self.plugins)
        prepared = self._cache.pop("prepared", None)
        if prepared:
            other._cache["prepared"] = replace(prepared, settings=other.settings)
        return other

    @cached_property
    def _sizes(self) -> tuple[int, int, Shape, int]:
        prepared = self.prepare()
        self._cache["prepared"] = prepared  # so that it is not prepared twice
        samples = prepared.samples.train.shape[1]
        steps = -(-samples // min(self.settings.training.batch_size or samples, samples))
        return samples, steps, prepared.shape, prepared.samples.validation.shape[1]

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return self._sizes[1]

    @property
    def shape(self) -> Shape:
        """Widths of its network."""
        return self._sizes[2]

    @property
    def epochs(self) -> int:
        """How many epochs it trained; of a run that was never trained, how many it may train."""
        return self.original.epochs if self.original else self.settings.training.epochs

    @property
    def steps(self) -> int:
        """How many steps these are."""
        return self.epochs * self.per_epoch

    @cached_property
    def work(self) -> Work:
        """How much work it is, by which instruments on it are measured."""
        samples, per_epoch, shape, others = self._sizes
        return Work(shape, self.epochs, per_epoch, samples, others, self.settings.training.engine)

    def samples_of(self, step: int) -> int:
        """Return how many samples a step has."""
        samples, per_epoch, *_ = self._sizes
        size = min(self.settings.training.batch_size or samples, samples)
        return size if step % per_epoch else samples - size * (per_epoch - 1)

    def train(self, onlooker: Onlooker | None = None) -> Ended:
        """Train it again, seen by an onlooker.

        Raises:
            ConfigurationError: its data or the run that it starts from cannot be read.
        """
        (ended,) = together([self], (lambda _: onlooker) if onlooker else None)
        return ended

    def until(self, epoch: int) -> tuple[Checkpoint, Prepared]:
        """Train it up to an epoch, and return from where it goes on: arrays, and generators that have moved on.

        Args:
            epoch: a point of its curves; if it is none, the next one counts. The run may have ended before.
        """
        prepared = self.prepare()
        _, checkpoint = train_on(prepared, prune=lambda now, active, _: np.full(len(active), now >= epoch))
        return checkpoint, prepared

    def ended(self, result: Result) -> Ended:
        """Compare what it came to with the original."""
        if not self.original:
            return Ended(result, None, ())
        found = difference(self.original, result, self.per_epoch)
        plugins = self.plugins.plugins_of(self.settings) if self.plugins else {}
        since = changed(self.original, plugins, result) if found and self.plugins else []
        return Ended(result, found, tuple(since))


def together(replays: Sequence[Replay], watch: Watch | None = None) -> list[Ended]:
    """Train runs again, as stacks where their structure allows it; each has the bits that it has alone.

    Args:
        replays: the runs.
        watch: returns the onlooker of a stack, from the places of its runs in ``replays``; these are in the order of
            ``Step.runs`` and ``Point.runs``. None for nobody.

    Raises:
        ConfigurationError: data, or a run that one of them starts from, cannot be read.
    """
    stacks: dict[tuple[Any, ...], list[int]] = {}
    prepared = [replay.prepare() for replay in replays]
    for place, run in enumerate(prepared):
        stacks.setdefault(run_structure(run), []).append(place)
    results: dict[int, Result] = {}
    for whole in stacks.values():
        for first in range(0, len(whole), MOST):
            places = whole[first : first + MOST]
            pruner = _pruned([replays[place].original for place in places])
            onlooker = watch(places) if watch else None
            trained = train_stack([prepared[place] for place in places], None, pruner, onlooker=onlooker)
            results.update(zip(places, trained, strict=True))
    return [replay.ended(results[place]) for place, replay in enumerate(replays)]


def _pruned(originals: Sequence[Original | None]) -> Pruner | None:
    """Return what stops the runs that were stopped early where they were."""
    ends = np.array([each.epochs if each and each.reason is Reason.PRUNED else -1 for each in originals])
    if (ends < 0).all():
        return None

    def prune(epoch: int, active: Array, watched: Array) -> Array:
        stops: Array = ends[active] == epoch
        return stops

    return prune


def files_of(settings: Settings) -> list[str]:
    """Return the paths in the settings of a run: of a file with its data, and of the run that it starts from."""
    found = [getattr(settings.target, "path", None), settings.training.start]
    return [path for path in found if isinstance(path, str) and not path.startswith(MARK)]


def located(record: Record, settings: Settings) -> dict[str, str]:
    """Return the paths that lead somewhere from where a run or its sweep was started, but not from here."""
    missing = _missing(settings)
    folder = _begun_in(record) if missing else None
    return {path: str(folder / path) for path in missing if (folder / path).exists()} if folder else {}


def _missing(settings: Settings) -> list[str]:
    return [path for path in files_of(settings) if not (paths.started() / Path(path).expanduser()).exists()]


def _require_files(record: Record, settings: Settings, where: Mapping[str, str]) -> None:
    """Say where files were looked for that are not there, if a run was started in another folder."""
    lost = [path for path in _missing(settings) if path not in where and not Path(path).expanduser().is_absolute()]
    folder = _begun_in(record) if lost else None
    if folder and folder != paths.started():
        raise ConfigurationError(
            f"{lost[0]} is neither in {paths.started()} nor in {folder}, where the run was started."
        )


def _begun_in(record: Record) -> Path | None:
    """Return the folder in which a run or its sweep was started, if its sweep or what Hydra has left says so."""
    above = next((folder for folder in record.directory.absolute().parents if (folder / SWEEP).is_file()), None)
    with suppress(RecordError, OSError, ValueError):
        if above:
            return Path(read_sweep(above).manifest.working_directory)
        found = _CWD.search(read_within(record.directory, _OF_HYDRA, _MOST_OF_HYDRA).decode())
        return Path(text_of(found[1])) if found else None
    return None


def _measured_alike(settings: Settings, original: Original) -> Settings:
    """Return settings that measure as often, and the same, as was done: defaults of that differ between versions."""
    training, curves = settings.training, original.curves
    if training.measure_every is None and len(curves.epochs) > 1:
        training = replace(training, measure_every=int(curves.epochs[1] - curves.epochs[0]))
    if training.gradient_norms is None:
        norms = any(name.startswith("gradient_norm/") for name in curves.values)
        training = replace(training, gradient_norms=norms)
    return replace(settings, training=training)


def moved_to(settings: Settings, moved: Mapping[str, str]) -> Settings:
    """Return settings that name files where they are now."""
    for path in files_of(settings):
        if path in moved and path == settings.training.start:
            settings = replace(settings, training=replace(settings.training, start=moved[path]))
        elif path in moved:
            target: Any = settings.target
            settings = replace(settings, target=replace(target, path=moved[path]))
    return settings
