"""The record of a sweep: what was asked for, where its runs lie, and what became of them."""

import functools
import json
import uuid
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chainrule import records
from chainrule.errors import RecordError
from chainrule.outcomes import Outcome
from chainrule.records import Failure, Record
from chainrule.results import objective

FORMAT = 1
FILE = "sweep.json"
SEED = "seed"


@dataclass(frozen=True)
class Sweep:
    """A sweep, begun or ended.

    Attributes:
        directory: where its record lies, absolute; those of its runs lie below.
        manifest: what ``sweep.json`` holds: ``key`` (unique), ``arguments`` (as typed), ``working_directory``,
            ``started`` and ``finished`` (ISO 8601 with zone; the latter None until then), ``times`` (what
            ``${now:...}`` has given, by pattern), ``jobs`` (``overrides`` and ``directory``, relative, of each),
            ``state`` (what must not change before it is resumed), ``environment``, ``search`` (None, or of a search
            ``trials``, ``space``, which is key to text as typed, and ``seeds``) and ``comparison`` (None, or what
            :class:`chainrule.contest.Contest` is made of).
        links: what a person can open next, by title; watchers add to it.
    """

    directory: Path
    manifest: Mapping[str, Any]
    links: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """How many jobs there are."""
        return len(self.manifest["jobs"])

    @property
    def planned(self) -> int:
        """How many jobs there will be in the end: those of a comparison or a search follow from earlier ones."""
        search, comparison = self.manifest["search"], self.manifest["comparison"]
        if search:
            return int(search["trials"]) * max(1, len(search["seeds"]))
        return int(comparison["runs"]) if comparison else self.runs

    @functools.cached_property
    def axes(self) -> dict[str, list[str]]:
        """What varies: key to its values as typed, in the order of the jobs; the seed comes last.

        Of a search or a comparison the value of a key is the space that it is searched in.
        """
        search = self.manifest["search"]
        if search:
            axes = {key: [text] for key, text in search["space"].items()}
            return {**axes, SEED: search["seeds"]} if search["seeds"] else axes
        comparison = self.manifest["comparison"]
        if comparison:
            axes = {comparison["group"]: comparison["contenders"], "target": comparison["targets"]}
            return {
                **axes,
                **{key: [text] for key, text in comparison["space"].items()},
                SEED: [f"{comparison['seeds']} of each target"],
            }
        jobs = [_typed(job["overrides"]) for job in self.manifest["jobs"]]
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
        search = self.manifest["search"]
        if search:
            seeds = f" x {len(search['seeds'])} seeds" if search["seeds"] else ""
            return f"{search['trials']} trials of {', '.join(search['space'])}{seeds}"
        comparison = self.manifest["comparison"]
        if comparison:
            return f"{comparison['group']} {', '.join(comparison['contenders'])} on {', '.join(comparison['targets'])}"
        parts = [f"{len(values)} {key}{'s' if key == SEED else ''}" for key, values in self.axes.items()]
        return " x ".join(parts) or "one setting"

    def settings(self, number: int) -> dict[str, Any]:
        """Return what sets a job apart from the others: key to value; the seed is among them if it varies."""
        typed = _typed(self.manifest["jobs"][number]["overrides"])
        return {key: _value(typed[key]) for key in self.axes if key in typed}

    def place(self, number: int) -> Path:
        """Return the output directory of a job."""
        return self.directory / str(self.manifest["jobs"][number]["directory"])

    def outcome(self, number: int, end: Record | Failure) -> Outcome:
        """Return what became of a job."""
        settings = self.settings(number)
        seed = settings.pop(SEED, 0)
        place = str(self.manifest["jobs"][number]["directory"])
        if isinstance(end, Failure):
            return Outcome(number, place, settings, seed, "failed", {}, end.sentence)
        manifest = end.manifest
        return Outcome(
            number, place, settings, manifest["configuration"]["seed"], manifest["reason"], manifest["metrics"]
        )

    def outcomes(self, known: Container[int] = ()) -> Iterator[Outcome]:
        """Read what became of each job that has ended, from the records on disk.

        Args:
            known: numbers of jobs that are left out.
        """
        for number in range(self.runs):
            if number in known:
                continue
            try:
                yield self.outcome(number, records.read_end(self.place(number)))
            except RecordError:
                continue

    def write(self, **changes: Any) -> "Sweep":
        """Write the record with some of its entries changed, and return it.

        Raises:
            OSError: it cannot be written.
        """
        manifest = {**self.manifest, **changes}
        records.replace(self.directory / FILE, json.dumps(manifest, indent=None, separators=(",", ":")).encode())
        return Sweep(self.directory, manifest, self.links)


