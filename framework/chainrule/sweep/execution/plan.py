"""From jobs to stacks: every job is checked before the first is trained."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from chainrule.components.parameters import plain
from chainrule.config.settings import TRACKING, settings_from_config, tracker_from_config
from chainrule.engine.compiling import pays
from chainrule.engine.measuring import default_interval
from chainrule.engine.network import Shape
from chainrule.engine.stack import MOST, MOST_COMPILED, STACKED
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.records.settings import Settings, component_config, flat
from chainrule.registry.kinds import GROUPS
from chainrule.registry.registry import Registry
from chainrule.registry.watching import Tracker
from chainrule.runs.execute import why_plain
from chainrule.runs.prepare import Prepared, measure_every, prepare, run_structure, settings_structure
from chainrule.sweep.execution.pruning import TrialPruner
from chainrule.sweep.jobs.job import Job, wrong_with

CACHE = 4 << 20  # bytes that a step of a stack should read and write: what is more, comes from memory each time
MEMORY = 1 << 28  # bytes that all arrays of a stack should fill
LEAST = 16  # runs of a stack; fewer are no piece of work for a process


@dataclass(frozen=True)
class Unit:
    """Jobs that one process trains as one stack.

    Attributes:
        jobs: in the order of their numbers.
        title: what the stack is.
        seconds: estimated time of training.
        pruner: stops trials early; None to train all jobs to their end.
        has_control: whether one of its runs is trained alone, too, to see that runs do not know of each other.
    """

    jobs: tuple[Job, ...]
    title: str
    seconds: float
    pruner: TrialPruner | None = None
    has_control: bool = False


@dataclass(frozen=True)
class StackProfile:
    """What runs that can be stacked have in common.

    Attributes:
        structure: equal for runs that can be stacked.
        first: the settings of the first of them.
        components: names of those that they share.
        notes: what the person should know before training.
        step_bytes: size of the arrays that a step of a run reads and writes.
        bytes: size of all arrays that a run adds to a stack.
        pays: whether machine code is to do the steps, if it can.
        step, run: seconds that a stack takes, and that each of its runs adds.
    """

    structure: tuple[Any, ...]
    first: Settings
    components: str
    notes: tuple[str, ...]
    step_bytes: int
    bytes: int
    pays: bool
    step: float
    run: float

    def size(self, runs: int, workers: int) -> int:
        """Return how many of so many runs are a stack that suits the cache and keeps all workers busy, at most."""
        most = max(LEAST, -(-runs // (2 * workers)))
        size = max(1, min(MOST, most, CACHE // self.step_bytes, MEMORY // self.bytes))
        is_compiled = size > MOST_COMPILED and self.pays and not why_plain(prepare(self.first))
        return MOST_COMPILED if is_compiled else size

    def seconds(self, runs: int) -> float:
        """Return the estimated time of training so many runs as one stack."""
        return self.step + self.run * runs


class Plan:
    """The checked jobs of a sweep, and the stacks in which they are trained.

    Jobs that run alone are in no stack. If a job asks Hydra for a value, only its tracker is checked.

    Args:
        jobs: all of them.
        registry: of the components that they choose.

    Attributes:
        trackers: those of the jobs, each once.
        data: SHA-256 of what was drawn, by the overrides that decide it.
        used: kind and name of each component that a job uses.

    Raises:
        ConfigurationError: a job is wrong; the sentence names it and says how many others are.
    """

    def __init__(self, jobs: Iterable[Job], registry: Registry) -> None:
        self.trackers: list[Tracker] = []
        self.data: dict[str, str] = {}
        self.used: set[tuple[str, str]] = set()
        self._stackable: dict[tuple[Any, ...], tuple[StackProfile, list[Job]]] = {}
        self._profiles: dict[tuple[Any, ...], StackProfile] = {}
        wrong: list[str] = []
        for job in jobs:
            try:
                self._add(job, registry)
            except ChainruleError as error:
                wrong.append(wrong_with(job, error))
        if wrong:
            others = len(wrong) - 1
            more = f" {others} other {'job is' if others == 1 else 'jobs are'} wrong as well." if others else ""
            raise ConfigurationError(f"{wrong[0]}{more} Nothing was trained.")

    def _add(self, job: Job, registry: Registry) -> None:
        if job.is_known:
            settings = settings_from_config(job.config, registry)
            profile = self._profile(settings)
            if not job.alone:
                self._stackable.setdefault(profile.structure, (profile, []))[1].append(job)
            self.used.update((GROUPS[group].name, component.name) for group, component in settings.components())
        elif "${" in repr(job.config[TRACKING]):  # Hydra resolves it when the job starts
            return
        tracker = tracker_from_config(job.config, registry)
        if tracker not in self.trackers:
            self.trackers.append(tracker)
        if job.is_known:
            self.used.add((GROUPS[TRACKING].name, tracker.name))

    def _profile(self, settings: Settings) -> StackProfile:
        """Return the profile of a run; runs with the same sizes and structure share it and its data."""
        start = settings.training.start
        coarse = settings.network, settings.data, settings.target, type(settings.initializer), start
        key = (*coarse, *settings_structure(settings))
        if key not in self._profiles:
            prepared = prepare(settings)
            self._profiles[key] = _profile(prepared)
            self.data[_data_name(settings)] = prepared.samples.digest
            if prepared.origin:
                self.data[f"training.start={start}"] = prepared.origin.weights
        return self._profiles[key]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person should know before training."""
        return tuple(dict.fromkeys(note for profile, _ in self._stackable.values() for note in profile.notes))

    def units(
        self,
        workers: int,
        largest: int | None,
        is_left: Callable[[Job], bool] = lambda job: True,
        jobs_per_trial: int = 1,
        pruner: TrialPruner | None = None,
        together: Iterable[Collection[int]] = (),
    ) -> list[Unit]:
        """Cut the jobs into stacks that suit the cache and keep all workers busy.

        With a pruner, a stack is trained as a whole or not at all, because its trials are compared with one another.

        Args:
            workers: processes that will share the work.
            largest: runs of a stack, at most; None for as many as suit the cache.
            is_left: which jobs are to be trained.
            jobs_per_trial: how many adjacent jobs are one trial, which must be in one stack.
            pruner: stops trials early.
            together: numbers of jobs that had a checkpoint as one stack, and are one again if all of them are left.
        """
        units = []
        controlled: set[str] = set()
        for profile, jobs in self._stackable.values():
            left = [job for job in jobs if pruner or is_left(job)]
            for group in together:
                part = tuple(job for job in left if job.number in group)
                if len(part) == len(group):
                    units.append(Unit(part, profile.first.title, profile.seconds(len(part))))
                    left = [job for job in left if job.number not in group]
            size = profile.size(len(left), workers)
            size = max(1, min(size, largest or size) // jobs_per_trial) * jobs_per_trial
            for start in range(0, len(left), size):
                part = tuple(left[start : start + size])
                if any(is_left(job) for job in part):
                    has_control = len(part) > 1 and profile.components not in controlled
                    controlled.add(profile.components)
                    units.append(Unit(part, profile.first.title, profile.seconds(len(part)), pruner, has_control))
        return sorted(units, key=lambda unit: unit.jobs[0].number)


def _data_name(settings: Settings) -> str:
    """Return the overrides that say which data a run draws."""
    how = {"target": component_config(settings.target), "data": plain(settings.data), "seed": settings.seed}
    return " ".join(f"{key}={'null' if value is None else value}" for key, value in flat(how).items())


def _profile(prepared: Prepared) -> StackProfile:
    settings, training = prepared.settings, prepared.settings.training
    shape, samples = prepared.shape, prepared.samples.train.shape[1]
    batch = min(training.batch_size or samples, samples)
    steps = training.epochs * -(-samples // batch)
    validation = prepared.samples.validation.shape[1]
    sizes = training.epochs, samples, validation
    every = measure_every(settings) or default_interval(shape, *sizes, known=batch == samples)
    points, everything = min(training.epochs, training.epochs // every + 2), samples + validation
    inputs, width = shape.widths[0], 1 + shape.widths[0] + shape.widths[-1]
    units = _PASSES * (inputs + sum(shape.rows))
    parameters, itemsize = _PARAMETERS * shape.size, prepared.theta.itemsize
    work = [(steps, batch), (points, everything)]
    return StackProfile(
        structure=run_structure(prepared),
        first=settings,
        components=" ".join(component.name for group, component in settings.components() if group in STACKED),
        notes=prepared.notes,
        step_bytes=itemsize * (parameters + batch * (width + units)),
        bytes=itemsize * (parameters + everything * (_COPIES * width + units)),
        pays=pays(training.engine, steps, shape.size),
        step=sum(count * _OVERHEAD * shape.layers for count, _ in work),
        run=_RECORD + sum(count * _seconds(shape, size) for count, size in work),
    )


# Arrays: of parameters there are these, gradients, the state of an optimizer and what it computes in between; of units
# z, a, their errors and what activations compute in between; of samples those of the run, the stack and the epoch.
_PARAMETERS, _PASSES, _COPIES = 6, 4, 3

# Seconds on one core of a laptop, see experiments/speed; good to a factor of two or three.
_OVERHEAD = 5e-6  # of a layer, for any number of runs
_PER_LAYER = 5e-8  # of a layer of each run
_PER_VALUE = 4e-9  # of each unit and sample
_PER_PRODUCT = 1.5e-10  # of each parameter and sample, in the three products of a step
_RECORD = 0.008  # of a run's files


def _seconds(shape: Shape, samples: int) -> float:
    products = sum(before * rows for before, rows in zip(shape.widths, shape.rows[1:], strict=False))
    return shape.layers * _PER_LAYER + samples * (sum(shape.rows) * _PER_VALUE + products * _PER_PRODUCT)
