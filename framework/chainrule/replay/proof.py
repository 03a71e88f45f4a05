"""What a diagnosis is worth: a run is trained again many times with one thing changed, from its start and its onset.

Each change is tried with the run's own start, and with other seeds of start and order; the data stay the same. The
control is the run itself with these other seeds. From the onset a run goes on with the parameters that it had there,
and with an optimizer that begins anew; its control is the run that goes on so unchanged.

First every change is tried a few times. Those that helped most are then tried again with fresh seeds, and only these
runs count for them: what helped by chance among many does not so twice.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.analysis.shares import Share
from chainrule.components.contracts import Array
from chainrule.engine.data import Samples, Scaling
from chainrule.engine.stack import MOST
from chainrule.errors import ChainruleError
from chainrule.records.result import Result
from chainrule.records.settings import Settings
from chainrule.registry.registry import Registry
from chainrule.replay.changes import CHANGES, CONTROL, Change
from chainrule.replay.replays import Replay
from chainrule.replay.skill import skill
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import Prepared, prepare, run_structure

RUNS = 200  # of a proof, about
_FIRST = 3  # runs of each change from the start when it is first tried
_ORDERS = 2  # branches of each change then, where the order of the samples matters
_AGAIN = 4  # changes that are tried again
_FRESH = 1000  # added to the seed of a run that is tried again
Told = Callable[[int, int], None]  # how many runs have been trained, of how many


@dataclass(frozen=True)
class Trial:
    """One change, tried.

    Attributes:
        change: its name.
        start: learned, of the runs from the start.
        onset: learned, of the branches from the onset; None if it was not tried so.
        median: the median skill of the runs from the start.
        own: whether the run with its own seed has learned from the start; None for the control.
        is_fresh: whether it was tried again, and the shares are those of fresh seeds.
    """

    change: str
    start: Share
    onset: Share | None
    median: float
    own: bool | None = None
    is_fresh: bool = False

    def cures(self, control: "Trial") -> bool:
        """Whether it learns more often than the control with fresh seeds, by intervals that are apart."""
        from_onset = self.onset and control.onset and self.onset.is_above(control.onset)
        return self.is_fresh and (self.start.is_above(control.start) or bool(from_onset))

    @property
    def best(self) -> Share:
        """The larger of its shares."""
        return max((share for share in (self.start, self.onset) if share), key=lambda share: share.value)

    @property
    def value(self) -> float:
        """The larger of its shares, as a number."""
        return self.best.value


@dataclass(frozen=True)
class Proof:
    """Which changes cure a run, and which do not.

    Attributes:
        onset: after how many epochs branches begin; 0 if there are none.
        goal: the skill at which a run has learned.
        control: the run itself with other seeds.
        trials: the changes, the most helpful first.
        impossible: why a change could not be tried, by its name.
        runs: how many runs were trained.
    """

    onset: int
    goal: float
    control: Trial
    trials: tuple[Trial, ...]
    impossible: Mapping[str, str]
    runs: int

    @property
    def is_luck(self) -> bool:
        """Whether most runs learn with nothing but another seed, by the interval of their share."""
        return self.control.start.interval[0] > 0.5

    @property
    def cures(self) -> tuple[Trial, ...]:
        """The changes that cure."""
        return tuple(trial for trial in self.trials if trial.cures(self.control))


def prove(
    replay: Replay,
    onset: int,
    goal: float,
    registry: Registry,
    *,
    runs: int = RUNS,
    chosen: Sequence[str] | None = None,
    told: Told | None = None,
) -> Proof:
    """Train a run again with one thing changed each, as stacks where the structure allows it.

    Args:
        replay: the run.
        onset: after how many epochs branches begin; at 0 there are none.
        goal: the skill at which a run has learned.
        registry: finds components of changes.
        runs: how many runs are trained, about; each change is tried three times at least.
        chosen: names of changes; None for all that can be made.
        told: is told how far it is.

    Raises:
        ConfigurationError: the run cannot be trained again.
    """
    bench = _Bench(replay, onset if 0 < onset < replay.epochs else 0, goal)
    made, impossible = _made(replay, registry, chosen)
    first = {name: bench.plan(name, made[name], 0, _FIRST, _ORDERS) for name in made}
    tried = bench.train(first, told)
    control = tried.pop(CONTROL)
    best = sorted(tried.values(), key=lambda trial: (-trial.value, -trial.median))[:_AGAIN]
    best = [trial for trial in best if trial.value > 0]
    if best:
        each = max(_FIRST, (runs - bench.runs) // (len(best) + 1))
        again = {
            name: bench.plan(name, made[name], _FRESH, (each + 1) // 2 if first[name][1] else each, each // 2)
            for name in (CONTROL, *(trial.change for trial in best))
        }
        fresh = bench.train(again, told)
        control = _together(control, fresh.pop(CONTROL))
        tried |= {name: replace(trial, own=tried[name].own, is_fresh=True) for name, trial in fresh.items()}
    order = sorted(tried.values(), key=lambda one: (not one.cures(control), not one.is_fresh, -one.value, -one.median))
    return Proof(bench.onset, goal, control, tuple(order), impossible, bench.runs)


def _made(
    replay: Replay, registry: Registry, chosen: Sequence[str] | None
) -> tuple[dict[str, Settings], dict[str, str]]:
    """Return changed settings by the names of changes, and why others could not be made."""
    made: dict[str, Settings] = {}
    impossible: dict[str, str] = {}
    for name in CHANGES:
        if name != CONTROL and chosen is not None and name not in chosen:
            continue
        try:
            settings = CHANGES[name].make(replay.settings, registry)
            if settings is not None:
                prepare(settings)
                made[name] = settings
        except ChainruleError as error:
            impossible[name] = str(error).rstrip(".")
    return made, impossible


def _together(first: Trial, second: Trial) -> Trial:
    """Return the control of both turns: nobody has chosen it for what it came to."""
    start = Share(first.start.count + second.start.count, first.start.of + second.start.of)
    onset = None
    if first.onset and second.onset:
        onset = Share(first.onset.count + second.onset.count, first.onset.of + second.onset.of)
    return Trial(first.change, start, onset, second.median)


class _Bench:
    """Where a run is tried with changes.

    Args:
        replay: the run.
        onset: after how many epochs branches begin; 0 for none.
        goal: the skill at which a run has learned.

    Attributes:
        onset: likewise.
        runs: how many runs have been trained.
    """

    def __init__(self, replay: Replay, onset: int, goal: float) -> None:
        self.onset, self.runs, self._goal = onset, 0, goal
        self._base = replay.prepare()
        self._theta = _at(replay, onset) if onset else None

    def plan(
        self, name: str, settings: Settings, seed: int, starts: int, orders: int
    ) -> tuple[list[Prepared], list[Prepared]]:
        """Return the runs of a change from the start and from the onset.

        Args:
            name: of the change.
            settings: the changed settings.
            seed: added to the seeds.
            starts: how many runs from the start; of the first turn, the first one has the run's own seed.
            orders: how many branches, where the order of the samples, or dropout, makes them differ; else one.
        """
        change = CHANGES[name]
        first = seed + (name == CONTROL and not seed)  # the control with its own seed is the run itself
        from_start = [self._start(change, settings, first + number) for number in range(starts)]
        return from_start, list(self._branches(change, settings, seed, orders))

    def train(self, plans: Mapping[str, tuple[list[Prepared], list[Prepared]]], told: Told | None) -> dict[str, Trial]:
        """Train the runs of several changes together, and return what came of each change."""
        runs = [run for starts, branches in plans.values() for run in (*starts, *branches)]
        skills = iter([skill(result) for result in _trained(runs, told)])
        self.runs += len(runs)
        trials = {}
        for name, (starts, branches) in plans.items():
            from_start = np.array([next(skills) for _ in starts])
            learned = from_start >= self._goal
            later = [next(skills) >= self._goal for _ in branches]
            trials[name] = Trial(
                name,
                Share(int(learned.sum()), len(learned)),
                Share(sum(later), len(later)) if later else None,
                float(np.sort(from_start)[len(from_start) // 2]),
                None if name == CONTROL else bool(learned[0]),
            )
        return trials

    def _start(self, change: Change, settings: Settings, seed: int) -> Prepared:
        run = prepare(replace(settings, seed=settings.seed + seed))
        return run if change.own_data else replace(run, samples=_samples(self._base, change))

    def _branches(self, change: Change, settings: Settings, seed: int, orders: int) -> Iterator[Prepared]:
        if self._theta is None or change.from_the_start:
            return
        training = settings.training
        epochs = max(1, training.epochs - self.onset)
        settings = replace(settings, training=replace(training, epochs=epochs, start=None))
        run = prepare(settings)
        if run.shape != self._base.shape:
            return
        samples = self._base.samples
        is_random = (training.batch_size or np.inf) < samples.train.shape[1] or settings.network.dropout > 0
        for number in range(orders if is_random else 1):
            other = prepare(replace(settings, seed=settings.seed + seed + 1 + number))
            theta = self._theta.astype(run.theta.dtype)
            yield replace(run, samples=samples, theta=theta, shuffle=other.shuffle, random=other.random)


def _at(replay: Replay, epoch: int) -> Array:
    """Return the parameters of a run after an epoch, ``(parameters,)``, which need not be a point of its curves."""
    if replay.original is None or epoch not in replay.original.curves.epochs:
        training = replace(replay.settings.training, measure_every=epoch, gradient_norms=False)
        replay = Replay(replace(replay.settings, training=training))
    checkpoint, _ = replay.until(epoch)
    found: Array = checkpoint.theta[0].copy()
    return found


def _samples(base: Prepared, change: Change) -> Samples:
    """Return the samples of the run, with inputs of a mean of 0 and a deviation of 1 if the change wants that."""
    samples = base.samples
    if not change.standardizes:
        return samples
    rows = slice(1, 1 + samples.inputs)
    scaling = Scaling.of(samples.train[rows].astype(float))

    def scaled(part: Array) -> Array:
        copied = part.copy()
        copied[rows] = scaling.apply(part[rows].astype(float))
        return copied

    return replace(
        samples,
        train=scaled(samples.train),
        validation=scaled(samples.validation),
        test=scaled(samples.test),
        x_scaling=_after(samples.x_scaling, scaling),
    )


def _after(first: Scaling, second: Scaling) -> Scaling:
    """Return the scaling that does one after another."""
    return Scaling(first.shift + first.scale * second.shift, first.scale * second.scale)


def _trained(runs: Sequence[Prepared], told: Told | None) -> list[Result]:
    """Train runs as stacks where their structure allows it; the order is kept."""
    stacks: dict[object, list[int]] = {}
    for place, run in enumerate(runs):
        stacks.setdefault(run_structure(run), []).append(place)
    results: dict[int, Result] = {}
    for whole in stacks.values():
        for first in range(0, len(whole), MOST):
            places = whole[first : first + MOST]
            fresh = [_own(runs[place]) for place in places]
            results.update(zip(places, train_stack(fresh), strict=True))
            if told:
                told(len(results), len(runs))
    return [results[place] for place in range(len(runs))]


def _own(run: Prepared) -> Prepared:
    """Return a run whose generators are nobody else's."""
    return replace(run, shuffle=copy.deepcopy(run.shuffle), random=copy.deepcopy(run.random))
