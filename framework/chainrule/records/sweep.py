"""The record of a sweep: its arguments, its jobs, and what became of its runs."""

import functools
import uuid
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from chainrule.engine.reason import Reason
from chainrule.errors import RecordError, counted
from chainrule.files.atomic import write_atomically
from chainrule.files.reading import is_plain
from chainrule.records.comparison import Comparison, ComparisonEntry
from chainrule.records.entries import Entries, read_entries, sealed
from chainrule.records.environment import environment
from chainrule.records.manifest import FileEntry
from chainrule.records.outcome import Measured, Outcome
from chainrule.records.run import SWEEP as SWEEP
from chainrule.records.run import Failure, Membership, Record, entries_of, read_end

FORMAT = 2
UNSEALED = (1,)  # formats of earlier versions, which had no checksum
MASTER = "multirun.yaml"
CHECKSUMS = "checksums.json"
_MOST = 1 << 28  # bytes of a record: half a million jobs
SEED, FOLD = "seed", "data.fold"
PLUGIN = "plugin "  # how the names of plugins begin in ``state``


class JobEntry(Entries):
    """A job: its overrides, and the directory of its record, relative to the sweep's."""

    overrides: list[str]
    directory: str


class StateEntry(Entries):
    """What must be unchanged when a sweep is resumed.

    Attributes:
        configurations: those of the choices of groups.
        data: SHA-256 of the data of some runs, by what decides them.
        code: versions and SHA-256 of plugins, and what they run on.
    """

    configurations: list[dict[str, Any]]
    data: dict[str, str]
    code: dict[str, str]

    @classmethod
    def checked(cls, data: Mapping[str, Any]) -> Self:
        """Return the data with its entries checked; those that are not there are empty."""
        return super().checked({"configurations": [], "data": {}, "code": {}, **data})


class SearchEntry(Entries):
    """A search: the number of settings to try, their space (key to values as typed), and the seeds for each."""

    trials: int
    space: dict[str, str]
    seeds: list[str]


class ChangeEntry(Entries):
    """A plugin, or the processor, that had changed when the sweep was resumed, and was accepted.

    Attributes:
        plugin: ``distribution:entry point`` of a plugin; else the name of the entry in ``environment``.
        before, after: its version and SHA-256, or the entry.
        when: ISO 8601 with zone.
        runs: how many runs had a complete record by then.
    """

    plugin: str
    before: str
    after: str
    when: str
    runs: int


class SweepManifest(Entries):
    """What ``sweep.json`` holds.

    Attributes:
        key: unique key of the sweep.
        arguments: arguments of the command, as typed.
        working_directory: where the command was typed.
        started, finished: ISO 8601 with zone; ``finished`` is None until the sweep has finished.
        jobs: the jobs in order.
        state: what must be unchanged when the sweep is resumed.
        times: values of ``${now:...}``, by pattern.
        search, comparison: the search or the comparison that the sweep is; else None.
        environment: as in the record of a run.
        beside: files that Hydra has left beside the record, which says whether they are unchanged.
        changes: what was accepted though it had changed; the record of each run says what it used.
    """

    key: str
    arguments: list[str]
    working_directory: str
    started: str
    finished: str | None
    jobs: list[JobEntry]
    state: StateEntry
    times: dict[str, str]
    search: SearchEntry | None
    comparison: ComparisonEntry | None
    environment: dict[str, Any]
    changes: list[ChangeEntry]
    beside: dict[str, FileEntry]

    @classmethod
    def checked(cls, data: Mapping[str, Any]) -> Self:
        """Return the data with its entries checked; earlier versions accepted no changes and covered no file beside."""
        found = super().checked({"changes": [], "beside": {}, **data})
        wrong = [name for name, is_right in _SOUND.items() if not is_right(found)]
        if wrong:
            raise ValueError(", ".join(wrong))
        return found


