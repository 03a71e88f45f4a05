"""Going on with a single run that broke off, or training it for longer than was meant at first."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.components.arguments import given
from chainrule.components.contracts import Array
from chainrule.components.parameters import plain
from chainrule.config.allowed import require_allowed
from chainrule.config.settings import TRACKING, settings_from_config, tracker_from_config
from chainrule.errors import ChainruleError, ConfigurationError, RecordError, nearest
from chainrule.files.words import shell_word
from chainrule.records.checkpoint import Saved, read_checkpoint
from chainrule.records.result import Result
from chainrule.records.run import Record, read_record
from chainrule.records.settings import Settings, shown
from chainrule.records.sweep import PLUGIN, split_override
from chainrule.registry.aside import Aside
from chainrule.registry.registry import Registry
from chainrule.registry.versions import changes
from chainrule.registry.watching import AUTO, Tracker, Watcher, Watchers
from chainrule.runs.checkpoints import about_runs
from chainrule.runs.execute import Task, execute, measured
from chainrule.runs.prepare import Prepared, prepare
from chainrule.sweep.resume import require_code, require_started_here

EPOCHS = "training.epochs"
_LOOKS = 1000  # epochs of a sampling that are compared, at most


class BrokenRun:
    """A run that broke off, or that has ended and may be trained for longer.

    Args:
        directory: of the run.

    Attributes:
        directory: absolute.
        configuration: of the run, with its tracker.
        overrides: as typed when it was started.
        pictures: names of those that are wanted of it.
        working_directory: where that was; None if only its record is there.

    Raises:
        RecordError: there is neither a whole checkpoint nor a record.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.record: Record | None = None
        with suppress(RecordError):
            self.record = read_record(self.directory)
        try:
            self._saved = read_checkpoint(self.directory)
        except RecordError:
            if self.record is None:
                raise
            self._saved = None
        about: Mapping[str, Any] = self._saved.about if self._saved else {}
        if "configuration" not in about and self.record is None:
            raise RecordError(
                f"{directory} holds no sweep and no run to go on with: there is no sweep.json, no checkpoint and no "
                "finished record."
            )
        found = about if "configuration" in about else self.record.manifest if self.record else {}
        if not _is_sound(found):
            raise RecordError(f"{directory} holds a checkpoint that is not that of a run.")
        self.configuration: dict[str, Any] = dict(found["configuration"])
        self.overrides: list[str] = list(found["overrides"])
        every = about.get("checkpoint_every", 30.0)
        self.configuration["training"] = {**self.configuration["training"], "checkpoint_every": every}
        self.pictures: tuple[str, ...] = tuple(about.get("pictures", (AUTO,)))
        self.working_directory: str | None = about.get("working_directory")
        self._code = _code(about, self.record)
        self._allowed: Sequence[str] = ()

    def require_own(self, allowed: Sequence[str]) -> None:
        """Check that going on runs nothing and reaches nobody that the person has not named.

        Args:
            allowed: words of its record that the person has named.

        Raises:
            ChainruleError: its words could do more than train; or it was started elsewhere, where its programs and its
                tracker's file would be.
            OSError: the folder in which it was started is no longer there.
        """
        self._allowed = allowed
        require_allowed(self.directory, self.overrides, allowed)
        if self.working_directory:
            require_started_here(self.directory, Path(self.working_directory))

    def finish(
        self, overrides: Sequence[str], registry: Registry, watchers: Sequence[Watcher]
    ) -> tuple[Result, Record]:
        """Train it to its end, write its record, and tell its tracker and then the watchers.

        Args:
            overrides: ``training.epochs=N`` to train for longer, or nothing.
            registry: finds its plugins.
            watchers: the watchers, besides its tracker.

        Raises:
            ChainruleError: its tracker goes to a place that the record alone names.
            ConfigurationError: something else is to be changed, or would have to be; or it has ended already.
            OSError: the record cannot be written.
        """
        try:
            before = settings_from_config(self.configuration, registry)
        except ConfigurationError:
            require_code(self.directory, self._code)
            raise
        epochs = _epochs(overrides, before)
        if self.record and epochs <= self.record.manifest.configuration["training"]["epochs"]:
            raise ConfigurationError(
                f"{self.directory} holds a finished run: {self.record.manifest.reason.words}. "
                f"{EPOCHS}=N with a larger N trains it for longer."
            )
        run = prepare(self._longer(before, epochs))
        saved = self._saved
        if saved:
            _require_same(run, self.directory, saved, registry)
            if epochs != before.training.epochs:
                _require_extensible(run, before, saved)
        tracker = tracker_from_config({TRACKING: self.configuration[TRACKING]}, registry)
        self._require_known(tracker)
        told = Watchers([Aside(tracker), *watchers])
        task = Task(run, self.directory, tracker, self._typed(run.settings, before), self.pictures)
        ((result, record),) = execute([task], told, registry, overwrite=True, since=saved)
        told.tell("runs_recorded", [record])
        told.tell("finished", record)
        return result, record

    def _require_known(self, tracker: Tracker) -> None:
        """Refuse a server or a file that only the record's configuration names."""
        place = tracker.named
        typed = any(split_override(text)[0].startswith(TRACKING) for text in self.overrides)  # known by now
        if place and not typed and place not in self._allowed:
            raise ChainruleError(
                f"{self.directory} names {place}, which is not contacted unless you know it: "
                f"--allow {shell_word(place)}."
            )

    def _longer(self, before: Settings, epochs: int) -> Settings:
        """Return the settings with other epochs; points of the curves are as far apart as they were."""
        longer = replace(before, training=replace(before.training, epochs=epochs))
        every, norms = measured(prepare(before))
        if longer == before or measured(prepare(longer)) == (every, norms):
            return longer
        return replace(longer, training=replace(longer.training, measure_every=every, gradient_norms=norms))

    def _typed(self, settings: Settings, before: Settings) -> list[str]:
        """Return the overrides from which the run would have had these settings at once."""
        now, then = plain(settings.training), plain(before.training)
        own = {f"training.{name}": value for name, value in now.items() if value != then[name]}
        kept = [text for text in self.overrides if split_override(text)[0] not in own]
        return [*kept, *(f"{key}={shown(value)}" for key, value in own.items())]


