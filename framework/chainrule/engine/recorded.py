"""Steps and points of a machine, recorded once by running the engine's own code with arrays that note what is done."""

import copy
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.compiled.generate import Source, require_short
from chainrule.compiled.step import StepNumber
from chainrule.compiled.tape import Role, Tape
from chainrule.compiled.tracing import Traced, recorded
from chainrule.compiled.untraceable import Refused, Untraceable, where_untraceable
from chainrule.components.contracts import Array, Component
from chainrule.components.stacking import float_fields, structure
from chainrule.engine.backprop import Backprop, Truth, mean_loss, true_outputs
from chainrule.engine.network import Pass
from chainrule.engine.parts import FIELDS, Part, Parts, Place
from chainrule.engine.transforms import Transforms
from chainrule.engine.update import planned_update, unread

LOSS, PREDICTED, GRADIENT = ("loss",), ("predicted",), ("gradient",)  # the places of what a point fills

_DRAWS = "draws random numbers"


@dataclass
class Recorded:
    """The steps of a part, or the points of its samples, recorded.

    Attributes:
        tape: what one does.
        places: the array of each buffer, by its number.
        x, y: the numbers of the buffers of samples.
        further: how many gradients and losses a step evaluates beside one gradient, ``(2,)``.
        sources: what was generated from the tape, by the number of lanes.
    """

    tape: Tape
    places: dict[int, Place]
    x: int
    y: int
    further: Array
    sources: dict[int, Source] = field(default_factory=dict)

    def take(self, runs: Array) -> "Recorded":
        """Return the same for the chosen runs."""
        captured = {number: rows[runs] for number, rows in self.tape.captured.items()}
        return replace(self, tape=replace(self.tape, captured=captured))


class _Network:
    """What a step or a point works with, traced.

    Args:
        parts: the arrays.
        part: the samples.
        theta: what the parameters are for.

    Attributes:
        tape: what is recorded.
        places: the array of each buffer, by its number.
        optimizer, groups: the components.
        states: what they keep.
        theta, x, y: parameters and samples, under a row of ones.
    """

    def __init__(self, parts: Parts, part: Part, theta: Role) -> None:
        self.tape, self._runs = Tape(), len(parts.theta)
        self._arrays, self.places = parts.arrays(), dict[int, Place]()
        self._scheduled = ("optimizer", 0, parts.scheduled)
        components = {place: self._with_fields(place, one) for place, one in parts.components()}
        self.optimizer: Any = components["optimizer", 0]
        self.groups: dict[str, Any] = {}
        for group in FIELDS:
            chosen = tuple(one for (name, _), one in components.items() if name == group)
            self.groups[group] = chosen if isinstance(getattr(parts.stack, group), tuple) else chosen[0]
        self.states: dict[str, Any] = {
            "state": {name: self._array(("state", name), Role.STATE) for name in parts.state},
            "rule": {name: self._array(("rule", name), Role.STATE) for name in parts.rule_state},
            "transform": [
                {name: self._array(("transform", number, name), Role.STATE) for name in own}
                for number, own in enumerate(parts.transforms)
            ],
            "layer": {
                place: {name: self._array(("layer", place, name), Role.STATE) for name in own}
                for place, own in parts.states.items()
            },
        }
        self.theta: Any = self._array(("theta",), theta)
        self.x, self.y = (self._samples(dims, part.role, parts.theta.dtype) for dims in (part.x_dims, part.y_dims))

    def backprop(self, forward: Pass, rng: Any) -> Backprop:
        """Return the backward pass, whose gradient is a new array."""
        return Backprop(
            forward, self.groups["loss"], self.groups["rule"], self.states["rule"], np.empty_like(self.theta), rng
        )

    def forward(self, parts: Parts, samples: int, rng: Any, dropout: Array | None) -> Pass:
        """Return the forward pass."""
        groups, layers = self.groups, {"norm": self.groups["norm"], "states": self.states["layer"], "dropout": dropout}
        shape = parts.stack.shape
        return Pass(shape, self.theta, groups["activation"], groups["output"], samples, rng, **layers)

    def filled(self, place: Place, dims: tuple[int, ...]) -> Traced:
        """Return a new array of this place, which is to be filled."""
        buffer = self.tape.buffer(dims, self.theta.dtype, Role.STATE)
        self.places[buffer.number] = place
        return Traced(self.tape, self._runs, buffer.whole)

    def recorded(self, further: Array) -> Recorded:
        """Return what was recorded."""
        return Recorded(self.tape, self.places, self.x.view.buffer.number, self.y.view.buffer.number, further)

    def _array(self, place: Place, role: Role, known: Array | None = None) -> Traced:
        array = self._arrays[place]
        if array.dtype.kind not in "fb" or not array.flags.c_contiguous:
            raise Untraceable(f"keeps {place[-1]!r} as an array of {array.dtype}")
        buffer = self.tape.buffer(array.shape[1:], array.dtype, role)
        self.places[buffer.number] = place
        return Traced(self.tape, self._runs, buffer.whole, known, frozenset({buffer.number}))

    def _with_fields(self, place: Place, component: Component) -> Any:
        own = copy.copy(component)
        for name in float_fields(component):
            known = None if (*place, name) == self._scheduled else self._arrays[*place, name]
            object.__setattr__(own, name, self._array((*place, name), Role.FIELD, known))
        return own

    def _samples(self, dims: tuple[int, ...], role: Role, dtype: Any) -> Any:
        """Return the traced samples of a batch, ``(runs, features, samples)``."""
        found = Traced(self.tape, self._runs, self.tape.buffer(dims, dtype, role).whole)
        return found.mT if role is Role.CHOSEN else found


