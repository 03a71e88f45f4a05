"""Instruments on runs that are trained again: what they measure, point by point, and what they find."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from chainrule.components.arguments import asked
from chainrule.components.contracts import Array, Schedule
from chainrule.components.parameters import build
from chainrule.engine.curves import Curves, due_epochs
from chainrule.engine.layers import States
from chainrule.engine.onlooker import Change, Onlooker, Point
from chainrule.engine.reason import Reason
from chainrule.engine.trainer import one_thread
from chainrule.records.result import Result
from chainrule.records.settings import Settings
from chainrule.registry.instruments import Backward, Course, Curvature, Finding, Instrument, Seen, Stepped, stated
from chainrule.registry.registry import Registry
from chainrule.replay.curvature import curvature
from chainrule.replay.derivatives import spread
from chainrule.replay.replays import Ended, Replay, together
from chainrule.replay.skill import GOAL, skill
from chainrule.replay.work import Work
from chainrule.runs.prepare import first_states

POINTS = 40  # of a run that are seen, at most
_NEVER = 1 << 62  # the number of a step that there is not
_BYTES = 64 << 20  # that the parameters kept of a run may take


@dataclass(frozen=True)
class Examined:
    """A run that was trained again with instruments on it.

    Attributes:
        replay: the run.
        ended: what it came to.
        findings: in the order of their onset, and at the same epoch in that of the instruments; but what may follow
            from another comes after it.
        skill: what it came to.
        reasons: of each finding, those from which it may follow.
        apart: epochs between two points that were seen, to which onsets are known.
    """

    replay: Replay
    ended: Ended
    findings: tuple[Finding, ...]
    skill: float
    reasons: tuple[tuple[Finding, ...], ...]
    apart: int

    @property
    def result(self) -> Result:
        """The run."""
        return self.ended.result


def instruments(registry: Registry) -> list[Instrument]:
    """Return all instruments that are installed, with their default thresholds; the built-in ones' order is kept."""
    offers = [o for plugin in registry.plugins for o in plugin.offers if o.kind == "instrument"]
    order = {offer.component.name: place for place, offer in enumerate(offers)}
    names = sorted(registry.names("instrument"), key=lambda name: order.get(name, len(order)))
    made: list[Instrument] = [build(registry.find("instrument", name), {}, "instrument") for name in names]
    return made


def examine(replays: Sequence[Replay], chosen: Sequence[Instrument], goal: float = GOAL) -> list[Examined]:
    """Train runs again, as stacks where they can be, with instruments on each.

    Args:
        replays: the runs.
        chosen: the instruments.
        goal: the skill at which a run has learned.

    Raises:
        ConfigurationError: data, or a run that one of them starts from, cannot be read.
    """
    finer = [_finer(replay) for replay in replays]
    found = _examine(finer, replays, chosen, goal)
    wrong = [place for place, one in enumerate(found) if one.ended.difference and finer[place] is not replays[place]]
    again = [replays[place] for place in wrong]  # as it was: a finer curve may have ended a run that was not stopped
    for place, one in zip(wrong, _examine(again, again, chosen, goal) if again else [], strict=True):
        found[place] = one
    return found


def _examine(
    seen: Sequence[Replay], replays: Sequence[Replay], chosen: Sequence[Instrument], goal: float
) -> list[Examined]:
    gauges = [Gauge(replay, chosen) for replay in seen]
    ended = together(seen, lambda places: Watching([gauges[place] for place in places]))
    return [
        _examined(replay, end if own is replay else _compared(replay, end), gauge, goal)
        for replay, own, end, gauge in zip(replays, seen, ended, gauges, strict=True)
    ]


def _examined(replay: Replay, end: Ended, gauge: "Gauge", goal: float) -> Examined:
    reached = skill(end.result)
    findings, reasons = gauge.findings(end.result, reached, goal)
    return Examined(replay, end, findings, reached, reasons, gauge.apart)


def ordered(
    findings: Sequence[Finding], chosen: Sequence[Instrument], apart: int = 0
) -> tuple[tuple[Finding, ...], tuple[tuple[Finding, ...], ...]]:
    """Return findings in the order of their onset, but reasons before what may follow from them, and the reasons.

    Args:
        findings: of a run, in the order of the instruments.
        chosen: the instruments, which say what may follow from what.
        apart: epochs between two points that were seen: no onset is known better.
    """
    follows = {each.name: set(each.follows) for each in chosen}

    def is_reason(other: Finding, one: Finding) -> bool:
        return other.instrument in follows.get(one.instrument, ()) and other.onset <= one.onset + apart

    left = sorted(findings, key=lambda finding: finding.onset)
    found = []
    while left:
        ready = (one for one in left if not any(is_reason(other, one) for other in left))
        found.append(next(ready, left[0]))  # none is ready where instruments name each other
        left.remove(found[-1])
    reasons = [tuple(other for other in found[:place] if is_reason(other, one)) for place, one in enumerate(found)]
    return tuple(found), tuple(reasons)