def _code(about: Mapping[str, Any], record: Record | None) -> dict[str, str]:
    """Return versions and SHA-256 sums of the plugins of a run, from its record or from what its checkpoint says."""
    if record:
        return {f"{PLUGIN}{key}": f"{entry.version} {entry.sha256}" for key, entry in record.manifest.plugins.items()}
    code = about.get("code")
    return code if isinstance(code, dict) else {}


def _is_sound(found: Mapping[str, Any]) -> bool:
    """Say whether what is said about a run has the entries that are read here, of their types."""
    configuration, lists = found.get("configuration"), (found.get("overrides"), found.get("pictures", []))
    return (
        isinstance(configuration, dict)
        and isinstance(configuration.get("training"), dict)
        and isinstance(configuration.get(TRACKING), dict)
        and all(isinstance(each, list) and all(isinstance(text, str) for text in each) for each in lists)
        and isinstance(found.get("working_directory"), str | None)
    )


def _epochs(overrides: Sequence[str], before: Settings) -> int:
    """Return how many epochs the run is to have in all."""
    epochs = before.training.epochs
    for text in overrides:
        key, value = split_override(text)
        if key != EPOCHS:
            raise ConfigurationError(
                f"{text} cannot change when a run goes on{nearest(key, [EPOCHS], 0.8)}: only {EPOCHS} may be raised."
            )
        if not value.isascii() or not value.isdigit() or len(value) > 18 or int(value) < epochs:
            raise ConfigurationError(
                f"{EPOCHS} must be a whole number from {epochs} on when the run goes on, not {value}."
            )
        epochs = int(value)
    return epochs


def _require_same(run: Prepared, directory: Path, saved: Saved, registry: Registry) -> None:
    """Refuse to go on with other data or other code: the run would be neither the old nor a new one.

    Raises:
        ConfigurationError: says what has changed.
    """
    now = about_runs([run], [directory], registry)
    data = [(each["data"][:12], "the data") for each in (saved.about["runs"][0], now["runs"][0])]
    changed = changes({"the data": data[0][0]}, {"the data": data[1][0]})
    changed += changes(saved.about["code"], now["code"])
    if changed:
        raise ConfigurationError(
            f"{directory} cannot go on to the bits that it would have had. Changed: {'; '.join(changed)}. "
            "Change it back, or train the run anew."
        )


def _require_extensible(run: Prepared, before: Settings, saved: Saved) -> None:
    """Refuse to train a run for longer if its epochs until now would then have been others.

    The rates of each epoch so far, and what its sampling chooses in up to a thousand of them, must not depend on how
    many epochs there are.

    Args:
        run: the run as it is to be, with more epochs.
        before: its settings as they were.
        saved: its checkpoint.

    Raises:
        ConfigurationError: they would.
    """
    settings, past = run.settings, saved.checkpoint.epoch
    counts = max(before.training.epochs, 1), max(settings.training.epochs, 1)
    schedule, sampling = settings.schedule, settings.sampling
    chosen = _choosing(run)
    if not schedule.is_constant:
        field = schedule.of or str(settings.optimizer.rate)
        lr = np.array([[getattr(settings.optimizer, field)]], settings.training.dtype.value)
        for epoch in range(past):
            one, other = (schedule.rate(lr, epoch, count, saved.checkpoint.rate).tobytes() for count in counts)
            if one != other:
                raise _depends(f"schedule={schedule.name}", counts)
    for epoch in range(0, past, max(1, past // _LOOKS)):
        if chosen(epoch, counts[0]) != chosen(epoch, counts[1]):
            raise _depends(f"sampling={sampling.name}", counts)


def _depends(what: str, counts: tuple[int, int]) -> ConfigurationError:
    return ConfigurationError(
        f"{what} depends on how many epochs there are: the first of {counts[1]} would not have been those of "
        f"{counts[0]}. Train the run anew, or let it go on with {EPOCHS}={counts[0]}."
    )


def _choosing(run: Prepared) -> Callable[[int, int], list[bytes]]:
    """Return a function of an epoch and how many there are, which returns the bytes of what the sampling chooses."""
    samples = run.samples
    ask = given(run.settings.sampling, "epoch", target=run.settings.target, fresh=samples.fresh)
    end = 1 + samples.inputs + samples.outputs
    x, y = samples.train[1 : 1 + samples.inputs].T, samples.train[1 + samples.inputs : end].T

    def chosen(epoch: int, epochs: int) -> list[bytes]:
        found: Array | tuple[Array, Array] = ask(np.random.default_rng(0), x, y, epoch, epochs)
        return [np.asarray(part).tobytes() for part in (found if isinstance(found, tuple) else (found,))]

    return chosen