def record_step(parts: Parts, part: Part, now: int) -> Recorded:
    """Record the step of this number.

    Raises:
        Untraceable: a formula does what cannot be recorded.
    """
    network, stack = _Network(parts, part, Role.STATE), parts.stack
    optimizer, transformed, states = network.optimizer, network.groups["transforms"], network.states
    offered = {"shape": stack.shape, "rng": Refused(_DRAWS)}
    rng: Any = offered["rng"] if parts.differs else None
    backprop = network.backprop(network.forward(parts, part.samples, rng, stack.dropout), offered["rng"])
    batch = backprop.batch(network.x, network.y)
    lr = getattr(optimizer, str(optimizer.rate), None)
    transforms = Transforms(transformed, network.theta, {**offered, "lr": lr}, states["transform"])
    further = np.zeros((2, len(parts.theta)), int)
    given = transforms if transformed else None
    update = planned_update(optimizer, network.groups["rule"], given, offered, further, backprop, batch)
    before, earlier = _flat(states), len(network.tape.buffers)
    with recorded(network.tape):
        grad = backprop(batch)
        if update(network.theta, grad, states["state"], StepNumber(network.tape, now)) is not None:
            raise unread(optimizer)
        _put_back(before, _flat(states), earlier)
    if (further != further[:, :1]).any():
        raise Untraceable("evaluates gradients of some runs only")
    return network.recorded(further[:, 0])


def record_point(parts: Parts, part: Part, *, has_gradient: bool) -> Recorded:
    """Record what is measured of some samples: ``LOSS``, ``PREDICTED`` and, if wanted, ``GRADIENT`` are filled.

    Raises:
        Untraceable: a formula does what cannot be recorded.
    """
    network, shape = _Network(parts, part, Role.FIELD), parts.stack.shape
    forward, loss = network.forward(parts, part.samples, None, None), network.groups["loss"]
    truth = Truth.of(network.y, true_outputs(forward, loss))
    measure: Callable[[], Any]
    if has_gradient:
        backprop = network.backprop(forward, None)
        measure = functools.partial(backprop, backprop.batch(network.x, network.y))
    else:
        measure = functools.partial(forward.forward, forward.first(network.x))
    before = _flat(network.states)
    with recorded(network.tape):
        found = measure()
        network.filled(LOSS, ())[...] = mean_loss(forward, loss, truth)
        network.filled(PREDICTED, (shape.widths[-1], part.samples))[...] = forward.a[-1]
        if has_gradient:
            network.filled(GRADIENT, (shape.size,))[...] = found
    written = {network.places[number] for number in network.tape.written()}
    is_kept = all(each is before[place] for place, each in _flat(network.states).items())
    if not (is_kept and written <= {LOSS, PREDICTED, GRADIENT}):
        raise Untraceable("changes what it keeps, though it does not train")
    return network.recorded(np.zeros(2, int))


