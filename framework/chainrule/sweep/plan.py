"""From jobs to stacks: every job is checked before the first is trained."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from chainrule import kinds
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.parameters import plain
from chainrule.plugins import Registry
from chainrule.runs import Prepared, prepare, structure
from chainrule.settings import Settings, described, flat
from chainrule.sweep.jobs import Job
from chainrule.trainer import Judge

CACHE = 4 << 20  # bytes that the arrays of a stack should fill: they pass through the cache in every step
LEAST, MOST = 16, 256  # runs of a stack: below, NumPy's calls cost more than the numbers; above, nothing is gained


class Referee(Protocol):
    """Decides in the process that trains a stack which of its runs to give up. It is handed over by pickling."""

    def judge(self, numbers: Sequence[int]) -> Judge:
        """Return the judge of a stack of jobs, given by their numbers in the order of the stack."""


@dataclass(frozen=True)
class Unit:
    """Jobs that one process trains as one stack.

    Attributes:
        jobs: in the order of their numbers.
        title: what the stack is.
        seconds: that it will take, roughly.
        referee: gives some of them up early; None to train all of them to their end.
    """

    jobs: tuple[Job, ...]
    title: str
    seconds: float
    referee: Referee | None = None


@dataclass(frozen=True)
class Kind:
    """What jobs of one structure have in common.

    Attributes:
        structure: equal for runs that can be stacked.
        title: of the first of them.
        notes: what the person should know before training.
        bytes: of the arrays that a run adds to a stack.
        step, run: seconds that a stack takes, and that each of its runs adds.
        digest: SHA-256 of the data of the first of them.
    """

    structure: tuple[Any, ...]
    title: str
    notes: tuple[str, ...]
    bytes: int
    step: float
    run: float
    digest: str


class Checked:
    """The jobs of a sweep, each known to make sense, by kind.

    Those that run alone are of no kind. Of one that asks Hydra for something, it is only known where it is tracked.

    Args:
        jobs: all of them.
        registry: of the components that they choose.

    Raises:
        ConfigurationError: a job is wrong; the sentence names it and says how many others are.
    """

    def __init__(self, jobs: Iterable[Job], registry: Registry) -> None:
        self.kinds: dict[tuple[Any, ...], tuple[Kind, list[Job]]] = {}
        self.trackers: list[Any] = []
        self.data: dict[str, str] = {}
        self.used: set[tuple[str, str]] = set()
        found: dict[tuple[Any, ...], Kind] = {}
        wrong: list[str] = []
        for job in jobs:
            if not job.is_known:
                self._add_tracker(job.config["tracking"], registry)
                continue
            try:
                settings = Settings.from_config(job.config, registry)
                coarse = _coarse(settings)
                if coarse not in found and not job.alone:  # whose data may lie in a directory of its own
                    prepared = prepare(settings)
                    found[coarse] = _kind(prepared)
                    self.data[_data_name(settings)] = prepared.samples.digest
            except ChainruleError as error:
                wrong.append(f"{job}: {error}")
                continue
            if not job.alone:
                kind = found[coarse]
                self.kinds.setdefault(kind.structure, (kind, []))[1].append(job)
            if settings.tracking not in self.trackers:
                self.trackers.append(settings.tracking)
            self.used.update((k.name, getattr(settings, group).name) for group, k in kinds.GROUPS.items())
        if wrong:
            others = len(wrong) - 1
            more = f" {others} other {'job is' if others == 1 else 'jobs are'} wrong as well." if others else ""
            raise ConfigurationError(f"{wrong[0]}{more} Nothing was trained.")

    def _add_tracker(self, tracking: Mapping[str, Any], registry: Registry) -> None:
        if "${" in repr(tracking):  # Hydra resolves it when the job's turn comes
            return
        values = dict(tracking)
        tracker = registry.make("tracking", values.pop("name"), values)
        if tracker not in self.trackers:
            self.trackers.append(tracker)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person should know before training."""
        return tuple(dict.fromkeys(note for kind, _ in self.kinds.values() for note in kind.notes))

    def units(
        self,
        workers: int,
        largest: int | None,
        is_left: Callable[[Job], bool] = lambda job: True,
        together: int = 1,
        referee: Referee | None = None,
    ) -> list[Unit]:
        """Cut the jobs of each kind into stacks that suit the cache and keep all workers busy.

        With a referee, a stack is trained as a whole or not at all: its runs are judged by their neighbours.

        Args:
            workers: processes that will share the work.
            largest: runs of a stack, at most; None for what suits.
            is_left: which jobs are to be trained.
            together: how many consecutive jobs must not be separated.
            referee: gives some of them up early.
        """
        units = []
        for kind, jobs in self.kinds.values():
            left = [job for job in jobs if referee or is_left(job)]
            size = min(MOST, max(LEAST, CACHE // kind.bytes))
            size = min(size, max(LEAST, -(-len(left) // (2 * workers))))
            size = max(1, min(size, largest or size) // together) * together
            for start in range(0, len(left), size):
                part = tuple(left[start : start + size])
                if any(is_left(job) for job in part):
                    units.append(Unit(part, kind.title, kind.step + kind.run * len(part), referee))
        return sorted(units, key=lambda unit: unit.jobs[0].number)


def _coarse(settings: Settings) -> tuple[Any, ...]:
    """Return what decides whether a run makes sense and what its structure is, as far as no data are needed.

    Data are drawn once for runs that differ in what follows from the seed alone, or in numbers that may be stacked.
    """
    training = settings.training
    parts = (getattr(settings, group) for group in kinds.STACKED)
    course = training.epochs, training.batch_size, training.interval, training.dtype
    initializer = type(settings.initializer)
    return (settings.network, settings.data, settings.target, course, initializer, *map(kinds.structure, parts))


def _data_name(settings: Settings) -> str:
    """Return the overrides that say which data a run draws."""
    how = {"target": described(settings.target), "data": plain(settings.data), "seed": settings.seed}
    return " ".join(f"{key}={'null' if value is None else value}" for key, value in flat(how).items())


def _kind(prepared: Prepared) -> Kind:
    settings, training = prepared.settings, prepared.settings.training
    widths, samples = prepared.shape.widths, prepared.samples.train.shape[1]
    batch = min(training.batch_size or samples, samples)
    steps = training.epochs * -(-samples // batch)
    points = min(training.epochs, training.epochs // training.interval + 2)
    everything = samples + prepared.samples.validation.shape[1]
    work = [(steps, batch), (points, everything)]
    return Kind(
        structure=structure(prepared),
        title=settings.title,
        notes=prepared.notes,
        bytes=prepared.theta.itemsize * (everything * (1 + widths[0] + widths[-1]) + 4 * batch * sum(widths)),
        step=sum(count * _OVERHEAD * prepared.shape.layers for count, _ in work),
        run=_RECORD + sum(count * _seconds(widths, size) for count, size in work),
        digest=prepared.samples.digest,
    )


# Seconds on one core of a laptop, see experiments/speed; good to a factor of two or three.
_OVERHEAD = 5e-6  # of a layer, whatever the size of the stack
_PER_LAYER = 5e-8  # of a layer of each run
_PER_VALUE = 4e-9  # of each unit and sample
_PER_PRODUCT = 1.5e-10  # of each parameter and sample, in the three products of a step
_RECORD = 0.008  # of a run's files


def _seconds(widths: Sequence[int], samples: int) -> float:
    products = sum(before * units for before, units in pairwise(widths))
    return len(widths[1:]) * _PER_LAYER + samples * (sum(widths[1:]) * _PER_VALUE + products * _PER_PRODUCT)
