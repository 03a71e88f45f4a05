"""The record of a sweep: what was asked for, where its runs lie, and what became of them."""

import functools
import json
import uuid
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chainrule.engine.reason import Reason
from chainrule.errors import RecordError
from chainrule.files.atomic import write_atomically
from chainrule.records.comparison import Comparison, ComparisonEntry
from chainrule.records.entries import Entries, read_entries
from chainrule.records.environment import environment
from chainrule.records.outcome import Outcome
from chainrule.records.run import Failure, Membership, Record, read_end

FORMAT = 1
SWEEP = "sweep.json"
SEED = "seed"


class JobEntry(Entries):
    """A job: its overrides, and the directory of its record as seen from the sweep's."""

    overrides: list[str]
    directory: str


class SearchEntry(Entries):
    """A search: how many settings it tries, what it searches (key to values as typed), and the seeds of each."""

    trials: int
    space: dict[str, str]
    seeds: list[str]


class SweepManifest(Entries):
    """What ``sweep.json`` holds.

    Attributes:
        key: unique.
        arguments: of the command, as typed.
        working_directory: where it was typed.
        started, finished: ISO 8601 with zone; the latter None until then.
        jobs: in order.
        state: what must not change before the sweep is resumed.
        times: what ``${now:...}`` has given, by pattern.
        search, comparison: what the sweep is besides; None if it is not.
        environment: as in the record of a run.
    """

    key: str
    arguments: list[str]
    working_directory: str
    started: str
    finished: str | None
    jobs: list[JobEntry]
    state: dict[str, Any]
    times: dict[str, str]
    search: SearchEntry | None
    comparison: ComparisonEntry | None
    environment: dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """A sweep, begun or ended.

    Attributes:
        directory: where its record lies, absolute; those of its runs lie below.
        manifest: what ``sweep.json`` holds; its entries are attributes and, as in the file, keys.
        links: what a person can open next, by title; watchers add to it.
    """

    directory: Path
    manifest: SweepManifest
    links: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """How many jobs there are."""
        return len(self.manifest.jobs)

    @functools.cached_property
    def comparison(self) -> Comparison | None:
        """What is compared; None if the sweep is no comparison."""
        return Comparison.of(self.manifest.comparison) if self.manifest.comparison else None

    @property
    def planned(self) -> int:
        """How many jobs there will be in the end: those of a comparison or a search follow from earlier ones."""
        search = self.manifest.search
        if search:
            return search.trials * max(1, len(search.seeds))
        return self.comparison.runs if self.comparison else self.runs

    @functools.cached_property
    def axes(self) -> dict[str, list[str]]:
        """What varies: key to its values as typed, in the order of the jobs; the seed comes last.

        Of a search or a comparison the value of a key is the space that it is searched in.
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
                SEED: [f"{comparison.seeds} of each target"],
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
            seeds = f" x {len(search.seeds)} seeds" if search.seeds else ""
            return f"{search.trials} trials of {', '.join(search.space)}{seeds}"
        if comparison:
            return f"{comparison.group} {', '.join(comparison.contenders)} on {', '.join(comparison.targets)}"
        parts = [f"{len(values)} {key}{'s' if key == SEED else ''}" for key, values in self.axes.items()]
        return " x ".join(parts) or "one setting"

    def settings(self, number: int) -> dict[str, Any]:
        """Return what sets a job apart from the others: key to value; the seed is among them if it varies."""
        typed = _typed(self.manifest.jobs[number].overrides)
        return {key: _value(typed[key]) for key in self.axes if key in typed}

    def place(self, number: int) -> Path:
        """Return the output directory of a job."""
        return self.directory / self.manifest.jobs[number].directory

    def member(self, number: int) -> Membership:
        """Return what the record of a job is told about its sweep."""
        return Membership(self.directory, self.manifest.key, self.runs, number, self.settings(number))

    def members(self) -> dict[Path, Membership]:
        """Return what each record is told, by the directory of the record."""
        return {self.place(number): self.member(number) for number in range(self.runs)}

    def outcome(self, number: int, end: Record | Failure) -> Outcome:
        """Return what became of a job."""
        settings = {key: value for key, value in self.settings(number).items() if key != SEED}
        place = self.manifest.jobs[number].directory
        if isinstance(end, Failure):
            return Outcome(number, place, settings, end.seed, Reason.FAILED, {}, end.sentence)
        manifest = end.manifest
        return Outcome(number, place, settings, manifest.configuration["seed"], manifest.reason, manifest.metrics)

    def outcomes(self, known: Container[int] = ()) -> Iterator[Outcome]:
        """Read what became of each job that has ended, from the records on disk.

        Args:
            known: numbers of jobs that are left out.
        """
        for number in range(self.runs):
            if number in known:
                continue
            try:
                yield self.outcome(number, read_end(self.place(number)))
            except RecordError:
                continue

    def write(self, **changes: Any) -> "Sweep":
        """Write the record with some of its entries changed, and return it.

        Raises:
            OSError: it cannot be written.
        """
        manifest = SweepManifest({**self.manifest, **changes})
        write_atomically(self.directory / SWEEP, json.dumps(manifest, indent=None, separators=(",", ":")).encode())
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
        state=dict(state),
        times=dict(times),
        search=search,
        comparison=comparison.to_entry() if comparison else None,
        environment=environment(),
    )
    return Sweep(directory, manifest)


def read_sweep(directory: Path) -> Sweep:
    """Read the record of the sweep in ``directory``.

    Raises:
        RecordError: there is none, it is damaged, or another version of the format wrote it.
    """
    try:
        manifest = read_entries(directory / SWEEP, SweepManifest, FORMAT, "sweep")
    except FileNotFoundError:
        raise RecordError(f"{directory} holds no sweep: there is no {SWEEP}.") from None
    return Sweep(directory.absolute(), manifest)


def now() -> str:
    """Return the present time as records have it."""
    return datetime.now(UTC).isoformat()


def split_override(text: str) -> tuple[str, str]:
    """Return key and value of an override such as ``optimizer.lr=0.1``; signs before the key are left out."""
    key, _, value = text.lstrip("+~").partition("=")
    return key, value


def _typed(overrides: Sequence[str]) -> dict[str, str]:
    return dict(map(split_override, overrides))


def _value(text: str) -> Any:
    """Return a number where text is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