def begin(
    directory: Path,
    arguments: Sequence[str],
    working_directory: Path,
    state: Mapping[str, Any],
    times: Mapping[str, str],
    search: Mapping[str, Any] | None = None,
    comparison: Mapping[str, Any] | None = None,
) -> Sweep:
    """Return the record of a new sweep, without jobs yet; nothing is written."""
    manifest = {
        "format": FORMAT,
        "key": uuid.uuid4().hex,
        "arguments": list(arguments),
        "working_directory": str(working_directory),
        "started": now(),
        "finished": None,
        "jobs": [],
        "state": dict(state),
        "times": dict(times),
        "search": search,
        "comparison": comparison,
        "environment": records.environment(),
    }
    return Sweep(directory, manifest)


def read(directory: Path) -> Sweep:
    """Read the record of the sweep in ``directory``.

    Raises:
        RecordError: there is none, it is damaged, or a newer version of the format wrote it.
    """
    path = directory / FILE
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RecordError(f"{directory} holds no sweep: there is no {FILE}.") from None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}.") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise RecordError(f"{path} is no sweep of format {FORMAT}, which this version of chainrule reads.")
    required = {
        "key": str,
        "arguments": list,
        "working_directory": str,
        "started": str,
        "finished": str | None,
        "environment": dict,
        "jobs": list,
        "state": dict,
        "times": dict,
        "search": dict | None,
        "comparison": dict | None,
    }
    lacking = [key for key, kind in required.items() if key not in manifest or not isinstance(manifest[key], kind)]
    if lacking:
        raise RecordError(f"{path} is damaged: {', '.join(lacking)} missing or of the wrong type.")
    return Sweep(directory.absolute(), manifest)


def around(directory: Path) -> tuple[Sweep, int] | None:
    """Return the sweep that the run in ``directory`` belongs to, and its number there; None if it belongs to none."""
    for above in directory.absolute().parents:
        path = above / FILE
        if path.is_file():
            status = path.stat()
            sweep, numbers = _indexed(above, (status.st_mtime_ns, status.st_ino))
            number = numbers.get(directory.relative_to(above).as_posix())
            return None if number is None else (sweep, number)
    return None


def metric(outcomes: Iterable[Outcome]) -> str:
    """Return the name of the loss by which runs are compared: of validation, if every run that was recorded has one."""
    found = {objective(outcome.metrics)[0] for outcome in outcomes if outcome.metrics}
    return found.pop() if len(found) == 1 else "train/loss"


def now() -> str:
    """Return the present time as records have it."""
    return datetime.now(UTC).isoformat()


@functools.lru_cache(maxsize=4)
def _indexed(directory: Path, version: tuple[int, int]) -> tuple[Sweep, dict[str, int]]:
    sweep = read(directory)
    return sweep, {str(job["directory"]): number for number, job in enumerate(sweep.manifest["jobs"])}


def _typed(overrides: Sequence[str]) -> dict[str, str]:
    pairs = (text.lstrip("+~").partition("=") for text in overrides)
    return {key: value for key, _, value in pairs}


def _value(text: str) -> Any:
    """Return a number where text is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