def _flat(states: Mapping[str, Any]) -> dict[Place, Any]:
    found: dict[Place, Any] = {("state", name): each for name, each in states["state"].items()}
    found |= {("rule", name): each for name, each in states["rule"].items()}
    found |= {("transform", n, name): each for n, own in enumerate(states["transform"]) for name, each in own.items()}
    found |= {("layer", p, name): each for p, own in states["layer"].items() for name, each in own.items()}
    return found


def _put_back(before: Mapping[Place, Traced], after: Mapping[Place, Any], earlier: int) -> None:
    """Record that arrays which a component has put in the place of others are copied there.

    Args:
        before: what components kept.
        after: what they keep now.
        earlier: how many buffers there were before the step.

    Raises:
        Untraceable: they keep an array that changes elsewhere, too, such as the parameters, where only NumPy does so.
    """
    own = {each.view.buffer.number for each in before.values()}
    kept = [each.view.buffer.number for each in after.values() if isinstance(each, Traced)]
    if len(set(kept)) < len(kept) or any(number < earlier and number not in own for number in kept):
        raise Untraceable("keeps an array that is changed elsewhere, and no copy of it")
    changed = {place: each for place, each in after.items() if each is not before[place]}
    copies = {place: each.copy() for place, each in changed.items()}  # first, because they may be exchanged
    for place, each in copies.items():
        before[place][...] = each


_BEFORE: dict[Any, list[tuple[dict[Place, Any], Recorded]]] = {}  # what this process has recorded, by structure
_MOST = 64  # structures


def recorded_once(parts: Parts, part: Part, what: str, make: Callable[[], Recorded], now: int = 0) -> Recorded:
    """Return what was recorded of the same structure in this process, or record it.

    Fields that formulas looked at must have the same values. What has arrays of its stack is not kept for others.

    Args:
        parts: the arrays.
        part: the samples.
        what: is recorded.
        make: records it.
        now: the number of the step, of which formulas may have asked.

    Raises:
        Untraceable: ``make`` does.
    """
    key, arrays = (what, _structure(parts, part)), parts.arrays()
    for looked, each in _BEFORE.get(key, []):
        if bool(each.tape.holds(now)) and all(_values(arrays[place]) == value for place, value in looked.items()):
            return each
    made = make()
    if not made.tape.captured:
        if len(_BEFORE) >= _MOST:
            _BEFORE.clear()
        places = [place for number, place in made.places.items() if number in made.tape.looked]
        _BEFORE.setdefault(key, []).append(({place: _values(arrays[place]) for place in places}, made))
    return made


def _structure(parts: Parts, part: Part) -> Any:
    """Return what a recording depends on, but for values of fields and the number of the step."""
    stack = parts.stack
    components = tuple((place, structure(component)) for place, component in parts.components())
    arrays = tuple((place, array.shape[1:], array.dtype.char) for place, array in parts.arrays().items())
    dropout = stack.dropout is not None
    samples = part.samples, part.x_dims, part.y_dims, part.role
    tuples = tuple(isinstance(getattr(stack, group), tuple) for group in FIELDS)
    return stack.shape, components, arrays, parts.scheduled, parts.differs, dropout, samples, tuples


def _values(array: Array) -> Any:
    """Return what a formula sees that looks at a field: one value, if all runs have it; else those of all runs."""
    first = array.reshape(-1)[:1]
    return first.tobytes() if (array == first).all() else (len(array), array.tobytes())


def why_not(parts: Parts, part: Part) -> str:
    """Return why steps cannot be recorded, a sentence; "" if they can."""
    try:
        require_short(record_step(parts, part, 2).tape)
    except Exception as error:  # whatever a formula does with an array that has no numbers
        return sentence(error)
    return ""


def sentence(error: Exception, about: str = "step") -> str:
    """Return why a step, or a point, cannot be recorded, with the line of the formula that cannot."""
    what = str(error) if isinstance(error, Untraceable) else f"fails with {type(error).__name__}: {error}"
    line = where_untraceable(error)
    return f"A {about} cannot be recorded: it {what}{f' ({line})' if line else ''}."
