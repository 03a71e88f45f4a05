"""Why runs of a sweep did not learn: how many of what, from the start or later, and the settings to blame."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.analysis.shares import Share
from chainrule.errors import ChainruleError, RecordError, agreeing, counted, sentence
from chainrule.files.words import resuming
from chainrule.records.run import read_record
from chainrule.records.sweep import now, read_sweep
from chainrule.records.why import BlamedEntry, SymptomEntry, Why
from chainrule.registry.instruments import Finding, Instrument
from chainrule.registry.registry import Registry
from chainrule.replay.instrumented import examine, instruments
from chainrule.replay.proof import Told
from chainrule.replay.replays import Replay
from chainrule.replay.skill import GOAL, require_goal

_AT_ONCE = 128  # runs that are trained again together, so that their results need not all be kept
UNKNOWN = "no instrument finds why"
_MOST = 8  # values of settings that are listed


@dataclass(frozen=True)
class SweptRun:
    """One run of a sweep.

    Attributes:
        number: of its job.
        settings: what varies in the sweep, as typed.
        skill: what it came to.
        findings: what instruments find of it, in the order of their onset, reasons first.
    """

    number: int
    settings: Mapping[str, Any]
    skill: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Symptom:
    """What failed runs have in common.

    Attributes:
        name: the symptom that each has first.
        runs: numbers of these runs.
        from_the_start: how many have it from the start.
    """

    name: str
    runs: tuple[int, ...]
    from_the_start: int


@dataclass(frozen=True)
class Blamed:
    """A value of a setting with which runs fail more often than without it, by intervals that are apart.

    Attributes:
        key, value: the setting.
        failed: of the runs with it.
        others: of the other runs.
    """

    key: str
    value: str
    failed: Share
    others: Share


@dataclass(frozen=True)
class SweepDiagnosis:
    """What kept runs of a sweep from learning.

    Attributes:
        goal: the skill at which a run has learned.
        runs: those that could be trained again.
        lost: why others could not, by number.
        different: numbers of those that did not end in the recorded bits.
    """

    goal: float
    runs: tuple[SweptRun, ...]
    lost: Mapping[int, str]
    different: tuple[int, ...]

    @property
    def failed(self) -> tuple[SweptRun, ...]:
        """The runs that have not learned."""
        return tuple(run for run in self.runs if run.skill < self.goal)

    @property
    def symptoms(self) -> tuple[Symptom, ...]:
        """What the failed runs had first, the most frequent first."""
        first = [(run.number, run.findings[0] if run.findings else None) for run in self.failed]
        counts = Counter(finding.symptom if finding else UNKNOWN for _, finding in first)
        return tuple(
            Symptom(
                name,
                tuple(number for number, finding in first if (finding.symptom if finding else UNKNOWN) == name),
                sum(finding is not None and finding.symptom == name and finding.onset == 0 for _, finding in first),
            )
            for name, _ in counts.most_common()
        )

    @property
    def blamed(self) -> tuple[Blamed, ...]:
        """The settings to blame, the largest difference first."""
        failed, found = {run.number for run in self.failed}, []
        for key in dict.fromkeys(key for run in self.runs for key in run.settings):
            values = [(run.number, str(run.settings.get(key))) for run in self.runs]
            for value in dict.fromkeys(value for _, value in values):
                own = [number in failed for number, each in values if each == value]
                others = [number in failed for number, each in values if each != value]
                if own and others:
                    one = Blamed(key, value, Share(sum(own), len(own)), Share(sum(others), len(others)))
                    found += [one] if one.failed.is_above(one.others) else []
        return tuple(sorted(found, key=lambda one: one.others.value - one.failed.value))

    @property
    def entries(self) -> Why:
        """What the report of the sweep shows, see :func:`chainrule.records.why.write_why`."""
        return Why(
            goal=self.goal,
            runs=len(self.runs),
            failed=len(self.failed),
            lost=len(self.lost),
            different=len(self.different),
            symptoms=[
                SymptomEntry(name=each.name, runs=list(each.runs), from_the_start=each.from_the_start)
                for each in self.symptoms
            ],
            blamed=[
                BlamedEntry(
                    key=each.key,
                    value=each.value,
                    failed=each.failed.count,
                    runs=each.failed.of,
                    others_failed=each.others.count,
                    others=each.others.of,
                )
                for each in self.blamed
            ],
            when=now(),
        )

    def lines(self) -> Iterator[str]:
        """Yield the answer line by line."""
        if self.runs:
            share = Share(len(self.failed), len(self.runs))
            which = agreeing(share.of, "run has not learned: its", "runs have not learned: their")
            yield f"{share} {which} skill is below {self.goal:g}."
        for symptom in self.symptoms:
            later = len(symptom.runs) - symptom.from_the_start
            when = "" if symptom.name == UNKNOWN else f", {symptom.from_the_start} from the start and {later} later"
            shown = ", ".join(map(str, symptom.runs[:_MOST])) + (" ..." if len(symptom.runs) > _MOST else "")
            yield f"- {len(symptom.runs)}: {symptom.name}{when} ({agreeing(len(symptom.runs), 'run', 'runs')} {shown})"
        if self.failed:
            yield "Settings to blame:" if self.blamed else "No setting fails more often than the others."
        for one in self.blamed[:_MOST]:
            yield f"- {one.key}={one.value}: {one.failed} failed, and {one.others} without it"
        if self.different:
            runs = counted(len(self.different), "run")
            yield f"{runs} did not end in the recorded bits; `chainrule verify` says where."
        for number, reason in list(self.lost.items())[:_MOST]:
            yield f"Run {number} could not be trained again: {reason}."

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__


def diagnose_sweep(
    directory: Path, registry: Registry, *, goal: float = GOAL, told: Told | None = None
) -> SweepDiagnosis:
    """Train the runs of a sweep again with every instrument on them.

    Args:
        directory: of the sweep.
        registry: finds instruments and components.
        goal: the skill at which a run has learned.
        told: is told how far it is.

    Raises:
        ConfigurationError: the goal is not above 0 and at most 1.
        RecordError: the directory holds no sweep, or its record is damaged, or no run of it has ended.
    """
    require_goal(goal)
    sweep, chosen = read_sweep(directory), instruments(registry)
    replays: dict[int, Replay] = {}
    lost: dict[int, str] = {}
    settings: dict[int, Mapping[str, Any]] = {}
    for outcome in sweep.outcomes():
        settings[outcome.number] = outcome.settings
        try:
            replay = Replay.of_record(read_record(sweep.place(outcome.number)), registry)
            _ = replay.shape  # prepares it
            replays[outcome.number] = replay
        except (ChainruleError, OSError) as error:
            lost[outcome.number] = sentence(error).rstrip(".")
    if not settings:
        raise RecordError(f"No run of {directory} is recorded yet: `{resuming(directory)}` trains them.")
    runs: list[SweptRun] = []
    different: list[int] = []
    numbers = list(replays)
    for first in range(0, len(numbers), _AT_ONCE):
        part = numbers[first : first + _AT_ONCE]
        for number, (reached, findings, differs) in zip(
            part, _examined([replays.pop(number) for number in part], chosen, goal), strict=True
        ):
            runs.append(SweptRun(number, settings[number], reached, findings))
            different += [number] if differs else []
        if told:
            told(len(runs), len(numbers))
    return SweepDiagnosis(goal, tuple(runs), lost, tuple(different))


def _examined(
    replays: Sequence[Replay], chosen: Sequence[Instrument], goal: float
) -> list[tuple[float, tuple[Finding, ...], bool]]:
    """Return what is kept of each run: its skill, its findings, and whether its bits are others."""
    return [(one.skill, one.findings, one.ended.difference is not None) for one in examine(replays, chosen, goal)]