def _finer(replay: Replay) -> Replay:
    """Return the replay of a run with more points of its curves, where these are few, cheap, and decide nothing."""
    training, original = replay.settings.training, replay.original
    if original is None or original.reason is not Reason.EPOCHS or training.patience is not None:
        return replay
    if training.restore_best or type(replay.settings.schedule).measured is not Schedule.measured:
        return replay
    epochs = original.curves.epochs
    interval = int(epochs[1]) if len(epochs) > 1 else 1
    work = replay.work
    wanted = max(1, int(epochs[-1]) // work.points(work.between, POINTS, fewest=1))
    every = max(each for each in range(1, interval + 1) if interval % each == 0 and each <= wanted)
    if every == interval:
        return replay
    norms = any(name.startswith("gradient_norm/") for name in original.curves.values)  # which also follow from `every`
    return replay.measured(replace(training, measure_every=every, gradient_norms=norms))


def _compared(replay: Replay, end: Ended) -> Ended:
    """Compare a run with more points with the original, at the points of that one; the result has all of them."""
    assert replay.original is not None
    curves = end.result.curves
    there = np.isin(curves.epochs, replay.original.curves.epochs)
    points = Curves(curves.epochs[there], {name: own[there] for name, own in curves.values.items()})
    thinned = replace(end.result, curves=points)  # which has the best epoch among these
    return replace(replay.ended(thinned), result=end.result)


class Gauge:
    """The instruments on one run, and what they have measured.

    Args:
        replay: the run.
        chosen: the instruments.

    Attributes:
        epochs: whose points are seen.
    """

    def __init__(self, replay: Replay, chosen: Sequence[Instrument]) -> None:
        self.settings, self.shape, self._work = replay.settings, replay.shape, replay.work
        self._chosen = list(chosen)
        self._asking = {each.name for each in chosen if "backward" in asked(type(each), "measured")}
        measuring = [each for each in chosen if type(each).measured is not Instrument.measured]
        self._measuring = [(each.name, each.measured, each.name in self._asking) for each in measuring]
        self._stepping = [(each.name, each.stepped) for each in chosen if type(each).stepped is not Instrument.stepped]
        most = min(self._work.points(self._work.looking, POINTS), max(2, _BYTES // (8 * self.shape.size)))
        every = replay.settings.training.measure_every
        known = replay.original.curves.epochs if replay.original else due_epochs(replay.epochs, every or 1)
        epochs = [int(known[place]) for place in spread(len(known), most)]
        self.epochs = frozenset(epochs)
        self._backward = {epochs[place] for place in spread(len(epochs), self._work.backward_points(most))}
        begun = len(epochs) - 1  # points with a step after them
        seen = spread(begun, self._work.steps(most)) if self._stepping and begun else ()
        self._before_steps = frozenset(epochs[place] for place in seen)
        self._points: list[int] = []
        self._steps: list[int] = []
        self._thetas: list[Array] = []
        self._seen: dict[str, list[Mapping[str, Any]]] = {each.name: [] for each in chosen}
        self._stepped: dict[str, list[Mapping[str, Any]]] = {each.name: [] for each in chosen}

    @property
    def apart(self) -> int:
        """Epochs between two points that were seen, at most."""
        return int(np.diff(self._points).max(initial=0))

    def wants(self, epoch: int) -> bool:
        """Say whether the point of an epoch is seen."""
        return epoch in self.epochs

    def wants_step(self, epoch: int) -> bool:
        """Say whether the first step after the point of an epoch is seen."""
        return epoch in self._before_steps

    def measured(self, seen: Seen, backward: Backward) -> None:
        """Let the instruments measure a point."""
        self._points.append(seen.epoch)
        self._thetas.append(seen.theta.copy())
        with_backward = seen.epoch in self._backward
        for name, measure, asks in self._measuring:
            if not asks:
                self._seen[name].append(measure(seen))
            elif with_backward:
                self._seen[name].append(measure(seen, backward=backward))

    def stepped(self, step: Stepped) -> None:
        """Let them measure a step."""
        self._steps.append(step.epoch)
        for name, measure in self._stepping:
            self._stepped[name].append(measure(step))

    def findings(
        self, result: Result, reached: float, goal: float
    ) -> tuple[tuple[Finding, ...], tuple[tuple[Finding, ...], ...]]:
        """Return what they find, see :func:`ordered`.

        Args:
            result: the run.
            reached: its skill.
            goal: the skill at which it has learned.
        """
        at = _Curvatures(result, dict(zip(self._points, self._thetas, strict=True)), self._work)
        train, inputs = result.samples.train, result.samples.inputs
        all_points, thetas = self._points, np.array(self._thetas)
        places = [place for place, epoch in enumerate(all_points) if epoch in self._backward]
        shown = [all_points[place] for place in places]
        known: dict[str, Any] = {
            "settings": self.settings,
            "shape": self.shape,
            "epochs": np.array(all_points, int),
            "theta": thetas,
            "step_epochs": np.array(self._steps, int),
            "curves": result.curves,
            "reason": result.reason,
            "x": train[1 : 1 + inputs],
            "y": train[1 + inputs : 1 + inputs + result.samples.outputs],
            "curvature": partial(at.of, all_points),
            "skill": reached,
            "goal": goal,
        }
        of_shown = {"epochs": np.array(shown, int), "theta": thetas[places], "curvature": partial(at.of, shown)}
        few = known | of_shown
        found: list[Finding] = []
        with one_thread(), np.errstate(all="ignore"):
            for each in self._chosen:
                of = few if each.name in self._asking else known
                seen, stepped = _joined(self._seen[each.name]), _joined(self._stepped[each.name])
                found += stated(each, Course(seen=seen, stepped=stepped, **of))
        return ordered(found, self._chosen, self.apart)


class Watching(Onlooker):
    """Shows a stack to the gauges of its runs."""

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges, self._due, self._epoch = list(gauges), -1, -1
        self._epochs = frozenset[int]().union(*(gauge.epochs for gauge in gauges))

    def wants(self, step: int) -> bool:
        """Want the first step after some points."""
        return step == self._due

    def next_wanted(self, step: int) -> int:
        """Return the number of the first step after the last of these points, if it is still to come."""
        return self._due if self._due >= step else _NEVER

    def wants_point(self, epoch: int) -> bool:
        """Want the points that a run wants."""
        return epoch in self._epochs

    def measured(self, point: Point) -> None:
        """Show a point to each run that wants it."""
        wanting = [row for row, run in enumerate(point.runs) if self._gauges[run].wants(point.epoch)]
        if not wanting:
            return
        if any(self._gauges[point.runs[row]].wants_step(point.epoch) for row in wanting):
            self._due, self._epoch = point.step + 1, point.epoch
        passes: list[tuple[Sequence[Array], Array]] = []

        def backward() -> tuple[Sequence[Array], Array]:
            if not passes:
                passes.append(point.backward())
            return passes[0]

        for row in wanting:
            gauge = self._gauges[point.runs[row]]
            gauge.measured(_seen(gauge, point, row), _backward(gauge, row, backward))

    def changed(self, change: Change) -> None:
        """Show a step to each run that wants the one after that point."""
        for row, run in enumerate(change.runs):
            gauge = self._gauges[run]
            if gauge.wants_step(self._epoch):
                rate = None if change.rate is None else float(change.rate[row])
                arrays = change.before[row], change.after[row], change.grad[row]
                gauge.stepped(Stepped(gauge.settings, gauge.shape, self._epoch, *arrays, rate))


def _seen(gauge: Gauge, point: Point, row: int) -> Seen:
    return Seen(
        settings=gauge.settings,
        shape=gauge.shape,
        epoch=point.epoch,
        theta=point.theta[row],
        z=[each[row] for each in point.z],
        a=[each[row] for each in point.a],
        x=point.x[row],
        y=point.y[row],
        losses={name: float(values[row]) for name, values in point.values.items()},
    )


def _backward(gauge: Gauge, row: int, backward: Callable[[], tuple[Sequence[Array], Array]]) -> Backward:
    def passes() -> tuple[Sequence[Array], Array]:
        delta, grad = backward()
        return [each[row] for each in delta], grad[row]

    return Backward(gauge.shape, passes)


class _Curvatures:
    """The curvature at the points of a run, each evaluated once.

    Args:
        result: the run.
        thetas: its parameters, by epoch.
        work: of the run.
    """

    def __init__(self, result: Result, thetas: Mapping[int, Array], work: Work) -> None:
        self._result, self._thetas, self._work = result, thetas, work
        self._known: dict[int, Curvature] = {}

    def of(self, epochs: Sequence[int], place: int) -> Curvature:
        """Return the curvature at one of some epochs."""
        epoch = epochs[place]
        if epoch not in self._known:
            result = self._result
            is_last = epoch == max(self._thetas)
            states: States = result.states if is_last else first_states(result.settings, result.shape)
            samples = result.samples.train, result.samples.inputs
            settings, shape, theta = result.settings, result.shape, self._thetas[epoch]
            self._known[epoch] = curvature(settings, shape, *samples, states, theta, self._work)
        return self._known[epoch]


def _joined(measured: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """Return numbers or arrays of points as one array by name, points first."""
    names = measured[0] if measured else ()
    return {name: np.array([each[name] for each in measured]) for name in names}


def of_settings(settings: Settings) -> Replay:
    """Return the replay of a run that is trained now."""
    return Replay.of_result(Replay(settings).train().result)