# What readers rely on, by the entry that would be wrong. Plans are bounded, so that nobody counts for ever.
_SOUND: dict[str, Callable[[SweepManifest], bool]] = {
    "jobs": lambda found: all(job.directory == "." or is_plain(job.directory) for job in found.jobs),
    "beside": lambda found: all(map(is_plain, found.beside)),
    "search": lambda found: not found.search or 0 <= found.search.trials * max(1, len(found.search.seeds)) <= _MOST,
    "comparison": lambda found: not found.comparison or Comparison.is_sound(found.comparison, len(found.jobs)),
}


class _Checksums(Entries):
    """What ``checksums.json`` holds: the files of a report beside the record, which are written again at will."""

    files: dict[str, FileEntry]


@dataclass(frozen=True)
class Sweep:
    """The record of a sweep, finished or not.

    Attributes:
        directory: absolute directory of the record; the records of its runs lie below.
        manifest: what ``sweep.json`` holds; its entries are attributes and, as in the file, keys.
        links: links for a person to open, by title; watchers add to them.
    """

    directory: Path
    manifest: SweepManifest
    links: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """Number of jobs so far."""
        return len(self.manifest.jobs)

    @functools.cached_property
    def comparison(self) -> Comparison | None:
        """The plan of the comparison; None if the sweep is not a comparison."""
        return Comparison.of(self.manifest.comparison) if self.manifest.comparison else None

    @property
    def planned(self) -> int:
        """Number of jobs in the end; a search or a comparison adds jobs as earlier ones finish."""
        search = self.manifest.search
        if search:
            return search.trials * max(1, len(search.seeds))
        return self.comparison.runs if self.comparison else self.runs

    @functools.cached_property
    def axes(self) -> dict[str, list[str]]:
        """The keys that vary, with their values as typed, in the order of the jobs; the seed comes last.

        A key that a search or a comparison tunes has its space as the only value.
        """
        search, comparison = self.manifest.search, self.comparison
        if search:
            axes = {key: [text] for key, text in search.space.items()}
            return {**axes, SEED: search.seeds} if search.seeds else axes
        if comparison:
            return {
                comparison.group: list(comparison.contenders),
                "target": list(comparison.targets),
                **{key: [text] for key, text in comparison.space.items()},
                SEED: [
                    f"{comparison.seeds} of each tuning on each target"
                    if comparison.until_decided
                    else f"{comparison.tunings * comparison.seeds} of each target"
                ],
            }
        jobs = [_typed(job.overrides) for job in self.manifest.jobs]
        found: dict[str, dict[str, None]] = {}
        for job in jobs:
            for key, value in job.items():
                found.setdefault(key, {})[value] = None
        varied = {
            key: list(values) for key, values in found.items() if len(values) > 1 or any(key not in j for j in jobs)
        }
        seeds = varied.pop(SEED, None)
        return varied if seeds is None else {**varied, SEED: seeds}

    @property
    def title(self) -> str:
        """What varies, in words."""
        search, comparison = self.manifest.search, self.comparison
        if search:
            seeds = f" x {counted(len(search.seeds), 'seed')}" if search.seeds else ""
            return f"{counted(search.trials, 'trial')} of {', '.join(search.space)}{seeds}"
        if comparison:
            return f"{comparison.group} {', '.join(comparison.contenders)} on {', '.join(comparison.targets)}"
        sizes = {key: len(values) for key, values in self.axes.items()}
        parts = [counted(size, key) if key == SEED else f"{size} {key}" for key, size in sizes.items()]
        return " x ".join(parts) or "one setting"

    @property
    def versions(self) -> list[str]:
        """What to know about plugins and processors of which more than one took part, a sentence each."""
        return [
            f"{entry.plugin} was {_short(entry.before)} for {counted(entry.runs, 'run')} until {entry.when[:16]} UTC, "
            f"then {_short(entry.after)}; the record of each run says which it had"
            for entry in self.manifest.changes
        ]

    def settings(self, number: int) -> dict[str, Any]:
        """Return the keys that vary, with the values of a job; the seed is among them if it varies.

        In a comparison of contenders with names, the name is among them, as ``contender``.
        """
        typed, comparison = _typed(self.manifest.jobs[number].overrides), self.comparison
        if comparison and comparison.group not in typed:
            typed[comparison.group] = comparison.contender(number)
        return {key: _value(typed[key]) for key in self.axes if key in typed}

    def place(self, number: int) -> Path:
        """Return the directory of a job's record."""
        return self.directory / self.manifest.jobs[number].directory

    def member(self, number: int) -> Membership:
        """Return the place of a job's record in the sweep."""
        phase = "" if not self.comparison else "tuning" if self.comparison.is_tuning(number) else "final"
        return Membership(self.directory, self.manifest.key, self.runs, number, self.settings(number), phase)

    def members(self) -> dict[Path, Membership]:
        """Return the place of each record in the sweep, by the directory of the record."""
        return {self.place(number): self.member(number) for number in range(self.runs)}

    def outcome(self, number: int, end: Record | Failure) -> Outcome:
        """Return what became of a job."""
        settings, place = self.settings(number), self.manifest.jobs[number].directory
        typed, fold = settings.pop(SEED, None), settings.pop(FOLD, None)
        if isinstance(end, Failure):
            seed = typed if isinstance(typed, int) else end.seed  # which failures of older versions do not hold
            return Outcome(number, place, settings, seed, Reason.FAILED, {}, end.sentence, fold)
        manifest = end.manifest
        seed, restored = manifest.configuration[SEED], bool(manifest.configuration["training"].get("restore_best"))
        measured = Measured.of(manifest.configuration)
        known = manifest.reason, manifest.metrics
        return Outcome(number, place, settings, seed, *known, fold=fold, restored=restored, measured=measured)

    def outcomes(self, known: Container[int] = (), whole: bool = False) -> Iterator[Outcome]:
        """Yield what became of each finished job, from the records on disk.

        Args:
            known: numbers of jobs to leave out.
            whole: whether records of which a file is missing or was changed are left out.
        """
        for number in range(self.runs):
            if number in known:
                continue
            try:
                end = self.end(number)
            except RecordError:
                continue
            if not (whole and isinstance(end, Record) and end.damaged()):
                yield self.outcome(number, end)

    def end(self, number: int) -> Record | Failure:
        """Return the record that a job has left, or its failure.

        Raises:
            RecordError: there is neither, it is damaged, or it is that of another run.
        """
        found, own = read_end(self.place(number)), set(self.manifest.jobs[number].overrides)
        if isinstance(found, Record) and not own <= set(found.manifest.overrides):
            raise RecordError(f"{found.directory} holds the record of another run than that of job {number}.")
        return found

    def lost(self, ended: Container[int]) -> list[int]:
        """Return the numbers of jobs without a record that can be read, of a sweep that has finished.

        Args:
            ended: numbers of those whose record was read.
        """
        return [number for number in range(self.runs) if number not in ended] if self.manifest.finished else []

    def files(self) -> list[Path]:
        """Return the files beside the records of the runs: the record of the sweep, and what shows it.

        Raises:
            RecordError: one was changed since it was written.
        """
        known = {**self.manifest.beside, **self._shown()}
        there = entries_of(self.directory, known)
        for name, entry in there.items():
            if entry != known[name]:
                raise RecordError(
                    f"{self.directory / name} was changed after it was written; `chainrule report {self.directory}` "
                    "writes the report again."
                )
        return [self.directory / name for name in (SWEEP, *there)]

    def cover(self, names: Sequence[str]) -> None:
        """Write the checksums of files of the report.

        Raises:
            OSError: they cannot be written.
        """
        content = {"format": 1, "files": entries_of(self.directory, names)}
        write_atomically(self.directory / CHECKSUMS, sealed(content))

    def _shown(self) -> dict[str, FileEntry]:
        try:
            found = read_entries(self.directory / CHECKSUMS, _Checksums, 1, "list of checksums").files
        except FileNotFoundError:
            return {}
        if not all(map(is_plain, found)):
            raise RecordError(f"{self.directory / CHECKSUMS} is damaged: it names files that lie elsewhere.")
        return found

    def accepting(self, code: Mapping[str, str]) -> "Sweep":
        """Write into the record what has changed, and return it; it is the same if nothing has.

        Args:
            code: version and SHA-256 of each plugin, and of what else decides runs, as in the entry ``state``.

        Raises:
            OSError: it cannot be written.
        """
        state, when = self.manifest.state, now()
        before, absent = state.get("code", {}), "not there"
        changed = [name for name in {**before, **code} if before.get(name) != code.get(name)]
        if not changed:
            return self
        runs = sum(outcome.reason != Reason.FAILED for outcome in self.outcomes())
        made = [
            ChangeEntry(
                plugin=name.removeprefix(PLUGIN),
                before=before.get(name, absent),
                after=code.get(name, absent),
                when=when,
                runs=runs,
            )
            for name in changed
        ]
        return self.write(state={**state, "code": dict(code)}, changes=[*self.manifest.changes, *made])

    def write(self, **changes: Any) -> "Sweep":
        """Write the record with some of its entries changed, and return it.

        Raises:
            OSError: it cannot be written.
        """
        manifest = SweepManifest({**self.manifest, **changes})
        write_atomically(self.directory / SWEEP, sealed({**manifest, "format": FORMAT}))
        return Sweep(self.directory, manifest, self.links)

    def with_beside(self) -> "Sweep":
        """Return the record with what Hydra has left beside it; nothing is written."""
        manifest = SweepManifest({**self.manifest, "beside": entries_of(self.directory, [MASTER])})
        return Sweep(self.directory, manifest, self.links)


