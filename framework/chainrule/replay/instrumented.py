"""Instruments on runs that are trained again: what they measure, point by point, and what they find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.components.contracts import Array, Schedule
from chainrule.components.parameters import build
from chainrule.engine.curves import Curves, due_epochs
from chainrule.engine.layers import States
from chainrule.engine.onlooker import Onlooker, Point, Step
from chainrule.engine.reason import Reason
from chainrule.records.result import Result
from chainrule.records.settings import Settings
from chainrule.registry.instruments import Course, Curvature, Finding, Instrument, Seen, Stepped, stated
from chainrule.registry.registry import Registry
from chainrule.replay.curvature import Gradients, curvature
from chainrule.replay.derivatives import spread
from chainrule.replay.replays import Ended, Replay, together
from chainrule.runs.prepare import first_states

POINTS, _FEWEST = 40, 16  # of a run that are seen: at most, and at least where there are as many
_EPOCHS = 8  # between two of them, so that they take little of the time: a point costs an epoch at most
_BYTES = 64 << 20  # that the parameters kept of a run may take


@dataclass(frozen=True)
class Examined:
    """A run that was trained again with instruments on it.

    Attributes:
        replay: the run.
        ended: what it came to.
        findings: in the order of their onset, and at the same epoch in that of the instruments.
    """

    replay: Replay
    ended: Ended
    findings: tuple[Finding, ...]

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


def examine(replays: Sequence[Replay], chosen: Sequence[Instrument]) -> list[Examined]:
    """Train runs again, as stacks where they can be, with instruments on each.

    Raises:
        ConfigurationError: data, or a run that one of them starts from, cannot be read.
    """
    finer = [_finer(replay) for replay in replays]
    found = _examine(finer, replays, chosen)
    wrong = [place for place, one in enumerate(found) if one.ended.difference and finer[place] is not replays[place]]
    again = [replays[place] for place in wrong]  # as it was: a finer curve may have ended a run that was not stopped
    for place, one in zip(wrong, _examine(again, again, chosen) if again else [], strict=True):
        found[place] = one
    return found


def _examine(seen: Sequence[Replay], replays: Sequence[Replay], chosen: Sequence[Instrument]) -> list[Examined]:
    gauges = [Gauge(replay, chosen) for replay in seen]
    ended = together(seen, lambda places: Watching([gauges[place] for place in places]))
    return [
        Examined(replay, end if own is replay else _compared(replay, end), gauge.findings(end.result))
        for replay, own, end, gauge in zip(replays, seen, ended, gauges, strict=True)
    ]


def _finer(replay: Replay) -> Replay:
    """Return the replay of a run with more points of its curves, where these are few and decide nothing."""
    training, original = replay.settings.training, replay.original
    if original is None or original.reason is not Reason.EPOCHS or training.patience is not None:
        return replay
    if training.restore_best or type(replay.settings.schedule).measured is not Schedule.measured:
        return replay
    epochs = original.curves.epochs
    interval = int(epochs[1]) if len(epochs) > 1 else 1
    wanted = max(1, int(epochs[-1]) // POINTS)
    every = max(each for each in range(1, interval + 1) if interval % each == 0 and each <= wanted)
    if every == interval:
        return replay
    norms = any(name.startswith("gradient_norm/") for name in original.curves.values)  # which also follow from `every`
    settings = replace(replay.settings, training=replace(training, measure_every=every, gradient_norms=norms))
    return Replay(settings, None, replay.plugins)


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
    """

    def __init__(self, replay: Replay, chosen: Sequence[Instrument]) -> None:
        self.settings, self.shape = replay.settings, replay.shape
        self._chosen = list(chosen)
        self._measuring = [each for each in chosen if type(each).measured is not Instrument.measured]
        self._stepping = [each for each in chosen if type(each).stepped is not Instrument.stepped]
        wanted = int(np.clip(replay.epochs // _EPOCHS, _FEWEST, POINTS))
        most = int(np.clip(_BYTES // (8 * self.shape.size), 2, wanted))
        every = replay.settings.training.measure_every
        known = replay.original.curves.epochs if replay.original else due_epochs(replay.epochs, every or 1)
        self._epochs = {int(known[place]) for place in spread(len(known), most)}
        self._points: list[int] = []
        self._steps: list[int] = []
        self._thetas: list[Array] = []
        self._seen: dict[str, list[Mapping[str, Any]]] = {each.name: [] for each in chosen}
        self._stepped: dict[str, list[Mapping[str, Any]]] = {each.name: [] for each in chosen}

    def wants(self, epoch: int) -> bool:
        """Say whether the point of an epoch is seen."""
        return epoch in self._epochs

    def measured(self, seen: Seen) -> None:
        """Let the instruments measure a point."""
        self._points.append(seen.epoch)
        self._thetas.append(seen.theta.copy())
        for each in self._measuring:
            self._seen[each.name].append(each.measured(seen))

    def stepped(self, step: Stepped) -> None:
        """Let them measure a step."""
        self._steps.append(step.epoch)
        for each in self._stepping:
            self._stepped[each.name].append(each.stepped(step))

    def findings(self, result: Result) -> tuple[Finding, ...]:
        """Return what they find, in the order of the onset."""
        at = _Curvatures(result, self._thetas)
        train, inputs = result.samples.train, result.samples.inputs
        x, y = train[1 : 1 + inputs], train[1 + inputs : 1 + inputs + result.samples.outputs]
        found: list[Finding] = []
        with np.errstate(all="ignore"):
            for each in self._chosen:
                course = Course(
                    settings=self.settings,
                    shape=self.shape,
                    epochs=np.array(self._points, int),
                    seen=_joined(self._seen[each.name]),
                    step_epochs=np.array(self._steps, int),
                    stepped=_joined(self._stepped[each.name]),
                    curves=result.curves,
                    reason=result.reason,
                    x=x,
                    y=y,
                    curvature=at,
                )
                found += stated(each, course)
        return tuple(sorted(found, key=lambda finding: finding.onset))


class Watching(Onlooker):
    """Shows a stack to the gauges of its runs."""

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges, self._due, self._epoch = list(gauges), -1, -1
        self._steps = any(gauge._stepping for gauge in gauges)

    def wants(self, step: int) -> bool:
        """Want the first step after a point."""
        return self._steps and step == self._due

    def measured(self, point: Point) -> None:
        """Show a point to each run that wants it."""
        wanting = [row for row, run in enumerate(point.runs) if self._gauges[run].wants(point.epoch)]
        if not wanting:
            return
        self._due, self._epoch = point.step + 1, point.epoch
        passes: list[tuple[Sequence[Array], Array]] = []

        def backward() -> tuple[Sequence[Array], Array]:
            if not passes:
                passes.append(point.backward())
            return passes[0]

        for row in wanting:
            gauge = self._gauges[point.runs[row]]
            gauge.measured(_seen(gauge, point, row, backward))

    def stepped(self, step: Step) -> None:
        """Show a step to each run that saw the point before it."""
        for row, run in enumerate(step.runs):
            gauge = self._gauges[run]
            if gauge.wants(self._epoch):
                rate = None if step.rate is None else float(step.rate[row])
                arrays = step.before[row], step.after[row], step.grad[row]
                gauge.stepped(Stepped(gauge.settings, gauge.shape, self._epoch, *arrays, rate))


def _seen(gauge: Gauge, point: Point, row: int, backward: Any) -> Seen:
    def passes() -> tuple[Sequence[Array], Array]:
        delta, grad = backward()
        return [each[row] for each in delta], grad[row]

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
        _passes=passes,
    )


class _Curvatures:
    """The curvature at the points of a run, each evaluated once."""

    def __init__(self, result: Result, thetas: Sequence[Array]) -> None:
        self._result, self._thetas = result, thetas
        self._known: dict[int, Curvature] = {}

    def __call__(self, place: int) -> Curvature:
        place %= len(self._thetas)
        if place not in self._known:
            result = self._result
            is_last = place == len(self._thetas) - 1
            states: States = result.states if is_last else first_states(result.settings, result.shape)
            samples = result.samples
            gradients = Gradients(result.settings, result.shape, samples.train, samples.inputs, states)
            self._known[place] = curvature(gradients, self._thetas[place])
        return self._known[place]


def _joined(measured: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """Return numbers or arrays of points as one array by name, points first."""
    names = measured[0] if measured else ()
    return {name: np.stack([np.asarray(each[name]) for each in measured]) for name in names}


def of_settings(settings: Settings) -> Replay:
    """Return the replay of a run that is trained now."""
    return Replay.of_result(Replay(settings).train().result)