def new_sweep(
    directory: Path,
    arguments: Sequence[str],
    working_directory: Path,
    state: Mapping[str, Any],
    times: Mapping[str, str],
    search: SearchEntry | None = None,
    comparison: Comparison | None = None,
) -> Sweep:
    """Return the record of a new sweep, without jobs yet; nothing is written."""
    manifest = SweepManifest(
        format=FORMAT,
        key=uuid.uuid4().hex,
        arguments=list(arguments),
        working_directory=str(working_directory),
        started=now(),
        finished=None,
        jobs=[],
        state=StateEntry.checked(state),
        times=dict(times),
        search=search,
        comparison=comparison.to_entry() if comparison else None,
        environment=environment(),
        changes=[],
        beside={},
    )
    return Sweep(directory, manifest)


def read_sweep(directory: Path) -> Sweep:
    """Read the record of the sweep in ``directory``.

    Raises:
        RecordError: there is none, it is damaged, or another version of the format wrote it.
    """
    try:
        manifest = read_entries(directory / SWEEP, SweepManifest, FORMAT, "sweep", UNSEALED, _MOST)
    except FileNotFoundError:
        raise RecordError(f"{directory} holds no sweep: there is no {SWEEP}.") from None
    return Sweep(directory.absolute(), manifest)


def now() -> str:
    """Return the current time as ISO 8601 text in UTC."""
    return datetime.now(UTC).isoformat()


def split_override(text: str) -> tuple[str, str]:
    """Return key and value of an override such as ``optimizer.lr=0.1``; signs before the key are dropped."""
    key, _, value = text.lstrip("+~").partition("=")
    return key, value


def _short(version: str) -> str:
    """Shorten the SHA-256 to its first 12 digits."""
    return " ".join(word[:12] if len(word) == 64 else word for word in version.split(" "))


def _typed(overrides: Sequence[str]) -> dict[str, str]:
    return dict(map(split_override, overrides))


def _value(text: str) -> Any:
    """Return the number that a text spells, or the text itself."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
